"""What a rule on single events looks at beyond them: `absence`, `new-terms`, `statistical` and `step` under `jwtrail:`."""

from collections.abc import Iterable

from jwtrail.sigma.document import Document, Path
from jwtrail.sigma.errors import LowerError
from jwtrail.sigma.fieldmap import fields_for
from jwtrail.sigma.meta import read_extension, read_span
from jwtrail.sigma.records import (
    Absence,
    Extension,
    NewTerms,
    NewTermsText,
    Statistical,
    StatisticalText,
    Step,
    Watch,
)
from jwtrail.sigma.values import field_of

__all__ = ["MAX_HISTORY_US", "read_watch"]

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
        _check(document, extension.step.field, ("jwtrail", "step", "field"), ("long", "flattened"))
    return extension.step


def _given(extension: Extension) -> Iterable[tuple[str, str | NewTermsText | StatisticalText | Step | None]]:
    yield "absence", extension.absence
    yield "new-terms", extension.new_terms
    yield "statistical", extension.statistical
    yield "step", extension.step


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
        _check(document, text.field, (*path, "field"), ("long",) if text.measure == "sum" else ())
    return Statistical(
        measure=text.measure,
        field=fields_for(text.field)[0] if text.field else "",
        bucket_us=read_span(document, text.bucket, (*path, "bucket")),
        history=text.history,
        percentile=text.percentile,
        factor=text.factor,
        floor=text.floor,
        learn=text.learn,
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
