"""Entries and leaf hashes of sealed events, recomputed from their segments when they are needed."""

from bisect import bisect_right
from collections.abc import Sequence

import duckdb

from jwtrail.errors import CorruptionError
from jwtrail.tlog.merkle import leaf_hash
from jwtrail.trail.layout import Layout
from jwtrail.trail.manifest import SegmentInfo
from jwtrail.trail.recompute import Engine, row_hashes

__all__ = ["SegmentLeaves"]


class SegmentLeaves:
    """Reads the entries of sealed events by index.

    Args:
        layout: where.
        segments: all segments, in order.
    """

    def __init__(self, layout: Layout, segments: Sequence[SegmentInfo]) -> None:
        self._layout = layout
        self._segments = segments
        self._firsts = [segment.first for segment in segments]
        self._engine = Engine()

    def entries(self, first: int, count: int) -> list[bytes]:
        """Entries of `count` events from index `first`; all must be sealed.

        Raises:
            CorruptionError: a segment cannot be read or lacks a row.
        """
        found: list[bytes] = []
        while len(found) < count:
            at = first + len(found)
            segment = self._segments[bisect_right(self._firsts, at) - 1]
            last = min(segment.last, first + count - 1)
            found += self._some(segment, at, last)
        return found

    def _some(self, segment: SegmentInfo, first: int, last: int) -> list[bytes]:
        path = self._layout.segments / segment.file
        low, high = first - segment.first, last - segment.first
        condition = f"file_row_number BETWEEN {low} AND {high}"
        try:
            rows = row_hashes(self._engine, path, frozenset(segment.columns), condition)
        except duckdb.Error as error:
            raise CorruptionError(f"the segment cannot be read: {error}", where=str(path)) from error
        if [row.position for row in rows] != list(range(low, high + 1)):
            raise CorruptionError(f"rows of the indexes {first} to {last} are missing", where=str(path))
        return [row.entry for row in rows]

    def read(self, first: int, count: int) -> list[bytes]:
        """Leaf hashes of `count` events from index `first`."""
        return [leaf_hash(entry) for entry in self.entries(first, count)]
