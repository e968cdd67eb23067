"""Taking a person out of segments and logs, so that every hash and proof still holds (docs/formats/segment.md, section 2)."""

import os
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import duckdb

from jwtrail.errors import CorruptionError, WriteError
from jwtrail.trail.durable import FILE_MODE, storage_errors, sync_directory
from jwtrail.trail.layout import Layout, SegmentName
from jwtrail.trail.manifest import SegmentInfo
from jwtrail.trail.person import PERSONAL
from jwtrail.trail.recompute import (
    COMMITMENT,
    SALT,
    Engine,
    commitment_sql,
    entry_sql,
    parquet,
    quoted,
    text_literal,
)
from jwtrail.trail.segment import COPY_OPTIONS, make_durable
from jwtrail.trail.wal import LineError, build_line, split_line

__all__ = ["blank_logs", "erased_lines", "rewrite"]


def rewrite(layout: Layout, info: SegmentInfo, indexes: Collection[int]) -> SegmentInfo:
    """A new edition of a segment without the personal columns and salts of some rows. The manifest does not name it yet.

    Raises:
        WriteError: the file cannot be written; nothing is left behind.
        CorruptionError: the old file cannot be read, or the new one does not give every entry back.
    """
    old = layout.segments / info.file
    name = SegmentName.parse(info.file)
    assert name is not None
    final = layout.segments / str(name.next_edition())
    temporary = final.with_name(final.name + ".tmp")
    columns = tuple(sorted({*info.columns, COMMITMENT}))
    try:
        with storage_errors("write a segment", final), Engine() as engine:
            _copy(engine, old, temporary, info.columns, indexes)
            if _differing(engine, _entries(old, info.columns), _entries(temporary, columns)):
                raise CorruptionError("an event does not come back as it was written", where=str(old))
            digest, size = make_durable(temporary)
            temporary.rename(final)
            sync_directory(layout.segments)
    except duckdb.Error as error:
        raise WriteError(f"cannot write a segment anew: {error}", where=str(old)) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    return SegmentInfo(
        file=final.name, first=info.first, last=info.last, rows=info.rows, bytes=size, min_time=info.min_time,
        max_time=info.max_time, columns=columns, catalogue=info.catalogue, sha256=digest,
    )  # fmt: skip


def _copy(engine: Engine, old: Path, new: Path, columns: Sequence[str], indexes: Collection[int]) -> None:
    gone = f"{quoted('event.sequence')} IN ({', '.join(map(str, sorted(indexes)))})"
    chosen = [
        f"CASE WHEN {gone} THEN NULL ELSE {quoted(name)} END AS {quoted(name)}"
        if name in PERSONAL or name == SALT
        else quoted(name)
        for name in columns
        if name != COMMITMENT
    ]
    kept = quoted(COMMITMENT) if COMMITMENT in columns else "NULL"
    known = frozenset(columns)
    chosen.append(f"CASE WHEN {gone} THEN {commitment_sql(known)} ELSE {kept} END AS {quoted(COMMITMENT)}")
    new.touch(mode=FILE_MODE)
    engine.rows(
        f"COPY (SELECT {', '.join(chosen)} FROM {parquet(old)} ORDER BY file_row_number)"  # noqa: S608  # names are the catalogue's
        f" TO {text_literal(str(new))} ({COPY_OPTIONS})"
    )
    new.chmod(FILE_MODE)


def _entries(path: Path, columns: Iterable[str]) -> str:
    return f"SELECT {quoted('event.sequence')} AS i, {entry_sql(frozenset(columns))} AS entry FROM {parquet(path)}"  # noqa: S608


def _differing(engine: Engine, before: str, after: str) -> int:
    """How many rows give another entry, or none: counted by the engine, as a merged segment has a million rows."""
    ((count,),) = engine.rows(
        f"SELECT count(*) FROM ({before}) AS a POSITIONAL JOIN ({after}) AS b"  # noqa: S608  # names are the catalogue's
        " WHERE a.entry IS NULL OR a.entry IS DISTINCT FROM b.entry OR a.i IS DISTINCT FROM b.i"
    )
    return int(count)


def erased_lines(layout: Layout, segments: Iterable[SegmentInfo]) -> dict[str, set[int]]:
    """For each writer that still has logs, the numbers of its lines whose rows are erased.

    Raises:
        CorruptionError: a segment cannot be read.
    """
    found: dict[str, set[int]] = {writer: set() for writer in layout.writers()}
    with Engine() as engine:
        for segment in segments:
            if COMMITMENT not in segment.columns or not found:
                continue
            path = layout.segments / segment.file
            sql = (
                f"SELECT {quoted('jwtrail.writer')}, {quoted('jwtrail.writer_seq')} FROM {parquet(path)}"  # noqa: S608
                f" WHERE {quoted(COMMITMENT)} IS NOT NULL"
            )
            try:
                rows = engine.rows(sql)
            except duckdb.Error as error:
                raise CorruptionError(f"the segment cannot be read: {error}", where=str(path)) from error
            for writer, number in rows:
                if writer in found:
                    found[writer].add(number)
    return found


def blank_logs(layout: Layout, lines: dict[str, set[int]]) -> int:
    """Overwrite the personal part and the salt of sealed lines that are still in logs; how many.

    In place, because a living writer appends to the same file: every byte keeps its position, readers pass over sealed
    lines (docs/formats/wal.md, section 4), and a crash half way through leaves a file that the next call finishes.

    Raises:
        WriteError: a file cannot be written.
    """
    done = 0
    for writer, numbers in lines.items():
        for name in layout.wal_files(writer) if numbers else ():
            path = layout.wal / writer / str(name)
            with storage_errors("take a person out of", path), suppress(FileNotFoundError):
                done += _blank(path, numbers)
    return done


def _blank(path: Path, numbers: set[int]) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    done = offset = 0
    try:
        with os.fdopen(os.dup(fd), "rb") as file:
            for line in file:
                blanked = _blanked(line, numbers)
                if blanked is not None and blanked != line:
                    os.pwrite(fd, blanked, offset)
                    done += 1
                offset += len(line)
        os.fdatasync(fd)
    finally:
        os.close(fd)
    return done


def _blanked(raw: bytes, numbers: set[int]) -> bytes | None:
    try:
        line = split_line(raw)
    except LineError:
        return None
    if line.number not in numbers:
        return None
    personal = line.personal
    if personal != b"{}":
        personal = b'{"-":"' + b" " * (len(personal) - 8) + b'"}'
    return build_line(
        line.public,
        personal,
        writer=line.writer,
        number=line.number,
        salt=bytes(len(line.salt)),
        chain=line.chain,
    )
