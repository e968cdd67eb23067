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
"""Bytes of a block's documents: 16 events of four times the longest line a log takes."""

_LEVEL = 1
"""Of zlib: 6 makes it a sixth smaller and takes twice the time."""

_RAW = -15
"""Deflate without zlib's Adler-32, which would take longer over the dictionary than a document takes."""

_SAMPLE = 16_000
"""Bytes of documents that every block is compressed with: with twice as many no block got smaller."""

_CRC = 4
"""Bytes of a block's checksum, before it."""

_PER_ROW = 1024
"""Bytes that a document seldom passes, so that its block is unpacked no further than to it."""


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
        packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW, zdict=dictionary)
        data = packer.compress(b"\n".join([*block, b""])) + packer.flush()
        yield zlib.crc32(data).to_bytes(_CRC) + data


def unpacked(block: memoryview, dictionary: memoryview, count: int = BLOCK) -> list[bytes]:
    """The first `count` documents of a block, or as many as it has.

    Raises:
        zlib.error: it is damaged.
    """
    data = block[_CRC:]
    if zlib.crc32(data).to_bytes(_CRC) != block[:_CRC]:
        raise zlib.error("a checksum is wrong")
    unpacker = zlib.decompressobj(_RAW, zdict=dictionary)
    found = unpacker.decompress(data, _PER_ROW * count)
    while not unpacker.eof and found.count(b"\n") < count:
        if len(found) > MAX_BLOCK:
            raise zlib.error("a block is too long")
        found += unpacker.decompress(unpacker.unconsumed_tail, _PER_ROW * BLOCK)
    return found.split(b"\n", count)[:-1]
