"""Where an id is: for each different value a word of 64 bits, its hash and a block of rows, in order.

The hash is 40 bits of MD5, which DuckDB computes and Python too, and which no release of either changes; nothing here has
to resist an attacker who can write the file, for whoever can do that can hide events from a search and never from the
auditor, who does not read it. Two values with one hash cost a block that is read for nothing.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Mapping

from jwtrail.predicate.sql_text import quoted

__all__ = ["BLOCK", "ID_FIELDS", "WORD", "Wanted", "blocks_of", "words_sql"]

ID_FIELDS = ("event.id", "trace.id", "transaction.id", "http.request.id", "jwt.jti", "jwt.family", "user.id")
"""Fields that people look for by a whole value, most of which few rows hold."""

BLOCK = 16
"""Rows of a block, which are read together (`query.blocks`): fewer compress badly, more take longer to read one of."""

WORD = 8
"""Bytes of a word, most significant first, so that words sort as bytes do."""

_BLOCK_BITS = 24

Wanted = Mapping[str, frozenset[str]]
"""For fields of `ID_FIELDS`: values of which an event must have one."""


def words_sql(field: str, table: str, first: int) -> str:
    """SQL of all words of a field as one BLOB; NULL when no row has a value.

    Args:
        first: index of the first row.
    """
    word = f"((md5_number_lower({quoted(field)}) >> {_BLOCK_BITS}) << {_BLOCK_BITS}"
    block = f'(("event.sequence" - {first}) // {BLOCK}))::UBIGINT'
    return (
        f"SELECT unhex(string_agg(format('{{:016x}}', w), '' ORDER BY w)) FROM"  # noqa: S608
        f" (SELECT DISTINCT {word} | {block} AS w FROM {table} WHERE {quoted(field)} IS NOT NULL)"
    )


def blocks_of(words: memoryview, values: Iterable[str]) -> set[int]:
    """Blocks that may hold one of the values."""
    return {block for value in values for block in _blocks(words, _hash(value))}


def _blocks(words: memoryview, wanted: int) -> Iterable[int]:
    count = len(words) // WORD

    def word(at: int) -> int:
        return int.from_bytes(words[at * WORD : at * WORD + WORD])

    at = bisect_left(range(count), wanted << _BLOCK_BITS, key=word)
    while at < count and (found := word(at)) >> _BLOCK_BITS == wanted:
        yield found & ((1 << _BLOCK_BITS) - 1)
        at += 1


def _hash(value: str) -> int:
    """The same 40 bits as in `words_sql`."""
    digest = hashlib.md5(value.encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[8:], "little") >> _BLOCK_BITS
