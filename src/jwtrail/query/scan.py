"""One consistent view of a trail, and the SQL that reads its segments.

A view is a list of segments and the events outside of any. The events are read first: what is sealed in between is then
in both and dropped from the events, so nothing is missed or seen twice.
"""

from collections.abc import Callable, Sequence

from msgspec import Struct

from jwtrail.clock import parse_iso
from jwtrail.ecs import Event
from jwtrail.predicate.ir import And, Equals, Or, Predicate, Range
from jwtrail.predicate.python import compile_predicate
from jwtrail.predicate.simplify import simplify
from jwtrail.predicate.sql import Parameter, to_where
from jwtrail.predicate.sql_text import quoted, text
from jwtrail.query.filters import ID_FIELDS, Wanted
from jwtrail.query.source import Segment, TrailSource

__all__ = ["NOWHERE", "SEQUENCE", "Loose", "Scan", "View", "at_us", "columns_of", "table_of", "view_of"]

SEQUENCE = quoted("event.sequence")
NOWHERE = 2**62
"""Beyond every index."""

_TIME = "@timestamp"
ID_SET = frozenset(ID_FIELDS)


class Loose(Struct, frozen=True):
    """An event outside of any segment, and its place: its index, or the one it would get if sequenced now."""

    place: int
    event: Event


class View(Struct, frozen=True):
    """A trail at one moment.

    Args:
        segments: oldest first.
        loose: events outside of them, in order of their places.
        size: events that have an index.
    """

    segments: tuple[Segment, ...]
    loose: tuple[Loose, ...]
    size: int

    @property
    def rows(self) -> int:
        """Everything."""
        return sum(segment.rows for segment in self.segments) + len(self.loose)


def view_of(source: TrailSource, head: Callable[[], Sequence[Event]] | None) -> View:
    """What the trail holds now; `head` is where its newest events are in memory already, if anywhere."""
    unsealed = source.unsealed() if head is None else head()
    segments = tuple(source.segments())
    sealed = segments[-1].last + 1 if segments else 0
    known = [
        event for event in unsealed if event.event_sequence is not None and event.event_sequence >= sealed
    ]
    waiting = sorted(
        (event for event in unsealed if event.event_sequence is None), key=lambda event: event.event_id
    )
    size = max([sealed, *((event.event_sequence or 0) + 1 for event in known)])
    loose = [Loose(event.event_sequence or 0, event) for event in known]
    loose.sort(key=lambda one: one.place)
    loose.extend(Loose(size + number, event) for number, event in enumerate(waiting))
    return View(segments, tuple(loose), size)


class Scan:
    """A predicate within bounds of time and index, over segments by SQL and over events by a function.

    Args:
        from_us: `@timestamp` not before, or None.
        to_us: `@timestamp` before, or None.
        first: index not below.
        last: index not above.

    Attributes:
        wanted: ids of which an event must have one, field by field; what `filters.IdFilters` is asked.
    """

    def __init__(
        self,
        predicate: Predicate,
        *,
        from_us: int | None = None,
        to_us: int | None = None,
        first: int = 0,
        last: int = NOWHERE,
    ) -> None:
        self._predicate = simplify(predicate)
        self._from_us = from_us
        self._to_us = to_us
        low, high = _indexes(self._predicate)
        self.first = max(first, low)
        self.last = min(last, high)
        self.wanted = _wanted(self._predicate)
        self._match = compile_predicate(And(items=(*self._time(None), self._predicate)))

    def fits(self, event: Event) -> bool:
        """The event is in the time and fits; its index is not looked at."""
        return self._match(event)

    def opens(self, segment: Segment) -> bool:
        """The segment may hold something."""
        return (
            segment.first <= self.last
            and segment.last >= self.first
            and (self._from_us is None or segment.max_us >= self._from_us)
            and (self._to_us is None or segment.min_us < self._to_us)
        )

    def sql(self, segments: Sequence[Segment], select: str) -> tuple[str, list[Parameter]]:
        """`SELECT select` over the rows of these segments that fit; a column that one of them lacks is NULL there."""
        items: list[Predicate] = [*self._time(segments), self._predicate]
        if any(segment.first < self.first for segment in segments):
            items.insert(0, Range(field="event.sequence", op="gte", value=self.first))
        if any(segment.last > self.last for segment in segments):
            items.insert(0, Range(field="event.sequence", op="lte", value=self.last))
        columns = columns_of(segments)
        condition, parameters = to_where(And(items=tuple(items)), columns)
        return f"SELECT {select} FROM {table_of(segments)} WHERE {condition}", parameters  # noqa: S608

    def _time(self, segments: Sequence[Segment] | None) -> list[Predicate]:
        """The bounds of time that segments (or an event, for None) do not meet by themselves."""
        made: list[Predicate] = []
        start, end = self._from_us, self._to_us
        if start is not None and (segments is None or any(one.min_us < start for one in segments)):
            made.append(Range(field=_TIME, op="gte", value=start))
        if end is not None and (segments is None or any(one.max_us >= end for one in segments)):
            made.append(Range(field=_TIME, op="lt", value=end))
        return made


def columns_of(segments: Sequence[Segment]) -> frozenset[str]:
    """Columns that any of the segments has."""
    return frozenset[str]().union(*(segment.columns for segment in segments))


def table_of(segments: Sequence[Segment]) -> str:
    """Segments as one SQL table; a path cannot be a parameter, because the columns must be known before."""
    paths = ", ".join(text(str(segment.path)) for segment in segments)
    return f"read_parquet([{paths}], union_by_name = true)"


def _indexes(predicate: Predicate) -> tuple[int, int]:
    """Indexes outside of which a predicate cannot hold, as far as its top says so."""
    low, high = 0, NOWHERE
    for item in predicate.items if isinstance(predicate, And) else (predicate,):
        match item:
            case Range(field="event.sequence", op="gte", value=int(value)):
                low = max(low, value)
            case Range(field="event.sequence", op="gt", value=int(value)):
                low = max(low, value + 1)
            case Range(field="event.sequence", op="lte", value=int(value)):
                high = min(high, value)
            case Range(field="event.sequence", op="lt", value=int(value)):
                high = min(high, value - 1)
            case Equals(field="event.sequence", value=int(value)):
                low, high = max(low, value), min(high, value)
    return low, high


def _wanted(predicate: Predicate) -> Wanted:
    """Ids without which a predicate cannot hold, as far as its top says so."""
    found: dict[str, frozenset[str]] = {}
    for item in predicate.items if isinstance(predicate, And) else (predicate,):
        each = item.items if isinstance(item, Or) else (item,)
        same = {one.field for one in each if isinstance(one, Equals) and not one.fold}
        if (
            len(same) == 1
            and same <= ID_SET
            and all(isinstance(one, Equals) and not one.fold for one in each)
        ):
            values = frozenset(str(one.value) for one in each if isinstance(one, Equals))
            (field,) = same
            found[field] = found[field] & values if field in found else values
    return found


def at_us(event: Event) -> int:
    """When it happened, µs since the epoch."""
    return parse_iso(event.timestamp)
