"""A stretch of a trail, and reading chosen events of it: in the order of the trail, or in the order of time."""

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge

from msgspec import Struct

from jwtrail.ecs import Event
from jwtrail.ecs.vocabulary import IMPORTED
from jwtrail.predicate.ir import And, Equals, Predicate
from jwtrail.predicate.python import compile_predicate
from jwtrail.predicate.sql import to_where
from jwtrail.query.engine import Engine
from jwtrail.query.rows import events_of, selected
from jwtrail.query.scan import SEQUENCE
from jwtrail.query.source import Segment
from jwtrail.query.tables import columns_of, files_sql

__all__ = ["Stretch", "has_imported", "in_order", "in_time"]

AT_ONCE = 20_000
"""Events read by one statement: so many are in memory at once, however large a segment is."""

_IS_IMPORTED = Equals(field="tags", value=IMPORTED)


class Stretch(Struct, frozen=True):
    """What is replayed.

    Args:
        engine: for the segments; None when there are none.
        bounds: of time.
        known: events from elsewhere that come first, with indexes below all others; `loose` those in no segment.
    """

    engine: Engine | None
    segments: Sequence[Segment]
    bounds: Sequence[Predicate]
    known: Sequence[Event]
    loose: Sequence[Event]


def has_imported(stretch: Stretch) -> bool:
    """Whether any of it was imported: the order of such events says in which order files were given, not what happened."""
    fits = compile_predicate(_IS_IMPORTED)
    if any(map(fits, stretch.loose)):
        return True
    if stretch.engine is None:
        return False
    columns = columns_of(stretch.segments)
    condition, parameters = to_where(And(items=(*stretch.bounds, _IS_IMPORTED)), columns)
    sql = f"SELECT 1 FROM {files_sql(stretch.segments)} WHERE {condition} LIMIT 1"  # noqa: S608
    return bool(stretch.engine.rows(sql, parameters))


def in_order(stretch: Stretch, numbers: list[int], fields: frozenset[str] | None) -> Iterator[Event]:
    """These fields (None for all) of the events with these indexes, which rise, and the loose ones."""
    for at in range(0, len(numbers), AT_ONCE):
        yield from _read(stretch, numbers[at : at + AT_ONCE], fields, SEQUENCE)
    yield from stretch.loose


def in_time(stretch: Stretch, numbers: list[int], fields: frozenset[str] | None) -> Iterator[Event]:
    """The same in order of their time, and of their index where that is the same."""
    yield from merge(
        _sealed_in_time(stretch, numbers, fields), sorted(stretch.loose, key=_moment), key=_moment
    )


def _sealed_in_time(stretch: Stretch, numbers: list[int], fields: frozenset[str] | None) -> Iterator[Event]:
    if stretch.engine is None or not numbers:
        return
    order = f'"@timestamp", {SEQUENCE}'
    sql = f"SELECT {SEQUENCE} FROM {files_sql(stretch.segments)} WHERE {_chosen()} ORDER BY {order}"  # noqa: S608
    timely = [number for (number,) in stretch.engine.rows(sql, [numbers])]
    for at in range(0, len(timely), AT_ONCE):
        yield from _read(stretch, timely[at : at + AT_ONCE], fields, order)


def _read(stretch: Stretch, wanted: list[int], fields: frozenset[str] | None, order: str) -> Iterable[Event]:
    assert stretch.engine is not None
    first, last = min(wanted), max(wanted)
    segments = [segment for segment in stretch.segments if segment.first <= last and segment.last >= first]
    if not segments:
        return ()
    known = columns_of(segments)
    names, columns = selected(known if fields is None else known & fields)
    # Between the two the order of a segment is that of the indexes: most of its row groups are passed over.
    where = f"{SEQUENCE} BETWEEN ? AND ? AND {_chosen()}"
    sql = f"SELECT {columns} FROM {files_sql(segments)} WHERE {where} ORDER BY {order}"  # noqa: S608
    return events_of(names, stretch.engine.rows(sql, [first, last, wanted]))


def _chosen() -> str:
    return f"{SEQUENCE} IN (SELECT unnest(?::BIGINT[]))"


def _moment(event: Event) -> tuple[str, int]:
    return event.timestamp, event.event_sequence or 0
