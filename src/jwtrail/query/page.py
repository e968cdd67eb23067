"""What is asked of a store, and what it answers."""

from typing import Literal

from msgspec import Struct

from jwtrail.ecs import Event
from jwtrail.predicate.ir import Predicate

__all__ = [
    "MAX_LIMIT",
    "Bucket",
    "Entity",
    "EntityKind",
    "FieldStats",
    "Histogram",
    "Page",
    "SearchRequest",
    "TopValues",
    "Value",
]

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
        opened: parts of the index, and segments that have none, that were read.
        rows: events in those and outside of any segment.
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


class FieldStats(Struct, frozen=True, kw_only=True):
    """What the values of a field look like.

    Args:
        count: values; every item of a list counts.
        missing: events without the field.
        distinct: different values; `exact` says whether counted or estimated (HyperLogLog).
        low: the smallest value, None when there is none or the type has no order people use.
        high: the largest.
        mean: of a number.
        percentiles: of a number: the percentage and the value that so many do not exceed; `exact` as above (t-digest).
    """

    field: str
    count: int
    missing: int
    distinct: int
    exact: bool
    low: Value | None = None
    high: Value | None = None
    mean: float | None = None
    percentiles: tuple[tuple[float, float], ...] = ()


EntityKind = Literal["user", "address", "token", "client"]


class Entity(Struct, frozen=True, kw_only=True):
    """What one user, address, token or client did.

    Args:
        failures: events whose outcome is failure.
        first_us: the oldest of its events, µs since the epoch.
        last_us: the newest.
        users: different `user.id`; likewise `source.ip`, `jwt.jti` and `url.path` below.
    """

    key: str
    events: int
    failures: int
    first_us: int
    last_us: int
    users: int
    addresses: int
    tokens: int
    paths: int
