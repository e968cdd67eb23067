"""Which machine runs which rule."""

from collections.abc import Callable

from jwtrail.detect.counters import Counter, Meter, Shared
from jwtrail.detect.endings import Absent, Ending
from jwtrail.detect.habits import Baseline, FirstSeen, Stepped, TurnedBack, Woken
from jwtrail.detect.machines import Condition, Machine, Ordered, Single
from jwtrail.detect.percentiles import Spread
from jwtrail.detect.places import Travelled, Walked
from jwtrail.sigma import (
    Absence,
    Backwards,
    Correlation,
    Dormant,
    EventCount,
    NewTerms,
    Rule,
    Statistical,
    Step,
    Stepping,
    TemporalCondition,
    TemporalOrdered,
    Travel,
    ValueCount,
    ValueMeasure,
    Watch,
)

__all__ = ["machine_of"]

_WATCHING: dict[type[Watch], Callable[..., Machine]] = {
    Absence: Absent,
    NewTerms: FirstSeen,
    Statistical: Baseline,
    Step: Stepped,
    Backwards: TurnedBack,
    Dormant: Woken,
    Travel: Travelled,
    Stepping: Walked,
}


def machine_of(rule: Rule | Correlation, *, alerts: bool, shape: str) -> Machine:
    """The machine that runs this rule; `shape` as `digests.shapes_of` gave it."""
    if isinstance(rule, Correlation):
        return _correlated(rule, alerts=alerts, shape=shape)
    watch = rule.watch
    if watch is None:
        return Single(rule, alerts=alerts, shape=shape)
    spread = isinstance(watch, Statistical) and watch.measure in ("each", "percentile")
    return (Spread if spread else _WATCHING[type(watch)])(rule, alerts=alerts, shape=shape)


def _correlated(rule: Correlation, *, alerts: bool, shape: str) -> Machine:
    match rule.shape:
        case EventCount(bounds=bounds) | ValueCount(bounds=bounds) if bounds:
            return Ending(rule, alerts=alerts, shape=shape)
        case ValueMeasure(at_end=True) | TemporalCondition(at_end=True):
            return Ending(rule, alerts=alerts, shape=shape)
        case ValueMeasure():
            return Meter(rule, alerts=alerts, shape=shape)
        case TemporalCondition():
            return Condition(rule, alerts=alerts, shape=shape)
        case TemporalOrdered():
            return Ordered(rule, alerts=alerts, shape=shape)
    return (Counter if rule.share is None else Shared)(rule, alerts=alerts, shape=shape)
