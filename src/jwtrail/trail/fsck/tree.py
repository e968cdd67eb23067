"""The tree recomputed, its tiles and the signed roots compared."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from jwtrail.tlog.checkpoint import Checkpoint
from jwtrail.tlog.merkle import EMPTY_ROOT, HASH_SIZE, TILE_WIDTH, Tree, root_of
from jwtrail.tlog.tiles import tile_path
from jwtrail.trail.fsck.report import Findings
from jwtrail.trail.fsck.rows import Leaf
from jwtrail.trail.fsck.tiles import TileFiles

__all__ = ["TreeAudit"]

_TRIES = 3


class TreeAudit:
    """Takes leaves in order. Where one is missing, the stored hash of its 256 stands in, so that the rest is still checked.

    Args:
        tiles: `tlog/tile`.
        signed: checkpoints to compare, by size.
        findings: where to.
        files: the tiles that are stored, listed earlier.
    """

    def __init__(
        self,
        tiles: Path,
        signed: Mapping[int, tuple[str, Checkpoint]],
        findings: Findings,
        files: TileFiles | None = None,
    ) -> None:
        self._tiles = tiles
        self._files = files or TileFiles(tiles, findings)
        self._signed = signed
        self._findings = findings
        self._chunks = Tree(
            self._full_tile
        )  # a tree over the roots of 256 leaves each: its level l is ours + 1
        self._open: list[Leaf] = []
        self._whole = True
        self._last: tuple[tuple[int, int], bytes] = (-1, -1), b""
        self._absent = (-1, -1)
        self.size = 0
        self.roots: dict[int, bytes] = {}
        if 0 in signed:
            self._at_checkpoint()

    def skip(self, begin: int, most: int) -> None:
        """Go over events that were removed, before the first leaf: the tiles say what they came to, the signed root judges them.

        Args:
            begin: the smallest index that is still here.
            most: events whose hashes may be gone; with more, no root is known any longer.
        """
        gone = 0
        since: int | None = None
        for number in range(begin // TILE_WIDTH):
            root = self._stored(1, number)
            if root is not None and since is not None:
                self._lost(since, number)
                since = None
            elif root is None:
                since = number if since is None else since
                gone += TILE_WIDTH
                if gone > most:
                    break
            self._chunks.append(root or EMPTY_ROOT)
        if since is not None:
            self._lost(since, begin // TILE_WIDTH)
        number, rest = divmod(begin, TILE_WIDTH)
        self.size = begin
        if rest:
            found = self._load(0, number, rest)
            if found is None:
                self._lost(number, number + 1, "beside the first ones ")
            hashes = (
                [found[at : at + HASH_SIZE] for at in range(0, rest * HASH_SIZE, HASH_SIZE)] if found else []
            )
            self._open += hashes or [None] * rest

    def _lost(self, first: int, after: int, which: str = "") -> None:
        """Args: first: of the runs of 256 whose hash is gone; `after` the first behind them."""
        self._whole = False
        name = self._name(1, first // TILE_WIDTH)
        self._findings.add(
            "missing_range", f"hashes of removed events {which}are gone: {name}",
            index=first * TILE_WIDTH, last=after * TILE_WIDTH - 1,
        )  # fmt: skip

    def give_up(self) -> None:
        """Know no root from here on."""
        self._whole = False

    @property
    def edge(self) -> list[Leaf] | None:
        """The leaf hashes behind the last full tile of 256; None when one of them is not known."""
        return None if None in self._open else list(self._open)

    def extend(self, leaves: Sequence[Leaf]) -> None:
        """The next leaf hashes; None where an event cannot be read."""
        at = 0
        while at < len(leaves):
            stop = min(
                [
                    self.size - len(self._open) + TILE_WIDTH,
                    *(size for size in self._signed if size > self.size),
                ]
            )
            taken = leaves[at : at + stop - self.size]
            self._open += taken
            self.size += len(taken)
            at += len(taken)
            if len(self._open) == TILE_WIDTH:
                self._close_chunk()
            if self.size in self._signed:
                self._at_checkpoint()

    def _close_chunk(self) -> None:
        number = self.size // TILE_WIDTH - 1
        stored = self._stored(1, number)
        if None in self._open:
            self._whole = self._whole and stored is not None
            root = stored or EMPTY_ROOT
        else:
            if self._files.stored(0, number):
                self._files.compare(0, number, b"".join(cast("list[bytes]", self._open)), known=True)
            root = root_of(cast("list[bytes]", self._open))
            first = number * TILE_WIDTH
            if stored not in (None, root) and not self._findings.named(first, self.size - 1):
                self._findings.add(
                    "tile_mismatch", "the events do not give the stored hash",
                    index=number * TILE_WIDTH, last=self.size - 1, file=self._name(1, number // TILE_WIDTH),
                )  # fmt: skip
        self._open.clear()
        self._chunks.append(root)

    def _at_checkpoint(self) -> None:
        if None in self._open or not self._whole:
            return
        tail = [leaf for leaf in self._open if leaf is not None]
        root = self.roots[self.size] = self._chunks.root(root_of(tail) if tail else None)
        name, checkpoint = self._signed[self.size]
        self._partial_tiles()
        if root != checkpoint.root and not any(
            finding.kind in ("altered_row", "reordered", "missing_range") for finding in self._findings.all
        ):
            self._findings.add(
                "forked", f"the first {self.size} events do not give the signed root", file=name
            )

    def finish(self) -> None:
        """After the last leaf: look at every tile that is stored, also at those that no checkpoint needs."""
        tail = [leaf for leaf in self._open if leaf is not None]
        if len(tail) == len(self._open):
            self._files.compare(0, self.size // TILE_WIDTH, b"".join(tail), known=True)
        for level in range(self._chunks.levels):
            row = self._chunks.partial(level)
            if row:
                number = self.size >> 8 * (level + 2)
                self._files.compare(level + 1, number, b"".join(row), known=self._whole)
        self._files.finish()

    def _partial_tiles(self) -> None:
        for level in range(self._chunks.levels):
            row = self._chunks.partial(level)
            if row:
                self._compare(level + 1, self.size >> 8 * (level + 2), b"".join(row))

    def _full_tile(self, level: int, number: int, data: bytes) -> None:
        if (number + 1) * TILE_WIDTH ** (level + 2) <= max(self._signed, default=0):
            self._compare(level + 1, number, data)
        self._files.compare(level + 1, number, data, known=self._whole)

    def _compare(self, level: int, number: int, data: bytes) -> None:
        stored = self._load(level, number, len(data) // HASH_SIZE)
        if stored is not None and (level == 1 or stored.startswith(data)):
            return  # level 1 was compared hash by hash
        what = "is missing or has the wrong length" if stored is None else "differs from the events"
        self._findings.add(
            "tile_mismatch",
            f"the tile {what}",
            file=self._name(level, number),
            index=number * TILE_WIDTH ** (level + 1),
        )

    def _stored(self, level: int, node: int) -> bytes | None:
        number, at = divmod(node, TILE_WIDTH)
        data = self._load(level, number, at + 1)
        return data[at * HASH_SIZE : (at + 1) * HASH_SIZE] if data else None

    def _load(self, level: int, number: int, width: int) -> bytes | None:
        """A stored tile with at least `width` hashes. It stays at hand, as 256 looks follow; every other is compared at the end."""
        place, found = self._last
        if place != (level, number) or len(found) < width * HASH_SIZE:
            new = self._find(level, number, width) if self._absent != (level, number) else None
            if new is None:
                if width == 1:  # not even that much: it is not looked for 255 times more
                    self._absent = level, number
                return None
            self._last = (level, number), new
        return self._last[1]

    def _find(self, level: int, number: int, width: int) -> bytes | None:
        full = self._tiles / tile_path(level, number)
        partial = full.with_name(full.name + ".p")
        for _ in range(_TRIES):  # a tile gives way to a wider one while a daemon signs
            widths = sorted(int(path.name) for path in partial.glob("*") if path.name.isdigit())
            candidates = [partial / str(found) for found in widths if found >= width] + [full]
            for path in candidates:
                if not path.is_file():
                    continue
                data = self._findings.read(path, str(path.relative_to(self._tiles.parents[1])))
                if data or path.is_file():
                    expected = TILE_WIDTH if path == full else int(path.name)
                    return data if len(data) == expected * HASH_SIZE else None
        return None

    def _name(self, level: int, number: int) -> str:
        return f"tlog/tile/{tile_path(level, number)}"
