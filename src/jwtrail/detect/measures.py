"""Numbers of a group's events in its sliding window: their sum, mean, median and percentiles."""

import operator
from bisect import insort
from collections.abc import Callable, Collection
from statistics import median

from jwtrail.detect.windows import Firing, Group
from jwtrail.sigma import Bound, Op, ValueMeasure, ValueMedian, ValuePercentile, ValueSum

__all__ = ["MAX_SAMPLES", "holds", "measured", "nearest_rank", "sampled", "take"]

MAX_SAMPLES = 5_000
"""Numbers a group keeps. For a sum the oldest two are then added up into one that counts as long as the younger of them,
so that no sum gets too small; mean, median and percentile are those of the latest ones."""

_COMPARE: dict[Op, Callable[[float, float], bool]] = {
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
    "eq": operator.eq,
    "neq": operator.ne,
}


def holds(bounds: tuple[Bound, ...], value: float) -> bool:
    """Whether a value fulfils every comparison."""
    for bound in bounds:  # noqa: SIM110  # a generator costs more than what it asks
        if not _COMPARE[bound.op](value, bound.value):
            return False
    return True


def take(group: Group, value: int, at_us: int, event: str, *, span_us: int, adding: bool) -> bool:
    """Take in the number of an event; false when it lies before the window.

    Args:
        adding: the numbers are summed up.
    """
    if at_us < group.latest_us - span_us:
        return False
    group.latest_us = max(group.latest_us, at_us)
    samples = group.samples
    if not samples or at_us > samples[-1][0]:
        samples.append((at_us, event, value))
    else:
        insort(samples, (at_us, event, value))
    group.total += value
    oldest, gone = group.latest_us - span_us, 0
    while samples[gone][0] < oldest:
        group.total -= samples[gone][2]
        gone += 1
    if gone:
        del samples[:gone]
    if len(samples) > MAX_SAMPLES:
        first = samples.pop(0)
        if adding:
            samples[0] = (samples[0][0], samples[0][1], samples[0][2] + first[2])
        else:
            group.total -= first[2]
    return True


def measured(shape: ValueMeasure, group: Group) -> float:
    """What the numbers of a group come to; 0 when it has none."""
    if isinstance(shape, ValueSum) or not group.samples:
        return group.total
    values = [value for _, _, value in group.samples]
    if isinstance(shape, ValuePercentile):
        return nearest_rank(values, shape.percentile)
    return median(values) if isinstance(shape, ValueMedian) else group.total / len(values)


def nearest_rank(values: Collection[int], percentile: int) -> int:
    """The smallest value that at least `percentile` percent of them do not exceed."""
    return sorted(values)[-(-percentile * len(values) // 100) - 1]


def sampled(group: Group, count: float) -> Firing:
    """The window of a measure that holds."""
    at_us, event, _ = group.samples[0]
    return Firing((at_us, event), tuple(event for _, event, _ in group.samples), int(count))
