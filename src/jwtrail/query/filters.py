"""Membership filters: which segments may hold an id, so that a search for one opens few (docs/design/query-index.md).

One file, `<data>/index/ids.filters`, that can be deleted at any time: it is made again from the segments. Each record is
about one segment: its length and CRC-32, then msgpack. A filter is a Bloom filter whose bits DuckDB sets and Python reads,
so the hash is MD5, which both have and which no release of either changes; nothing here has to resist an attacker who can
write the file, for whoever can do that can hide events from a search and never from the auditor, who does not read it.
"""

import fcntl
import hashlib
import mmap
import os
import struct
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import duckdb
import msgspec
from msgspec import Struct

from jwtrail.ecs import CATALOGUE
from jwtrail.errors import QueryError
from jwtrail.predicate.sql_text import quoted, text
from jwtrail.query.source import Segment

__all__ = ["ID_FIELDS", "IdFilters", "Wanted"]

ID_FIELDS = ("event.id", "trace.id", "transaction.id", "http.request.id", "jwt.jti", "jwt.family", "user.id")
"""Fields that people look for by a whole value, most of which few segments hold."""

BITS = 12
"""Bits for each different value."""

HASHES = 8
"""Bits set for each; with 12 bits a value, one segment in 300 is opened for nothing."""

MAX_FILE = 4 << 30
"""Bytes of the file; about four for each event, so a thousand million events."""

_MAGIC = b"jwtids\x00\x01"
_HEAD = struct.Struct(">II")
_MODE = 0o600

Wanted = Mapping[str, frozenset[str]]
"""For fields of `ID_FIELDS`: values of which an event must have one."""


class _Record(Struct, frozen=True, array_like=True):
    """One segment's filters; the bits are a view of the file."""

    segment: str
    filters: dict[str, memoryview]


_decoder = msgspec.msgpack.Decoder(_Record)
_encoder = msgspec.msgpack.Encoder()


class IdFilters:
    """The filters of one data directory. Any number of processes may read; one at a time adds.

    Args:
        folder: where the file lies; need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "ids.filters"
        self._lock = threading.Lock()
        self._known: dict[str, dict[str, memoryview]] = {}
        self._seen: tuple[int, ...] = ()

    def holding(self, segments: Iterable[Segment], wanted: Wanted) -> list[Segment]:
        """Those that may hold what is wanted; one without a filter may."""
        if not wanted:
            return list(segments)
        known = self._read()
        marks = {name: [_places(value) for value in values] for name, values in wanted.items()}
        return [segment for segment in segments if _may_hold(known.get(_name(segment)), marks)]

    def add(self, segments: Sequence[Segment], limit: int = 64) -> int:
        """Make filters for up to `limit` segments that have none, and drop those of segments that are gone.

        Returns:
            How many were made; 0 also when another process is at it.

        Raises:
            QueryError: the file cannot be written.
        """
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return self._add(segments, limit)
            except BlockingIOError:
                return 0
            finally:
                os.close(fd)
        except OSError as wrong:
            raise QueryError(f"cannot write the index: {wrong.strerror}", where=str(self._path)) from wrong

    def clear(self) -> None:
        """Forget everything; `add` makes it again.

        Raises:
            QueryError: the file cannot be removed.
        """
        try:
            self._path.unlink(missing_ok=True)
        except OSError as wrong:
            raise QueryError(f"cannot remove the index: {wrong.strerror}", where=str(self._path)) from wrong

    def _add(self, segments: Sequence[Segment], limit: int) -> int:
        listed = {_name(segment): segment for segment in segments}
        known = self._read()
        if gone := known.keys() - listed.keys():
            # A segment that was written anew without a person must not leave traces here.
            self._rewrite({name: filters for name, filters in known.items() if name not in gone})
            known = self._read()
        missing = [segment for name, segment in reversed(listed.items()) if name not in known][:limit]
        with suppress(
            duckdb.IOException
        ):  # a segment that vanished meanwhile: the next list does not name it
            self._append(_record(_name(segment), _made(segment)) for segment in missing)
        return len(missing)

    def _append(self, records: Iterable[bytes]) -> None:
        whole = _whole_bytes(self._path)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        with os.fdopen(os.open(self._path, flags, _MODE), "r+b") as file:
            file.truncate(whole)  # what a crash left half written
            file.seek(whole)
            if whole == 0:
                file.write(_MAGIC)
            for record in records:
                file.write(record)

    def _rewrite(self, kept: Mapping[str, Mapping[str, memoryview]]) -> None:
        fresh = self._path.with_suffix(".tmp")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE), "wb") as file:
            file.write(_MAGIC)
            for name, filters in kept.items():
                file.write(_record(name, {field: bytes(bits) for field, bits in filters.items()}))
        fresh.replace(self._path)

    def _read(self) -> dict[str, dict[str, memoryview]]:
        """What the file holds now; read again only when it changed."""
        with self._lock:
            try:
                with self._path.open("rb") as file:
                    stat = os.fstat(file.fileno())
                    seen = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
                    if seen != self._seen:
                        self._known = {
                            one.segment: one.filters for one in _records(_mapped(file.fileno(), stat.st_size))
                        }
                        self._seen = seen
            except OSError:
                self._known, self._seen = {}, ()
            return self._known


def _name(segment: Segment) -> str:
    """What tells a segment from any other, also from one of the same name in another trail."""
    return f"{segment.path.name}:{segment.rows}:{segment.min_us}:{segment.max_us}"


def _mapped(fd: int, size: int) -> memoryview:
    if not len(_MAGIC) < size <= MAX_FILE:
        return memoryview(b"")
    return memoryview(mmap.mmap(fd, size, access=mmap.ACCESS_READ))


def _records(data: memoryview) -> Iterator[_Record]:
    """All whole records; what is torn or not ours ends the list."""
    for start, end in _bounds(data):
        yield _decoder.decode(data[start:end])


def _bounds(data: memoryview) -> Iterator[tuple[int, int]]:
    at = len(_MAGIC)
    if data[:at] != _MAGIC:
        return
    while at + _HEAD.size <= len(data):
        length, crc = _HEAD.unpack_from(data, at)
        start, end = at + _HEAD.size, at + _HEAD.size + length
        if end > len(data) or zlib.crc32(data[start:end]) != crc:
            return
        yield start, end
        at = end


def _whole_bytes(path: Path) -> int:
    try:
        data = memoryview(path.read_bytes())
    except FileNotFoundError:
        return 0
    ends = [end for _, end in _bounds(data)]
    return max(ends, default=len(_MAGIC) if data[: len(_MAGIC)] == _MAGIC else 0)


def _record(name: str, filters: Mapping[str, bytes]) -> bytes:
    payload = _encoder.encode((name, filters))
    return _HEAD.pack(len(payload), zlib.crc32(payload)) + payload


def _made(segment: Segment) -> dict[str, bytes]:
    """The filters of one segment."""
    fields = [name for name in ID_FIELDS if name in segment.columns]
    assert not any(CATALOGUE[name].many for name in fields)
    table = f"read_parquet({text(str(segment.path))})"
    with duckdb.connect(config={"threads": 1, "memory_limit": "256MB"}) as connection:
        counts = ", ".join(f"count(DISTINCT {quoted(name)})" for name in fields) or "0"
        found = connection.execute(f"SELECT {counts} FROM {table}").fetchone()  # noqa: S608
        assert found is not None
        made: dict[str, bytes] = {}
        for name, count in zip(fields, found, strict=False):
            size = max(64, -(-count * BITS // 8) * 8)
            row = connection.execute(
                f"WITH ids AS (SELECT DISTINCT {quoted(name)} AS x FROM {table} WHERE x IS NOT NULL),"  # noqa: S608
                f" marks AS (SELECT md5_number_lower(x) % {size} AS a, 1 + md5_number_upper(x) % {size - 1} AS b FROM ids)"
                f" SELECT bitstring_agg(((a + n.range * b) % {size})::BIGINT, 0, {size - 1})::BLOB"
                f" FROM marks, range({HASHES}) AS n"
            ).fetchone()
            made[name] = row[0] or b"" if row else b""
        return made


def _places(value: str) -> tuple[int, int]:
    digest = hashlib.md5(value.encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[8:], "little"), int.from_bytes(digest[:8], "little")


def _may_hold(filters: Mapping[str, memoryview] | None, marks: Mapping[str, list[tuple[int, int]]]) -> bool:
    if filters is None:
        return True
    # A field that has no filter has no value in this segment.
    return all(any(_has(filters.get(name), mark) for mark in each) for name, each in marks.items())


def _has(bits: memoryview | None, mark: tuple[int, int]) -> bool:
    if not bits:
        return False
    size = len(bits) * 8
    at, step = mark[0] % size, 1 + mark[1] % (size - 1)
    for _ in range(HASHES):
        if not bits[at >> 3] & (0x80 >> (at & 7)):
            return False
        at = (at + step) % size
    return True
