"""A data directory as a source of events."""

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from jwtrail import clock
from jwtrail.ecs import Event
from jwtrail.trail.layout import Layout
from jwtrail.trail.manifest import SegmentInfo
from jwtrail.trail.reader import TrailReader

__all__ = ["SealedFile", "TrailFiles"]


class SealedFile(Struct, frozen=True):
    """One segment as a store wants it: see `source.Segment`."""

    path: Path
    first: int
    last: int
    min_us: int
    max_us: int
    rows: int
    columns: frozenset[str]


class TrailFiles:
    """The segments and the unsealed events of a data directory; works with and without a daemon. See `source.TrailSource`."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._reader = TrailReader(layout)
        self._known: dict[str, SealedFile] = {}

    def segments(self) -> Sequence[SealedFile]:
        """All segments, oldest first.

        Raises:
            CorruptionError: the manifest is damaged.
        """
        listed = self._reader.segments()
        # Segments never change, and a search must not parse thousands of time stamps again.
        known = self._known
        files = {info.file: known.get(info.file) or self._file(info) for info in listed}
        self._known = files
        return tuple(files.values())

    def unsealed(self) -> Sequence[Event]:
        """Events in no segment, in order; those without an index last."""
        return self._reader.unsealed()

    @property
    def size(self) -> int:
        """How many events have an index."""
        return self._reader.size

    def _file(self, info: SegmentInfo) -> SealedFile:
        return SealedFile(
            path=self._layout.segments / info.file,
            first=info.first,
            last=info.last,
            min_us=clock.parse_iso(info.min_time),
            max_us=clock.parse_iso(info.max_time),
            rows=info.rows,
            columns=frozenset(info.columns),
        )
