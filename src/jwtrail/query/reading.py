"""Reads segments by SQL: events in order, newest segments first, and counts by group."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from msgspec import Struct

from jwtrail.ecs import Event
from jwtrail.predicate.sql import Parameter
from jwtrail.predicate.sql_text import quoted
from jwtrail.query.engine import COUNTS, PAGES, Engine, Means, SegmentGone
from jwtrail.query.index import QueryIndex
from jwtrail.query.parts import Part, PartDamaged
from jwtrail.query.remembered import Remembered
from jwtrail.query.rows import events_of, selected
from jwtrail.query.running import current
from jwtrail.query.scan import SEQUENCE, Reach, Scan, together
from jwtrail.query.source import Segment
from jwtrail.query.tables import columns_of, table_of

__all__ = ["Given", "Reading"]

NOWHERE = Path("/nowhere")
"""The directory of an engine that has none yet: without any, DuckDB would allow all."""

_TOGETHER = 64
"""Segments read by one statement: enough to use all threads, few enough to plan quickly."""

_NARROW = 4096
"""Rows of segments of which whole ones are read at once: finding them first would cost more."""

MAX_BLOCKS = 32
"""Blocks of a part that are looked through one by one; of more, SQL finds the rows sooner."""


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
    """Queries over segments, or over the parts of the index that stand for them; keeps the database warm between them.

    Args:
        index: the index, if there is one.
    """

    def __init__(self, index: QueryIndex | None = None) -> None:
        self._index = index
        self._engines: dict[Means, Engine] = {}
        self._lock = threading.Lock()
        self._remembered = Remembered()
        self._plain = False

    def fetch(
        self, segments: Sequence[Segment], scan: Scan, limit: int, *, ascending: bool
    ) -> tuple[list[Event], list[Segment]]:
        """Up to `limit` events that fit, in order of their index, and the units that had to be opened.

        Raises:
            SegmentGone, QueryError: see `Engine.rows`.
        """
        events: list[Event] = []
        opened: list[Segment] = []
        wanted = self._reached(segments, scan)
        for reach in _batches(wanted if ascending else list(reversed(wanted))):
            if len(events) >= limit:
                break
            opened.extend(reach.units)
            events.extend(self._events(reach, scan, limit - len(events), "ASC" if ascending else "DESC"))
        return events, opened

    def grouped(
        self, segments: Sequence[Segment], scan: Scan, columns: Mapping[str, str], by: str = ""
    ) -> Iterator[tuple[Any, ...]]:
        """Groups of what fits, each with its count at the end; a group may come several times, to be added up.

        Args:
            columns: fields that `by` needs, and their SQL types: a segment without one gives NULL.
            by: SQL of the values to group by; all in one group when empty.
        """
        for reach in _chunks(self._reached(segments, scan)):
            rows, parameters = scan.sql(reach, _chosen(reach.units, columns))
            sql = (
                f"SELECT g.*, count(*) FROM (SELECT {by} FROM ({rows})) AS g GROUP BY ALL"  # noqa: S608
                if by
                else f"SELECT count(*) FROM ({rows})"  # noqa: S608
            )
            ask = partial(self._run, COUNTS, reach.units, sql, parameters)
            if isinstance(reach.units[0], Part):  # its name is in the statement
                yield from self._remembered.rows((sql, *parameters), ask)
            else:
                yield from ask()

    def over(
        self, segments: Sequence[Segment], scan: Scan, given: "Given", sql: str
    ) -> list[tuple[Any, ...]]:
        """A statement over everything at once: `sql` reads a table `v`, made of segments and of rows that are given.

        Raises:
            SegmentGone, QueryError: see `Engine.rows`.
        """
        tables: list[str] = []
        parameters: list[Parameter | list[Any]] = []
        units: list[Segment] = []
        for reach in _chunks(self._reached(segments, scan)):
            rows, needed = scan.sql(reach, _chosen(reach.units, given.columns))
            tables.append(f"SELECT {given.by} FROM ({rows})")  # noqa: S608
            parameters.extend(needed)
            units.extend(reach.units)
        if given.rows or not tables:
            marks = ", ".join(f"unnest(?::{kind}[]) AS {name}" for name, kind in given.types.items())
            tables.append(f"SELECT {marks}")
            parameters.extend(
                [list(values) for values in zip(*given.rows, strict=True)] or [[] for _ in given.types]
            )
        return self._run(COUNTS, units, f"WITH v AS ({' UNION ALL BY NAME '.join(tables)}) {sql}", parameters)

    @contextmanager
    def without_index(self) -> Iterator[None]:
        """Within it segments are read, whatever the index holds. If that works where parts did not, one of them is damaged."""
        self._plain = True
        try:
            yield
            self._distrust()
        finally:
            self._plain = False

    def close(self) -> None:
        with self._lock:
            for engine in self._engines.values():
                engine.close()
            self._engines = {}

    def _reached(self, segments: Sequence[Segment], scan: Scan) -> list[Reach]:
        """The units that may hold something, in their order."""
        index = None if self._plain else self._index
        units = segments if index is None else index.cover(segments)
        try:
            return [reach for unit in units if (reach := scan.reach(unit)) is not None]
        except PartDamaged as wrong:
            self._distrust()
            raise SegmentGone(str(wrong)) from wrong

    def _events(self, reach: Reach, scan: Scan, limit: int, order: str) -> list[Event]:
        """Whole rows are read only of what goes into the page: first the columns of the condition, then these rows."""
        part = reach.units[0]
        if isinstance(part, Part) and reach.blocks is not None and len(reach.blocks) <= MAX_BLOCKS:
            return self._from_blocks(part, reach, scan, order)[:limit]
        if not isinstance(part, Part) and reach.last - reach.first < _NARROW:
            names, columns = selected(columns_of(reach.units))
            sql, parameters = scan.sql(reach, columns)
            rows = self._run(PAGES, reach.units, sql, parameters)
            return _ordered(events_of(names, rows), order)[:limit]
        numbers = self._numbers(reach, scan, limit, order)
        if isinstance(part, Part):
            return self._whole(lambda: part.events(numbers))
        return self._selected(reach, numbers, order) if numbers else []

    def _from_blocks(self, part: Part, reach: Reach, scan: Scan, order: str) -> list[Event]:
        """What fits in some blocks of a part: no statement is quicker than to look at them."""
        blocks = reach.blocks or ()
        events = self._whole(lambda: [event for number in blocks for event in part.block(number)])
        return _ordered(
            [
                event
                for event in events
                if reach.first <= (event.event_sequence or 0) <= reach.last and scan.fits(event)
            ],
            order,
        )

    def _numbers(self, reach: Reach, scan: Scan, limit: int, order: str) -> Sequence[int]:
        """Indexes of what fits: only the columns of the condition are read, none when all fits."""
        every = range(reach.first, reach.last + 1)
        if scan.takes_all(reach) and len(every) == reach.rows:
            return every[:limit] if order == "ASC" else every[: -limit - 1 : -1]
        rows, parameters = scan.sql(reach, SEQUENCE)
        sql = f"{rows} ORDER BY {SEQUENCE} {order} LIMIT {limit}"
        return [number for (number,) in self._run(PAGES, reach.units, sql, parameters)]

    def _whole(self, read: Callable[[], list[Event]]) -> list[Event]:
        """Events of a part.

        Raises:
            SegmentGone: it is damaged, and done without from now on.
        """
        current().check()
        try:
            return read()
        except PartDamaged as wrong:
            self._distrust()
            raise SegmentGone(str(wrong)) from wrong

    def _selected(self, reach: Reach, numbers: Sequence[int], order: str) -> list[Event]:
        """The events of segments with these indexes."""
        low, high = min(numbers), max(numbers)
        units = [unit for unit in reach.units if unit.first <= high and unit.last >= low]
        names, columns = selected(columns_of(units))
        sql = f"SELECT {columns} FROM {table_of(units)} WHERE {SEQUENCE} BETWEEN ? AND ?"  # noqa: S608
        parameters: list[Parameter | list[Any]] = [low, high]
        if high - low >= len(numbers):
            # A join: a long IN list is compared value by value with every row.
            sql += f" AND {SEQUENCE} IN (SELECT unnest(?::BIGINT[]))"
            parameters.append(list(numbers))
        return _ordered(events_of(names, self._run(PAGES, units, sql, parameters)), order)

    def _run(
        self, means: Means, units: Sequence[Segment], sql: str, parameters: Sequence[Parameter | list[Any]]
    ) -> list[tuple[Any, ...]]:
        engine = self._engine(means, units)
        try:
            engine.attach(unit for unit in units if isinstance(unit, Part))
            return engine.rows(sql, parameters)
        except PartDamaged as wrong:
            self._distrust()
            raise SegmentGone(str(wrong)) from wrong
        except SegmentGone:
            self._let_go()  # what was read of a damaged file may still be in memory
            raise

    def _engine(self, means: Means, units: Sequence[Segment]) -> Engine:
        """The warm engine that may read these."""
        folders = {unit.path.parent for unit in units}
        if self._index is not None:
            folders.add(self._index.folder)
        with self._lock:
            found = self._engines.get(means)
            if found is None or not folders <= set(found.directories):
                found = Engine(means, *(folders or {NOWHERE}), *(found.directories if found else ()))
                self._engines[means] = found
            return found

    def _distrust(self) -> None:
        """Go on without the parts there are: one is damaged."""
        if self._index is not None:
            self._index.distrust()
        self._let_go()

    def _let_go(self) -> None:
        with self._lock:
            self._engines = {}  # not closed: other threads may be using them


def _ordered(events: list[Event], order: str) -> list[Event]:
    """By their index: for a page Python does this faster than DuckDB plans it."""
    return sorted(events, key=lambda event: event.event_sequence or 0, reverse=order == "DESC")


def _batches(reaches: Sequence[Reach]) -> Iterator[Reach]:
    """A part, or one segment, then twice as many each time: most pages are full soon, rare events need many."""
    size = 1
    for run in _runs(reaches):
        at = 0
        while at < len(run):
            yield together(run[at : at + size])
            at += size
            size = min(2 * size, _TOGETHER)


def _chunks(reaches: Sequence[Reach]) -> Iterator[Reach]:
    for run in _runs(reaches):
        for at in range(0, len(run), _TOGETHER):
            yield together(run[at : at + _TOGETHER])


def _runs(reaches: Sequence[Reach]) -> Iterator[Sequence[Reach]]:
    """Parts one by one, segments between them together: one statement reads either."""
    plain: list[Reach] = []
    for reach in reaches:
        if isinstance(reach.units[0], Part):
            yield plain
            yield [reach]
            plain = []
        else:
            plain.append(reach)
    yield plain


def _chosen(units: Sequence[Segment], columns: Mapping[str, str]) -> str:
    """Columns of these names and SQL types; NULL for those that no unit has."""
    known = columns_of(units)
    chosen = [
        f"{quoted(name) if name in known else f'CAST(NULL AS {kind})'} AS {quoted(name)}"
        for name, kind in columns.items()
    ]
    return ", ".join(chosen) or "1"
