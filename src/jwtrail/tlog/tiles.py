"""Where tiles and bundles of entries lie, and what a bundle is (c2sp.org/tlog-tiles)."""

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

from jwtrail.tlog.merkle import TILE_WIDTH

__all__ = ["MAX_LEVEL", "TilePath", "bundle", "number_path", "tile_path", "tiles_of"]

MAX_LEVEL = 63
"""The format's own bound; 8 levels already hold 2^64 leaves."""

_PATH = re.compile(
    r"(entries|0|[1-9][0-9]?)/((?:x(?!000)[0-9]{3}/(?:x[0-9]{3}/){0,4})?[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?",
    re.ASCII,
)


def number_path(number: int) -> str:
    """1234067 -> `x001/x234/067`.

    Raises:
        ValueError: negative.
    """
    if number < 0:
        msg = f"a tile has no negative number: {number}"
        raise ValueError(msg)
    parts = [f"{number % 1000:03d}"]
    while number := number // 1000:
        parts.append(f"x{number % 1000:03d}")
    return "/".join(reversed(parts))


def tile_path(level: int, number: int, width: int = TILE_WIDTH) -> str:
    """Path below `tile/`: `1/x001/234`, or `1/x001/234.p/17` when the tile holds fewer than 256 hashes.

    Raises:
        ValueError: no such level or width.
    """
    return str(TilePath(level, number, width))


class TilePath(Struct, frozen=True):
    """Name of a tile or of a bundle of entries.

    Args:
        level: of the tile; None for a bundle.
        number: of the tile or bundle, from 0.
        width: how many hashes or entries it holds, 1 to 256.

    Raises:
        ValueError: no such level or width.
    """

    level: int | None
    number: int
    width: int = TILE_WIDTH

    def __post_init__(self) -> None:
        if not 0 <= (self.level or 0) <= MAX_LEVEL or not 0 < self.width <= TILE_WIDTH:
            msg = f"no tile has level {self.level} and width {self.width}"
            raise ValueError(msg)

    def __str__(self) -> str:
        kind = "entries" if self.level is None else str(self.level)
        tail = "" if self.width == TILE_WIDTH else f".p/{self.width}"
        return f"{kind}/{number_path(self.number)}{tail}"

    @classmethod
    def parse(cls, text: str) -> "TilePath | None":
        """The inverse of `str`, one spelling only; None for anything else."""
        found = _PATH.fullmatch(text)
        if found is None:
            return None
        kind, groups, width = found.groups()
        level = None if kind == "entries" else int(kind)
        if (level or 0) > MAX_LEVEL or int(width or 1) >= TILE_WIDTH:
            return None
        return cls(level, int(groups.replace("x", "").replace("/", "")), int(width or TILE_WIDTH))

    @property
    def first(self) -> int:
        """Number of its first hash on its level, or of its first entry."""
        return self.number * TILE_WIDTH

    def covered(self, size: int) -> bool:
        """Whether a tree of this size has everything it holds."""
        return self.first + self.width <= size >> 8 * (self.level or 0)


def tiles_of(size: int) -> Iterator[TilePath]:
    """Every bundle and tile of a tree of this size, each as wide as it is there."""
    levels: list[int | None] = [None, *range(MAX_LEVEL + 1)]
    for level in levels:
        count = size >> 8 * (level or 0)
        if not count:
            return
        full, rest = divmod(count, TILE_WIDTH)
        for number in range(full):
            yield TilePath(level, number)
        if rest:
            yield TilePath(level, full, rest)


def bundle(entries: Iterable[bytes]) -> bytes:
    """Entries one after the other, each behind its length as two bytes, big-endian.

    Raises:
        OverflowError: an entry of 64 KiB or more.
    """
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)
