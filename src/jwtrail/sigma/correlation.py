"""Sigma correlations as our own records."""

from typing import get_args

from msgspec.structs import replace
from sigma.correlations import (
    SigmaCorrelationRule,
    SigmaCorrelationType,
    SigmaExtendedCorrelationCondition,
)

from jwtrail.sigma.condition import MAX_COUNT, bounds_of, ordered_of, sooner, temporal_of
from jwtrail.sigma.document import Document
from jwtrail.sigma.errors import LowerError
from jwtrail.sigma.fieldmap import fields_for
from jwtrail.sigma.meta import read_extension, read_meta, read_span
from jwtrail.sigma.records import (
    Correlation,
    Meta,
    Share,
)
from jwtrail.sigma.shapes import (
    Bound,
    EventCount,
    Op,
    Shape,
    Temporal,
    TemporalCondition,
    TemporalOrdered,
    ValueAvg,
    ValueCount,
    ValueMeasure,
    ValueMedian,
    ValuePercentile,
    ValueSum,
)
from jwtrail.sigma.values import field_of

__all__ = ["MAX_COUNT", "MAX_RULES", "is_at_end", "parse_correlation", "read_correlation", "references"]

MAX_RULES = 32
"""Rules of one correlation."""

_MEASURES: dict[SigmaCorrelationType, type[ValueMeasure]] = {
    SigmaCorrelationType.VALUE_SUM: ValueSum,
    SigmaCorrelationType.VALUE_AVG: ValueAvg,
    SigmaCorrelationType.VALUE_MEDIAN: ValueMedian,
}


def parse_correlation(document: Document) -> SigmaCorrelationRule:
    """pySigma's reading of it. Of a range pySigma, which wants one comparison, gets to see the first; `condition` reads all."""
    data = document.data
    correlation = data["correlation"]
    condition = correlation.get("condition") if isinstance(correlation, dict) else None
    if isinstance(condition, dict):
        ops = [key for key in condition if key in get_args(Op)]
        one = {key: value for key, value in condition.items() if key not in ops[1:]}
        data = data | {"correlation": correlation | {"condition": one}}
    return SigmaCorrelationRule.from_dict(data)


def references(parsed: SigmaCorrelationRule) -> list[str]:
    """The rules a correlation refers to, by the names it uses."""
    if parsed.rules is not None:
        return [str(reference.reference) for reference in parsed.rules]
    assert isinstance(parsed.condition, SigmaExtendedCorrelationCondition)
    return parsed.condition.get_referenced_rules()


def is_at_end(shape: Shape) -> bool:
    """Whether only the end of its window tells if it fires."""
    if isinstance(shape, EventCount | ValueCount):
        return bool(shape.bounds)
    return isinstance(shape, ValueMeasure | TemporalCondition) and shape.at_end


def read_correlation(document: Document, parsed: SigmaCorrelationRule, ids: dict[str, str]) -> Correlation:
    """A correlation rule.

    Args:
        ids: the id of every rule that may be referred to, by id and by name.

    Raises:
        RuleError: it refers to what is not there, or uses what is not supported; the message names it.
    """
    names = references(parsed)
    rules = tuple(_reference(document, ids, name, number) for number, name in enumerate(names))
    if not rules:
        raise document.error("no rules", ("correlation", "rules"), "list the `rules:`")
    if len(rules) > MAX_RULES:
        raise document.error(f"more than {MAX_RULES} rules", ("correlation", "rules"))
    group_by = tuple(fields_for(field)[0] for field in parsed.group_by or ())
    aliases = _aliases(document, parsed, ids)
    for number, field in enumerate(group_by):
        if field not in aliases:
            _check_group_field(document, field, ("correlation", "group-by", number))
    span = read_span(document, parsed.timespan.spec, ("correlation", "timespan"))
    meta = read_meta(document, parsed)
    if meta.group_by:
        raise document.error("a correlation has its own group-by", ("jwtrail", "group-by"))
    shape = _shape(document, parsed, {name: number for number, name in enumerate(names)})
    if isinstance(shape, TemporalOrdered) and shape.guards:
        guards = {rule for rule, _ in shape.guards}
        # Steps first, then what must not come between: the steps keep their numbers.
        order = [*(n for n in range(len(rules)) if n not in guards), *sorted(guards)]
        rules = tuple(rules[number] for number in order)
        shape = TemporalOrdered(guards=tuple((order.index(rule), step) for rule, step in shape.guards))
    return Correlation(
        meta=_with_group(meta, group_by, span),
        shape=shape,
        rules=rules,
        span_us=span,
        aliases=aliases,
        share=_share(document, shape, ids),
    )


def _with_group(meta: Meta, group_by: tuple[str, ...], span: int) -> Meta:
    """After an alert a group is quiet for one time span unless the rule says otherwise."""
    return replace(meta, group_by=group_by, suppress_us=meta.suppress_us or span)


def _reference(document: Document, ids: dict[str, str], reference: str, number: int) -> str:
    found = ids.get(reference.lower())
    if found is None:
        raise document.error(
            f"no rule {reference!r} is loaded",
            ("correlation", "rules", number),
            "a rule is referred to by its `name:` or `id:`; if it is there, see its own error",
        )
    return found


def _share(document: Document, shape: Shape, ids: dict[str, str]) -> Share | None:
    extension = read_extension(document)
    for name in ("absence", "new_terms", "statistical", "step"):
        if getattr(extension, name):
            raise document.error(
                f"{name.replace('_', '-')} belongs to a rule on single events", ("jwtrail", name)
            )
    if extension.share is None:
        return None
    path = ("jwtrail", "share")
    if not isinstance(shape, EventCount | ValueCount) or shape.bounds:
        raise document.error("share wants an event_count or value_count with gt or gte", path)
    against = ids.get(extension.share.against.lower())
    if against is None:
        raise document.error(f"no rule {extension.share.against!r} is loaded", (*path, "against"))
    return Share(against=against, percent=extension.share.percent)


def _shape(document: Document, parsed: SigmaCorrelationRule, numbers: dict[str, int]) -> Shape:
    kind, condition = parsed.type, parsed.condition
    if isinstance(condition, SigmaExtendedCorrelationCondition):
        if kind is SigmaCorrelationType.TEMPORAL_ORDERED:
            return ordered_of(document, condition, numbers)
        return temporal_of(condition, numbers)
    if "condition" not in document.data["correlation"]:
        ordered = kind is SigmaCorrelationType.TEMPORAL_ORDERED
        return TemporalOrdered() if ordered else Temporal(count=len(numbers))
    fields = _value_fields(document, condition.fieldref)
    if kind in _MEASURES or kind is SigmaCorrelationType.VALUE_PERCENTILE:
        return _measure(document, parsed, fields)
    bounds = bounds_of(document, counted=True)
    count = _least(document, bounds) if sooner(bounds) else 0
    if kind is SigmaCorrelationType.EVENT_COUNT:
        return EventCount(count=count, bounds=() if count else bounds)
    if kind is SigmaCorrelationType.VALUE_COUNT:
        return ValueCount(count=count, fields=fields, bounds=() if count else bounds)
    if not count:
        raise document.error(
            "a number of rules is compared with gt or gte", ("correlation", "condition"), "or write out which"
        )
    if kind is SigmaCorrelationType.TEMPORAL:
        return Temporal(count=count)
    if count != len(numbers):
        raise document.error("an ordered correlation wants all of its rules", ("correlation", "condition"))
    return TemporalOrdered()


def _least(document: Document, bounds: tuple[Bound, ...]) -> int:
    """The least number that fulfils them; they only say above which."""
    least = max(int(bound.value) + (bound.op == "gt") for bound in bounds)
    if least < 1:
        raise document.error(
            f"the threshold must be a whole number from 1 to {MAX_COUNT}", ("correlation", "condition")
        )
    return least


def _measure(document: Document, parsed: SigmaCorrelationRule, fields: tuple[str, ...]) -> Shape:
    path = ("correlation", "condition", "field")
    if len(fields) != 1 or field_of(fields[0]).type != "long":
        raise document.error(f"{', '.join(fields)}: a measure wants one field that holds a number", path)
    bounds = bounds_of(document, counted=False)
    at_end = not sooner(bounds)
    if parsed.type is not SigmaCorrelationType.VALUE_PERCENTILE:
        return _MEASURES[parsed.type](field=fields[0], bounds=bounds, at_end=at_end)  # type: ignore[return-value]  # the table holds none but shapes
    percentile = parsed.condition.percentile  # type: ignore[union-attr]
    if percentile is None or not 1 <= percentile <= 100:
        raise document.error("percentile must be from 1 to 100", ("correlation", "condition", "percentile"))
    return ValuePercentile(field=fields[0], bounds=bounds, at_end=at_end, percentile=percentile)


def _value_fields(document: Document, given: str | list[str] | None) -> tuple[str, ...]:
    fields = (given,) if isinstance(given, str) else tuple(given or ())
    path = ("correlation", "condition", "field")
    for field in fields:
        try:
            found = field_of(str(field))
        except LowerError as error:
            raise document.error(error.message, path, error.hint) from None
        if found.many and len(fields) > 1:
            raise document.error(f"{field} holds a list and cannot be counted together with others", path)
    return tuple(fields_for(field)[0] for field in fields)


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
            made[alias.alias][rule] = fields_for(field)[0]
    return made


def _check_group_field(document: Document, field: str, path: tuple[str | int, ...]) -> None:
    try:
        found = field_of(field)
    except LowerError as error:
        raise document.error(error.message, path, error.hint) from None
    if found.many:
        raise document.error(f"{field} holds a list and cannot tell groups apart", path)
