"""How late the events of a stretch came: what is late for live windows, which a replay counts all the same."""

from collections.abc import Iterable

from msgspec import Struct

from jwtrail.clock import parse_iso
from jwtrail.detect.endings import LATENESS_US
from jwtrail.ecs import Event
from jwtrail.predicate.ir import And
from jwtrail.predicate.sql import to_where
from jwtrail.predicate.sql_text import quoted
from jwtrail.query.tables import columns_of, files_sql
from jwtrail.runtime.past import Stretch

__all__ = ["Lateness", "lateness_of"]


class Lateness(Struct, frozen=True):
    """How late events came.

    Args:
        most_us: by how much an event comes after one of a later time, at the most.
        events: how many come more than the allowed lateness after one.
        latest_us: the latest time.
    """

    most_us: int = 0
    events: int = 0
    latest_us: int = 0


def lateness_of(stretch: Stretch) -> Lateness:
    """In the order of the trail.

    Raises:
        SegmentGone, QueryError: see `Engine.rows`.
    """
    known = _further(Lateness(), stretch.known)
    return _further(_sealed(stretch, known), stretch.loose)


def _further(before: Lateness, events: Iterable[Event]) -> Lateness:
    most_us, late, latest_us = before.most_us, before.events, before.latest_us
    for event in events:
        at_us = parse_iso(event.timestamp)
        most_us, latest_us = max(most_us, latest_us - at_us), max(latest_us, at_us)
        late += latest_us - at_us > LATENESS_US
    return Lateness(most_us, late, latest_us)


def _sealed(stretch: Stretch, before: Lateness) -> Lateness:
    if stretch.engine is None:
        return before
    condition, parameters = to_where(And(items=tuple(stretch.bounds)), columns_of(stretch.segments))
    # Files come in their order and rows in theirs, which is that of the trail: nothing has to be sorted.
    times = (
        f"SELECT epoch_us({quoted('@timestamp')}) AS t FROM {files_sql(stretch.segments)} WHERE {condition}"  # noqa: S608
    )
    late = f"SELECT t, greatest(max(t) OVER (ROWS UNBOUNDED PRECEDING), ?::BIGINT) - t AS late FROM ({times})"  # noqa: S608
    counts = f"SELECT max(late), count(*) FILTER (late > {LATENESS_US}), max(t) FROM ({late})"  # noqa: S608
    [(most_us, events, latest_us)] = stretch.engine.rows(counts, [before.latest_us, *parameters])
    return Lateness(
        max(before.most_us, most_us or 0), before.events + events, max(before.latest_us, latest_us or 0)
    )
