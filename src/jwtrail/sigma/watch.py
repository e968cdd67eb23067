"""Reads what a rule on single events looks at beyond them: `absence`, `new-terms`, `travel` and the like under `jwtrail:`."""

from collections.abc import Iterable

from jwtrail.ecs.catalogue import near_miss, resolve
from jwtrail.sigma.document import Document, Path
from jwtrail.sigma.errors import LowerError
from jwtrail.sigma.fieldmap import fields_for
from jwtrail.sigma.meta import read_extension, read_span
from jwtrail.sigma.records import Extension
from jwtrail.sigma.values import field_of
from jwtrail.sigma.watches import (
    Absence,
    Backwards,
    Dormant,
    DormantText,
    NewTerms,
    NewTermsText,
    Statistical,
    StatisticalText,
    Step,
    Stepping,
    SteppingText,
    StepText,
    Travel,
    TravelText,
    Watch,
)

__all__ = ["MAX_HISTORY_US", "quiet_us", "read_watch"]

MAX_HISTORY_US = 400 * 86_400_000_000
"""Longest memory of values already seen, µs; a value costs some 100 bytes, however long it is remembered."""


def read_watch(document: Document) -> Watch | None:
    """The one extension of this rule, or None.

    Raises:
        RuleError: more than one, a field of the wrong type, or a time span that is none.
    """
    extension = read_extension(document)
    if extension.share is not None:
        raise document.error("share belongs to a correlation that counts", ("jwtrail", "share"))
    found = [name for name, value in _given(extension) if value]
    if len(found) > 1:
        raise document.error(
            f"{' and '.join(found)} in one rule", ("jwtrail", found[1]), "write a rule for each"
        )
    if extension.absence:
        return Absence(span_us=read_span(document, extension.absence, ("jwtrail", "absence")))
    if extension.new_terms is not None:
        return _new_terms(document, extension.new_terms)
    if extension.statistical is not None:
        return _statistical(document, extension.statistical)
    if extension.step is not None:
        return _step(document, extension.step)
    if extension.dormant is not None:
        return _dormant(document, extension.dormant)
    if extension.travel is not None:
        return _travel(document, extension.travel)
    return _stepping(document, extension.stepping) if extension.stepping is not None else None


def quiet_us(watch: Watch | None) -> int:
    """How long a group is quiet after an alert when the rule does not say: the time its watch looks at, µs."""
    match watch:
        case Statistical(bucket_us=span_us):
            return span_us
        case Dormant(span_us=span_us) | Travel(span_us=span_us) | Stepping(span_us=span_us):
            return span_us
    return 0


def _given(extension: Extension) -> Iterable[tuple[str, object]]:
    for name in ("absence", "new-terms", "statistical", "step", "dormant", "travel", "stepping"):
        yield name, getattr(extension, name.replace("-", "_"))


def _new_terms(document: Document, text: NewTermsText) -> NewTerms:
    path = ("jwtrail", "new-terms")
    for number, field in enumerate(text.fields):
        many = _check(document, field, (*path, "fields", number))
        if many and len(text.fields) > 1:
            raise document.error(f"{field} holds a list and cannot stand together with others", path)
    return NewTerms(
        fields=tuple(fields_for(field)[0] for field in text.fields),
        history_us=read_span(document, text.history, (*path, "history"), MAX_HISTORY_US),
        after_us=read_span(document, text.after, (*path, "after"), MAX_HISTORY_US) if text.after else 0,
    )


def _statistical(document: Document, text: StatisticalText) -> Statistical:
    path = ("jwtrail", "statistical")
    if text.measure == "count":
        if text.field:
            raise document.error("count looks at no field", (*path, "field"), "measure: sum or distinct")
    elif not text.field:
        raise document.error(f"{text.measure} of which field?", (*path, "measure"))
    else:
        _check(document, text.field, (*path, "field"), () if text.measure == "distinct" else ("long",))
    if text.empty and text.measure in ("percentile", "each"):
        raise document.error("an empty bucket has no numbers", (*path, "empty"))
    return Statistical(
        measure=text.measure,
        field=fields_for(text.field)[0] if text.field else "",
        bucket_us=read_span(document, text.bucket, (*path, "bucket")),
        history=text.history,
        percentile=text.percentile,
        factor=text.factor,
        floor=text.floor,
        learn=text.learn,
        empty=text.empty,
        of=text.of,
        samples=text.samples,
    )


def _step(document: Document, text: StepText) -> Step | Backwards:
    path = ("jwtrail", "step")
    if text.field == "@timestamp":
        if text.by:
            _check(document, text.by, (*path, "by"), ("long", "flattened"))
        by_us = read_span(document, text.back, (*path, "back"))
        return Backwards(by_us=by_us, order=fields_for(text.by)[0] if text.by else "")
    _check(document, text.field, (*path, "field"), ("long", "flattened"))
    if text.back:
        raise document.error("only @timestamp may go back", (*path, "back"), "leave it out")
    if text.by:
        raise document.error("only @timestamp is ordered by another number", (*path, "by"), "leave it out")
    return Step(field=fields_for(text.field)[0], over=text.over)


def _dormant(document: Document, text: DormantText) -> Dormant:
    path = ("jwtrail", "dormant")
    made = Dormant(
        idle_us=read_span(document, text.idle, (*path, "idle"), MAX_HISTORY_US),
        count=text.count,
        span_us=read_span(document, text.within, (*path, "within")),
        history_us=read_span(document, text.history, (*path, "history"), MAX_HISTORY_US),
    )
    if not 0 < made.idle_us < made.history_us:
        raise document.error("idle must be shorter than history", (*path, "idle"))
    return made


def _travel(document: Document, text: TravelText) -> Travel:
    path = ("jwtrail", "travel")
    found = resolve(fields_for(text.field)[0])
    if found is None or found[0].type != "geo_point":
        hint = (found is None and near_miss(text.field)) or "source.geo.location is one"
        raise document.error(f"{text.field} is not a place", (*path, "field"), hint)
    return Travel(
        field=fields_for(text.field)[0],
        distance=text.distance,
        speed=text.speed,
        span_us=read_span(document, text.within, (*path, "within")),
    )


def _stepping(document: Document, text: SteppingText) -> Stepping:
    path = ("jwtrail", "stepping")
    _check(document, text.field, (*path, "field"), ("long", "keyword"))
    return Stepping(
        field=fields_for(text.field)[0],
        count=text.count,
        percent=text.percent,
        span_us=read_span(document, text.within, (*path, "within")),
    )


def _check(document: Document, name: str, path: Path, types: tuple[str, ...] = ()) -> bool:
    """Whether the field holds a list."""
    try:
        field = field_of(name)
    except LowerError as error:
        raise document.error(error.message, path, error.hint) from None
    if types and field.type not in types:
        raise document.error(f"{name} is a {field.type}, not a number", path)
    return field.many
