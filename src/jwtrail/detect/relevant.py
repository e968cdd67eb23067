"""What a rule must see of the past to say what it would have said live: which of its events can be left out, and why.

Each test below is a condition without which no window of a group can fire. It holds for every part of a group's events if
it holds for all of them, so a rule that gets more than it needs is not led astray; what must be complete is every window
that passes. A rule without a test needs every event that fits it.
"""

from collections.abc import Iterable

from msgspec import Struct

from jwtrail.detect.machines import fulfilled
from jwtrail.detect.ruleset import Active, asks_for_alerts
from jwtrail.ecs.catalogue import resolve
from jwtrail.predicate.leaves import fields_in
from jwtrail.sigma import (
    Backwards,
    Correlation,
    Dormant,
    EventCount,
    NewTerms,
    Rule,
    Shape,
    Statistical,
    Step,
    Stepping,
    Temporal,
    TemporalCondition,
    TemporalOrdered,
    Travel,
    ValueCount,
    ValueMeasure,
    ValueSum,
    Watch,
)

__all__ = [
    "Crowded",
    "Fresh",
    "Keys",
    "Linked",
    "Need",
    "Peaked",
    "Silent",
    "Stepped",
    "Summed",
    "Test",
    "Turned",
    "fields_of",
    "needs_of",
]

_ALWAYS = (
    *("@timestamp", "event.id", "event.sequence", "event.kind", "jwtrail.flags"),
    *("jwt.jti", "jwt.family", "user.id", "source.ip", "http.route"),
)
"""Fields that a detector looks at whatever the rules are; the second line is what alerts tell of whom to act on."""

_DURATION = "event.duration"

_OTHERS = ("flattened", "boolean", "date")

Keys = dict[str, tuple[str, ...]]
"""By the id of a rule on single events: the fields that tell its groups apart, as they are called in its events."""


class Crowded(Struct, frozen=True):
    """Some window of `span_us` holds `count` of the group's events, or so many different values of some fields."""

    count: int
    span_us: int
    values: tuple[str, ...] = ()


class Summed(Struct, frozen=True):
    """The positive numbers of some window come to `least`.

    Args:
        calendar: windows begin at multiples of their length, and a late event counts in the window that runs then.
    """

    field: str
    least: float
    span_us: int
    calendar: bool = False


class Peaked(Struct, frozen=True):
    """In a stretch of `span_us` at least `count` numbers are `least` or more."""

    field: str
    least: float
    count: int
    span_us: int


class Linked(Struct, frozen=True):
    """The group has an event of each of these rules."""

    rules: tuple[str, ...]


class Fresh(Struct, frozen=True):
    """Single events, not groups: those whose value the group has not shown within `history_us` before."""

    field: str
    history_us: int


class Stepped(Struct, frozen=True):
    """The number grows by more than `over` from what it was to one of the group's events."""

    field: str
    over: int


class Turned(Struct, frozen=True):
    """An event that has a duration ended more than `by_us` before an earlier one of the group did."""

    field: str
    by_us: int


class Silent(Struct, frozen=True):
    """The group says nothing for `idle_us` between two of its events."""

    idle_us: int


Test = Crowded | Summed | Peaked | Linked | Fresh | Stepped | Turned | Silent


class Need(Struct, frozen=True, kw_only=True):
    """What one rule looks at.

    Args:
        rule: its id.
        rules: ids of the rules on single events that the test is about; `more` are those whose events it also needs of a
            group that passes.
        test: None when it needs every event of all of them.
    """

    rule: str
    rules: tuple[str, ...]
    keys: Keys
    test: Test | None = None
    more: tuple[str, ...] = ()

    @property
    def sources(self) -> tuple[str, ...]:
        """Every rule on single events whose events it takes."""
        return (*self.rules, *self.more)


def needs_of(active: Active) -> list[Need]:
    """What the rules in use look at; together they name every rule on single events that matters."""
    plain = {rule.meta.id for rule in active.rules if rule.watch is None}
    watched = [_of_rule(rule) for rule in active.rules if rule.watch is not None]
    alone = [
        Need(rule=rule.meta.id, rules=(rule.meta.id,), keys={})
        for rule in active.rules
        if rule.watch is None and rule.meta.id in active.alerting
    ]
    return [*watched, *alone, *(_of_correlation(one, plain) for one in active.correlations)]


def fields_of(active: Active) -> frozenset[str] | None:
    """The fields that the rules in use and their alerts look at; None for all."""
    found = set(_ALWAYS)
    predicates = [rule.predicate for rule in active.rules]
    predicates += [one.allow for one in active.correlations if one.allow is not None]
    for predicate in predicates:
        asked = fields_in(predicate)
        if asked is None:
            return None
        found |= asked
    for rule in active.everything():
        found.update(
            rule.meta.group_by, _counted_in(rule.shape if isinstance(rule, Correlation) else rule.watch)
        )
    for correlation in active.correlations:
        found.update(name for names in correlation.aliases.values() for name in names.values())
    return frozenset(one[0].name for name in found if (one := resolve(name)) is not None)


def _counted_in(about: Shape | Watch | None) -> tuple[str, ...]:
    match about:
        case ValueMeasure(field=field) | Step(field=field) | Statistical(field=field):
            return (field,)
        case Travel(field=field) | Stepping(field=field):
            return (field,)
        case Backwards(order=order):
            return (_DURATION, order) if order else (_DURATION,)
        case ValueCount(fields=fields) | NewTerms(fields=fields):
            return fields
    return ()


def _of_rule(rule: Rule) -> Need:
    keys = {rule.meta.id: rule.meta.group_by}
    # The tests do not look at alerts, which all other rules pass over.
    test = _watched(rule) if _single(keys.values()) and not asks_for_alerts(rule.predicate) else None
    return Need(rule=rule.meta.id, rules=(rule.meta.id,), keys=keys, test=test)


def _watched(rule: Rule) -> Test | None:
    match rule.watch:
        case NewTerms(fields=(field,), history_us=history_us) if _single([(field,)]):
            return Fresh(field, history_us)
        case Step(field=field, over=over):
            return Stepped(field, over)
        case Statistical(measure="sum", field=field, floor=floor, bucket_us=bucket_us) if floor > 0:
            return Summed(field, floor, bucket_us, calendar=True)
        case Statistical(measure="each" | "percentile", field=field, floor=floor) as watch if floor > 0:
            above = (
                watch.samples - -(-watch.of * watch.samples // 100) + 1
            )  # that do not lie below the percentile
            return Peaked(field, floor, 1 if watch.measure == "each" else above, watch.bucket_us)
        case Backwards(by_us=by_us, order=""):
            return Turned(_DURATION, by_us)
        case Dormant(idle_us=idle_us):
            return Silent(idle_us)
        case Travel(field=field, span_us=span_us) if _single([(field,)]):
            return Crowded(2, span_us, (field,))
        case Stepping(field=field, span_us=span_us, count=count) if _single([(field,)]):
            return Crowded(count, span_us, (field,))
    return None


def _of_correlation(one: Correlation, plain: Iterable[str]) -> Need:
    """Events that only another correlation (or a rule with a watch) hands on are there because that one needs them."""
    own = tuple(dict.fromkeys(source for source in one.rules if source in plain))
    against = (one.share.against,) if one.share is not None and one.share.against in plain else ()
    keys = {
        source: tuple(one.aliases.get(field, {}).get(source, field) for field in one.meta.group_by)
        for source in (*own, *against)
    }
    test = _counted(one) if len(own) == len(set(one.rules)) and _single(keys.values()) else None
    return Need(rule=one.meta.id, rules=own, keys=keys, test=test, more=against)


def _counted(one: Correlation) -> Test | None:
    match one.shape:
        case EventCount(count=count, bounds=()):
            return Crowded(count, one.span_us)
        case ValueCount(count=count, fields=fields, bounds=()) if _single([fields]):
            return Crowded(count, one.span_us, fields)
        case ValueSum(field=field, bounds=bounds, at_end=False):
            least = max((bound.value for bound in bounds if bound.op in ("gt", "gte")), default=0)
            return Summed(field, least, one.span_us) if least > 0 else None
        case Temporal(count=count) if count == len(one.rules):
            return Linked(one.rules)
        case TemporalOrdered(guards=guards):
            guarded = {step for step, _ in guards}
            return Linked(tuple(rule for step, rule in enumerate(one.rules) if step not in guarded))
        case TemporalCondition(condition=condition, at_end=False):
            needed = [
                rule
                for step, rule in enumerate(one.rules)
                if not fulfilled(condition, [other != step for other in range(len(one.rules))])
            ]
            return Linked(tuple(needed)) if needed else None
    return None


def _single(keys: Iterable[tuple[str, ...]]) -> bool:
    """Each field is one text or number: what SQL and Python make the same text of."""
    found = [resolve(name) for fields in keys for name in fields]
    return all(one is not None and not one[0].many and one[0].type not in _OTHERS for one in found)
