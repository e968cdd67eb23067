"""Makes a part of the query index from segments, and decides which is to be made next."""

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

import duckdb

from jwtrail.ecs import CATALOGUE
from jwtrail.predicate.sql_text import quoted, text
from jwtrail.query.blocks import dictionary_of, document_sql, packed
from jwtrail.query.ids import ID_FIELDS, words_sql
from jwtrail.query.parts import Part, PartWriter, identity, part_name
from jwtrail.query.source import Segment
from jwtrail.query.tables import columns_of, files_sql

__all__ = ["FAN", "MAX_ROWS", "build", "to_make", "to_merge", "unreadable"]

MAX_ROWS = 1 << 20
"""Rows of a part that is made of several segments: few parts for a long time, and seconds to make one."""

FAN = 4
"""So many neighbours of about one size are made one part."""

MAX_TOGETHER = 16
"""Parts that are made one at once."""

ROW_GROUP = 30 * 2048
"""Rows whose smallest and largest values are known: with fewer a page is found faster, with more everything is counted faster."""

MEMORY_LIMIT = "512MB"
_MODE = 0o600

_TABLE = "part.events"
_SAMPLES = 64
"""Documents that the dictionary is made of."""

_AT_ONCE = 1024
"""Rows fetched at a time: Python runs nothing else meanwhile."""

Stoppable = Callable[[Callable[[], None]], None]
"""Is told how to interrupt what is being made; the maker of a part calls it."""


def to_make(units: Sequence[Segment], without: Collection[str] = ()) -> Sequence[Segment]:
    """The newest segments that have no part, as many as make one; none when all have.

    Args:
        units: parts, and segments without one, oldest first.
        without: segments (`identity`) of which none is to be made.
    """
    found: list[Segment] = []
    rows = 0
    for unit in reversed(units):
        if isinstance(unit, Part) or identity(unit) in without:
            if found:
                break
            continue
        if found and (rows + unit.rows > MAX_ROWS or unit.last + 1 != found[-1].first):
            break
        found.append(unit)
        rows += unit.rows
    return found[::-1]


def to_merge(units: Sequence[Segment], without: Collection[str] = ()) -> Sequence[Part]:
    """Neighbours that are better one: `FAN` or more, none of them as large as all the others. The newest first.

    So every row is written again a few times at most, and a trail of any length has few parts.

    Args:
        units: parts, and segments without one, oldest first.
        without: segments (`identity`) that are not to be read again.
    """
    for end in range(len(units), FAN - 1, -1):
        for start in range(max(0, end - MAX_TOGETHER), end - FAN + 1):
            window = [unit for unit in units[start:end] if isinstance(unit, Part)]
            rows = [part.rows for part in window]
            if (
                len(window) == end - start
                and sum(rows) <= MAX_ROWS
                and 2 * max(rows) <= sum(rows)
                and all(name not in without for part in window for name in part.segments)
            ):
                return window
    return ()


def unreadable(segments: Sequence[Segment], stoppable: Stoppable) -> list[Segment]:
    """Those of these segments that cannot be read from end to end.

    Raises:
        duckdb.InterruptException: it was interrupted.
    """
    found: list[Segment] = []
    with duckdb.connect(config={"threads": 1, "memory_limit": MEMORY_LIMIT}) as connection:
        stoppable(connection.interrupt)
        for segment in segments:
            try:
                connection.execute(f"SELECT bit_xor(hash(COLUMNS(*))) FROM {files_sql([segment])}")  # noqa: S608
            except duckdb.InterruptException:
                raise
            except duckdb.Error:
                found.append(segment)
    return found


def build(folder: Path, segments: Sequence[Segment], stoppable: Stoppable) -> str:
    """Make the part of these segments; its name. It appears when it is whole.

    Raises:
        duckdb.Error: a segment cannot be read, it was interrupted, or the disk is full.
        OSError: a file cannot be written.
    """
    name = part_name(segments)
    table, rows = folder / f"{name}.duckdb", folder / f"{name}.rows"
    made, described = table.with_name(f"{table.name}.tmp"), rows.with_name(f"{rows.name}.tmp")
    columns = columns_of(segments) & CATALOGUE.keys()
    try:
        with _opened(made, stoppable) as connection:
            chosen = ", ".join(quoted(name) for name in CATALOGUE if name in columns)
            connection.execute(f"CREATE TABLE {_TABLE} AS SELECT {chosen} FROM {files_sql(segments)}")  # noqa: S608
            with _created(described) as file:
                _fill(connection, PartWriter(file), segments, columns)
        made.replace(table)
        described.replace(rows)
    finally:
        for leftover in (made, described):
            with suppress(OSError):
                leftover.unlink(missing_ok=True)
    return name


@contextmanager
def _opened(path: Path, stoppable: Stoppable) -> Iterator[duckdb.DuckDBPyConnection]:
    path.unlink(missing_ok=True)
    # One thread, so that rows keep their order, and the request path the other cores.
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": 1,
        "memory_limit": MEMORY_LIMIT,
        "temp_directory": "",
    }
    with duckdb.connect(config=config) as connection:
        connection.execute(f"ATTACH {text(str(path))} AS part (ROW_GROUP_SIZE {ROW_GROUP})")
        path.chmod(_MODE)  # nobody else could reach it until now: the folder is closed to them
        stoppable(connection.interrupt)
        yield connection
        connection.execute("DETACH part")


def _created(path: Path) -> BinaryIO:
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE), "wb")


def _fill(
    connection: duckdb.DuckDBPyConnection,
    writer: PartWriter,
    segments: Sequence[Segment],
    columns: frozenset[str],
) -> None:
    """Write the words of the ids and the events of a table."""
    words = {}
    for field in ID_FIELDS:
        if field in columns:
            assert not CATALOGUE[field].many
            row = connection.execute(words_sql(field, _TABLE, segments[0].first)).fetchone()
            if row and row[0]:
                words[field] = writer.section(row[0])
    documents = _documents(connection, columns)
    sample = list(islice(documents, _SAMPLES))
    dictionary = dictionary_of(sample)
    written = writer.section(dictionary)
    offsets = writer.blocks(packed(chain(sample, documents), dictionary))
    writer.finish(segments, columns, words, offsets, written)


def _documents(connection: duckdb.DuckDBPyConnection, columns: frozenset[str]) -> Iterator[bytes]:
    found = connection.execute(f"SELECT {document_sql(columns)} FROM {_TABLE}")  # noqa: S608
    while rows := found.fetchmany(_AT_ONCE):
        for (document,) in rows:
            yield document.encode()
