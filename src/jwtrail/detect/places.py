"""Rules on how a group gets from one event to the next: through the world, and through the numbers of objects."""

from bisect import insort
from collections.abc import Sequence
from itertools import pairwise
from math import asin, cos, radians, sin, sqrt

from jwtrail.detect.fields import key_reader, whole_key_reader
from jwtrail.detect.habits import Habit
from jwtrail.detect.machines import Fired, Row
from jwtrail.detect.measures import sampled
from jwtrail.detect.windows import Firing, Group, kept_for
from jwtrail.ecs import Event
from jwtrail.sigma import Rule, Stepping, Travel

__all__ = ["MAX_DIGITS", "Travelled", "Walked", "kilometres", "place_of"]

EARTH_KM = 6_371.0
"""Mean radius of the Earth."""

HOUR_US = 3_600_000_000

MAX_DIGITS = 18
"""Digits of an id that is taken for a number: it then fits in 64 bits."""


def place_of(text: str) -> tuple[float, float] | None:
    """Latitude and longitude in degrees; None for what is no place."""
    latitude, _, longitude = text.partition(",")
    try:
        place = float(latitude), float(longitude)
    except ValueError:
        return None
    return place if abs(place[0]) <= 90 and abs(place[1]) <= 180 else None


def kilometres(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Distance of two places along the surface (haversine)."""
    lat, lon = radians(one[0]), radians(one[1])
    lat2, lon2 = radians(other[0]), radians(other[1])
    half = sin((lat2 - lat) / 2) ** 2 + cos(lat) * cos(lat2) * sin((lon2 - lon) / 2) ** 2
    return 2 * EARTH_KM * asin(sqrt(min(1.0, half)))


class Travelled(Habit):
    """travel: seen at a place that nobody reaches in the time since the group was last seen elsewhere."""

    def __init__(self, rule: Rule, *, alerts: bool, shape: str) -> None:
        assert isinstance(rule.watch, Travel)
        super().__init__(rule, alerts=alerts, shape=shape, life_us=rule.watch.span_us)
        self._watch = rule.watch
        self._place = key_reader((rule.watch.field,))

    def take(self, rows: Sequence[Row]) -> list[Fired]:
        place_of = self._place
        return super().take([row for row in rows if place_of(row[0]) is not None])

    def _judge(self, group: Group, event: Event, at_us: int) -> Firing | None:
        found = self._place(event)
        assert found is not None
        before, (here,) = group.first, found
        if at_us >= before[0]:
            group.first = (at_us, event.event_id)
        if here in group.terms:
            return None
        last = next(iter(group.terms), here)
        if at_us >= before[0] or not group.terms:
            group.terms = {here: 0}
            self.groups.weigh(group, at_us)
        if (
            last == here
            or abs(at_us - before[0]) > self._watch.span_us
            or not self._is_too_far(last, here, abs(at_us - before[0]))
        ):
            return None
        ends = sorted((before, (at_us, event.event_id)))
        return Firing(ends[0], (ends[0][1], ends[1][1]), 2)

    def _is_too_far(self, last: str, here: str, took_us: int) -> bool:
        one, other = place_of(last), place_of(here)
        if one is None or other is None:
            return False
        far = kilometres(one, other)
        return far >= self._watch.distance and far * HOUR_US > self._watch.speed * took_us


class Walked(Habit):
    """stepping: numbers that go up or down by one, from event to event in the order of time."""

    def __init__(self, rule: Rule, *, alerts: bool, shape: str) -> None:
        assert isinstance(rule.watch, Stepping)
        super().__init__(rule, alerts=alerts, shape=shape, life_us=rule.watch.span_us)
        self._watch = rule.watch
        self._kept = kept_for(rule.watch.count)
        self._read = whole_key_reader((rule.watch.field,))

    def _judge(self, group: Group, event: Event, at_us: int) -> Firing | None:
        text = self._read(event)
        if text is None or len(text) > MAX_DIGITS or not (text.isascii() and text.isdecimal()):
            return None
        number, samples, span_us = int(text), group.samples, self._watch.span_us
        oldest_us = max(at_us, group.latest_us) - span_us
        if at_us < oldest_us:
            return None
        if samples and at_us >= samples[-1][0] and number == samples[-1][2]:
            samples[-1] = (at_us, event.event_id, number)
        else:
            insort(samples, (at_us, event.event_id, number))
        # What has left the window may stay for another one while there are too few of them anyway.
        if len(samples) >= self._watch.count or samples[0][0] < oldest_us - span_us:
            gone = max(0, len(samples) - self._kept)
            while samples[gone][0] < oldest_us:
                gone += 1
            del samples[:gone]
        if len(samples) != group.size:
            self.groups.resize(group, len(samples), at_us)
        if len(samples) < self._watch.count or not self._walks([number for _, _, number in samples]):
            return None
        return sampled(group, len(samples))

    def _walks(self, numbers: list[int]) -> bool:
        if len(set(numbers)) < self._watch.count:
            return False
        steps = [later - earlier for earlier, later in pairwise(numbers) if later != earlier]
        return 100 * sum(abs(step) == 1 for step in steps) > self._watch.percent * len(steps)
