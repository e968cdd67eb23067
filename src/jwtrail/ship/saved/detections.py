"""Our rules as detection rules of Elastic Security, where they can be expressed; the others are named with the reason.

Conditions go as query DSL in `filters`, which says them exactly as our own searches there do; KQL compares keywords with
their case and our rules do not. Sequences go as EQL.
"""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from jwtrail.detect.ruleset import RuleSet
from jwtrail.elastic.streams import PATTERN
from jwtrail.errors import PredicateError
from jwtrail.predicate.dsl import to_dsl
from jwtrail.predicate.ir import And, Not, Or, Predicate
from jwtrail.ship.saved.eql import to_eql
from jwtrail.sigma import Correlation, Meta, NewTerms, Rule
from jwtrail.sigma.shapes import EventCount, TemporalOrdered, ValueCount

__all__ = ["MAX_KEYS", "Exported", "NotExpressed", "elastic_rules"]

MAX_KEYS = 3
"""Fields that Elastic groups a threshold by, or looks for new values of, at the most."""

EVERY_S = 60
"""How often Elastic asks. A threshold looks back so much further, that nothing falls between two askings."""

_MINUTE_US = 60_000_000
_DAY_US = 86_400_000_000
_RISK = {"informational": 1, "low": 21, "medium": 47, "high": 73, "critical": 99}


class NotExpressed(Struct, frozen=True):
    """A rule that Elastic cannot say, and why."""

    id: str
    code: str
    title: str
    why: str


class Exported(Struct, frozen=True):
    """What can be imported there, and what cannot."""

    rules: tuple[dict[str, Any], ...]
    left_out: tuple[NotExpressed, ...]


def elastic_rules(ruleset: RuleSet) -> Exported:
    """Every rule that is on and alerts, with the operator's lists, thresholds and exceptions."""
    active = ruleset.active()
    known = {rule.meta.id: rule for rule in active.rules}
    made: list[dict[str, Any]] = []
    left_out: list[NotExpressed] = []
    for one in active.everything():
        if one.meta.id not in active.alerting:
            continue
        try:
            special = _single(one) if isinstance(one, Rule) else _several(one, known)
        except PredicateError as error:
            left_out.append(NotExpressed(one.meta.id, one.meta.code, one.meta.title, error.message))
        else:
            made.append({**_common(one.meta), **special})
    return Exported(tuple(made), tuple(left_out))


def _common(meta: Meta) -> dict[str, Any]:
    """What every kind of rule has."""
    return {
        "rule_id": meta.id,
        "name": f"{meta.code} {meta.title}".strip(),
        "description": meta.description or meta.title,
        "severity": "low" if meta.level == "informational" else meta.level,
        "risk_score": _RISK[meta.level],
        "tags": ["jwtrail", *meta.tags],
        "author": [meta.author] if meta.author else [],
        "references": list(meta.references),
        "false_positives": list(meta.falsepositives),
        "index": [PATTERN],
        "enabled": False,
        "interval": f"{EVERY_S}s",
        "from": f"now-{2 * EVERY_S}s",
        "to": "now",
        "max_signals": 100,
        "threat": [],
        "actions": [],
        "exceptions_list": [],
    }


def _single(rule: Rule) -> dict[str, Any]:
    if rule.watch is None:
        return {"type": "query", **_query(rule.predicate)}
    if not isinstance(rule.watch, NewTerms):
        raise PredicateError(f"compares a group with its own past ({type(rule.watch).__name__.lower()})")
    watch, group = rule.watch, rule.meta.group_by
    if watch.after_us and group:
        raise PredicateError(
            f"waits until it knows a group; there, each new {' and '.join(group)} would alert"
        )
    return {
        "type": "new_terms",
        **_query(rule.predicate),
        "new_terms_fields": _keys((*group, *watch.fields)),
        "history_window_start": f"now-{watch.history_us // _DAY_US}d",
    }


def _several(one: Correlation, known: dict[str, Rule]) -> dict[str, Any]:
    parts = tuple(known[name] for name in one.rules if name in known)
    if len(parts) < len(one.rules) or any(part.watch for part in parts):
        raise PredicateError("is made of rules that look at several events themselves")
    if one.share is not None:
        raise PredicateError("compares two counts with each other")
    for kind, write in _WRITERS.items():
        if isinstance(one.shape, kind):
            return write(one, parts)
    raise PredicateError(_UNSAID.get(type(one.shape).__name__, "has a form that Elastic does not know"))


def _counted(one: Correlation, parts: tuple[Rule, ...]) -> dict[str, Any]:
    assert isinstance(one.shape, EventCount)
    return _threshold(one, parts, {"value": _enough(one.shape)})


def _distinct(one: Correlation, parts: tuple[Rule, ...]) -> dict[str, Any]:
    assert isinstance(one.shape, ValueCount)
    if len(one.shape.fields) > 1:
        raise PredicateError("counts values of several fields together")
    cardinality = [{"field": one.shape.fields[0], "value": _enough(one.shape)}]
    return _threshold(one, parts, {"value": 1, "cardinality": cardinality})


def _enough(shape: EventCount | ValueCount) -> int:
    if shape.bounds:
        raise PredicateError("is decided only when its window has ended")
    return shape.count


def _threshold(one: Correlation, parts: tuple[Rule, ...], what: dict[str, Any]) -> dict[str, Any]:
    if one.aliases:
        raise PredicateError("groups by fields of different names")
    predicate: Predicate = Or(items=tuple(part.predicate for part in parts))
    return {
        "type": "threshold",
        **_query(_allowed(predicate, one)),
        "threshold": {"field": _keys(one.meta.group_by), **what},
        "from": f"now-{one.span_us // 1_000_000 + EVERY_S}s",
    }


def _sequence(one: Correlation, parts: tuple[Rule, ...]) -> dict[str, Any]:
    assert isinstance(one.shape, TemporalOrdered)
    if one.shape.guards:
        raise PredicateError("ends when something else happens in between")
    steps = []
    for part in parts:
        names = [one.aliases.get(field, {}).get(part.meta.id, field) for field in one.meta.group_by]
        by = f" by {', '.join(names)}" if names else ""
        steps.append(f"  [any where {to_eql(_allowed(part.predicate, one))}]{by}")
    span_s = one.span_us // 1_000_000
    return {
        "type": "eql",
        "language": "eql",
        "query": "\n".join((f"sequence with maxspan={span_s}s", *steps)),
        "filters": [],
        "from": f"now-{span_s + EVERY_S}s",
    }


_WRITERS: dict[type, Callable[[Correlation, tuple[Rule, ...]], dict[str, Any]]] = {
    EventCount: _counted,
    ValueCount: _distinct,
    TemporalOrdered: _sequence,
}
_UNSAID = {
    "Temporal": "wants several rules in any order",
    "TemporalCondition": "wants a combination of rules in any order",
    "ValueSum": "adds up a field",
    "ValueAvg": "takes the mean of a field",
    "ValueMedian": "takes the median of a field",
    "ValuePercentile": "takes a percentile of a field",
}


def _allowed(predicate: Predicate, one: Correlation) -> Predicate:
    """Without what the operator lets pass."""
    return predicate if one.allow is None else And(items=(predicate, Not(item=one.allow)))


def _query(predicate: Predicate) -> dict[str, Any]:
    query = to_dsl(predicate)
    meta = {"type": "custom", "alias": "jwtrail", "disabled": False, "negate": False, "key": "query"}
    shown = {"meta": meta, "query": query, "$state": {"store": "appState"}}
    return {"language": "kuery", "query": "", "filters": [shown]}


def _keys(fields: tuple[str, ...]) -> list[str]:
    if len(fields) > MAX_KEYS:
        raise PredicateError(f"groups by {len(fields)} fields; Elastic takes {MAX_KEYS}")
    return list(fields)
