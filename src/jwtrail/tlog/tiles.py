"""Where tiles lie (c2sp.org/tlog-tiles)."""

from jwtrail.tlog.merkle import TILE_WIDTH

__all__ = ["MAX_LEVEL", "number_path", "tile_path"]

MAX_LEVEL = 63
"""The format's own bound; 8 levels already hold 2^64 leaves."""


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
    if not 0 <= level <= MAX_LEVEL or not 0 < width <= TILE_WIDTH:
        msg = f"no tile has level {level} and width {width}"
        raise ValueError(msg)
    tail = "" if width == TILE_WIDTH else f".p/{width}"
    return f"{level}/{number_path(number)}{tail}"
