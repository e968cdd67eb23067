"""Lucene's regular expressions for texts without case: each letter as the class of all that fold to it.

The engines' own `case_insensitive` knows the 26 letters of ASCII only, so `k` would miss the Kelvin sign and `\u0113` its
capital. Where that can matter the pattern is written out; where it cannot, nothing is written and the option is used.
"""

from functools import lru_cache

from jwtrail.predicate.values import fold

__all__ = ["MAX_PATTERN", "without_case"]

MAX_PATTERN = 1_000
"""Characters of one pattern (`index.max_regex_length`)."""

_RESERVED = frozenset('.?+*|{}[]()"\\#@&<>~^$-')
_PLANES = 0x20000
"""Letters with case are all below."""


@lru_cache(maxsize=1)
def _partners() -> dict[str, str]:
    """What folds to a letter, for every letter to which more than one does."""
    found: dict[str, str] = {}
    for char in map(chr, [*range(0xD800), *range(0xE000, _PLANES)]):
        folded = fold(char)
        if folded != char:
            found[folded] = found.get(folded, folded) + char
    return found


def without_case(pattern: tuple[str | int | None, ...]) -> str | None:
    """A pattern for the whole text; None when `case_insensitive` says the same.

    Args:
        pattern: as in `ir.Glob`.
    """
    letters = [(piece, _classes(fold(piece)) if isinstance(piece, str) else []) for piece in pattern]
    if all(each.isascii() for _, classes in letters for each in classes):
        return None
    return "".join(
        ".*" if piece is None else "." if isinstance(piece, int) else "".join(classes)
        for piece, classes in letters
    )


def _classes(folded: str) -> list[str]:
    partners = _partners()
    return [
        f"[{partners[char]}]" if char in partners else f"\\{char}" if char in _RESERVED else char
        for char in folded
    ]
