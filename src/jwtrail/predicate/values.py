"""What a value means for each type of field: one place, so that every writer gives the same answer.

Texts compare by code point; `fold` makes them blind to case; addresses compare as 128-bit numbers, dates as µs.
"""

import ipaddress
from functools import lru_cache

import re2

__all__ = [
    "DOTTED_CAPITAL_I",
    "FINAL_SIGMA",
    "SIGMA",
    "fold",
    "glob_regex",
    "ip_key",
    "network_bounds",
    "phrase_regex",
    "regex",
    "regex_source",
]

_V4_MAPPED = 0xFFFF << 32
FINAL_SIGMA, SIGMA, DOTTED_CAPITAL_I = "\u03c2", "\u03c3", "\u0130"

_WORD_CLASS = r"\pL\pM\pN_"
_GAP = f"[^{_WORD_CLASS}]"

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.max_mem = 4 << 20
"""Bytes RE2 may use for one pattern; beyond it the pattern is refused, and a match slows down but stays linear."""

_WORD = re2.compile(f"[{_WORD_CLASS}]+")


def fold(text: str) -> str:
    """`text` without case: `str.lower` of each code point by itself, and the final sigma as any other.

    The two texts in which `str.lower` looks beyond one code point, or comes to two of them, are taken out of its way. So
    DuckDB's `lower` and Lucene's lower-casing, which map each code point by itself, come to the same text.
    """
    lower = text.lower()
    if lower.isascii():
        return lower
    return text.replace(DOTTED_CAPITAL_I, "i").lower().replace(FINAL_SIGMA, SIGMA)


@lru_cache(maxsize=65_536)
def ip_key(text: str) -> int | None:
    """The address as a number of 128 bits, IPv4 as IPv4-mapped IPv6 (as Elasticsearch stores it); None if it is none."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv4Address):
        return _V4_MAPPED | int(address)
    return None if address.scope_id else int(address)


def network_bounds(text: str) -> tuple[int, int]:
    """First and last address of a network or of a single address, as `ip_key` numbers.

    Raises:
        ValueError: not a network; bits set behind the prefix are not an error (`10.0.0.9/8` is `10.0.0.0/8`).
    """
    network = ipaddress.ip_network(text, strict=False)
    mapped = _V4_MAPPED if network.version == 4 else 0
    return mapped | int(network.network_address), mapped | int(network.broadcast_address)


def glob_regex(pattern: tuple[str | int | None, ...]) -> str:
    """RE2 source that matches the whole text."""
    parts = [
        ".*" if piece is None else "." if isinstance(piece, int) else re2.escape(piece) for piece in pattern
    ]
    return rf"(?s)\A{''.join(parts)}\z"


def phrase_regex(text: str) -> str:
    """RE2 source that finds the words of `text` one after the other, whole; empty when there is no word in it."""
    words = [re2.escape(word) for word in words_of(text)]
    return rf"(?:\A|{_GAP}){f'{_GAP}+'.join(words)}(?:\z|{_GAP})" if words else ""


def words_of(text: str) -> list[str]:
    """The words of a text, as far as a search knows them: runs of letters, marks, digits and `_`."""
    return [match.group() for match in _WORD.finditer(text)]


def words_glob_regex(pattern: tuple[str | None, ...]) -> str:
    """RE2 source that finds a word (or a run of words) that fits a pattern with wildcards."""
    parts = [f"[{_WORD_CLASS}]*" if piece is None else re2.escape(piece) for piece in pattern]
    return rf"(?:\A|{_GAP}){''.join(parts)}(?:\z|{_GAP})"


def regex_source(pattern: str, flags: str) -> str:
    """The pattern with its flags spelled out, so that no engine's defaults matter."""
    on = "".join(sorted(set(flags)))
    off = "".join(flag for flag in "ims" if flag not in on)
    return f"(?{on}{f'-{off}' if off else ''}){pattern}"


def regex(source: str) -> "re2._Regexp[str]":
    """A compiled pattern.

    Raises:
        re2.error: not RE2 syntax, or larger than `_OPTIONS.max_mem` allows.
    """
    return re2.compile(source, _OPTIONS)
