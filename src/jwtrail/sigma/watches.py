"""What a rule on single events may look at beyond the event itself: as it is written (`…Text`), and as it is used."""

from typing import Annotated, Literal

import msgspec
from msgspec import Struct

__all__ = [
    "Absence",
    "Backwards",
    "Dormant",
    "DormantText",
    "Measure",
    "NewTerms",
    "NewTermsText",
    "Statistical",
    "StatisticalText",
    "Step",
    "StepText",
    "Stepping",
    "SteppingText",
    "Travel",
    "TravelText",
    "Watch",
]

MAX_BUCKETS = 1_000
"""Buckets of its own past that a group remembers: six weeks of hours."""

MAX_SAMPLES = 100_000
"""Numbers that a bucket may be asked to have; they are kept as counts, not one by one."""

MAX_STEPS = 1_000
"""Events that a group is asked to show before it alerts, and keeps for that."""

Measure = Literal["count", "sum", "distinct", "percentile", "each"]
"""What a bucket of `statistical` comes to; see `StatisticalText`."""


class NewTermsText(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """`new-terms` as it is written: a value that a group has not shown within `history`.

    Args:
        fields: what is looked at, together.
        history: how long a value is remembered.
        after: how long a group must have been known before it can alert.
    """

    fields: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=8)]
    history: str = "30d"
    after: str = ""


class StatisticalText(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """`statistical` as it is written: more in one bucket of time than the group's own past has seen.

    Args:
        measure: `count` events, `sum` a number field, or count `distinct` values of a field; `percentile` takes that of a
            number field in the bucket, `each` compares every single number with those of earlier buckets.
        bucket: length of a bucket; buckets are aligned to the clock (UTC).
        history: buckets in which something happened that are remembered.
        percentile: of the remembered buckets; `factor` times it is too much.
        floor: never alert below this.
        learn: remembered buckets before the first alert.
        empty: buckets in which nothing happened count as well, since the rule saw its first event of any group.
        of: for `percentile` and `each`: which percentile a bucket comes to.
        samples: for those: numbers without which a bucket says nothing; that of `each` then goes on until it has them.
    """

    measure: Measure = "count"
    field: str = ""
    bucket: str = "1h"
    history: Annotated[int, msgspec.Meta(ge=1, le=MAX_BUCKETS)] = 240
    percentile: Annotated[int, msgspec.Meta(ge=1, le=100)] = 99
    factor: Annotated[float, msgspec.Meta(gt=0, le=1_000_000)] = 5
    floor: Annotated[float, msgspec.Meta(ge=0)] = 1
    learn: Annotated[int, msgspec.Meta(ge=1, le=MAX_BUCKETS)] = 24
    empty: bool = False
    of: Annotated[int, msgspec.Meta(ge=1, le=100)] = 95
    samples: Annotated[int, msgspec.Meta(ge=1, le=MAX_SAMPLES)] = 50


class StepText(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """`step` as it is written: a number that jumps, or a clock that goes back, from one event of a group to the next.

    Args:
        field: a number, or `@timestamp`.
        over: a number may grow by so much.
        back: for `@timestamp`: by how much an event may lie before an earlier one of the group, as `2s`.
        by: for `@timestamp`: the number that says which of two events is the earlier one, in whatever order they come.
    """

    field: str
    over: Annotated[int, msgspec.Meta(ge=0)] = 1
    back: str = ""
    by: str = ""


class DormantText(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """`dormant` as it is written: a group that was silent for `idle`, and then shows `count` events `within` a time.

    Args:
        history: how long a silent group is remembered.
    """

    idle: str
    count: Annotated[int, msgspec.Meta(ge=1, le=MAX_STEPS)] = 1
    within: str = "5m"
    history: str = "400d"


class TravelText(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """`travel` as it is written: two events of a group that are farther apart than anybody gets in the time between.

    Args:
        field: a place, as `lat,lon`.
        distance: kilometres that it must be at the least; nearer is how exact such data are.
        speed: kilometres per hour that nobody exceeds.
        within: longest time between the two.
    """

    field: str = "source.geo.location"
    distance: Annotated[float, msgspec.Meta(gt=0, le=20_000)] = 500
    speed: Annotated[float, msgspec.Meta(gt=0, le=100_000)] = 900
    within: str = "12h"


class SteppingText(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """`stepping` as it is written: whole numbers that mostly go up or down by one from event to event of a group.

    Args:
        field: a number, or a text that is one; other values are passed over, and so is the same one again.
        count: different ones there must be.
        percent: more than so many of the steps are by one.
        within: time in which they come.
    """

    field: str
    count: Annotated[int, msgspec.Meta(ge=2, le=MAX_STEPS)] = 15
    percent: Annotated[int, msgspec.Meta(ge=1, le=99)] = 80
    within: str = "10m"


class Absence(Struct, frozen=True, kw_only=True, tag="absence"):
    """A group that was seen and then stays silent for `span_us`."""

    span_us: int


class NewTerms(Struct, frozen=True, kw_only=True, tag="new_terms"):
    """Values that a group, known for `after_us`, has not shown for `history_us`."""

    fields: tuple[str, ...]
    history_us: int
    after_us: int = 0


class Statistical(Struct, frozen=True, kw_only=True, tag="statistical"):
    """More in one bucket than `factor` times a percentile of the group's own past buckets; see `StatisticalText`."""

    measure: Measure
    field: str
    bucket_us: int
    history: int
    percentile: int
    factor: float
    floor: float
    learn: int
    empty: bool = False
    of: int = 95
    samples: int = 1


class Step(Struct, frozen=True, kw_only=True, tag="step"):
    """A number that grows by more than `over` from one event of a group to the next."""

    field: str
    over: int


class Backwards(Struct, frozen=True, kw_only=True, tag="backwards"):
    """An event that began and ended more than `by_us` before what its group wrote earlier, in the order of the trail or
    of the number in `order`."""

    by_us: int
    order: str = ""


class Dormant(Struct, frozen=True, kw_only=True, tag="dormant"):
    """`count` events within `span_us` of a group that was silent for longer than `idle_us`."""

    idle_us: int
    count: int
    span_us: int
    history_us: int


class Travel(Struct, frozen=True, kw_only=True, tag="travel"):
    """Two places of a group within `span_us`, at least `distance` km apart, reached at more than `speed` km/h."""

    field: str
    distance: float
    speed: float
    span_us: int


class Stepping(Struct, frozen=True, kw_only=True, tag="stepping"):
    """`count` different numbers of a group within `span_us`, of whose steps more than `percent` are by one."""

    field: str
    count: int
    percent: int
    span_us: int


Watch = Absence | NewTerms | Statistical | Step | Backwards | Dormant | Travel | Stepping
"""What a rule on single events looks at beyond the event itself."""
