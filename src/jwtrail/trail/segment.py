"""Sealing: unsealed events become one Parquet file, which must give the same entries back before anything is dropped."""

import hashlib
import os
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

import duckdb
import msgspec

from jwtrail.ecs.catalogue import CATALOGUE, CATALOGUE_VERSION
from jwtrail.errors import CorruptionError, WriteError
from jwtrail.trail.documents import document_sql
from jwtrail.trail.durable import FILE_MODE, storage_errors, sync_directory, write_all
from jwtrail.trail.layout import Layout, SegmentName
from jwtrail.trail.manifest import SegmentInfo
from jwtrail.trail.recompute import SALT, Engine, parquet, quoted, row_hashes, text_literal
from jwtrail.trail.row import Row
from jwtrail.trail.wal import MAX_LINE

__all__ = ["COPY_OPTIONS", "Sealer", "make_durable"]

ROW_GROUP = 8192
"""Rows of a Parquet row group: what one damaged page takes with it, against a little compression."""

COPY_OPTIONS = (
    f"FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE {ROW_GROUP}"
)
"""How every segment is written. The encodings of version 2 make a file a tenth smaller, and faster to read;
behind them a higher level of zstd gains nothing."""


SAMPLE = 64
"""Of so many events one is looked into for the fields it has; what it misses shows when the file is read again."""

REMEMBERED = 64
"""Segments for which a field is expected again after it was met."""

AT_ONCE = 256
"""Lines handed to the disk at once: what is copied together stays in a core's cache."""

MAX_OBJECT = 2 * MAX_LINE
"""Bytes of one JSON object that DuckDB takes: a line of the log and what the trail adds."""

_COLUMNS = frozenset((*CATALOGUE, SALT))
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Sealer:
    """Makes segments. Used by one thread at a time.

    It remembers which fields were used lately: to declare all of them to DuckDB takes it twice the time, to look into
    every event takes as long as converting it.

    Args:
        layout: where.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._engine = Engine(threads=1)  # one core: the other follows the logs meanwhile
        self._made = 0
        self._used: dict[str, int] = {}  # by field: the segment in which it was met last

    def close(self) -> None:
        """Let go of the engine."""
        self._engine.close()

    def seal(self, rows: Sequence[Row]) -> SegmentInfo:
        """Write these rows as a segment, durably. The manifest does not name it yet.

        Args:
            rows: consecutive indexes, at least one.

        Raises:
            WriteError: the file cannot be written; nothing is left behind.
            CorruptionError: the file does not give an event back; nothing is left behind.
        """
        first, last = rows[0].index, rows[-1].index
        final = self._layout.segments / str(SegmentName(first, last))
        lines, made = final.with_suffix(".ndjson.tmp"), final.with_suffix(".parquet.tmp")
        try:
            with storage_errors("write a segment", final):
                _write_lines(lines, rows)
                columns = self._convert(lines, made, rows)
                digest, size = make_durable(made)
                made.rename(final)
                sync_directory(self._layout.segments)
        except duckdb.Error as error:
            raise WriteError(f"cannot write a segment: {error}", where=str(final)) from error
        finally:
            for leftover in (lines, made):
                with suppress(OSError):  # the next start of the keeper removes it
                    leftover.unlink(missing_ok=True)
        times = [row.timestamp for row in rows]
        return SegmentInfo(
            file=final.name, first=first, last=last, rows=len(rows), bytes=size,
            min_time=min(times), max_time=max(times), columns=tuple(sorted(columns)),
            catalogue=CATALOGUE_VERSION, sha256=digest,
        )  # fmt: skip

    def _convert(self, lines: Path, made: Path, rows: Sequence[Row]) -> frozenset[str]:
        """NDJSON to Parquet; the columns it has."""
        self._made += 1
        self._meet(rows[::SAMPLE])
        columns = frozenset(self._used)
        _convert(self._engine, lines, made, columns)
        first = rows[0].index
        if not _same(self._engine, lines, made, columns, first):
            self._meet(rows)
            if columns == self._used.keys():
                _name_difference(self._engine, made, columns, rows)
            columns = frozenset(self._used)
            _convert(self._engine, lines, made, columns)
            if not _same(self._engine, lines, made, columns, first):
                _name_difference(self._engine, made, columns, rows)
        return columns

    def _meet(self, rows: Sequence[Row]) -> None:
        met = {name for row in rows for name in _members(row.doc)} & _COLUMNS
        self._used |= dict.fromkeys(met, self._made)
        self._used = {name: at for name, at in self._used.items() if self._made - at < REMEMBERED}


def _write_lines(path: Path, rows: Sequence[Row]) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
    try:
        for at in range(0, len(rows), AT_ONCE):
            write_all(fd, b"\n".join([*(row.doc for row in rows[at : at + AT_ONCE]), b""]))
    finally:
        os.close(fd)


def _convert(engine: Engine, lines: Path, made: Path, columns: Collection[str]) -> None:
    """NDJSON to Parquet, in the order of the lines and of the catalogue."""
    names = [name for name in (*CATALOGUE, SALT) if name in columns]
    declared = ", ".join(f"{text_literal(name)}: {text_literal(_json_type(name))}" for name in names)
    chosen = ", ".join(_expression(name) for name in names)
    made.touch(mode=FILE_MODE)
    engine.rows(
        f"COPY (SELECT {chosen} FROM read_json({text_literal(str(lines))}, format = 'newline_delimited',"  # noqa: S608  # names are the catalogue's
        f" maximum_object_size = {MAX_OBJECT}, columns = {{{declared}}}))"
        f" TO {text_literal(str(made))} ({COPY_OPTIONS})"
    )
    made.chmod(FILE_MODE)


def _json_type(name: str) -> str:
    if name == SALT:
        return "VARCHAR"
    return "JSON" if CATALOGUE[name].type == "flattened" else CATALOGUE[name].sql_type


def _expression(name: str) -> str:
    if name == SALT:
        return f"unhex({quoted(name)}) AS {quoted(name)}"
    if name in CATALOGUE and CATALOGUE[name].type == "flattened":
        return f"CAST({quoted(name)} AS VARCHAR) AS {quoted(name)}"
    return quoted(name)


def _same(engine: Engine, lines: Path, made: Path, columns: frozenset[str], first: int) -> bool:
    """Whether the file gives each line back in its place, to the bit, from columns that are read anew.

    It is what allows the logs to be dropped. Compared are two sums of 64 bits over the texts of all rows.
    """
    text = (
        f"read_csv({text_literal(str(lines))}, columns = {{'line': 'VARCHAR'}}, delim = '\x01', quote = '',"
        f" escape = '', header = false, auto_detect = false, max_line_size = {MAX_OBJECT})"
    )
    rows = f"SELECT {document_sql(columns)} AS line, {quoted('event.sequence')} - file_row_number AS place FROM {parquet(made)}"  # noqa: S608
    sums = "SELECT count(*), sum(hash(line)), bit_xor(hash(line)), min(place), max(place) FROM"
    written, again = engine.rows(
        f"{sums} (SELECT line, {first} AS place FROM {text}) UNION ALL {sums} ({rows})"  # noqa: S608  # names are the catalogue's
    )
    return bool(written == again)


def _name_difference(engine: Engine, made: Path, columns: frozenset[str], rows: Sequence[Row]) -> None:
    """Say which event does not come back; always raises."""
    found = row_hashes(engine, made, columns)
    pairs = zip(rows, found, strict=False)
    row = next(
        (row for row, again in pairs if row.entry != again.entry), rows[min(len(found), len(rows) - 1)]
    )
    raise CorruptionError(
        f"index {row.index} (event {row.event.event_id}) does not come back as it was written",
        where=str(made),
        hint="the log keeps it; please report this with the event's line",
    )


def make_durable(path: Path) -> tuple[str, int]:
    """Sync a file; its SHA-256, hexadecimal, and its size in bytes.

    Raises:
        OSError: it may not be durable.
    """
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest(), os.fstat(file.fileno()).st_size
