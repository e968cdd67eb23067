"""Rules that know what a group did: values it has not shown before, more than its own past, gaps, long silence."""

from abc import abstractmethod

from jwtrail.detect.fields import key_of, key_reader, number_reader, values_reader
from jwtrail.detect.machines import Fired, Hits, Machine
from jwtrail.detect.measures import nearest_rank
from jwtrail.detect.windows import Firing, Group, counted, kept_for, see
from jwtrail.ecs import Event
from jwtrail.sigma import Backwards, Dormant, NewTerms, Rule, Statistical, Step

__all__ = ["MAX_TERMS", "REMEMBERED_US", "Baseline", "FirstSeen", "Habit", "Stepped", "TurnedBack", "Woken"]

MAX_TERMS = 10_000
"""Values that a group remembers; the one not seen for longest goes first, and counts as evicted."""

REMEMBERED_US = 7 * 86_400_000_000
"""How long the last number of a silent group is remembered, µs, when there are too many groups."""

IDLE_PARTS = 1_000
"""How exactly silence is measured: a group that was heard of within such a part of it costs one look, and no more."""

_WHOLE = "last"

_BEGAN = "\x1fbegan"
"""When something began; as a key of what a rule knows of itself: no group's key begins like this."""


class Habit(Machine):
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


class FirstSeen(Habit):
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


class Baseline(Habit):
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
            empty = self._empty(group, bucket, at_us) if self._watch.empty else 0
            past = [group.total] if group.bar >= 0 else []
            group.bars = [*group.bars, *past, *[0] * empty][-self._watch.history :]
            group.bar, group.total, group.terms = bucket, 0, {}
        self._add(group, event)
        if len(group.bars) < self._watch.learn or group.total < self._watch.floor:
            return None
        usual = nearest_rank(group.bars, self._watch.percentile)
        if group.total <= usual * self._watch.factor:
            return None
        return Firing((at_us, event.event_id), (event.event_id,), group.total)

    def _empty(self, group: Group, bucket: int, at_us: int) -> int:
        """Buckets in which nothing of the group happened, since its last one or since the rule's first event."""
        began = self.groups.touch(_BEGAN, at_us)
        began.latest_us = max(began.latest_us, at_us)
        if began.bar < 0:
            began.bar = bucket
        since = group.bar + 1 if group.bar >= 0 else began.bar
        return min(max(bucket - since, 0), self._watch.history)

    def _add(self, group: Group, event: Event) -> None:
        if self._number is not None:
            group.total += self._number(event) or 0
        elif self._values is None:
            group.total += 1
        elif len(group.terms) < MAX_TERMS:
            group.terms.update(dict.fromkeys(self._values(event), 0))
            group.total = len(group.terms)


class Stepped(Habit):
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


class TurnedBack(Habit):
    """step of @timestamp: an event that began and was over before an earlier one of its group, by more than it may.

    A request that takes long begins before what is written in the meantime, and what is in the order of time may end in
    another: only a clock that was set back does both.
    """

    def __init__(self, rule: Rule, *, alerts: bool, shape: str) -> None:
        assert isinstance(rule.watch, Backwards)
        super().__init__(rule, alerts=alerts, shape=shape, life_us=REMEMBERED_US)
        self._by_us = rule.watch.by_us

    def _judge(self, group: Group, event: Event, at_us: int) -> Firing | None:
        over_us = at_us + (event.event_duration or 0) // 1_000
        began, over = group.terms.get(_BEGAN, at_us), group.terms.get(_WHOLE, over_us)
        back_us = min(began - at_us, over - over_us)
        if back_us > self._by_us:
            group.terms = {_BEGAN: at_us, _WHOLE: over_us}  # from there on it goes forward again
            return Firing((at_us, event.event_id), (event.event_id,), back_us // 1_000_000)
        group.terms = {_BEGAN: max(began, at_us), _WHOLE: max(over, over_us)}
        return None


class Woken(Habit):
    """dormant: a group that was silent for a long time, and then shows so many events at once."""

    def __init__(self, rule: Rule, *, alerts: bool, shape: str) -> None:
        assert isinstance(rule.watch, Dormant)
        super().__init__(rule, alerts=alerts, shape=shape, life_us=rule.watch.history_us)
        self._watch = rule.watch
        # Every session there ever was is remembered: on a large service the longest silent ones have to go, every day.
        self.groups.counts = False
        self._near_us = rule.watch.idle_us // IDLE_PARTS
        self._kept = kept_for(rule.watch.count)

    def observe(self, event: Event, at_us: int, hits: Hits) -> Fired | None:
        parts = self._key(event)
        if parts is None:
            return None
        group = self.groups.get(key_of(parts))
        if group is not None and not group.due_us and at_us - group.latest_us < self._near_us:
            return None
        return super().observe(event, at_us, hits)

    def _judge(self, group: Group, event: Event, at_us: int) -> Firing | None:
        span_us = self._watch.span_us
        if group.latest_us and at_us - group.latest_us > self._watch.idle_us:
            group.due_us, group.seen = at_us + span_us, {}
        if not group.due_us:
            return None
        if at_us > group.due_us:
            group.due_us, group.seen = 0, {}
            return None
        see(group, event.event_id, at_us, event.event_id, span_us=span_us, kept=self._kept)
        return counted(group) if len(group.seen) >= self._watch.count else None
