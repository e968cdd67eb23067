"""Tiles of levels 1 and up on the disk, and any node of the tree from them and the leaves."""

from collections.abc import Callable, Sequence
from pathlib import Path

from jwtrail.errors import CorruptionError
from jwtrail.tlog.merkle import HASH_SIZE, TILE_WIDTH, Tree, partial_widths, root_of
from jwtrail.tlog.tiles import tile_path
from jwtrail.trail.durable import make_directory, replace_file, storage_errors

__all__ = ["TileStore"]

LeafReader = Callable[[int, int], Sequence[bytes]]
"""(first, count) -> leaf hashes."""


class TileStore:
    """The tiles below one directory.

    Args:
        root: `tlog/tile`.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._waiting: dict[tuple[int, int, int], bytes] = {}
        self._written: dict[
            int, tuple[int, int]
        ] = {}  # by level: number and width of the partial tile we wrote

    def keep(self, level: int, number: int, data: bytes) -> None:
        """A sink for `Tree`: full tiles wait for `flush`. Level 0 is not stored."""
        if level:
            self._waiting[level, number, TILE_WIDTH] = data

    def flush(self, tree: Tree) -> None:
        """Write the tiles that `tree` has and the disk has not, durably.

        Raises:
            WriteError: a tile cannot be written; the next call tries again.
        """
        for level in range(1, tree.levels):
            if row := tree.partial(level):
                number = tree.size >> 8 * (level + 1)
                # What lies there already counts only when we wrote it: it may have been put there before its time.
                if self._written.get(level) != (number, len(row)):
                    self._waiting[level, number, len(row)] = b"".join(row)
        for (level, number, width), data in sorted(self._waiting.items()):
            path = self._path(level, number, width)
            make_directory(path.parent)
            replace_file(path, data)
            self._forget_narrower(level, number, width)
            self._written[level] = number, width
        self._waiting.clear()

    def _forget_narrower(self, level: int, number: int, width: int) -> None:
        """Remove the partial tiles that this one contains; they are never needed again."""
        directory = self._path(level, number, 1).parent
        if not directory.is_dir():
            return
        for path in directory.iterdir():
            if width == TILE_WIDTH or (path.name.isdigit() and int(path.name) < width):
                path.unlink(missing_ok=True)
        if width == TILE_WIDTH:
            directory.rmdir()

    def _path(self, level: int, number: int, width: int) -> Path:
        return self._root / tile_path(level, number, width)

    def read(self, level: int, number: int, width: int) -> tuple[bytes, ...]:
        """The first `width` hashes of a tile, from the narrowest file that has them.

        Raises:
            CorruptionError: no file has them, or it has the wrong length.
        """
        waiting = self._waiting.get((level, number, TILE_WIDTH))
        data = waiting if waiting is not None else self._load(level, number, width)
        return tuple(data[at * HASH_SIZE : (at + 1) * HASH_SIZE] for at in range(width))

    def _load(self, level: int, number: int, width: int) -> bytes:
        directory = self._path(level, number, 1).parent
        partial = sorted(int(path.name) for path in directory.glob("*") if path.name.isdigit())
        for found in (*(have for have in partial if have >= width), TILE_WIDTH):
            path = self._path(level, number, found)
            if path.exists():
                data = path.read_bytes()
                if len(data) != found * HASH_SIZE:
                    raise CorruptionError(
                        f"the tile has {len(data)} bytes, not {found * HASH_SIZE}", where=str(path)
                    )
                return data
        raise CorruptionError(
            "the tile is missing", where=str(self._path(level, number, width)), hint="tiles can be made again"
        )

    def nodes(self, leaves: LeafReader) -> Callable[[int, int, int], Sequence[bytes]]:
        """A `tlog.proof.NodeReader` over these tiles and leaves."""

        def read(level: int, first: int, count: int) -> Sequence[bytes]:
            if level == 0:
                return leaves(first, count)
            number, start = divmod(first, TILE_WIDTH)
            return self.read(level, number, start + count)[start:]

        return read

    def restore(self, size: int, leaves: LeafReader) -> Tree:
        """The tree of this size, from tiles and the leaves behind the last full chunk of 256.

        Raises:
            CorruptionError: a tile is missing or has the wrong length.
        """
        rows: list[Sequence[bytes]] = []
        for level, width in enumerate(partial_widths(size)):
            if not width:
                rows.append(())
            elif level == 0:
                rows.append(leaves(size - width, width))
            else:
                rows.append(self.read(level, size >> 8 * (level + 1), width))
        return Tree.restore(size, rows, self.keep)

    def rebuild(
        self, size: int, leaves: LeafReader, begin: int = 0, below: "TileStore | None" = None
    ) -> Tree:
        """The tree of this size from all its leaves; its tiles wait for `flush`.

        Args:
            begin: the smallest index that is still here. What lies before it is taken from tiles of level 1.
            below: whose; its own when None.

        Raises:
            CorruptionError: such a tile is missing, and nothing can make it again.
        """
        # A tree over the roots of 256 leaves each: its level is ours less one.
        chunks = Tree(lambda level, number, data: self.keep(level + 1, number, data))
        for number in range(size // TILE_WIDTH):
            if number < begin // TILE_WIDTH:
                tile, at = divmod(number, TILE_WIDTH)
                chunks.append((below or self).read(1, tile, at + 1)[at])
            else:
                chunks.append(root_of(leaves(number * TILE_WIDTH, TILE_WIDTH)))
        widths = partial_widths(size)
        rows = [leaves(size - widths[0], widths[0]) if widths[0] else ()]
        rows += [chunks.partial(level) for level in range(len(widths) - 1)]
        return Tree.restore(size, rows, self.keep)

    def keep_leaves(self, begin: int, hashes: Sequence[bytes]) -> None:
        """Keep the hashes of leaves that will be removed but share a tile with leaf `begin`.

        Raises:
            WriteError: they are not kept.
        """
        if hashes:
            path = self._path(0, begin // TILE_WIDTH, len(hashes))
            make_directory(path.parent)
            replace_file(path, b"".join(hashes))

    def forget_leaves(self, begin: int) -> None:
        """Remove what `keep_leaves` kept for an earlier beginning.

        Raises:
            WriteError: it is still there, which does no harm.
        """
        number, width = divmod(begin, TILE_WIDTH)
        needed = self._path(0, number, width) if width else None
        with storage_errors("remove an old tile from", self._root):
            for path in (self._root / "0").rglob("*"):
                if path.is_file() and path != needed:
                    path.unlink()
