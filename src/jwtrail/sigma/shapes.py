"""The forms a correlation can have, and what it compares."""

from typing import Literal

from msgspec import Struct

__all__ = [
    "Bound",
    "EventCount",
    "Op",
    "Shape",
    "Temporal",
    "TemporalCondition",
    "TemporalOrdered",
    "ValueAvg",
    "ValueCount",
    "ValueMeasure",
    "ValueMedian",
    "ValuePercentile",
    "ValueSum",
]

Op = Literal["lt", "lte", "gt", "gte", "eq", "neq"]


class Bound(Struct, frozen=True):
    """A comparison with a number."""

    op: Op
    value: int | float


class EventCount(Struct, frozen=True, kw_only=True, tag="event_count"):
    """So many events of a group.

    Args:
        count: fires as soon as there are so many.
        bounds: instead of it: what must hold when the window ends.
    """

    count: int = 0
    bounds: tuple[Bound, ...] = ()


class ValueCount(Struct, frozen=True, kw_only=True, tag="value_count"):
    """So many different values of `fields` (together) in a group; `count` and `bounds` as of `EventCount`."""

    count: int = 0
    fields: tuple[str, ...]
    bounds: tuple[Bound, ...] = ()


class ValueMeasure(Struct, frozen=True, kw_only=True):
    """Base of what is computed of the numbers in `field` of a group's events.

    Args:
        bounds: what must hold.
        at_end: whether only the end of the window can tell; else it fires as soon as they hold.
    """

    field: str
    bounds: tuple[Bound, ...]
    at_end: bool = False


class ValueSum(ValueMeasure, frozen=True, kw_only=True, tag="value_sum"):
    """Their sum."""


class ValueAvg(ValueMeasure, frozen=True, kw_only=True, tag="value_avg"):
    """Their mean."""


class ValueMedian(ValueMeasure, frozen=True, kw_only=True, tag="value_median"):
    """The one in the middle, or the mean of the two there."""


class ValuePercentile(ValueMeasure, frozen=True, kw_only=True, tag="value_percentile"):
    """The smallest that at least `percentile` percent of them do not exceed (nearest rank)."""

    percentile: int


class Temporal(Struct, frozen=True, kw_only=True, tag="temporal"):
    """At least `count` of the rules, in any order."""

    count: int


class TemporalCondition(Struct, frozen=True, kw_only=True, tag="temporal"):
    """A condition on which rules were seen (Sigma 2.2).

    Args:
        condition: numbers of rules, `and`, `or` and `not`, operators behind their operands (an operator takes the two,
            or for `not` the one, before it).
        at_end: it holds a `not`, so that only the end of the window can tell.
    """

    condition: tuple[int | str, ...]
    at_end: bool


class TemporalOrdered(Struct, frozen=True, kw_only=True, tag="temporal_ordered"):
    """All of the rules, one after the other in the order of the trail; other events may lie between.

    Args:
        guards: pairs of a rule's number and a step's: seen behind that step (from 0), this rule ends the sequence.
    """

    guards: tuple[tuple[int, int], ...] = ()


Shape = (
    EventCount
    | ValueCount
    | ValueSum
    | ValueAvg
    | ValueMedian
    | ValuePercentile
    | Temporal
    | TemporalCondition
    | TemporalOrdered
)
