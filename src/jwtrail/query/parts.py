"""A part of the query index: the rows of consecutive segments twice, as columns to search in and as events to show.

Two files: `<name>.duckdb` with one table `events`, and `<name>.rows`, without which there is no part. The second holds the
words of the ids (`query.ids`) and the events in blocks (`query.blocks`), then a description in msgpack, its length and
CRC-32, and a magic.
"""

import hashlib
import mmap
import struct
import threading
import zlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct

from jwtrail.ecs import Event, decode_line
from jwtrail.query.blocks import unpacked
from jwtrail.query.ids import BLOCK, Wanted, blocks_of
from jwtrail.query.source import Segment

__all__ = ["Part", "PartDamaged", "PartFile", "PartWriter", "identity", "part_name", "read_part"]

_MAGIC = b"jwtpart\x02"
_TAIL = struct.Struct(">II8s")
_OFFSETS = struct.Struct(">QQ")


class PartDamaged(Exception):  # noqa: N818  # control flow inside this room, not an error that anybody sees
    """What a part's files hold is not what was written."""


class _Section(Struct, frozen=True, array_like=True):
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
    words: dict[str, _Section]
    offsets: _Section
    dictionary: _Section


_decoder = msgspec.msgpack.Decoder(_Description)
_encoder = msgspec.msgpack.Encoder()


class PartFile:
    """What a `.rows` file holds; every section is checked when it is first used."""

    def __init__(self, data: memoryview, described: _Description) -> None:
        self._data = data
        self._described = described
        self._checked: dict[_Section, memoryview] = {}
        self._lock = threading.Lock()

    def blocks_with(self, wanted: Wanted) -> set[int]:
        """Blocks that may hold all that is wanted.

        Raises:
            PartDamaged: a checksum is wrong.
        """
        words = self._described.words
        return set.intersection(
            *(
                # A field without words has no value in any row.
                blocks_of(self._section(words[field]), values) if field in words else set()
                for field, values in wanted.items()
            )
        )

    def block(self, number: int, count: int = BLOCK) -> list[bytes]:
        """The first `count` documents of a block.

        Raises:
            PartDamaged: it is not what was written.
        """
        offsets = self._section(self._described.offsets)
        start, end = _OFFSETS.unpack_from(offsets, number * 8)
        try:
            return unpacked(self._data[start:end], self._section(self._described.dictionary), count)
        except zlib.error as wrong:
            raise PartDamaged(f"block {number}: {wrong}") from wrong

    def _section(self, section: _Section) -> memoryview:
        with self._lock:
            if section not in self._checked:
                data = self._data[section.at : section.at + section.size]
                if len(data) != section.size or zlib.crc32(data) != section.crc:
                    raise PartDamaged("a checksum is wrong")
                self._checked[section] = data
            return self._checked[section]


class Part(Struct, frozen=True):
    """Consecutive segments as one; see `source.Segment`.

    Args:
        path: of the DuckDB file.
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
    file: PartFile

    def holding(self, wanted: Wanted) -> list[int]:
        """Numbers of the blocks that may hold what is wanted, in order.

        Raises:
            PartDamaged: see `PartFile`.
        """
        return sorted(self.file.blocks_with(wanted))

    def block(self, number: int) -> list[Event]:
        """The events of a block.

        Raises:
            PartDamaged: see `PartFile`.
        """
        return [_event(document) for document in self.file.block(number)]

    def bounds(self, number: int) -> tuple[int, int]:
        """The first and the last index of a block."""
        first = self.first + number * BLOCK
        return first, min(self.last, first + BLOCK - 1)

    def events(self, indexes: Iterable[int]) -> list[Event]:
        """The events with these indexes, all within the part; quick when neighbours follow each other.

        Raises:
            PartDamaged: see `PartFile`.
        """
        found: list[Event] = []
        for number, run in groupby((index - self.first for index in indexes), lambda row: row // BLOCK):
            rows = [row % BLOCK for row in run]
            documents = self.file.block(number, max(rows) + 1)
            found.extend(_event(documents[row]) for row in rows)
        return found


class PartWriter:
    """Writes a `.rows` file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._at = 0
        self._offsets = [0]

    def section(self, data: bytes) -> _Section:
        """Write something that is read as a whole."""
        made = _Section(self._at, len(data), zlib.crc32(data))
        self._file.write(data)
        self._at += len(data)
        return made

    def blocks(self, blocks: Iterable[bytes]) -> _Section:
        """Write blocks; where they are."""
        offsets = bytearray(self._at.to_bytes(8))
        for block in blocks:
            self._file.write(block)
            self._at += len(block)
            offsets += self._at.to_bytes(8)
        return self.section(bytes(offsets))

    def finish(
        self,
        segments: Sequence[Segment],
        columns: frozenset[str],
        words: Mapping[str, _Section],
        offsets: _Section,
        dictionary: _Section,
    ) -> None:
        """Write the description: what comes before it is a part now."""
        described = _encoder.encode(
            _Description(
                segments=tuple(map(identity, segments)),
                first=segments[0].first,
                last=segments[-1].last,
                min_us=min(one.min_us for one in segments),
                max_us=max(one.max_us for one in segments),
                rows=sum(one.rows for one in segments),
                columns=columns,
                words=dict(words),
                offsets=offsets,
                dictionary=dictionary,
            )
        )
        self._file.write(described + _TAIL.pack(len(described), zlib.crc32(described), _MAGIC))


def _event(document: bytes) -> Event:
    try:
        return decode_line(document)
    except msgspec.DecodeError as wrong:
        raise PartDamaged(f"not an event: {wrong}") from wrong


def identity(segment: Segment) -> str:
    """What tells a segment from any other, also from one of the same name in another trail."""
    return f"{segment.path.name}:{segment.rows}:{segment.min_us}:{segment.max_us}"


def part_name(segments: Sequence[Segment]) -> str:
    """The name of the part that these segments make."""
    digest = hashlib.sha256("\n".join(map(identity, segments)).encode()).hexdigest()
    return f"{segments[0].first:012d}-{segments[-1].last:012d}.{digest[:16]}"


def read_part(path: Path) -> Part | None:
    """The part with this `.rows` file; None when it is not whole or not ours.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        if size < _TAIL.size:
            return None
        data = memoryview(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ))
    length, crc, magic = _TAIL.unpack_from(data, size - _TAIL.size)
    described = data[max(0, size - _TAIL.size - length) : size - _TAIL.size]
    if magic != _MAGIC or len(described) != length or zlib.crc32(described) != crc:
        return None
    try:
        found = _decoder.decode(described)
    except msgspec.DecodeError:
        return None
    return Part(
        path=path.with_suffix(".duckdb"),
        name=path.stem,
        segments=found.segments,
        first=found.first,
        last=found.last,
        min_us=found.min_us,
        max_us=found.max_us,
        rows=found.rows,
        columns=found.columns,
        file=PartFile(data, found),
    )
