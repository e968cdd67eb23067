"""Entries and leaf hashes of sealed events, recomputed from their segments when they are needed."""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock

import duckdb

from jwtrail.ecs.entry import ENTRY_SIZE
from jwtrail.errors import CorruptionError, ProofError
from jwtrail.tlog.merkle import TILE_WIDTH, leaf_hash
from jwtrail.trail.layout import Layout
from jwtrail.trail.manifest import SegmentInfo
from jwtrail.trail.recompute import SALT, Engine, parquet, quoted, row_hashes
from jwtrail.trail.tilestore import TileStore

__all__ = ["EntryCache", "SegmentLeaves", "removed"]

BLOCK = 8192
"""Rows recomputed at once: a row group (docs/formats/segment.md), which has to be unpacked whole for any of its rows."""

MAX_BLOCKS = 16
"""Blocks that are kept, 648 KiB each: a client of the log asks for the 32 bundles of a block one after the other."""


class EntryCache:
    """Entries of the blocks that were asked for last. Any number of threads may share it."""

    def __init__(self) -> None:
        self._engine = Engine()
        self._lock = Lock()
        self._blocks: OrderedDict[tuple[str, str, int], bytes] = OrderedDict()

    def block(self, layout: Layout, segment: SegmentInfo, number: int) -> bytes:
        """The entries of a block of a segment, one after the other.

        Raises:
            CorruptionError: the segment cannot be read or lacks a row.
        """
        key = segment.file, segment.sha256, number
        with self._lock:
            found = self._blocks.pop(key, None)
            if found is None:
                found = self._recompute(layout, segment, number * BLOCK)
            self._blocks[key] = found
            if len(self._blocks) > MAX_BLOCKS:
                self._blocks.popitem(last=False)
        return found

    def _recompute(self, layout: Layout, segment: SegmentInfo, low: int) -> bytes:
        path = layout.segments / segment.file
        high = min(low + BLOCK, segment.rows) - 1
        condition = f"file_row_number BETWEEN {low} AND {high}"
        try:
            rows = row_hashes(self._engine, path, frozenset(segment.columns), condition)
        except duckdb.Error as error:
            raise CorruptionError(f"the segment cannot be read: {error}", where=str(path)) from error
        first, last = segment.first + low, segment.first + high
        if [row.position for row in rows] != list(range(low, high + 1)):
            raise CorruptionError(f"rows of the indexes {first} to {last} are missing", where=str(path))
        bad = next((row.position for row in rows if len(row.entry) != ENTRY_SIZE), None)
        if bad is not None:
            raise CorruptionError(
                f"the row of index {segment.first + bad} does not give an entry",
                where=str(path),
                hint="`jwtrail trail verify` names what was altered",
            )
        return b"".join(row.entry for row in rows)


def removed(index: int, begin: int) -> ProofError:
    """What is said of an event before the beginning."""
    return ProofError(
        f"the event with index {index} was removed: the trail begins at {begin}",
        hint="a proof that was made before still holds",
    )


class SegmentLeaves:
    """Reads the entries of sealed events by index.

    Args:
        layout: where.
        segments: all segments, in order.
        cache: shared with others that read the same directory.
        edge: leaf hashes of the last events, when they are known without reading a segment.
    """

    def __init__(
        self,
        layout: Layout,
        segments: Sequence[SegmentInfo],
        cache: EntryCache | None = None,
        *,
        edge: Sequence[bytes] = (),
    ) -> None:
        self._edge = edge
        self._edge_begin = segments[-1].last + 1 - len(edge) if segments else 0
        self._layout = layout
        self._segments = segments
        self._cache = cache or EntryCache()

    @property
    def begin(self) -> int:
        """The smallest index that is still here."""
        return self._segments[0].first if self._segments else 0

    def entries(self, first: int, count: int) -> list[bytes]:
        """Entries of `count` events from index `first`; all must be sealed.

        Raises:
            ProofError: they were removed.
            CorruptionError: a segment cannot be read or lacks a row.
        """
        if count and first < self.begin:
            raise removed(first, self.begin)
        found: list[bytes] = []
        while len(found) < count:
            at = first + len(found)
            segment = self._segments[bisect_right(self._segments, at, key=lambda one: one.first) - 1]
            number, start = divmod(at - segment.first, BLOCK)
            data = self._cache.block(self._layout, segment, number)
            stop = min(start + count - len(found), len(data) // ENTRY_SIZE)
            found += [data[row * ENTRY_SIZE : (row + 1) * ENTRY_SIZE] for row in range(start, stop)]
        return found

    def salt(self, index: int) -> bytes | None:
        """The salt of one sealed event; None once its person was erased.

        Raises:
            CorruptionError: the segment cannot be read.
        """
        segment = self._segments[bisect_right(self._segments, index, key=lambda one: one.first) - 1]
        if SALT not in segment.columns:
            return None
        path = self._layout.segments / segment.file
        try:
            with Engine() as engine:
                rows = engine.rows(
                    f'SELECT {quoted(SALT)} FROM {parquet(path)} WHERE "event.sequence" = {int(index)}'  # noqa: S608
                )
        except duckdb.Error as error:
            raise CorruptionError(f"the segment cannot be read: {error}", where=str(path)) from error
        return bytes(rows[0][0]) if rows and rows[0][0] is not None else None

    def read(self, first: int, count: int) -> list[bytes]:
        """Leaf hashes of `count` events from index `first`, none beyond its tile of 256.

        Of removed events those are known that share a tile with one that is here (docs/formats/segment.md, section 6).
        """
        if self._edge and first >= self._edge_begin:
            return list(self._edge[first - self._edge_begin : first - self._edge_begin + count])
        gone = min(count, self.begin - first) if self.begin // TILE_WIDTH == first // TILE_WIDTH else 0
        known: tuple[bytes, ...] = ()
        if gone > 0:
            number, start = divmod(first, TILE_WIDTH)
            known = TileStore(self._layout.tiles).read(0, number, start + gone)[start:]
        rest = self.entries(first + len(known), count - len(known))
        return [*known, *(leaf_hash(entry) for entry in rest)]
