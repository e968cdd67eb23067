"""Reads segments by SQL: events in order, newest segments first, and counts by group."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from msgspec import Struct

from jwtrail.ecs import Event
from jwtrail.predicate.sql import Parameter
from jwtrail.predicate.sql_text import quoted
from jwtrail.query.engine import Engine
from jwtrail.query.filters import IdFilters
from jwtrail.query.rows import events_of, selected
from jwtrail.query.scan import SEQUENCE, Scan, columns_of, table_of
from jwtrail.query.source import Segment

__all__ = ["Given", "Reading"]

NOWHERE = Path("/nowhere")
"""The directory of an engine that is asked before there is a segment."""

_TOGETHER = 64
"""Segments read by one statement: enough to use all threads, few enough to plan quickly."""


class Given(Struct, frozen=True):
    """What a statement over everything needs.

    Args:
        types: columns of the table it reads, and their SQL types.
        columns: fields they are made from, and their SQL types.
        by: SQL that makes them of a segment's row, each with its name.
        rows: their values for events outside of segments.
    """

    types: Mapping[str, str]
    columns: Mapping[str, str]
    by: str
    rows: Sequence[tuple[Any, ...]]


class Reading:
    """Queries over Parquet segments; keeps the database warm between them.

    Args:
        filters: tell which segments need not be opened for an id.
    """

    def __init__(self, filters: IdFilters | None = None) -> None:
        self._filters = filters
        self._engine: Engine | None = None
        self._lock = threading.Lock()

    def fetch(
        self, segments: Sequence[Segment], scan: Scan, limit: int, *, ascending: bool
    ) -> tuple[list[Event], list[Segment]]:
        """Up to `limit` events that fit, in order of their index, and the segments that had to be opened.

        Raises:
            SegmentGone, QueryError: see `Engine.rows`.
        """
        numbers: list[int] = []
        opened: list[Segment] = []
        order = "ASC" if ascending else "DESC"
        wanted = self._opens(segments, scan)
        for batch in _batches(wanted if ascending else list(reversed(wanted))):
            if len(numbers) >= limit:
                break
            opened.extend(batch)
            numbers.extend(self._numbers(batch, scan, limit - len(numbers), order))
        return self._whole(opened, numbers, order), opened

    def _opens(self, segments: Sequence[Segment], scan: Scan) -> list[Segment]:
        """The segments that may hold something, in their order."""
        within = [segment for segment in segments if scan.opens(segment)]
        if self._filters is None or not scan.wanted:
            return within
        return self._filters.holding(within, scan.wanted)

    def grouped(
        self, segments: Sequence[Segment], scan: Scan, columns: Mapping[str, str], by: str = ""
    ) -> Iterator[tuple[Any, ...]]:
        """Groups of what fits, each with its count at the end; a group may come several times, to be added up.

        Args:
            columns: fields that `by` needs, and their SQL types: a segment without one gives NULL.
            by: SQL of the values to group by; all in one group when empty.
        """
        for batch in _chunks(self._opens(segments, scan)):
            rows, parameters = scan.sql(batch, _chosen(batch, columns))
            sql = (
                f"SELECT g.*, count(*) FROM (SELECT {by} FROM ({rows})) AS g GROUP BY ALL"  # noqa: S608
                if by
                else f"SELECT count(*) FROM ({rows})"  # noqa: S608
            )
            yield from self._run(batch, sql, parameters)

    def over(
        self, segments: Sequence[Segment], scan: Scan, given: "Given", sql: str
    ) -> list[tuple[Any, ...]]:
        """A statement over everything at once: `sql` reads a table `v`, made of segments and of rows that are given.

        Raises:
            SegmentGone, QueryError: see `Engine.rows`.
        """
        marks = ", ".join(f"unnest(?::{kind}[]) AS {name}" for name, kind in given.types.items())
        lists = [list(values) for values in zip(*given.rows, strict=True)] or [[] for _ in given.types]
        read = self._opens(segments, scan)
        if not read:
            return self._run([], f"WITH v AS (SELECT {marks}) {sql}", lists)
        rows, parameters = scan.sql(read, _chosen(read, given.columns))
        table = f"SELECT {given.by} FROM ({rows}) UNION ALL BY NAME SELECT {marks}"  # noqa: S608
        return self._run(read, f"WITH v AS ({table}) {sql}", [*parameters, *lists])

    def close(self) -> None:
        with self._lock:
            if self._engine is not None:
                self._engine.close()
                self._engine = None

    def _numbers(self, segments: Sequence[Segment], scan: Scan, limit: int, order: str) -> list[int]:
        """Indexes of what fits: only the columns of the condition are read."""
        rows, parameters = scan.sql(segments, SEQUENCE)
        sql = f"{rows} ORDER BY {SEQUENCE} {order} LIMIT {limit}"
        return [number for (number,) in self._run(segments, sql, parameters)]

    def _whole(self, opened: Sequence[Segment], numbers: Sequence[int], order: str) -> list[Event]:
        """The events with these indexes: whole rows are read only of them."""
        segments = [one for one in opened if any(one.first <= number <= one.last for number in numbers)]
        if not segments:
            return []
        names, columns = selected(columns_of(segments))
        marks = ", ".join("?" for _ in numbers)
        sql = (
            f"SELECT {columns} FROM {table_of(segments)}"  # noqa: S608
            f" WHERE {SEQUENCE} BETWEEN ? AND ? AND {SEQUENCE} IN ({marks}) ORDER BY {SEQUENCE} {order}"
        )
        return events_of(names, self._run(segments, sql, [min(numbers), max(numbers), *numbers]))

    def _run(
        self, segments: Sequence[Segment], sql: str, parameters: Sequence[Parameter | list[Any]]
    ) -> list[tuple[Any, ...]]:
        directory = (
            segments[0].path.parent if segments else self._engine.directory if self._engine else NOWHERE
        )
        with self._lock:
            if self._engine is None or self._engine.directory != directory:
                self._engine = Engine(directory)
            engine = self._engine
        return engine.rows(sql, parameters)


def _chosen(segments: Sequence[Segment], columns: Mapping[str, str]) -> str:
    """Columns of these names and SQL types; NULL for those that no segment has."""
    known = columns_of(segments)
    chosen = [
        f"{quoted(name) if name in known else f'CAST(NULL AS {kind})'} AS {quoted(name)}"
        for name, kind in columns.items()
    ]
    return ", ".join(chosen) or "1"


def _batches(segments: Sequence[Segment]) -> Iterator[list[Segment]]:
    """One segment, then twice as many each time: most pages are full after the first, rare events need many."""
    rest = iter(segments)
    size = 1
    while batch := list(islice(rest, size)):
        yield batch
        size = min(2 * size, _TOGETHER)


def _chunks(segments: Sequence[Segment]) -> Iterator[list[Segment]]:
    rest = iter(segments)
    while chunk := list(islice(rest, _TOGETHER)):
        yield chunk
