"""Rules that know what a group did: values it has not shown before, more than its own past, gaps, long silence."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from jwtrail.detect.fields import (
    key_reader,
    number_reader,
    value_reader,
    values_reader,
    whole_key_reader,
)
from jwtrail.detect.machines import Fired, Machine, Row
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

_NUMBER = "number"

_BEGAN = "\x1fbegan"
"""When something began; as a key of what a rule knows of itself: no group's key begins like this."""


class Habit(Machine, ABC):
    """A rule on single events with groups of its own; without `group-by` the whole trail is one."""

    def __init__(self, rule: Rule, *, alerts: bool, shape: str, life_us: int) -> None:
        super().__init__(rule.meta, alerts=alerts, life_us=life_us, shape=shape)
        self._fields = rule.meta.group_by
        self._parts = key_reader(self._fields)
        self._key = whole_key_reader(self._fields)

    def take(self, rows: Sequence[Row]) -> list[Fired]:
        fired = []
        key_of, judge = self._key, self._judge
        groups, find, grain_us = self.groups, self.groups.find, self.groups.grain_us
        for event, at_us, _ in rows:
            key = key_of(event)
            if key is None:
                continue
            group = find(key)
            if group is None or at_us - group.touched_us > grain_us:
                group = groups.touch(key, at_us)
                if group.since_us < 0:
                    group.since_us = at_us
            firing = judge(group, event, at_us)
            if at_us > group.latest_us:  # noqa: PLR1730  # every event comes here
                group.latest_us = at_us
            if firing is not None:
                fired.append(self._said(group, event, at_us, firing))
        return fired

    def _said(self, group: Group, event: Event, at_us: int, firing: Firing) -> Fired:
        values = dict(zip(self._fields, self._parts(event) or (), strict=True))
        return Fired(event, at_us, values, self._alert_on(event, at_us, values, group, firing))

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
        self._one = value_reader(rule.watch.fields)

    def take(self, rows: Sequence[Row]) -> list[Fired]:
        if (value_of := self._one) is not None:
            return super().take([row for row in rows if value_of(row[0]) is not None])
        return super().take([row for row in rows if self._values(row[0])])

    def _judge(self, group: Group, event: Event, at_us: int) -> Firing | None:
        oldest_us, terms = at_us - self._history_us, group.terms
        # By far the most: the group has shown this value and no other.
        if len(terms) == 1 and self._one is not None:
            value = self._one(event)
            if value in terms and oldest_us <= terms[value] <= at_us:
                terms[value] = at_us
                return None
        if group.latest_us < oldest_us:
            terms = group.terms = {}
            group.since_us = at_us
        known = bool(terms) and at_us - group.since_us >= self._after_us
        fresh = False
        for value in self._values(event):
            seen_us = terms.get(value, -1)
            fresh |= seen_us < oldest_us or value not in terms
            terms.pop(value, None)
            terms[value] = max(at_us, seen_us)
        if len(terms) > MAX_TERMS:
            del terms[next(iter(terms))]
            self.groups.evicted += 1
        if len(terms) != group.size:
            self.groups.weigh(group, at_us)
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
        watch = self._watch
        bucket = at_us // watch.bucket_us
        if bucket > group.bar:
            empty = self._empty(group, bucket, at_us) if watch.empty else 0
            past = (group.total,) if group.bar >= 0 else ()
            group.bars = (*group.bars, *past, *(0,) * empty)[-watch.history :]
            group.bar, group.total, group.terms, group.limit = bucket, 0, {}, -1
            self.groups.weigh(group, at_us)
        self._add(group, event, at_us)
        if group.total < watch.floor or len(group.bars) < watch.learn:
            return None
        if group.limit < 0:  # the past is the same until the next bucket
            group.limit = int(nearest_rank(group.bars, watch.percentile) * watch.factor)
        if group.total <= group.limit:
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

    def _add(self, group: Group, event: Event, at_us: int) -> None:
        if self._number is not None:
            group.total += self._number(event) or 0
        elif self._values is None:
            group.total += 1
        elif len(group.terms) < MAX_TERMS:
            for value in self._values(event):
                group.terms[value] = 0
            if len(group.terms) != group.total:
                group.total = len(group.terms)
                self.groups.weigh(group, at_us)


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
        if last is None:
            group.terms[_WHOLE] = number
            self.groups.weigh(group, at_us)
            return None
        if number > last:
            group.terms[_WHOLE] = number
        if number - last <= self._over:
            return None
        return Firing((at_us, event.event_id), (event.event_id,), number - last)


class TurnedBack(Habit):
    """step of @timestamp: an event that began and was over before an earlier one of its group, by more than it may.

    A request that takes long begins before what is written in the meantime, and what is in the order of time may end in
    another: only a clock that was set back does both. Where a number says what was written first, each event is held
    against the one that was read before it, whichever of the two is the earlier one.
    """

    def __init__(self, rule: Rule, *, alerts: bool, shape: str) -> None:
        assert isinstance(rule.watch, Backwards)
        super().__init__(rule, alerts=alerts, shape=shape, life_us=REMEMBERED_US)
        self._by_us = rule.watch.by_us
        self._order = number_reader(rule.watch.order) if rule.watch.order else None

    def _judge(self, group: Group, event: Event, at_us: int) -> Firing | None:
        over_us, terms = at_us + (event.event_duration or 0) // 1_000, group.terms
        if self._order is not None:
            number = self._order(event)
            return None if number is None else self._beside(group, event, at_us, over_us, number)
        if not terms:
            terms[_BEGAN], terms[_WHOLE] = at_us, over_us
            self.groups.weigh(group, at_us)
            return None
        began, over = terms[_BEGAN], terms[_WHOLE]
        back_us = min(began - at_us, over - over_us)
        if back_us > self._by_us:
            terms[_BEGAN], terms[_WHOLE] = at_us, over_us  # from there on it goes forward again
            return Firing((at_us, event.event_id), (event.event_id,), back_us // 1_000_000)
        if at_us > began:
            terms[_BEGAN] = at_us
        if over_us > over:
            terms[_WHOLE] = over_us
        return None

    def _beside(self, group: Group, event: Event, at_us: int, over_us: int, number: int) -> Firing | None:
        last, group.terms = group.terms, {_NUMBER: number, _BEGAN: at_us, _WHOLE: over_us}
        if not last:
            self.groups.weigh(group, at_us)
            return None
        # From the later of the two to the earlier one: what is left when the time should have passed the other way.
        sign = (number > last[_NUMBER]) - (number < last[_NUMBER])
        back_us = min(sign * (last[_BEGAN] - at_us), sign * (last[_WHOLE] - over_us))
        if back_us <= self._by_us:
            return None
        return Firing((at_us, event.event_id), (event.event_id,), back_us // 1_000_000)


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

    def take(self, rows: Sequence[Row]) -> list[Fired]:
        key_of, find, near_us, fired = self._key, self.groups.find, self._near_us, list[Fired]()
        for row in rows:
            event, at_us, _ = row
            group = find(key) if (key := key_of(event)) is not None else None
            if group is None or group.due_us or at_us - group.latest_us >= near_us:
                fired += super().take((row,))
        return fired

    def _judge(self, group: Group, event: Event, at_us: int) -> Firing | None:
        span_us = self._watch.span_us
        if group.latest_us and at_us - group.latest_us > self._watch.idle_us:
            group.due_us, group.seen = at_us + span_us, {}
        if not group.due_us:
            return None
        if at_us > group.due_us:
            group.due_us, group.seen = 0, {}
            self.groups.weigh(group, at_us)
            return None
        see(group, event.event_id, at_us, event.event_id, span_us=span_us, kept=self._kept)
        self.groups.weigh(group, at_us)
        return counted(group) if len(group.seen) >= self._watch.count else None
