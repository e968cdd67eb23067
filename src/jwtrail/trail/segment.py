"""Sealing: unsealed events become one Parquet file, which must give the same entries back before anything is dropped."""

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import duckdb
import msgspec

from jwtrail.ecs.catalogue import CATALOGUE, CATALOGUE_VERSION
from jwtrail.errors import CorruptionError, WriteError
from jwtrail.trail.durable import FILE_MODE, storage_errors, sync_directory
from jwtrail.trail.layout import Layout, SegmentName
from jwtrail.trail.manifest import SegmentInfo
from jwtrail.trail.recompute import SALT, Engine, quoted, row_hashes, text_literal
from jwtrail.trail.row import Row
from jwtrail.trail.wal import MAX_LINE

__all__ = ["COPY_OPTIONS", "ROW_GROUP", "make_durable", "seal"]

ROW_GROUP = 8192
"""Rows of a Parquet row group: what one damaged page takes with it, against a little compression."""

COPY_OPTIONS = f"FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP}"
"""How every segment is written. The encodings of version 2 make a file a fifth smaller, and to read it no slower."""


MAX_OBJECT = 2 * MAX_LINE
"""Bytes of one JSON object that DuckDB takes: a line of the log and what the trail adds."""

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def seal(layout: Layout, rows: Sequence[Row]) -> SegmentInfo:
    """Write these rows as a segment, durably. The manifest does not name it yet.

    Args:
        rows: consecutive indexes, at least one.

    Raises:
        WriteError: the file cannot be written; nothing is left behind.
        CorruptionError: the file does not give an event's entry back; nothing is left behind.
    """
    first, last = rows[0].event.event_sequence, rows[-1].event.event_sequence
    assert first is not None
    assert last is not None
    final = layout.segments / str(SegmentName(first, last))
    lines, parquet = final.with_suffix(".ndjson.tmp"), final.with_suffix(".parquet.tmp")
    try:
        with storage_errors("write a segment", final):
            _write_lines(lines, rows)
            with Engine() as engine:
                columns = _columns(rows)
                _convert(engine, lines, parquet, columns)
                _check(engine, parquet, frozenset(columns), rows)
            digest, size = make_durable(parquet)
            parquet.rename(final)
            sync_directory(layout.segments)
    except duckdb.Error as error:
        raise WriteError(f"cannot write a segment: {error}", where=str(final)) from error
    finally:
        for leftover in (lines, parquet):
            with suppress(OSError):  # the next start of the keeper removes it
                leftover.unlink(missing_ok=True)
    times = [row.event.timestamp for row in rows]
    return SegmentInfo(
        file=final.name, first=first, last=last, rows=len(rows), bytes=size,
        min_time=min(times), max_time=max(times), columns=tuple(sorted(columns)),
        catalogue=CATALOGUE_VERSION, sha256=digest,
    )  # fmt: skip


def _write_lines(path: Path, rows: Sequence[Row]) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
    with os.fdopen(fd, "wb") as file:
        file.writelines(row.doc + b"\n" for row in rows)


def _columns(rows: Sequence[Row]) -> list[str]:
    """Fields that have a value in some row, in the catalogue's order: to read the others takes DuckDB twice the time."""
    seen: set[str] = set()
    for row in rows:
        seen.update(_members(row.doc))
    return [name for name in (*CATALOGUE, SALT) if name in seen]


def _convert(engine: Engine, lines: Path, parquet: Path, columns: Sequence[str]) -> None:
    """NDJSON to Parquet, in the order of the lines."""
    declared = ", ".join(f"{text_literal(name)}: {text_literal(_json_type(name))}" for name in columns)
    chosen = ", ".join(_expression(name) for name in columns)
    parquet.touch(mode=FILE_MODE)
    engine.rows(
        f"COPY (SELECT {chosen} FROM read_json({text_literal(str(lines))}, format = 'newline_delimited',"  # noqa: S608  # names are the catalogue's
        f" maximum_object_size = {MAX_OBJECT}, columns = {{{declared}}}))"
        f" TO {text_literal(str(parquet))} ({COPY_OPTIONS})"
    )
    parquet.chmod(FILE_MODE)


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


def _check(engine: Engine, parquet: Path, columns: frozenset[str], rows: Sequence[Row]) -> None:
    """What is dropped from the logs must be in the file, to the bit."""
    found = row_hashes(engine, parquet, columns)
    if len(found) != len(rows):
        raise CorruptionError(f"{len(rows)} events became {len(found)} rows", where=str(parquet))
    for row, again in zip(rows, found, strict=True):
        if row.entry != again.entry or row.event.event_sequence != again.sequence:
            raise CorruptionError(
                f"index {row.event.event_sequence} (event {row.event.event_id}) does not come back as it was written",
                where=str(parquet),
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
