"""Rules that count: different events, values or rules in the window of a group, or what numbers of it come to."""

from collections.abc import Callable, Sequence
from operator import attrgetter

from jwtrail.detect.fields import bounded_value, key_of, number_reader, value_reader, values_reader
from jwtrail.detect.machines import Correlated, Fired, Hits, Row
from jwtrail.detect.measures import holds, measured, sampled, take
from jwtrail.detect.windows import Firing, Group, kept_for, see
from jwtrail.ecs import Event
from jwtrail.sigma import Correlation, EventCount, Temporal, ValueCount, ValueMeasure, ValueSum

__all__ = ["SHARE_KEPT", "Counter", "Meter", "Shared"]

SHARE_KEPT = 1_000
"""Events or values that each side of a share keeps at the most; with more, the share is that of the latest ones."""


class Counter(Correlated):
    """event_count, value_count and temporal: at least so many different events, values or rules in the window."""

    def __init__(self, rule: Correlation, *, alerts: bool, shape: str) -> None:
        super().__init__(rule, alerts=alerts, shape=shape)
        assert isinstance(rule.shape, EventCount | ValueCount | Temporal)
        self._count = rule.shape.count
        self._values = values_reader(rule.shape.fields) if isinstance(rule.shape, ValueCount) else None
        self._events = isinstance(rule.shape, EventCount)
        self._kept = kept_for(self._count)
        self._what = _what_of(rule)

    def take(self, rows: Sequence[Row]) -> list[Fired]:
        what_of = self._what
        if what_of is None:
            return super().take(rows)
        fired, key_of, span_us, kept, count = list[Fired](), self._key, self._span_us, self._kept, self._count
        groups, find, grain_us = self.groups, self.groups.find, self.groups.grain_us
        for event, at_us, _ in rows:
            key, what = key_of(event), what_of(event)
            if key is None or what is None:
                continue
            group = find(key)
            if group is None or at_us - group.touched_us > grain_us:
                group = groups.touch(key, at_us)
            inside = see(group, bounded_value(what), at_us, event.event_id, span_us, kept, count)
            found = len(group.seen)
            if found != group.size:
                groups.resize(group, found, at_us)
            if inside and found >= count:
                fired.append(self._fired(group, event, at_us))
        return fired

    def _holds(self, group: Group, event: Event, at_us: int, steps: list[int]) -> bool:
        inside = False
        for one in self._counted(event, steps):
            inside = see(group, one, at_us, event.event_id, self._span_us, self._kept)
        return inside and len(group.seen) >= self._count

    def _counted(self, event: Event, steps: Sequence[int] = ()) -> tuple[str, ...]:
        """What this event counts as; `steps` are the rules it is, for a count of rules."""
        if self._events:
            return (event.event_id,)
        return tuple(self._rules[step] for step in steps) if self._values is None else self._values(event)


def _what_of(rule: Correlation) -> Callable[[Event], str | None] | None:
    """Reads the one text that an event counts as; None where it takes more than that."""
    match rule.shape:
        case EventCount() if rule.allow is None:
            return attrgetter("event_id")
        case ValueCount(fields=fields) if rule.allow is None:
            return value_reader(fields)
    return None


class Shared(Counter):
    """A count that must also be so much of itself and of what another rule counts."""

    def __init__(self, rule: Correlation, *, alerts: bool, shape: str) -> None:
        super().__init__(rule, alerts=alerts, shape=shape)
        assert rule.share is not None
        self._share = rule.share
        self._kept = kept_for(max(self._count, SHARE_KEPT))

    def _observe(self, event: Event, at_us: int, hits: Hits) -> list[Fired]:
        if self._share.against in hits:
            self._weigh(event, at_us, hits[self._share.against])
        return super()._observe(event, at_us, hits)

    def _weigh(self, event: Event, at_us: int, inherited: dict[str, str]) -> None:
        """Count on the other side of the share."""
        parts = self._parts(event, self._share.against, inherited)
        if parts is None:
            return
        group = self.groups.touch(key_of(parts), at_us)
        group.latest_us = max(group.latest_us, at_us)
        others = group.others = group.others or Group()
        for one in self._counted(event):
            see(others, one, at_us, event.event_id, self._span_us, SHARE_KEPT)

    def _holds(self, group: Group, event: Event, at_us: int, steps: list[int]) -> bool:
        full = super()._holds(group, event, at_us, steps)
        if not full or group.others is None:
            return full
        since = group.latest_us - self._span_us
        against = sum(at_us >= since for at_us, _ in group.others.seen.values())
        return 100 * len(group.seen) >= self._share.percent * (len(group.seen) + against)


class Meter(Correlated):
    """value_sum, value_avg, value_median and value_percentile, fired as soon as the comparison holds."""

    def __init__(self, rule: Correlation, *, alerts: bool, shape: str) -> None:
        super().__init__(rule, alerts=alerts, shape=shape)
        assert isinstance(rule.shape, ValueMeasure)
        self._measure = rule.shape
        self._read = number_reader(rule.shape.field)

    def _holds(self, group: Group, event: Event, at_us: int, steps: list[int]) -> bool:  # noqa: ARG002
        value = self._read(event)
        adding = isinstance(self._measure, ValueSum)
        if value is None or not take(
            group, value, at_us, event.event_id, span_us=self._span_us, adding=adding
        ):
            return False
        return holds(self._measure.bounds, measured(self._measure, group))

    def _firing(self, group: Group) -> Firing:
        return sampled(group, measured(self._measure, group))
