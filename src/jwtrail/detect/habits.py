"""Rules that know what a group usually does: values it has not shown before, more than its own past, gaps in a count."""

from abc import abstractmethod

from jwtrail.detect.fields import key_of, key_reader, number_reader, values_reader
from jwtrail.detect.machines import Fired, Hits, Machine
from jwtrail.detect.measures import nearest_rank
from jwtrail.detect.windows import Firing, Group
from jwtrail.ecs import Event
from jwtrail.sigma import NewTerms, Rule, Statistical, Step

__all__ = ["MAX_TERMS", "REMEMBERED_US", "Baseline", "FirstSeen", "Stepped"]

MAX_TERMS = 10_000
"""Values that a group remembers; the one not seen for longest goes first, and counts as evicted."""

REMEMBERED_US = 7 * 86_400_000_000
"""How long the last number of a silent group is remembered, µs, when there are too many groups."""

_WHOLE = "last"


class _Habit(Machine):
    """A rule on single events with groups of its own; without `group-by` the whole trail is one."""

    def __init__(self, rule: Rule, *, alerts: bool, shape: str, life_us: int) -> None:
        super().__init__(rule.meta, alerts=alerts, life_us=life_us, shape=shape)
        self._fields = rule.meta.group_by
        self._key = key_reader(self._fields) if self._fields else lambda _event: ()

    def observe(self, event: Event, at_us: int, hits: Hits) -> Fired | None:  # noqa: ARG002
        parts = self._key(event)
        if parts is None:
            return None
        group = self.groups.touch(key_of(parts), at_us)
        if group.since_us < 0:
            group.since_us = at_us
        firing = self._judge(group, event, at_us)
        group.latest_us = max(group.latest_us, at_us)
        if firing is None:
            return None
        values = dict(zip(self._fields, parts, strict=True))
        return Fired(values, self._alert_on(event, at_us, values, group, firing))

    @abstractmethod
    def _judge(self, group: Group, event: Event, at_us: int) -> Firing | None:
        """Take the event in; a firing when it is out of the usual."""


class FirstSeen(_Habit):
    """new-terms: a value that its group has not shown within the history.

    A group's very first value never alerts, and a group that showed none for the whole history is new again. Events
    without a value say nothing.
    """

    def __init__(self, rule: Rule, *, alerts: bool, shape: str) -> None:
        assert isinstance(rule.watch, NewTerms)
        super().__init__(rule, alerts=alerts, shape=shape, life_us=rule.watch.history_us)
        self._history_us = rule.watch.history_us
        self._after_us = rule.watch.after_us
        self._values = values_reader(rule.watch.fields)

    def observe(self, event: Event, at_us: int, hits: Hits) -> Fired | None:
        return super().observe(event, at_us, hits) if self._values(event) else None

    def _judge(self, group: Group, event: Event, at_us: int) -> Firing | None:
        if at_us - group.latest_us > self._history_us:
            group.terms, group.since_us = {}, at_us
        terms = group.terms
        known = bool(terms) and at_us - group.since_us >= self._after_us
        fresh = False
        for value in self._values(event):
            seen_us = terms.pop(value, None)
            fresh |= seen_us is None or seen_us < at_us - self._history_us
            terms[value] = max(at_us, seen_us or 0)
        if len(terms) > MAX_TERMS:
            del terms[next(iter(terms))]
            self.groups.evicted += 1
        return Firing((at_us, event.event_id), (event.event_id,), 1) if fresh and known else None


class Baseline(_Habit):
    """statistical: more in the running bucket than a percentile of the group's own past, times a factor."""

    def __init__(self, rule: Rule, *, alerts: bool, shape: str) -> None:
        assert isinstance(rule.watch, Statistical)
        watch = rule.watch
        super().__init__(rule, alerts=alerts, shape=shape, life_us=watch.bucket_us * watch.history)
        self._watch = watch
        self._number = number_reader(watch.field) if watch.measure == "sum" else None
        self._values = values_reader((watch.field,)) if watch.measure == "distinct" else None

    def _judge(self, group: Group, event: Event, at_us: int) -> Firing | None:
        bucket = at_us // self._watch.bucket_us
        if bucket > group.bar:
            if group.bar >= 0:
                group.bars = [*group.bars, group.total][-self._watch.history :]
            group.bar, group.total, group.terms = bucket, 0, {}
        self._add(group, event)
        if len(group.bars) < self._watch.learn or group.total < self._watch.floor:
            return None
        usual = nearest_rank(group.bars, self._watch.percentile)
        if group.total <= usual * self._watch.factor:
            return None
        return Firing((at_us, event.event_id), (event.event_id,), group.total)

    def _add(self, group: Group, event: Event) -> None:
        if self._number is not None:
            group.total += self._number(event) or 0
        elif self._values is None:
            group.total += 1
        elif len(group.terms) < MAX_TERMS:
            group.terms.update(dict.fromkeys(self._values(event), 0))
            group.total = len(group.terms)


class Stepped(_Habit):
    """step: a number that grows by more than it may from one event of the group to the next."""

    def __init__(self, rule: Rule, *, alerts: bool, shape: str) -> None:
        assert isinstance(rule.watch, Step)
        super().__init__(rule, alerts=alerts, shape=shape, life_us=REMEMBERED_US)
        self._over = rule.watch.over
        self._read = number_reader(rule.watch.field)

    def _judge(self, group: Group, event: Event, at_us: int) -> Firing | None:
        number = self._read(event)
        if number is None:
            return None
        last = group.terms.get(_WHOLE)
        if last is None or number > last:
            group.terms[_WHOLE] = number
        if last is None or number - last <= self._over:
            return None
        return Firing((at_us, event.event_id), (event.event_id,), number - last)
