"""Sealing: unsealed events become one Parquet file, which must give the same entries back before anything is dropped."""

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import duckdb

from jwtrail.ecs.catalogue import CATALOGUE, CATALOGUE_VERSION
from jwtrail.errors import CorruptionError, WriteError
from jwtrail.trail.durable import FILE_MODE, storage_errors, sync_directory
from jwtrail.trail.layout import Layout, SegmentName
from jwtrail.trail.manifest import SegmentInfo
from jwtrail.trail.recompute import SALT, Engine, quoted, row_hashes, text_literal
from jwtrail.trail.row import Row

__all__ = ["ROW_GROUP", "make_durable", "seal"]

ROW_GROUP = 8192
"""Rows of a Parquet row group: what one damaged page takes with it, against a little compression."""


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
                columns = _convert(engine, lines, parquet)
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


def _convert(engine: Engine, lines: Path, parquet: Path) -> list[str]:
    """NDJSON to Parquet with the columns that have a value; their names."""
    types = {
        name: "JSON" if field.type == "flattened" else field.sql_type for name, field in CATALOGUE.items()
    } | {SALT: "VARCHAR"}
    declared = ", ".join(f"{text_literal(name)}: {text_literal(kind)}" for name, kind in types.items())
    engine.rows(
        f"CREATE TABLE rows AS FROM read_json({text_literal(str(lines))}, format = 'newline_delimited',"
        f" columns = {{{declared}}})"
    )
    counts = ", ".join(f"count({quoted(name)})" for name in types)
    found = engine.rows(f"SELECT {counts} FROM rows")[0]  # noqa: S608  # names are the catalogue's
    used = [name for name, count in zip(types, found, strict=True) if count]
    chosen = ", ".join(_expression(name) for name in used)
    parquet.touch(mode=FILE_MODE)
    engine.rows(
        f"COPY (SELECT {chosen} FROM rows ORDER BY {quoted('event.sequence')})"  # noqa: S608
        f" TO {text_literal(str(parquet))} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP})"
    )
    parquet.chmod(FILE_MODE)
    return used


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
