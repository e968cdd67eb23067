"""What a store reads from. The trail's reader is one; so is anything that can list Parquet files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from jwtrail.ecs import Event

__all__ = ["Segment", "TrailSource"]


class Segment(Protocol):
    """One immutable Parquet file of consecutive events, ordered by `event.sequence` (docs/formats/segment.md)."""

    @property
    def path(self) -> Path: ...
    @property
    def first(self) -> int:
        """Smallest `event.sequence`."""

    @property
    def last(self) -> int:
        """Largest `event.sequence`."""

    @property
    def min_us(self) -> int:
        """Smallest `@timestamp`, µs since the epoch."""

    @property
    def max_us(self) -> int:
        """Largest `@timestamp`, µs since the epoch."""

    @property
    def rows(self) -> int: ...
    @property
    def columns(self) -> frozenset[str]:
        """Columns of the file; a field without one is missing in every row."""


class TrailSource(Protocol):
    """A trail that can be read while it grows."""

    def segments(self) -> Sequence[Segment]:
        """All segments, oldest first, without a gap."""

    def unsealed(self) -> Sequence[Event]:
        """Events that are in no segment yet, in order; those without an index come last."""

    @property
    def size(self) -> int:
        """How many events have an index."""
