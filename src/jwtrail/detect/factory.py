"""Which machine runs which rule."""

from jwtrail.detect.endings import Absent, Ending
from jwtrail.detect.habits import Baseline, FirstSeen, Stepped
from jwtrail.detect.machines import Condition, Counter, Machine, Meter, Ordered, Shared, Single
from jwtrail.sigma import (
    Absence,
    Correlation,
    EventCount,
    NewTerms,
    Rule,
    Statistical,
    Step,
    TemporalCondition,
    TemporalOrdered,
    ValueCount,
    ValueMeasure,
)

__all__ = ["machine_of"]


def machine_of(rule: Rule | Correlation, *, alerts: bool, shape: str) -> Machine:
    """The machine that runs this rule; `shape` as `machines.shapes_of` gave it."""
    if isinstance(rule, Correlation):
        return _correlated(rule, alerts=alerts, shape=shape)
    match rule.watch:
        case Absence():
            return Absent(rule, alerts=alerts, shape=shape)
        case NewTerms():
            return FirstSeen(rule, alerts=alerts, shape=shape)
        case Statistical():
            return Baseline(rule, alerts=alerts, shape=shape)
        case Step():
            return Stepped(rule, alerts=alerts, shape=shape)
    return Single(rule, alerts=alerts, shape=shape)


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
