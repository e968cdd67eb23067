"""What the operator knows about this service, applied to loaded rules: thresholds, time spans, what a rule leaves alone."""

from collections.abc import Mapping
from typing import Protocol

from msgspec.structs import replace
from sigma.types import SigmaString

from jwtrail.errors import ConfigError, PredicateError
from jwtrail.predicate import ir
from jwtrail.predicate.python import compile_predicate
from jwtrail.sigma import Correlation, EventCount, Rule, Temporal, ValueCount, ValueMeasure
from jwtrail.sigma.errors import LowerError
from jwtrail.sigma.meta import MAX_SPAN_US
from jwtrail.sigma.values import lower_value

__all__ = ["LISTS", "Tuned", "tuned_correlation", "tuned_rule", "with_ttl"]

LISTS = (
    "account_routes",
    "admin_routes",
    "batch_clients",
    "break_glass",
    "egress_networks",
    "export_routes",
    "flow_routes",
    "health_probes",
    "hosting_networks",
    "public_routes",
    "scanners",
    "shared_networks",
)
"""Placeholders that packaged rules use (`%admin_routes%`); each is a setting of its own and fits nothing while it is empty."""


class Tuned(Protocol):
    """A table `[detect.tune.CODE]`: `config.Tuning`."""

    @property
    def threshold(self) -> float | None:
        """In place of the number that the rule compares with."""

    @property
    def minutes(self) -> float | None:
        """In place of the rule's time span."""

    @property
    def allow(self) -> Mapping[str, tuple[str, ...]]:
        """Events with one of these values are not seen by the rule."""


def tuned_rule(rule: Rule, tuning: Tuned, code: str) -> Rule:
    """A rule on single events with an allow-list.

    Raises:
        ConfigError: a threshold or time span, which it does not have, or an allow-list that makes no sense.
    """
    if tuning.threshold is not None or tuning.minutes is not None:
        raise _wrong(code, "looks at single events: only `allow` can be set")
    if not tuning.allow:
        return rule
    return replace(rule, predicate=ir.And(items=(rule.predicate, ir.Not(item=_allowed(tuning.allow, code)))))


def tuned_correlation(rule: Correlation, tuning: Tuned, code: str) -> Correlation:
    """A correlation with another threshold, another time span, or an allow-list.

    Raises:
        ConfigError: as `tuned_rule`, or a threshold that its form does not have.
    """
    if tuning.threshold is not None:
        rule = _with_threshold(rule, tuning.threshold, code)
    if tuning.minutes is not None:
        span_us = round(tuning.minutes * 60_000_000)
        if not 0 < span_us <= MAX_SPAN_US:
            raise _wrong(code, "minutes must be above 0 and at most 32 days")
        quiet_us = span_us if rule.meta.suppress_us == rule.span_us else rule.meta.suppress_us
        rule = replace(rule, span_us=span_us, meta=replace(rule.meta, suppress_us=quiet_us))
    if tuning.allow:
        rule = replace(rule, allow=_allowed(tuning.allow, code))
    return rule


def _with_threshold(rule: Correlation, threshold: float, code: str) -> Correlation:
    shape = rule.shape
    if isinstance(shape, EventCount | ValueCount | Temporal) and shape.count:
        if threshold < 1 or not float(threshold).is_integer():
            raise _wrong(code, "threshold must be a whole number above 0")
        return replace(rule, shape=replace(shape, count=int(threshold)))
    bounds = shape.bounds if isinstance(shape, EventCount | ValueCount | ValueMeasure) else ()
    if len(bounds) != 1:
        raise _wrong(code, "compares with no number, or with several")
    return replace(rule, shape=replace(shape, bounds=(replace(bounds[0], value=threshold),)))


def _allowed(allow: Mapping[str, tuple[str, ...]], code: str) -> ir.Predicate:
    try:
        items = tuple(lower_value(field, SigmaString(value)) for field in allow for value in allow[field])
        predicate = ir.Or(items=items)
        compile_predicate(predicate)
    except (LowerError, PredicateError) as error:
        raise _wrong(code, error.message, error.hint) from None
    return predicate


def with_ttl(rule: Rule, seconds: int) -> Rule:
    """The rule with every comparison of `jwt.ttl` made with this policy's number."""
    return replace(rule, predicate=_compared(rule.predicate, seconds))


def _compared(node: ir.Predicate, seconds: int) -> ir.Predicate:
    match node:
        case ir.And(items=items) | ir.Or(items=items):
            return replace(node, items=tuple(_compared(item, seconds) for item in items))
        case ir.Not(item=item):
            return replace(node, item=_compared(item, seconds))
        case ir.Range(field="jwt.ttl"):
            return replace(node, value=seconds)
    return node


def _wrong(code: str, message: str, hint: str = "") -> ConfigError:
    return ConfigError(message, where=f"[detect.tune.{code}]", hint=hint)
