"""What is asked of a store, and what it answers."""

from msgspec import Struct

from jwtrail.ecs import Event
from jwtrail.predicate.ir import Predicate

__all__ = ["MAX_LIMIT", "Bucket", "Histogram", "Page", "SearchRequest", "TopValues", "Value"]

MAX_LIMIT = 500
"""Events of one page: what a screen can hold; more come by the cursor."""

Value = str | int | bool


class SearchRequest(Struct, frozen=True):
    """Which events.

    Args:
        query: KQL, or a predicate that is ready.
        from_us: `@timestamp` not before this, µs since the epoch; no bound when None.
        to_us: `@timestamp` before this.
        limit: events of a page, 1 to `MAX_LIMIT`.
        cursor: `Page.next` of the page before.
        ascending: oldest first.
    """

    query: str | Predicate = ""
    from_us: int | None = None
    to_us: int | None = None
    limit: int = 100
    cursor: str | None = None
    ascending: bool = False


class Page(Struct, frozen=True, kw_only=True):
    """One page of events, in the order of the trail.

    Args:
        events: newest first, unless asked otherwise; what has no index yet is newer than all that has.
        next: cursor of the following page; None on the last one.
        took_ms: time to answer.
        opened: segments that were read.
        rows: events in those segments and outside of any.
        position: size of the trail that was searched.
    """

    events: tuple[Event, ...]
    next: str | None = None
    took_ms: int = 0
    opened: int = 0
    rows: int = 0
    position: int = 0


class Bucket(Struct, frozen=True):
    """How many events began in one interval, by `event.outcome`; what has no outcome is unknown."""

    start_us: int
    success: int = 0
    failure: int = 0
    unknown: int = 0


class Histogram(Struct, frozen=True):
    """Buckets without gaps, oldest first."""

    interval_us: int
    buckets: tuple[Bucket, ...]


class TopValues(Struct, frozen=True):
    """The most frequent values of a field.

    Args:
        values: value and how many events carry it, most frequent first, equals by value.
        other: how often other values occur.
        missing: events without the field.
    """

    field: str
    values: tuple[tuple[Value, int], ...]
    other: int
    missing: int
