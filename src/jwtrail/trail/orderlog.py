"""The durable order of what is not sealed yet: which writer's line has which index (docs/formats/wal.md, section 5)."""

import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import msgspec
from msgspec import Struct

from jwtrail.errors import CorruptionError, WriteError
from jwtrail.trail.durable import FILE_MODE, replace_file, storage_errors, sync_directory, write_all
from jwtrail.trail.row import Row

__all__ = ["OrderLog", "OrderRecord", "read_order"]


class OrderRecord(Struct, frozen=True):
    """Indexes given at one time.

    Args:
        first: the first index.
        at: `event.ingested` of all of them.
        runs: (writer, first number, count), one after the other.
    """

    first: int
    at: str
    runs: tuple[tuple[str, int, int], ...]

    @property
    def count(self) -> int:
        return sum(count for _, _, count in self.runs)

    @classmethod
    def of(cls, at: str, rows: Sequence[Row]) -> "OrderRecord":
        """A record of these rows, at least one; consecutive lines of a writer are joined to runs."""
        runs: list[tuple[str, int, int]] = []
        writer, begin, following = rows[0].writer, rows[0].number, rows[0].number
        for row in rows:
            if row.number != following or row.writer != writer:
                runs.append((writer, begin, following - begin))
                writer, begin = row.writer, row.number
            following = row.number + 1
        runs.append((writer, begin, following - begin))
        return cls(rows[0].index, at, tuple(runs))


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(OrderRecord)
_SUM = b',"sum":"'
_SUM_HEX = 16


def _encode(record: OrderRecord) -> bytes:
    """A line: the record, and a sum of its bytes, as no commitment covers them."""
    body = _encoder.encode(record)[:-1]
    return body + _SUM + _sum(body) + b'"}\n'


def _sum(body: bytes) -> bytes:
    return sha256(body).hexdigest()[:_SUM_HEX].encode()


def _decode(line: bytes) -> OrderRecord:
    body, mark, tail = line.rpartition(_SUM)
    if not mark or tail != _sum(body) + b'"}\n':
        raise msgspec.DecodeError("the sum is not that of the record")
    return _decoder.decode(line)


def read_order(path: Path, size: int) -> list[OrderRecord]:
    """Records of indexes from `size` on; a last line without LF is ignored.

    Raises:
        CorruptionError: a record is malformed or does not follow the one before it.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    records: list[OrderRecord] = []
    offset, expected = 0, size
    for line in data[: data.rfind(b"\n") + 1].splitlines(keepends=True):
        where = f"{path}:offset {offset}"
        try:
            record = _decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise CorruptionError(f"not an order record: {error}", where=where) from error
        offset += len(line)
        if record.first + record.count <= size:
            continue
        if record.first != expected:
            raise CorruptionError(f"index {record.first} where {expected} was expected", where=where)
        expected += record.count
        records.append(record)
    return records


class OrderLog:
    """The order log, open for appending by the one keeper.

    Args:
        path: its file.
        size: number of sealed indexes.

    Raises:
        CorruptionError: see `read_order`.
        WriteError: it cannot be written.
    """

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._records = read_order(path, size)
        self._fd = -1
        self._rewrite()

    @property
    def records(self) -> tuple[OrderRecord, ...]:
        """What is not sealed."""
        return tuple(self._records)

    def append(self, record: OrderRecord) -> None:
        """Add a record, durably.

        Raises:
            WriteError: it is not there; the next call begins with a new file.
        """
        if self._fd < 0:
            self._rewrite()
        try:
            with storage_errors("append to the order log", self._path):
                write_all(self._fd, _encode(record))
                os.fdatasync(self._fd)
        except WriteError:
            self.close()
            raise
        self._records.append(record)

    def drop(self, size: int) -> None:
        """Forget the records of indexes below `size`; they are sealed.

        Raises:
            WriteError: the file stands as it was; the records are old, not wrong.
        """
        self._records = [record for record in self._records if record.first + record.count > size]
        self._rewrite()

    def _rewrite(self) -> None:
        self.close()
        replace_file(self._path, b"".join(_encode(record) for record in self._records))
        with storage_errors("open the order log", self._path):
            self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, FILE_MODE)
            sync_directory(self._path.parent)

    def close(self) -> None:
        """Let go of the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
