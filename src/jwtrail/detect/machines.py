"""One running rule each: takes the events it is about, keeps its groups, and says when it fires."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from hashlib import sha256

import msgspec

from jwtrail.detect.alert import Alert, alert_of
from jwtrail.detect.fields import SEPARATOR, key_reader, values_reader
from jwtrail.detect.groups import Groups
from jwtrail.detect.windows import Firing, Group, counted, order, see
from jwtrail.ecs import Event
from jwtrail.sigma import Correlation, EventCount, Meta, Rule, TemporalOrdered, ValueCount

__all__ = ["Fired", "Hits", "Machine", "Saved", "machine_of", "shapes_of"]

Hits = dict[str, dict[str, str]]
"""What one event set off so far: the id of a rule to the group it fired for (empty for a rule on single events)."""

_NOBODY: dict[str, str] = {}


class Fired(msgspec.Struct, frozen=True):
    """A rule's condition holds with this event; `alert` is None while its group is quiet or when it is only a part."""

    group: dict[str, str]
    alert: Alert | None


class Saved(msgspec.Struct):
    """The state of one machine in a snapshot; `shape` tells whether it still fits the rule."""

    shape: str
    groups: dict[str, Group]
    evicted: int = 0


class Machine(ABC):
    """Base of the machines: groups, quiet time, alerts.

    Args:
        alerts: whether firing raises alerts, or only feeds the correlations that refer to the rule.
        shape: digest of everything that gives the state its meaning.
    """

    def __init__(self, meta: Meta, *, alerts: bool, life_us: int, shape: str) -> None:
        self.id = meta.id
        self.groups = Groups(life_us)
        self.shape = shape
        self._meta = meta
        self._alerts = alerts

    @abstractmethod
    def observe(self, event: Event, at_us: int, hits: Hits) -> Fired | None:
        """Take an event that set off at least one of the rules this one looks at."""

    def save(self) -> Saved:
        """The state, not a copy of it."""
        return Saved(self.shape, self.groups.dump(), self.groups.evicted)

    def restore(self, saved: Saved) -> bool:
        """Go on from a saved state; false, and nothing done, when it belongs to another form of the rule."""
        if saved.shape != self.shape:
            return False
        self.groups.restore(saved.groups, saved.evicted)
        return True

    def _alert(
        self, event: Event, at_us: int, values: dict[str, str], group: Group, firing: Firing
    ) -> Alert | None:
        if not self._alerts or at_us <= group.quiet_us:
            return None
        group.quiet_us = at_us + self._meta.suppress_us if self._meta.suppress_us else -1
        return alert_of(
            self._meta,
            event,
            key=SEPARATOR.join(values.values()),
            group=values,
            at_us=at_us,
            first=firing.first,
            events=firing.events,
            count=firing.count,
        )


class Single(Machine):
    """A rule on single events; its groups exist to keep quiet after an alert."""

    def __init__(self, rule: Rule, *, alerts: bool, shape: str) -> None:
        super().__init__(rule.meta, alerts=alerts, life_us=0, shape=shape)
        self._key = key_reader(rule.meta.group_by) if rule.meta.group_by else None

    def observe(self, event: Event, at_us: int, hits: Hits) -> Fired | None:  # noqa: ARG002
        if not self._alerts:
            return Fired(_NOBODY, None)
        # An event without the group's field is not lost: it alerts in the group of all such events.
        parts = (self._key(event) if self._key else None) or ()
        key = SEPARATOR.join(parts)
        group = self.groups.touch(key, at_us) if self._meta.suppress_us else Group()
        group.latest_us = max(group.latest_us, at_us)
        values = dict(zip(self._meta.group_by, parts, strict=False))
        firing = Firing((at_us, event.event_id), (event.event_id,), 1)
        return Fired(_NOBODY, self._alert(event, at_us, values, group, firing))


class _Correlated(Machine):
    """A rule on several events: finds the group of an event, also where it is called otherwise or comes from a chain."""

    def __init__(self, rule: Correlation, *, alerts: bool, shape: str) -> None:
        super().__init__(rule.meta, alerts=alerts, life_us=rule.span_us, shape=shape)
        self._span_us = rule.span_us
        self._rules = rule.rules
        self._fields = rule.meta.group_by
        self._keys = {
            source: tuple(
                key_reader((rule.aliases.get(field, {}).get(source, field),)) for field in self._fields
            )
            for source in rule.rules
        }

    def observe(self, event: Event, at_us: int, hits: Hits) -> Fired | None:
        fired = None
        by_key: dict[tuple[str, ...], list[int]] = {}
        for step, source in enumerate(self._rules):
            if source in hits and (parts := self._parts(event, source, hits[source])) is not None:
                by_key.setdefault(parts, []).append(step)
        for parts, steps in by_key.items():
            fired = self._step(event, at_us, parts, steps) or fired
        return fired

    def _parts(self, event: Event, source: str, inherited: dict[str, str]) -> tuple[str, ...] | None:
        """The group's key; None for an event that lacks a part of it, which is then ignored."""
        parts = []
        for field, read in zip(self._fields, self._keys[source], strict=True):
            found = read(event)
            value = found[0] if found else inherited.get(field)
            if value is None:
                return None
            parts.append(value)
        return tuple(parts)

    def _step(self, event: Event, at_us: int, parts: tuple[str, ...], steps: list[int]) -> Fired | None:
        key = SEPARATOR.join(parts)
        group = self.groups.touch(key, at_us)
        if not self._holds(group, event, at_us, steps):
            return None
        values = dict(zip(self._fields, parts, strict=True))
        if not self._alerts or at_us <= group.quiet_us:
            return Fired(values, None)
        return Fired(values, self._alert(event, at_us, values, group, self._firing(group)))

    @abstractmethod
    def _holds(self, group: Group, event: Event, at_us: int, steps: list[int]) -> bool:
        """Note an event that is these of the rules, by their number; whether the condition holds now."""

    def _firing(self, group: Group) -> Firing:
        return counted(group)


class Counter(_Correlated):
    """event_count, value_count and temporal: at least so many different events, values or rules in the window."""

    def __init__(self, rule: Correlation, *, alerts: bool, shape: str) -> None:
        super().__init__(rule, alerts=alerts, shape=shape)
        assert not isinstance(rule.shape, TemporalOrdered)
        self._count = rule.shape.count
        self._values = values_reader(rule.shape.fields) if isinstance(rule.shape, ValueCount) else None
        self._events = isinstance(rule.shape, EventCount)

    def _holds(self, group: Group, event: Event, at_us: int, steps: list[int]) -> bool:
        if self._values is not None:
            what = self._values(event)
        else:
            what = (event.event_id,) if self._events else tuple(self._rules[step] for step in steps)
        holds = False
        for one in what:
            holds = see(group, one, at_us, event.event_id, span_us=self._span_us, threshold=self._count)
        return holds


class Ordered(_Correlated):
    """temporal_ordered: all of the rules, one after the other in the order of the trail."""

    def __init__(self, rule: Correlation, *, alerts: bool, shape: str) -> None:
        super().__init__(rule, alerts=alerts, shape=shape)
        self._complete: Firing | None = None

    def _holds(self, group: Group, event: Event, at_us: int, steps: list[int]) -> bool:
        self._complete = order(
            group, tuple(steps), at_us, event.event_id, span_us=self._span_us, length=len(self._rules)
        )
        return self._complete is not None

    def _firing(self, group: Group) -> Firing:  # noqa: ARG002
        assert self._complete is not None
        return self._complete


def machine_of(rule: Rule | Correlation, *, alerts: bool, shape: str) -> Machine:
    """The machine that runs this rule; `shape` as `shapes_of` gave it."""
    if isinstance(rule, Rule):
        return Single(rule, alerts=alerts, shape=shape)
    kind = Ordered if isinstance(rule.shape, TemporalOrdered) else Counter
    return kind(rule, alerts=alerts, shape=shape)


def shapes_of(rules: Iterable[Rule], correlations: Iterable[Correlation]) -> dict[str, str]:
    """For each rule a digest of all that gives its state a meaning: its own words and those of the rules below it."""
    shapes = {rule.meta.id: _digest(rule.predicate, rule.meta.group_by) for rule in rules}
    for one in correlations:  # each comes after those it refers to
        below = [shapes[source] for source in one.rules]
        shapes[one.meta.id] = _digest(one.shape, below, one.span_us, one.meta.group_by, one.aliases)
    return shapes


def _digest(*parts: object) -> str:
    return sha256(msgspec.json.encode(parts)).hexdigest()[:16]
