"""One running rule each: takes the events it is about, keeps its groups, and says when it fires."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import msgspec

from jwtrail.detect.alert import Alert, Targets, alert_of, targets_of
from jwtrail.detect.fields import SEPARATOR, key_of, key_reader, whole_key_reader
from jwtrail.detect.groups import Groups
from jwtrail.detect.windows import Firing, Group, counted, kept_for, order, reset, see
from jwtrail.ecs import Event
from jwtrail.predicate.python import compile_predicate
from jwtrail.sigma import (
    Correlation,
    EventCount,
    Meta,
    Rule,
    TemporalCondition,
    TemporalOrdered,
    ValueCount,
    ValueMeasure,
)

__all__ = [
    "NOBODY",
    "Condition",
    "Correlated",
    "Fired",
    "Hits",
    "Machine",
    "Ordered",
    "Row",
    "Saved",
    "Single",
    "fulfilled",
]

Row = tuple[Event, int, dict[str, str]]
"""An event that a rule looks at: its time (µs), and the group for which the rule below fired."""

Hits = dict[str, dict[str, str]]
"""What one event set off: the id of a rule to the group it fired for (`NOBODY` for a rule on single events)."""

NOBODY: dict[str, str] = {}

_FIRST = [0]


class Fired(msgspec.Struct, frozen=True):
    """A rule's condition holds with this event; `alert` is None while its group is quiet or when it is only a part."""

    event: Event
    at_us: int
    group: dict[str, str]
    alert: Alert | None


class Saved(msgspec.Struct):
    """The state of one machine in a snapshot; `shape` tells whether it still fits the rule."""

    shape: str
    groups: dict[str, Group]
    evicted: int = 0
    room: int = 0


class Machine:
    """Base of the machines: groups, quiet time, alerts.

    Events come in the order of the trail, some at a time. A group that has more or fewer entries then is weighed.

    Args:
        alerts: whether firing raises alerts, or only feeds the correlations that refer to the rule.
        shape: digest of everything that gives the state its meaning.
    """

    takes = True
    """Whether it can `take`: an event's own fields are the key, and which of several rules it fits does not matter."""

    def __init__(self, meta: Meta, *, alerts: bool, life_us: int, shape: str) -> None:
        self.id = meta.id
        self.sources: tuple[str, ...] = (meta.id,)
        self.groups = Groups(life_us)
        self.shape = shape
        self._meta = meta
        self._alerts = alerts
        # With a quiet time shorter than the window two alerts may begin with the same event.
        self._repeats = meta.suppress_us < 0

    def take(self, rows: Sequence[Row]) -> list[Fired]:
        """Take events that fit the rules on single events that this one looks at."""
        return [fired for event, at_us, _ in rows if (fired := self._take(event, at_us)) is not None]

    def observe(self, below: Mapping[str, Sequence[Row]]) -> list[Fired]:  # noqa: ARG002
        """Take events that set off rules this one looks at, by rule."""
        raise AssertionError("this machine takes")

    def _take(self, event: Event, at_us: int) -> Fired | None:  # noqa: ARG002
        raise AssertionError("this machine observes")

    def save(self) -> Saved:
        """The state, not a copy of it."""
        return Saved(self.shape, self.groups.dump(), self.groups.evicted, self.groups.room)

    def restore(self, saved: Saved) -> bool:
        """Go on from a saved state; false, and nothing done, when it belongs to another form of the rule."""
        if saved.shape != self.shape:
            return False
        self.groups.restore(saved.groups, saved.evicted, saved.room)
        return True

    def _alert(
        self,
        values: dict[str, str],
        group: Group,
        firing: Firing,
        *,
        at_us: int,
        sequence: int,
        targets: Targets,
        event: str = "",
    ) -> Alert | None:
        """Args: event: id of the event that completes it; without one the end of its window tells it from the next."""
        if not self._alerts or at_us <= group.quiet_us:
            return None
        quiet = self._meta.suppress_us
        group.quiet_us = at_us + quiet if quiet > 0 else -1
        if self._meta.reset:
            reset(group)
        return alert_of(
            self._meta,
            firing,
            # Not the index: a replay in the order of time has other ones.
            key=SEPARATOR.join((*values.values(), event or str(at_us)) if self._repeats else values.values()),
            group=values,
            at_us=at_us,
            sequence=sequence,
            targets=targets,
        )

    def _alert_on(
        self, event: Event, at_us: int, values: dict[str, str], group: Group, firing: Firing
    ) -> Alert | None:
        """The alert that this event completes."""
        return self._alert(
            values,
            group,
            firing,
            at_us=at_us,
            sequence=event.event_sequence or 0,
            targets=targets_of(event),
            event=event.event_id,
        )


class Single(Machine):
    """A rule on single events; its groups exist to keep quiet after an alert."""

    def __init__(self, rule: Rule, *, alerts: bool, shape: str) -> None:
        super().__init__(rule.meta, alerts=alerts, life_us=0, shape=shape)
        self._key = key_reader(rule.meta.group_by) if rule.meta.group_by else None

    def _take(self, event: Event, at_us: int) -> Fired | None:
        # An event without the group's field is not lost: it alerts in the group of all such events.
        parts = (self._key(event) if self._key else None) or ()
        key = key_of(parts)
        group = self.groups.touch(key, at_us) if self._meta.suppress_us > 0 else Group()
        group.latest_us = max(group.latest_us, at_us)
        values = dict(zip(self._meta.group_by, parts, strict=False))
        firing = Firing((at_us, event.event_id), (event.event_id,), 1)
        return Fired(event, at_us, NOBODY, self._alert_on(event, at_us, values, group, firing))


class Correlated(Machine, ABC):
    """A rule on several events: finds the group of an event, also where it is called otherwise or comes from a chain."""

    def __init__(self, rule: Correlation, *, alerts: bool, shape: str, longer_us: int = 0) -> None:
        super().__init__(rule.meta, alerts=alerts, life_us=rule.span_us + longer_us, shape=shape)
        self._repeats = rule.meta.suppress_us < rule.span_us
        self.sources = rule.sources
        self._allows = compile_predicate(rule.allow) if rule.allow is not None else None
        self._span_us = rule.span_us
        self._rules = rule.rules
        self._fields = rule.meta.group_by
        alike = len(rule.rules) == 1 or isinstance(rule.shape, EventCount | ValueCount | ValueMeasure)
        self.takes = alike and rule.share is None and not rule.aliases and bool(self._fields)
        self._key = whole_key_reader(self._fields if self.takes else ())
        names = {
            source: tuple(rule.aliases.get(field, {}).get(source, field) for field in self._fields)
            for source in rule.sources
        }
        self._whole = {source: key_reader(fields) for source, fields in names.items() if fields}
        self._keys = {source: tuple(key_reader((name,)) for name in names[source]) for source in names}

    def observe(self, below: Mapping[str, Sequence[Row]]) -> list[Fired]:
        fired: list[Fired] = []
        for event, at_us, hits in _together(below):
            if self._allows is None or not self._allows(event):
                fired += self._observe(event, at_us, hits)
        return fired

    def _observe(self, event: Event, at_us: int, hits: Hits) -> list[Fired]:
        by_key: dict[tuple[str, ...], list[int]] = {}
        for step, source in enumerate(self._rules):
            if source in hits and (parts := self._parts(event, source, hits[source])) is not None:
                by_key.setdefault(parts, []).append(step)
        found = [self._step(event, at_us, parts, steps) for parts, steps in by_key.items()]
        return [fired for fired in found if fired is not None]

    def _take(self, event: Event, at_us: int) -> Fired | None:
        key = self._key(event)
        if key is None or (self._allows is not None and self._allows(event)):
            return None
        group = self.groups.held(key, at_us)
        return self._fired(group, event, at_us) if self._counts(group, event, at_us, _FIRST) else None

    def _parts(self, event: Event, source: str, inherited: dict[str, str]) -> tuple[str, ...] | None:
        """The group's key; None for an event that lacks a part of it, which is then ignored."""
        if not self._fields:
            return ()
        whole = self._whole[source](event)
        if whole is not None or not inherited:
            return whole
        parts = []
        for field, read in zip(self._fields, self._keys[source], strict=True):
            found = read(event)
            value = found[0] if found else inherited.get(field)
            if value is None:
                return None
            parts.append(value)
        return tuple(parts)

    def _step(self, event: Event, at_us: int, parts: tuple[str, ...], steps: list[int]) -> Fired | None:
        group = self.groups.touch(key_of(parts), at_us)
        return self._fired(group, event, at_us, parts) if self._counts(group, event, at_us, steps) else None

    def _counts(self, group: Group, event: Event, at_us: int, steps: list[int]) -> bool:
        holds = self._holds(group, event, at_us, steps)
        if len(group.seen) + len(group.samples) != group.size:
            self.groups.weigh(group, at_us)
        return holds

    def _fired(self, group: Group, event: Event, at_us: int, parts: tuple[str, ...] | None = None) -> Fired:
        """Args: parts: of the group's key, if they are not simply those of the event."""
        if parts is None:
            parts = self._parts(event, self._rules[0], NOBODY) or ()
        values = dict(zip(self._fields, parts, strict=True))
        if not self._alerts or at_us <= group.quiet_us:
            return Fired(event, at_us, values, None)
        alert = self._alert_on(event, at_us, values, group, self._firing(group))
        return Fired(event, at_us, values, alert)

    @abstractmethod
    def _holds(self, group: Group, event: Event, at_us: int, steps: list[int]) -> bool:
        """Note an event that is these of the rules, by their number; whether the condition holds now."""

    def _firing(self, group: Group) -> Firing:
        return counted(group)


def _together(below: Mapping[str, Sequence[Row]]) -> list[tuple[Event, int, Hits]]:
    """Each event once, with the rules that it set off, in the order of the trail."""
    found: dict[int, tuple[Event, int, Hits]] = {}
    for rule, rows in below.items():
        for event, at_us, group in rows:
            place = event.event_sequence or 0
            if place not in found:
                found[place] = (event, at_us, {})
            found[place][2][rule] = group
    return [found[place] for place in sorted(found)]


class Condition(Correlated):
    """temporal with a condition that has no `not`: fires as soon as the rules seen in the window fulfil it."""

    def __init__(self, rule: Correlation, *, alerts: bool, shape: str) -> None:
        super().__init__(rule, alerts=alerts, shape=shape)
        assert isinstance(rule.shape, TemporalCondition)
        self._condition = rule.shape.condition

    def _holds(self, group: Group, event: Event, at_us: int, steps: list[int]) -> bool:
        for step in steps:
            see(group, self._rules[step], at_us, event.event_id, self._span_us, kept_for(len(self._rules)))
        return fulfilled(self._condition, [rule in group.seen for rule in self._rules])


def fulfilled(condition: tuple[int | str, ...], seen: list[bool]) -> bool:
    """Whether a condition (operators behind their operands) holds, given which of the rules were seen."""
    stack: list[bool] = []
    for one in condition:
        match one:
            case int(rule):
                stack.append(seen[rule])
            case "not":
                stack.append(not stack.pop())
            case word:
                right, left = stack.pop(), stack.pop()
                stack.append((left and right) if word == "and" else (left or right))
    return stack.pop()


class Ordered(Correlated):
    """temporal_ordered: all of the rules, one after the other in the order of the trail."""

    def __init__(self, rule: Correlation, *, alerts: bool, shape: str) -> None:
        super().__init__(rule, alerts=alerts, shape=shape)
        assert isinstance(rule.shape, TemporalOrdered)
        self._guards = dict(rule.shape.guards)
        self._length = len(rule.rules) - len(self._guards)
        self._complete: Firing | None = None

    def observe(self, below: Mapping[str, Sequence[Row]]) -> list[Fired]:
        # Later steps are often everyday events: only a first step makes a group worth remembering.
        return super().observe(below) if self.groups or below[self._rules[0]] else []

    def _step(self, event: Event, at_us: int, parts: tuple[str, ...], steps: list[int]) -> Fired | None:
        if 0 not in steps and self.groups.find(key_of(parts)) is None:
            return None
        return super()._step(event, at_us, parts, steps)

    def _holds(self, group: Group, event: Event, at_us: int, steps: list[int]) -> bool:
        self._complete = order(
            group,
            tuple(step for step in steps if step not in self._guards),
            at_us,
            event.event_id,
            span_us=self._span_us,
            length=self._length,
            broken=tuple(self._guards[step] for step in steps if step in self._guards),
        )
        return self._complete is not None

    def _firing(self, group: Group) -> Firing:  # noqa: ARG002
        assert self._complete is not None
        return self._complete
