"""One consistent view of a trail, and the SQL that reads its segments.

A view is a list of segments and the events outside of any. The events are read first: what is sealed in between is then
in both and dropped from the events, so nothing is missed or seen twice.
"""

from collections.abc import Callable, Sequence

from msgspec import Struct

from jwtrail.clock import parse_iso
from jwtrail.ecs import Event
from jwtrail.predicate.ir import And, Anything, Equals, Or, Predicate, Range
from jwtrail.predicate.python import compile_predicate
from jwtrail.predicate.simplify import simplify
from jwtrail.predicate.sql import Parameter, to_where
from jwtrail.predicate.sql_text import quoted
from jwtrail.query.ids import ID_FIELDS, Wanted
from jwtrail.query.parts import Part
from jwtrail.query.source import Segment, TrailSource
from jwtrail.query.tables import columns_of, table_of

__all__ = ["NOWHERE", "SEQUENCE", "Loose", "Reach", "Scan", "View", "at_us", "together", "view_of"]

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


class Reach(Struct, frozen=True):
    """Units to read by one statement, and the first and last index within them to look at.

    Args:
        units: one part of the index, or segments.
        blocks: of a part: those that may hold an id that is wanted; None when none is.
    """

    units: tuple[Segment, ...]
    first: int
    last: int
    blocks: tuple[int, ...] | None = None

    @property
    def rows(self) -> int:
        """How many there are, as far as no index is missing."""
        return sum(
            min(self.last, unit.last) - max(self.first, unit.first) + 1
            for unit in self.units
            if unit.rows == unit.last - unit.first + 1
        )


class Scan:
    """A predicate within bounds of time and index, over segments by SQL and over events by a function.

    Args:
        from_us: `@timestamp` not before, or None.
        to_us: `@timestamp` before, or None.
        first: index not below.
        last: index not above.

    Attributes:
        wanted: ids of which an event must have one, field by field; what a part of the index is asked.
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
        self._from_us = from_us
        self._to_us = to_us
        plain = simplify(predicate)
        low, high, self._rest = _indexes(plain)
        self.first = max(first, low)
        self.last = min(last, high)
        self.wanted = _wanted(plain)
        self._match = compile_predicate(And(items=(*self._time(None), plain)))

    def fits(self, event: Event) -> bool:
        """The event is in the time and fits; its index is not looked at."""
        return self._match(event)

    def reach(self, unit: Segment) -> Reach | None:
        """Where in this unit to look; None where nothing can fit.

        Raises:
            PartDamaged: see `Part.holding`.
        """
        if unit.first > self.last or unit.last < self.first:
            return None
        if self._from_us is not None and unit.max_us < self._from_us:
            return None
        if self._to_us is not None and unit.min_us >= self._to_us:
            return None
        first, last = max(self.first, unit.first), min(self.last, unit.last)
        if not isinstance(unit, Part) or not self.wanted:
            return Reach((unit,), first, last)
        blocks = unit.holding(self.wanted)
        if not blocks:
            return None
        first, last = max(first, unit.bounds(blocks[0])[0]), min(last, unit.bounds(blocks[-1])[1])
        return Reach((unit,), first, last, tuple(blocks)) if first <= last else None

    def takes_all(self, reach: Reach) -> bool:
        """Every event that is reached fits."""
        return isinstance(self._rest, Anything) and not self._time(reach.units)

    def sql(self, reach: Reach, select: str) -> tuple[str, list[Parameter]]:
        """`SELECT select` over the rows reached that fit; a column that one of the units lacks is NULL there."""
        items: list[Predicate] = [*self._time(reach.units), self._rest]
        if any(unit.last > reach.last for unit in reach.units):
            items.insert(0, Range(field="event.sequence", op="lte", value=reach.last))
        if any(unit.first < reach.first for unit in reach.units):
            items.insert(0, Range(field="event.sequence", op="gte", value=reach.first))
        condition, parameters = to_where(And(items=tuple(items)), columns_of(reach.units))
        return f"SELECT {select} FROM {table_of(reach.units)} WHERE {condition}", parameters  # noqa: S608

    def _time(self, segments: Sequence[Segment] | None) -> list[Predicate]:
        """The bounds of time that segments (or an event, for None) do not meet by themselves."""
        made: list[Predicate] = []
        start, end = self._from_us, self._to_us
        if start is not None and (segments is None or any(one.min_us < start for one in segments)):
            made.append(Range(field=_TIME, op="gte", value=start))
        if end is not None and (segments is None or any(one.max_us >= end for one in segments)):
            made.append(Range(field=_TIME, op="lt", value=end))
        return made


def together(run: Sequence[Reach]) -> Reach:
    """Segments read by one statement; a part stays alone."""
    if len(run) == 1:
        return run[0]
    return Reach(
        tuple(unit for reach in run for unit in reach.units),
        min(reach.first for reach in run),
        max(reach.last for reach in run),
    )


def _indexes(predicate: Predicate) -> tuple[int, int, Predicate]:
    """Indexes outside of which a predicate cannot hold, as far as its top says so, and what else it says."""
    low, high = 0, NOWHERE
    rest: list[Predicate] = []
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
            case _:
                rest.append(item)
    return low, high, simplify(And(items=tuple(rest)))


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
