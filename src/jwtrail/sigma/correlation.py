"""Sigma correlations as our own records."""

from typing import Any

from msgspec.structs import replace
from sigma.correlations import (
    SigmaCorrelationCondition,
    SigmaCorrelationConditionOperator,
    SigmaCorrelationRule,
    SigmaCorrelationType,
)

from jwtrail.sigma.document import Document
from jwtrail.sigma.errors import LowerError
from jwtrail.sigma.meta import read_meta, read_span
from jwtrail.sigma.records import Correlation, EventCount, Meta, Shape, Temporal, TemporalOrdered, ValueCount
from jwtrail.sigma.values import field_of

__all__ = ["MAX_COUNT", "MAX_RULES", "read_correlation"]

MAX_COUNT = 100_000
"""Highest threshold: a group keeps that many entries."""

MAX_RULES = 32
"""Rules of one correlation."""

_AT_EXPIRY = "lt, lte, eq and neq are only known when the window ends, and are not supported yet"


def read_correlation(document: Document, parsed: SigmaCorrelationRule, ids: dict[str, str]) -> Correlation:
    """A correlation rule.

    Args:
        ids: the id of every rule that may be referred to, by id and by name.

    Raises:
        RuleError: it refers to what is not there, or uses what is not supported; the message names it.
    """
    rules = tuple(
        _reference(document, ids, ref.reference, number) for number, ref in enumerate(parsed.rules or ())
    )
    if not rules:
        raise document.error(
            "extended temporal conditions are not supported yet",
            ("correlation", "condition"),
            "list the `rules:`",
        )
    if len(rules) > MAX_RULES:
        raise document.error(f"more than {MAX_RULES} rules", ("correlation", "rules"))
    group_by = tuple(parsed.group_by or ())
    aliases = _aliases(document, parsed, ids)
    for number, field in enumerate(group_by):
        if field not in aliases:
            _check_group_field(document, field, ("correlation", "group-by", number))
    span = read_span(document, parsed.timespan.spec, ("correlation", "timespan"))
    meta = read_meta(document, parsed)
    if meta.group_by:
        raise document.error("a correlation has its own group-by", ("jwtrail", "group-by"))
    return Correlation(
        meta=_with_group(meta, group_by, span),
        shape=_shape(document, parsed, len(rules)),
        rules=rules,
        span_us=span,
        aliases=aliases,
    )


def _with_group(meta: Meta, group_by: tuple[str, ...], span: int) -> Meta:
    """After an alert a group is quiet for one time span unless the rule says otherwise."""
    return replace(meta, group_by=group_by, suppress_us=meta.suppress_us or span)


def _reference(document: Document, ids: dict[str, str], reference: Any, number: int) -> str:
    found = ids.get(str(reference).lower())
    if found is None:
        raise document.error(
            f"no rule {reference!r} is loaded",
            ("correlation", "rules", number),
            "a rule is referred to by its `name:` or `id:`; if it is there, see its own error",
        )
    return found


def _shape(document: Document, parsed: SigmaCorrelationRule, rules: int) -> Shape:
    condition = parsed.condition
    if not isinstance(condition, SigmaCorrelationCondition):
        raise document.error(
            "extended temporal conditions are not supported yet", ("correlation", "condition")
        )
    kind = parsed.type
    if kind is SigmaCorrelationType.TEMPORAL_ORDERED:
        if _threshold(document, condition) != rules:
            raise document.error(
                "an ordered correlation wants all of its rules", ("correlation", "condition")
            )
        return TemporalOrdered()
    count = _threshold(document, condition)
    if kind is SigmaCorrelationType.EVENT_COUNT:
        return EventCount(count=count)
    if kind is SigmaCorrelationType.TEMPORAL:
        return Temporal(count=count)
    if kind is SigmaCorrelationType.VALUE_COUNT:
        return ValueCount(count=count, fields=_value_fields(document, condition))
    raise document.error(f"{kind.name.lower()} is not supported yet", ("correlation", "type"))


def _threshold(document: Document, condition: SigmaCorrelationCondition) -> int:
    """The least number that fulfils the condition."""
    path = ("correlation", "condition")
    if condition.op is SigmaCorrelationConditionOperator.GTE:
        count = condition.count
    elif condition.op is SigmaCorrelationConditionOperator.GT:
        count = condition.count + 1
    else:
        raise document.error(_AT_EXPIRY, path, "use gte or gt")
    if not isinstance(count, int) or not 1 <= count <= MAX_COUNT:
        raise document.error(f"the threshold must be a whole number from 1 to {MAX_COUNT}", path)
    return count


def _value_fields(document: Document, condition: SigmaCorrelationCondition) -> tuple[str, ...]:
    given = condition.fieldref
    fields = (given,) if isinstance(given, str) else tuple(given or ())
    path = ("correlation", "condition", "field")
    for field in fields:
        try:
            found = field_of(str(field))
        except LowerError as error:
            raise document.error(error.message, path, error.hint) from None
        if found.many and len(fields) > 1:
            raise document.error(f"{field} holds a list and cannot be counted together with others", path)
    return fields


def _aliases(
    document: Document, parsed: SigmaCorrelationRule, ids: dict[str, str]
) -> dict[str, dict[str, str]]:
    made: dict[str, dict[str, str]] = {}
    for alias in parsed.aliases:
        made[alias.alias] = {}
        for reference, field in alias.mapping.items():
            path = ("correlation", "aliases", alias.alias, reference.reference)
            _check_group_field(document, field, path)
            rule = ids.get(reference.reference.lower())
            if rule is None:
                raise document.error(f"no rule {reference.reference!r} is loaded", path)
            made[alias.alias][rule] = field
    return made


def _check_group_field(document: Document, field: str, path: tuple[str | int, ...]) -> None:
    try:
        found = field_of(field)
    except LowerError as error:
        raise document.error(error.message, path, error.hint) from None
    if found.many:
        raise document.error(f"{field} holds a list and cannot tell groups apart", path)
