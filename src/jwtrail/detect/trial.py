"""Why a rule did or did not look at one event: every condition of it, tried alone."""

from collections.abc import Callable, Iterator

from msgspec import Struct

from jwtrail.detect.engine import SELF_INFLICTED
from jwtrail.detect.ruleset import RuleSet
from jwtrail.ecs import Event
from jwtrail.predicate import ir
from jwtrail.predicate.python import compile_predicate
from jwtrail.predicate.text import to_text
from jwtrail.sigma import Correlation, Meta, Rule

__all__ = ["MAX_CONDITIONS", "MAX_NEAR", "Condition", "Trial", "Tried", "tried"]

MAX_CONDITIONS = 24
"""Conditions of one rule that are told: what a person reads."""

MAX_NEAR = 10
"""Rules that nearly looked at it."""

MAX_WORDS = 160
"""Characters of one condition; lists of scanners are longer."""


class Condition(Struct, frozen=True):
    """One condition of a rule.

    Args:
        text: as in `jwtrail kql --to text`.
        wanted: false where the rule wants it not to hold.
        holds: whether it does.
    """

    text: str
    wanted: bool
    holds: bool

    @property
    def fits(self) -> bool:
        """Whether it is as the rule wants it."""
        return self.holds == self.wanted


class Tried(Struct, frozen=True, kw_only=True):
    """What one rule made of the event.

    Args:
        matched: whether the event fits the rule.
        conditions: each of them; in an alternative only those that hold, when one does.
        feeds: codes of the correlations that count events of this rule.
        alone: whether a match raises an alert by itself.
        beside: fields that tell whose earlier events a match is held against; empty where it is not, or against all.
        compares: whether a match is held against earlier events, and alerts only when it is out of the usual.
    """

    rule: str
    code: str
    title: str
    matched: bool
    conditions: tuple[Condition, ...]
    feeds: tuple[str, ...] = ()
    alone: bool = True
    beside: tuple[str, ...] = ()
    compares: bool = False


class Trial(Struct, frozen=True, kw_only=True):
    """What all rules in use made of the event.

    Args:
        rules: how many were tried.
        ignored: why none of them counts the event; empty when they do.
        near: those that find in it all that they look for, and that one exception alone kept from it.
    """

    rules: int
    ignored: str
    matched: tuple[Tried, ...]
    near: tuple[Tried, ...]


def tried(ruleset: RuleSet, event: Event) -> Trial:
    """Try every rule in use on one event."""
    active = ruleset.active()
    above = _correlations_above(active.correlations)
    everything = [_tried(rule, event, above, active.alerting) for rule in active.rules]
    matched = tuple(one for one in everything if one.matched)
    missed = [one for one in everything if not one.matched and _is_near(one.conditions)]
    return Trial(
        rules=len(everything),
        ignored=_ignored(event),
        matched=matched,
        near=tuple(missed[:MAX_NEAR]),
    )


def _ignored(event: Event) -> str:
    if event.event_kind == "alert":
        return "alerts do not alert"
    if event.jwtrail_flags and SELF_INFLICTED in event.jwtrail_flags:
        return "our own answer caused it"
    return ""


def _is_near(conditions: tuple[Condition, ...]) -> bool:
    """Whether one exception is all that is in the way; what is simply another event is not near."""
    missing = [condition for condition in conditions if not condition.fits]
    return len(missing) == 1 < len(conditions) and not missing[0].wanted


def _tried(rule: Rule, event: Event, above: dict[str, tuple[str, ...]], alerting: frozenset[str]) -> Tried:
    def holds(node: ir.Predicate) -> bool:
        return compile_predicate(node)(event)

    matched = holds(rule.predicate)
    conditions = list(_conditions(rule.predicate, holds, wanted=True))
    return Tried(
        rule=rule.meta.id,
        code=rule.meta.code,
        title=rule.meta.title,
        matched=matched,
        conditions=tuple(conditions[:MAX_CONDITIONS]),
        feeds=above.get(rule.meta.id, ()),
        alone=rule.meta.id in alerting and rule.watch is None,
        beside=rule.meta.group_by if rule.watch is not None else (),
        compares=rule.watch is not None,
    )


def _conditions(
    node: ir.Predicate, holds: Callable[[ir.Predicate], bool], *, wanted: bool
) -> Iterator[Condition]:
    """The conditions that all must be as wanted. An alternative is one condition, told by what decides it."""
    match node:
        case ir.And(items=items) if wanted:
            for item in items:
                yield from _conditions(item, holds, wanted=True)
        case ir.Or(items=items) if not wanted:
            for item in items:
                yield from _conditions(item, holds, wanted=False)
        case ir.Not(item=item):
            yield from _conditions(item, holds, wanted=not wanted)
        case ir.Or(items=items):
            true = next((item for item in items if holds(item)), None)
            yield Condition(_cut(to_text(node if true is None else true)), wanted, true is not None)
        case _:
            yield Condition(_cut(to_text(node)), wanted, holds(node))


def _cut(text: str) -> str:
    return text if len(text) <= MAX_WORDS else text[: MAX_WORDS - 1] + "…"


def _correlations_above(correlations: tuple[Correlation, ...]) -> dict[str, tuple[str, ...]]:
    """For each rule the codes of the correlations it reaches, over others too."""
    direct: dict[str, list[Meta]] = {}
    for one in correlations:
        for source in one.sources:
            direct.setdefault(source, []).append(one.meta)
    found: dict[str, tuple[str, ...]] = {}
    for rule in direct:
        reached: dict[str, Meta] = {}
        todo = [rule]
        while todo:
            for meta in direct.get(todo.pop(), ()):
                if meta.id not in reached:
                    reached[meta.id] = meta
                    todo.append(meta.id)
        found[rule] = tuple(sorted({meta.code or meta.title for meta in reached.values()}))
    return found
