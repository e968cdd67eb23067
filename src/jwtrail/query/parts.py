"""A part of the query index: the rows of consecutive segments as a DuckDB file, and the words of their ids.

Two files: `<name>.duckdb` with one table `events`, and `<name>.ids`, without which there is no part: a magic, length and
CRC-32 of a description in msgpack, the description, and for each field its words (`query.ids`).
"""

import hashlib
import mmap
import struct
import threading
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from jwtrail.query.ids import BLOCK, WORD, Wanted, blocks_of
from jwtrail.query.source import Segment

__all__ = ["MAX_IDS", "IdWords", "Part", "PartDamaged", "identity", "part_name", "read_part", "written_ids"]

MAX_IDS = 1 << 30
"""Bytes of the words of one part; eight for each different id, so a hundred million ids."""

_MAGIC = b"jwtpart\x01"
_HEAD = struct.Struct(">II")


class PartDamaged(Exception):  # noqa: N818  # control flow inside this room, not an error that anybody sees
    """What a part's files hold is not what was written."""


class _Words(Struct, frozen=True, array_like=True):
    """Where the words of one field stand behind the description."""

    at: int
    size: int
    crc: int


class _Description(Struct, frozen=True, array_like=True):
    segments: tuple[str, ...]
    first: int
    last: int
    min_us: int
    max_us: int
    rows: int
    columns: frozenset[str]
    words: dict[str, _Words]


_decoder = msgspec.msgpack.Decoder(_Description)
_encoder = msgspec.msgpack.Encoder()


class IdWords:
    """The words of one part's ids, read from the file as they are needed and checked when first used."""

    def __init__(self, data: memoryview, words: Mapping[str, _Words]) -> None:
        self._data = data
        self._words = words
        self._checked: dict[str, memoryview] = {}
        self._lock = threading.Lock()

    def blocks(self, wanted: Wanted) -> set[int]:
        """Blocks of rows that may hold all that is wanted.

        Raises:
            PartDamaged: a checksum is wrong.
        """
        held = [blocks_of(self._of(field), values) for field, values in wanted.items()]
        return set.intersection(*held)

    def _of(self, field: str) -> memoryview:
        with self._lock:
            if field not in self._checked:
                self._checked[field] = self._read(field)
            return self._checked[field]

    def _read(self, field: str) -> memoryview:
        place = self._words.get(field)
        if place is None:
            return memoryview(b"")  # no row has a value
        data = self._data[place.at : place.at + place.size]
        if len(data) != place.size or place.size % WORD or zlib.crc32(data) != place.crc:
            raise PartDamaged(f"the words of {field} are not what was written")
        return data


class Part(Struct, frozen=True):
    """Consecutive segments as one; see `source.Segment`.

    Args:
        name: tells it from every part that holds anything else.
        segments: whose rows it has (`identity`).
    """

    path: Path
    name: str
    segments: tuple[str, ...]
    first: int
    last: int
    min_us: int
    max_us: int
    rows: int
    columns: frozenset[str]
    ids: IdWords

    def holding(self, wanted: Wanted) -> tuple[int, int] | None:
        """The first and the last index between which all that may hold what is wanted is; None when nothing does.

        Raises:
            PartDamaged: a checksum is wrong.
        """
        blocks = self.ids.blocks(wanted)
        if not blocks:
            return None
        low, high = min(blocks), max(blocks)
        return self.first + low * BLOCK, min(self.last, self.first + high * BLOCK + BLOCK - 1)


def identity(segment: Segment) -> str:
    """What tells a segment from any other, also from one of the same name in another trail."""
    return f"{segment.path.name}:{segment.rows}:{segment.min_us}:{segment.max_us}"


def part_name(segments: Sequence[Segment]) -> str:
    """The name of the part that these segments make."""
    digest = hashlib.sha256("\n".join(map(identity, segments)).encode()).hexdigest()
    return f"{segments[0].first:012d}-{segments[-1].last:012d}.{digest[:16]}"


def written_ids(segments: Sequence[Segment], columns: frozenset[str], words: Mapping[str, bytes]) -> bytes:
    """What stands in the `.ids` file of a part."""
    at, places = 0, {}
    for field, data in words.items():
        places[field] = _Words(at, len(data), zlib.crc32(data))
        at += len(data)
    described = _encoder.encode(
        _Description(
            segments=tuple(map(identity, segments)),
            first=segments[0].first,
            last=segments[-1].last,
            min_us=min(one.min_us for one in segments),
            max_us=max(one.max_us for one in segments),
            rows=sum(one.rows for one in segments),
            columns=columns,
            words=places,
        )
    )
    return b"".join((_MAGIC, _HEAD.pack(len(described), zlib.crc32(described)), described, *words.values()))


def read_part(ids: Path) -> Part | None:
    """The part with this `.ids` file; None when it is not whole or not ours.

    Raises:
        OSError: it cannot be read.
    """
    with ids.open("rb") as file:
        size = file.seek(0, 2)
        if not len(_MAGIC) + _HEAD.size < size <= MAX_IDS:
            return None
        data = memoryview(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ))
    start = len(_MAGIC) + _HEAD.size
    length, crc = _HEAD.unpack_from(data, len(_MAGIC))
    described = data[start : start + length]
    if data[: len(_MAGIC)] != _MAGIC or len(described) != length or zlib.crc32(described) != crc:
        return None
    try:
        found = _decoder.decode(described)
    except msgspec.DecodeError:
        return None
    return Part(
        path=ids.with_suffix(".duckdb"),
        name=ids.stem,
        segments=found.segments,
        first=found.first,
        last=found.last,
        min_us=found.min_us,
        max_us=found.max_us,
        rows=found.rows,
        columns=found.columns,
        ids=IdWords(data[start + length :], found.words),
    )
