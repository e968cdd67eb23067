"""Whole events in small compressed blocks, so that the events of a page cost microseconds each, wherever they are."""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from jwtrail.ecs import CATALOGUE
from jwtrail.predicate.sql_text import quoted, text
from jwtrail.query.ids import BLOCK
from jwtrail.query.rows import ISO_FORMAT

__all__ = ["MAX_BLOCK", "dictionary_of", "document_sql", "packed", "unpacked"]

MAX_BLOCK = 64 << 20
"""Bytes of a block's documents: 32 events of twice the longest line a log takes."""

_LEVEL = 1
"""Of zlib: 6 makes it a sixth smaller and takes twice the time."""

_SAMPLE = 32_000
"""Bytes of documents that every block is compressed with: what zlib looks back."""


def document_sql(columns: frozenset[str]) -> str:
    """SQL of a row as a JSON object, without the fields that it lacks; no line break in it."""
    parts = [f"{text(_key(name))} || {_json(name)}" for name in CATALOGUE if name in columns]
    return f"'{{' || concat_ws(',', {', '.join(parts)}) || '}}'"


def _key(name: str) -> str:
    return f'"{name}":'


def _json(name: str) -> str:
    match CATALOGUE[name].type:
        case "flattened":
            return quoted(name)
        case "date":
            return f"to_json(strftime({quoted(name)}, '{ISO_FORMAT}'))"
    return f"to_json({quoted(name)})"


def dictionary_of(documents: Sequence[bytes]) -> bytes:
    """What blocks are compressed with, from some documents."""
    return b"\n".join(documents)[-_SAMPLE:]


def packed(documents: Iterable[bytes], dictionary: bytes) -> Iterator[bytes]:
    """The documents in blocks."""
    rest = iter(documents)
    while block := list(islice(rest, BLOCK)):
        packer = zlib.compressobj(_LEVEL, zdict=dictionary)
        yield packer.compress(b"\n".join(block)) + packer.flush()


def unpacked(block: memoryview, dictionary: bytes) -> list[bytes]:
    """The documents of a block.

    Raises:
        zlib.error: it is damaged.
    """
    unpacker = zlib.decompressobj(zdict=dictionary)
    data = unpacker.decompress(block, MAX_BLOCK)
    if not unpacker.eof:
        raise zlib.error("a block is not whole")
    return data.split(b"\n")
