"""Merges segments in a thread of its own, one run of neighbours at a time."""

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from msgspec import Struct

from jwtrail.errors import CorruptionError, WriteError
from jwtrail.trail.layout import Layout
from jwtrail.trail.manifest import SegmentInfo
from jwtrail.trail.merging import merge, next_run
from jwtrail.trail.recompute import Engine

__all__ = ["Merged", "Merger"]

RETRY_SECONDS = 60
"""Pause after a merge failed, for want of room say: nothing but a faster search waits for it."""

_MICROS = 1_000_000


class Merged(Struct, frozen=True):
    """A new file and what it can take the place of."""

    sources: tuple[SegmentInfo, ...]
    made: SegmentInfo


class Merger:
    """Used by the one keeper.

    Args:
        layout: where.
        full: rows that a merged segment has at most; with 0 nothing is merged.
    """

    def __init__(self, layout: Layout, full: int) -> None:
        self._layout = layout
        self._full = full
        self._engine = Engine(threads=1)  # requests and sealing keep the other cores
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="jwtrail-merger")
        self._sources: tuple[SegmentInfo, ...] = ()
        self._result: Future[SegmentInfo] | None = None
        self._looked_at: tuple[SegmentInfo, ...] | None = None
        self._leave: set[str] = set()
        self._retry_us = 0

    @property
    def busy(self) -> bool:
        """Whether a segment is being made, or waits to be put in its place."""
        return self._result is not None

    def begin(self, segments: tuple[SegmentInfo, ...], now_us: int) -> None:
        """Start on the next neighbours worth merging, if there are any and nothing is under way. Cheap otherwise."""
        if (
            self._result is not None
            or segments is self._looked_at
            or not self._full
            or now_us < self._retry_us
        ):
            return
        self._sources = next_run(segments, self._full, leave=self._leave)
        if self._sources:
            self._result = self._thread.submit(merge, self._layout, self._sources, self._engine)
        else:
            self._looked_at = segments

    def take(self, now_us: int) -> Merged | None:
        """What was finished since the last call; None when nothing was.

        Raises:
            WriteError: the file could not be written; a later `begin` tries again.
            CorruptionError: a source was altered; it is left alone from now on.
        """
        if self._result is None or not self._result.done():
            return None
        result, self._result = self._result, None
        try:
            return Merged(self._sources, result.result())
        except WriteError:
            self._retry_us = now_us + RETRY_SECONDS * _MICROS
            raise
        except CorruptionError as error:
            self._leave.add(Path(error.where).name)
            self._looked_at = None
            raise

    def close(self) -> None:
        """End what is under way; it begins anew after the next start."""
        self._engine.interrupt()
        self._thread.shutdown(cancel_futures=True)
        self._engine.close()
