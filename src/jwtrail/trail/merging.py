"""Many small segments become few large ones, as a search pays for each that it opens (docs/formats/segment.md, section 5)."""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path

import duckdb

from jwtrail.ecs.catalogue import CATALOGUE
from jwtrail.errors import CorruptionError, WriteError
from jwtrail.trail.durable import FILE_MODE, storage_errors, sync_directory
from jwtrail.trail.layout import Layout, SegmentName
from jwtrail.trail.manifest import SegmentInfo
from jwtrail.trail.recompute import COMMITMENT, SALT, Engine, parquet, quoted, text_literal
from jwtrail.trail.segment import COPY_OPTIONS, make_durable

__all__ = ["FANOUT", "merge", "next_run"]

FANOUT = 8
"""Neighbours of one size that become one: a row of a busy day is written three times, sealed at 16 Ki, merged at 128 Ki and 1 Mi."""

Run = tuple[SegmentInfo, ...]


def next_run(segments: Sequence[SegmentInfo], full: int, *, leave: Collection[str] = ()) -> Run:
    """The oldest neighbours that are worth merging; empty when there are none.

    A day that is over is merged whole, the last one by size: so each row is written again only when its segment grows
    by `FANOUT`, and a day's events can be pruned without those of the next.

    Args:
        full: rows that a merged segment has at most.
        leave: names of files to leave alone.
    """
    days = [tuple(day) for _, day in groupby(segments, lambda one: (one.min_time[:10], one.catalogue))]
    for number, day in enumerate(days):
        for free, neighbours in groupby(day, lambda one: one.file not in leave):
            if free:
                candidates = tuple(neighbours)
                over = number + 1 < len(days)
                found = _fitting(candidates, full) if over else _same_size(candidates, full)
                if found:
                    return found
    return ()


def _fitting(neighbours: Iterable[SegmentInfo], full: int) -> Run:
    """The first two or more that fit into one."""
    taken: list[SegmentInfo] = []
    for one in neighbours:
        if sum(each.rows for each in taken) + one.rows > full:
            if len(taken) > 1:
                break
            taken = []
        taken.append(one)
    return tuple(taken) if len(taken) > 1 else ()


def _same_size(day: Run, full: int) -> Run:
    """The first `FANOUT` neighbours of one size, with smaller ones between them."""
    for size in sorted({_size(one) for one in day}):
        for eligible, neighbours in groupby(day, lambda one, size=size: _size(one) <= size):  # type: ignore[misc]
            run = tuple(neighbours)
            if (
                eligible
                and sum(_size(one) == size for one in run) >= FANOUT
                and (found := _fitting(run, full))
            ):
                return found
    return ()


def _size(one: SegmentInfo) -> int:
    """How often the rows can be divided by `FANOUT`."""
    size, rows = 0, one.rows
    while rows := rows // FANOUT:
        size += 1
    return size


def merge(layout: Layout, run: Run, engine: Engine) -> SegmentInfo:
    """One segment with the rows of neighbours, durably. The manifest does not name it yet.

    Args:
        engine: does the work; interrupting it ends the call.

    Raises:
        WriteError: the file cannot be written; nothing is left behind.
        CorruptionError: a source is not the file that was signed, or the new file does not hold its rows; nothing is left
            behind, and `where` names the file.
    """
    final = layout.segments / str(SegmentName(run[0].first, run[-1].last))
    temporary = final.with_name(final.name + ".tmp")
    columns = tuple(
        name for name in (*CATALOGUE, SALT, COMMITMENT) if any(name in one.columns for one in run)
    )
    try:
        with storage_errors("merge segments", final):
            for one in run:
                _hold(layout, one)
            temporary.touch(mode=FILE_MODE)
            rows = _rows(layout, run, columns)
            engine.rows(f"COPY ({rows}) TO {text_literal(str(temporary))} ({COPY_OPTIONS})")
            temporary.chmod(FILE_MODE)
            _check(engine, rows, temporary, columns)
            digest, size = make_durable(temporary)
            temporary.rename(final)
            sync_directory(layout.segments)
    except duckdb.Error as error:
        raise WriteError(f"cannot merge segments: {error}", where=str(final)) from error
    finally:
        with suppress(OSError):  # the next start of the keeper removes it
            temporary.unlink(missing_ok=True)
    return SegmentInfo(
        file=final.name, first=run[0].first, last=run[-1].last, rows=sum(one.rows for one in run), bytes=size,
        min_time=min(one.min_time for one in run), max_time=max(one.max_time for one in run),
        columns=tuple(sorted(columns)), catalogue=run[0].catalogue, sha256=digest,
    )  # fmt: skip


def _hold(layout: Layout, one: SegmentInfo) -> None:
    """What was altered must not get a new signature."""
    path = layout.segments / one.file
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != one.sha256:
            raise CorruptionError(
                "the segment is not the file that was signed; it will not be merged",
                where=str(path),
                hint="`jwtrail trail verify` names what was altered",
            )


def _rows(layout: Layout, run: Run, columns: Sequence[str]) -> str:
    """SQL for the rows of these segments, in order; a column that a file does not have is NULL."""
    chosen = ", ".join(map(quoted, columns))
    files = ", ".join(text_literal(str(layout.segments / one.file)) for one in run)
    return f"SELECT {chosen} FROM read_parquet([{files}], union_by_name = true)"  # noqa: S608  # names are the catalogue's


def _check(engine: Engine, rows: str, made: Path, columns: Sequence[str]) -> None:
    """Every value of every row is where it was, before anything is removed. Not the same number of rows is a difference too."""
    differ = " OR ".join(f"a.{quoted(name)} IS DISTINCT FROM b.{quoted(name)}" for name in columns)
    ((count,),) = engine.rows(
        f"SELECT count(*) FROM ({rows}) AS a POSITIONAL JOIN {parquet(made)} AS b WHERE {differ}"  # noqa: S608
    )
    if count:
        raise CorruptionError(f"{count} rows do not come back as they were written", where=str(made))
