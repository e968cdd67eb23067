"""Rules that only the end of a window can decide: lt, lte, eq, neq and ranges, `not` in a temporal condition, absence.

A window opens with the first match of its group and ends one time span later, both ends included; the next match opens the
next. It is closed when event time has passed its end by `LATENESS_US`, so that events of another process may come a
little late. Event time is what the trail says, never a clock: a trail that stands still closes nothing.
"""

from abc import ABC, abstractmethod
from heapq import heapify, heappop, heappush

from jwtrail.detect.alert import Alert, targets_of_group
from jwtrail.detect.fields import SEPARATOR, key_of, key_reader, number_reader, values_reader
from jwtrail.detect.machines import NOBODY, Correlated, Fired, Machine, Saved, fulfilled
from jwtrail.detect.measures import holds, measured, take
from jwtrail.detect.windows import Firing, Group, counted, kept_for, reset, see
from jwtrail.ecs import Event
from jwtrail.sigma import (
    Absence,
    Bound,
    Correlation,
    EventCount,
    Rule,
    TemporalCondition,
    ValueCount,
    ValueMeasure,
    ValueSum,
)

__all__ = ["LATENESS_US", "Absent", "Ending", "Timed"]

LATENESS_US = 2_000_000
"""How far event time must be past the end of a window, µs, before it is closed."""


class Timed(Machine, ABC):
    """What a machine with open windows adds to the others: which window ends next, and closing it."""

    _ends: list[tuple[int, str]]

    def due_us(self) -> int | None:
        """When the next window can be closed; None when none is open."""
        return self._ends[0][0] + LATENESS_US if self._ends else None

    def close(self, now_us: int) -> list[Alert]:
        """Close every window that is over at this event time."""
        alerts = []
        while self._ends and self._ends[0][0] + LATENESS_US < now_us:
            end_us, key = heappop(self._ends)
            group = self.groups.find(key)
            if group is None or not group.due_us:
                continue
            if group.due_us > end_us:  # it was seen again since
                heappush(self._ends, (group.due_us, key))
                continue
            if (alert := self._end(key, group)) is not None:
                alerts.append(alert)
        return alerts

    def restore(self, saved: Saved) -> bool:
        """Go on from a saved state, with its open windows."""
        if not super().restore(saved):
            return False
        self._ends = [(group.due_us, key) for key, group in self.groups.dump().items() if group.due_us]
        heapify(self._ends)
        return True

    def _open(self, key: str, group: Group, end_us: int) -> None:
        waiting = bool(group.due_us)
        group.due_us = end_us
        if waiting:
            return
        heappush(self._ends, (end_us, key))
        if len(self._ends) > 2 * len(self.groups) + 64:  # groups that were evicted leave their ends behind
            self._ends = [end for end in self._ends if (known := self.groups.find(end[1])) and known.due_us]
            heapify(self._ends)

    @abstractmethod
    def _end(self, key: str, group: Group) -> Alert | None:
        """Judge a window that is over."""


class Ending(Correlated, Timed):
    """A correlation that is judged when its window ends."""

    def __init__(self, rule: Correlation, *, alerts: bool, shape: str) -> None:
        super().__init__(rule, alerts=alerts, shape=shape, longer_us=rule.span_us + LATENESS_US)
        self.takes = False  # one event may end a window and open the next
        self._ends = []
        self._shape = rule.shape
        self._most = kept_for(len(rule.rules))
        self._bounds: tuple[Bound, ...] = ()
        if isinstance(rule.shape, EventCount | ValueCount):
            self._bounds = rule.shape.bounds
            self._most = kept_for(max(int(bound.value) for bound in self._bounds) + 1)
        self._values = values_reader(rule.shape.fields) if isinstance(rule.shape, ValueCount) else None
        self._number = number_reader(rule.shape.field) if isinstance(rule.shape, ValueMeasure) else None

    def _step(self, event: Event, at_us: int, parts: tuple[str, ...], steps: list[int]) -> Fired | None:
        key = key_of(parts)
        group = self.groups.touch(key, at_us)
        fired = None
        if group.due_us and at_us > group.due_us:  # the next window begins before the last one was closed
            alert = self._end(key, group)
            fired = Fired(event, at_us, NOBODY, alert) if alert is not None else None
        if not group.due_us:
            reset(group)
            group.latest_us = at_us
            group.first = (at_us, event.event_id)
            self._open(key, group, at_us + self._span_us)
        group.last = event.event_sequence or 0
        if at_us >= group.first[0]:
            self._counts(group, event, at_us, steps)
        return fired

    def _holds(self, group: Group, event: Event, at_us: int, steps: list[int]) -> bool:
        """Take the event in; it is judged later."""
        if isinstance(self._shape, ValueMeasure):
            assert self._number is not None
            value = self._number(event)
            adding = isinstance(self._shape, ValueSum)
            if value is not None:
                take(group, value, at_us, event.event_id, span_us=self._span_us, adding=adding)
            return False
        if isinstance(self._shape, TemporalCondition):
            what = tuple(self._rules[step] for step in steps)
        else:
            what = (event.event_id,) if self._values is None else self._values(event)
        for one in what:
            see(group, one, at_us, event.event_id, self._span_us, self._most)
        return False

    def _end(self, key: str, group: Group) -> Alert | None:
        end_us, group.due_us = group.due_us, 0
        found = self._judged(group)
        if found is None:
            return None
        values = dict(zip(self._fields, key.split(SEPARATOR) if self._fields else (), strict=True))
        return self._alert(
            values, group, found, at_us=end_us, sequence=group.last, targets=targets_of_group(values)
        )

    def _judged(self, group: Group) -> Firing | None:
        if isinstance(self._shape, ValueMeasure):
            value = measured(self._shape, group)
            events = tuple(event for _, event, _ in group.samples)
            return Firing(group.first, events, int(value)) if holds(self._shape.bounds, value) else None
        if isinstance(self._shape, TemporalCondition):
            seen = [rule in group.seen for rule in self._rules]
            good = fulfilled(self._shape.condition, seen)
        else:
            good = holds(self._bounds, len(group.seen))
        if not good:
            return None
        window = counted(group) if group.seen else Firing(group.first, (group.first[1],), 0)
        return Firing(group.first, window.events, window.count)


class Absent(Timed):
    """A group that was seen and then stays silent; it alerts once, and again after it was heard of again."""

    def __init__(self, rule: Rule, *, alerts: bool, shape: str) -> None:
        assert isinstance(rule.watch, Absence)
        span_us = rule.watch.span_us
        super().__init__(rule.meta, alerts=alerts, life_us=span_us + LATENESS_US, shape=shape)
        self._ends = []
        self._span_us = span_us
        self._fields = rule.meta.group_by
        self._key = key_reader(self._fields)

    def _take(self, event: Event, at_us: int) -> Fired | None:
        parts = self._key(event)
        if parts is None:
            return None
        key = key_of(parts)
        group = self.groups.touch(key, at_us)
        if at_us >= group.latest_us:
            group.latest_us = at_us
            group.first = (at_us, event.event_id)
            group.last = event.event_sequence or 0
            self._open(key, group, at_us + self._span_us)
        return None

    def _end(self, key: str, group: Group) -> Alert | None:
        end_us, group.due_us = group.due_us, 0
        values = dict(zip(self._fields, key.split(SEPARATOR) if self._fields else (), strict=True))
        return self._alert(
            values,
            group,
            Firing(group.first, (group.first[1],), 0),
            at_us=end_us,
            sequence=group.last,
            targets=targets_of_group(values),
        )
