"""The Merkle tree of RFC 9162 section 2.1.1 (the same as RFC 6962 section 2.1), grown one leaf at a time."""

from collections.abc import Callable, Sequence
from hashlib import sha256

__all__ = ["EMPTY_ROOT", "HASH_SIZE", "TILE_WIDTH", "Tree", "leaf_hash", "node_hash", "root_of", "split"]

HASH_SIZE = 32
TILE_WIDTH = 256
EMPTY_ROOT = sha256(b"").digest()

TileSink = Callable[[int, int, bytes], None]
"""Gets (level, n, 256 hashes) of every tile that becomes full."""


def leaf_hash(entry: bytes) -> bytes:
    """`SHA-256(0x00 || entry)`."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """`SHA-256(0x01 || left || right)`."""
    return sha256(b"\x01" + left + right).digest()


def split(count: int) -> int:
    """The largest power of two below `count`, which is at least 2."""
    return 1 << (count - 1).bit_length() - 1


def root_of(hashes: Sequence[bytes]) -> bytes:
    """Root over nodes of one height, of which the last may stand for fewer leaves; of no nodes, the empty tree's."""
    if not hashes:
        return EMPTY_ROOT
    row = list(hashes)
    while len(row) > 1:
        odd = row[-1:] if len(row) % 2 else []
        pairs = iter(row)  # `node_hash` in place: a call a node is a third of the time
        row = [
            sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=False)
        ] + odd
    return row[0]


class Tree:
    """The right edge of a tree: for each level of tiles the hashes of its unfinished tile. Memory is 8 KiB a level.

    Args:
        sink: called for each tile that becomes full, levels 0 and up, in order.
    """

    def __init__(self, sink: TileSink | None = None) -> None:
        self._sink = sink
        self._rows: list[list[bytes]] = [[]]
        self.size = 0

    @classmethod
    def restore(cls, size: int, rows: Sequence[Sequence[bytes]], sink: TileSink | None = None) -> "Tree":
        """A tree from the unfinished tiles of each level, as `partial` gave them.

        Raises:
            ValueError: the rows do not have the widths that a tree of this size has.
        """
        widths = [len(row) for row in rows]
        if widths != partial_widths(size):
            msg = f"a tree of size {size} has partial tiles of widths {partial_widths(size)}, not {widths}"
            raise ValueError(msg)
        tree = cls(sink)
        tree._rows = [list(row) for row in rows] or [[]]
        tree.size = size
        return tree

    def append(self, leaf: bytes) -> None:
        """Add the hash of the next leaf."""
        row = self._rows[0]
        row.append(leaf)
        self.size += 1
        if len(row) == TILE_WIDTH:
            self._close(0)

    def extend(self, entries: Sequence[bytes]) -> None:
        """Add the next entries; a call for each would be a fifth of the time."""
        at = 0
        while at < len(entries):
            row = self._rows[0]
            part = entries[at : at + TILE_WIDTH - len(row)]
            row += [sha256(b"\x00" + entry).digest() for entry in part]
            at += len(part)
            self.size += len(part)
            if len(row) == TILE_WIDTH:
                self._close(0)

    def _close(self, level: int) -> None:
        row = self._rows[level]
        if self._sink is not None:
            self._sink(level, (self.size >> 8 * (level + 1)) - 1, b"".join(row))
        above = root_of(row)
        row.clear()
        if level + 1 == len(self._rows):
            self._rows.append([])
        self._rows[level + 1].append(above)
        if len(self._rows[level + 1]) == TILE_WIDTH:
            self._close(level + 1)

    def partial(self, level: int) -> tuple[bytes, ...]:
        """Hashes of the unfinished tile of a level, fewer than 256."""
        return tuple(self._rows[level]) if level < len(self._rows) else ()

    @property
    def levels(self) -> int:
        """How many levels of tiles there are, at least 1."""
        return len(self._rows)

    def root(self, tail: bytes | None = None) -> bytes:
        """Root at the present size.

        Args:
            tail: root of a smaller subtree that follows the last leaf, when the leaves are themselves subtrees.
        """
        below: list[bytes] = [] if tail is None else [tail]
        for row in self._rows:
            nodes = row + below
            below = [root_of(nodes)] if nodes else []
        return below[0] if below else EMPTY_ROOT


def partial_widths(size: int) -> list[int]:
    """Width of the unfinished tile of each level of a tree of this size; `[0]` for the empty one."""
    widths = [size % TILE_WIDTH]
    while size := size // TILE_WIDTH:
        widths.append(size % TILE_WIDTH)
    return widths
