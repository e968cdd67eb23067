"""The files below `tlog/tile`, each of them: also those that no reader would look at today."""

import os
from pathlib import Path

from jwtrail.tlog.merkle import HASH_SIZE, TILE_WIDTH
from jwtrail.tlog.tiles import TilePath, tile_path
from jwtrail.trail.fsck.report import Findings, small

__all__ = ["TileFiles"]

_BELOW = "tlog/tile"


class TileFiles:
    """Which tiles are stored. Listed before order and checkpoint are read, so none may be ahead of the tree.

    A tile that is wider than the tree, or lies beside the one that is read, would be taken for true once the tree has grown.

    Args:
        root: `tlog/tile`.
        findings: where to.
    """

    def __init__(self, root: Path, findings: Findings) -> None:
        self._root = root
        self._findings = findings
        self._widths: dict[tuple[int, int], list[int]] = {}
        for directory, _, names in os.walk(root):
            for name in sorted(names):
                self._take(str((Path(directory) / name).relative_to(root)))

    def _take(self, name: str) -> None:
        place = TilePath.parse(name)
        if place is not None and place.level is not None:
            self._widths.setdefault((place.level, place.number), []).append(place.width)
        elif not name.endswith(".tmp"):
            self._add(name, "not a tile that is stored")

    def stored(self, level: int, number: int) -> bool:
        """Whether there is a file of this tile that was not compared yet."""
        return (level, number) in self._widths

    def compare(self, level: int, number: int, hashes: bytes, *, known: bool) -> None:
        """Hold all files of a tile against what the events give.

        Args:
            hashes: of the tile, as many as the tree has.
            known: whether they could be recomputed; else only widths are looked at.
        """
        for width in self._widths.pop((level, number), ()):
            name = tile_path(level, number, width)
            if width * HASH_SIZE > len(hashes):
                self._add(name, "it is wider than the tree")
            elif known and self._differs(name, hashes[: width * HASH_SIZE]):
                self._add(name, "it differs from the events", index=number * TILE_WIDTH ** (level + 1))

    def _differs(self, name: str, expected: bytes) -> bool:
        try:
            return small(self._root / name) != expected
        except OSError:
            return False  # it gave way to a wider one; what is needed and cannot be read is named elsewhere

    def finish(self) -> None:
        """What was not compared belongs to no tile of the tree."""
        for (level, number), widths in sorted(self._widths.items()):
            for width in widths:
                self._add(tile_path(level, number, width), "it lies beyond the tree")

    def _add(self, name: str, detail: str, index: int | None = None) -> None:
        self._findings.add("tile_mismatch", detail, file=f"{_BELOW}/{name}", index=index)
