"""Counting: events over time, and what an event adds to the count of a field's values."""

from collections import Counter
from collections.abc import Iterable

from jwtrail.ecs import CATALOGUE, Event, Field
from jwtrail.errors import QueryError
from jwtrail.predicate.sql_text import pointer, quoted
from jwtrail.query.intervals import MAX_BUCKETS, begin, interval_for, offset_of
from jwtrail.query.page import Bucket, Histogram, SearchRequest, Value
from jwtrail.query.rows import ISO_FORMAT
from jwtrail.query.scan import View, at_us

__all__ = ["Bars", "Column", "bounded", "span"]

_OUTCOMES = ("success", "failure")


def span(view: View, request: SearchRequest) -> tuple[int, int]:
    """The time that a histogram shows: as asked for, an open end where the events end."""
    starts = [segment.min_us for segment in view.segments] + [at_us(one.event) for one in view.loose]
    ends = [segment.max_us for segment in view.segments] + [at_us(one.event) for one in view.loose]
    from_us = request.from_us if request.from_us is not None else min(starts, default=0)
    to_us = request.to_us if request.to_us is not None else max(ends, default=from_us) + 1
    return from_us, max(to_us, from_us + 1)


class Bars:
    """A histogram being filled."""

    def __init__(self, from_us: int, to_us: int, buckets: int) -> None:
        self.interval_us = interval_for(to_us - from_us, buckets)
        first = begin(from_us, self.interval_us)
        count = -(-(to_us - first) // self.interval_us)
        assert count <= MAX_BUCKETS + 2
        self._counts: dict[int, Counter[str]] = {
            first + number * self.interval_us: Counter() for number in range(count)
        }

    @property
    def columns(self) -> dict[str, str]:
        return {name: CATALOGUE[name].sql_type for name in ("@timestamp", "event.outcome")}

    @property
    def by(self) -> str:
        interval, offset = self.interval_us, offset_of(self.interval_us)
        at = f"epoch_us({quoted('@timestamp')})"
        return f"({at} - ({offset})) // {interval} * {interval} + ({offset}), {quoted('event.outcome')}"

    def add(self, start_us: int, outcome: str | None, count: int) -> None:
        known = outcome if outcome in _OUTCOMES else "unknown"
        self._counts[start_us][known or ""] += count

    def add_event(self, event: Event) -> None:
        self.add(begin(at_us(event), self.interval_us), event.event_outcome, 1)

    def result(self) -> Histogram:
        return Histogram(
            self.interval_us, tuple(Bucket(start, **counts) for start, counts in self._counts.items())
        )


class Column:
    """The values of one field, or of one leaf of a flattened field."""

    def __init__(self, field: Field, key: str) -> None:
        self._field = field
        self._key = key
        self.columns = {field.name: field.sql_type}

    @property
    def by(self) -> str:
        column = quoted(self._field.name)
        match self._field.type:
            case "flattened" if self._key:
                column = f"json_extract_string({column}, {pointer(self._key)})"
            case "flattened":
                column = _each_once(f"json_extract_string({column}, '$.*')")
            case "date":
                column = f"strftime({column}, '{ISO_FORMAT}')"
            case _ if self._field.many:
                column = _each_once(column)
        return column

    def values(self, event: Event) -> Iterable[Value | None]:
        """What this event adds to the count; None when it has no value."""
        value = getattr(event, self._field.attribute)
        if isinstance(value, dict):
            value = value.get(self._key) if self._key else tuple(value.values())
        return (set(value) or (None,)) if isinstance(value, tuple) else (value,)


def _each_once(items: str) -> str:
    """Each item of a list once; one NULL for an event without any, so that it is counted as missing."""
    return f"unnest(CASE WHEN len({items}) > 0 THEN list_distinct({items}) ELSE [NULL] END)"


def bounded(number: int, low: int, high: int, what: str) -> None:
    """Refuse a number from outside that is out of bounds.

    Raises:
        QueryError: it is.
    """
    if not low <= number <= high:
        raise QueryError(f"{number} {what} are not between {low} and {high}")
