"""One Sigma value on one field as a predicate. What it cannot say exactly it refuses by name."""

import ipaddress
import operator
from collections.abc import Callable
from typing import Any

import re2
from sigma.types import (
    CompareOperators,
    Placeholder,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaRegularExpressionFlag,
    SigmaString,
    SigmaTimestampPart,
    SigmaType,
    SpecialChars,
)

from jwtrail import clock
from jwtrail.ecs.catalogue import CATALOGUE, Field, near_miss, resolve
from jwtrail.predicate import ir
from jwtrail.predicate.checks import MAX_PIECES, MAX_REGEX
from jwtrail.predicate.values import regex, regex_source
from jwtrail.sigma.dateparts import part_of_date
from jwtrail.sigma.errors import LowerError
from jwtrail.sigma.fieldmap import EXTENSION, NOT_RECORDED, fields_for

__all__ = ["field_of", "keyword", "lower_value"]

_FLAGS = {
    SigmaRegularExpressionFlag.IGNORECASE: "i",
    SigmaRegularExpressionFlag.MULTILINE: "m",
    SigmaRegularExpressionFlag.DOTALL: "s",
}
_OPS: dict[CompareOperators, ir.Op] = {
    CompareOperators.LT: "lt",
    CompareOperators.LTE: "lte",
    CompareOperators.GT: "gt",
    CompareOperators.GTE: "gte",
}
_HOLDS: dict[CompareOperators, Callable[[int, int], bool]] = {
    CompareOperators.LT: operator.lt,
    CompareOperators.LTE: operator.le,
    CompareOperators.GT: operator.gt,
    CompareOperators.GTE: operator.ge,
}
_TEXTUAL = tuple(field for field in CATALOGUE.values() if field.type in ("keyword", "text", "wildcard", "ip"))
_LEAF = "name a leaf, such as labels.team"
_TRUTH = {"true": True, "false": False}


def field_of(name: str) -> Field:
    """The catalogue's field of this name, or of the one that it stands for (`fieldmap`).

    Raises:
        LowerError: there is none (the hint names the nearest), or it has no value of its own.
    """
    found = resolve(fields_for(name)[0])
    if found is None:
        raise LowerError(
            f"no field {name}", field=name, hint=near_miss(name) or "see docs/reference/fields.md"
        )
    field, leaf = found
    if field.type == "geo_point" or (field.type == "flattened" and not leaf):
        raise LowerError(f"{name} is a {field.type} and cannot be matched as a whole", field=name, hint=_LEAF)
    return field


def lower_value(name: str, value: SigmaType) -> ir.Predicate:
    """What `name: value` means.

    Raises:
        LowerError: the field does not exist, or this kind of value is not supported on it.
    """
    if name.lower() in NOT_RECORDED:
        return _of_nothing(value)
    fields = fields_for(name)
    if name.lower() == EXTENSION:
        value = _behind_dot(name, value)
    try:
        if len(fields) == 1 or isinstance(value, SigmaNull | SigmaExists):
            return _lower_on(fields[0], value)
        return ir.Or(items=tuple(_lower_on(field, value) for field in fields))
    except LowerError as error:  # its place is known by the name that the rule uses
        raise LowerError(error.message, field=name, hint=error.hint) from None


def _lower_on(name: str, value: SigmaType) -> ir.Predicate:
    field = field_of(name)
    for kind, lower in _LOWER:
        if isinstance(value, kind):
            return lower(name, field, value)
    raise LowerError(f"values of the kind {type(value).__name__} are not supported", field=name)


def _of_nothing(value: SigmaType) -> ir.Predicate:
    """What a condition means on a field that no event has."""
    absent = isinstance(value, SigmaNull) or (isinstance(value, SigmaExists) and not value.exists)
    return ir.Anything() if absent else ir.Nothing()


def _behind_dot(name: str, value: SigmaType) -> SigmaType:
    if isinstance(value, SigmaExpansion):
        return SigmaExpansion([_behind_dot(name, item) for item in value.values])
    if not isinstance(value, SigmaString):
        raise LowerError("a file extension is a text", field=name)
    made = SigmaString("*.")
    made.s = [*made.s, *value.s]
    return made


def keyword(value: SigmaType) -> ir.Predicate:
    """A value without a field: a search for it in every text of the event.

    Raises:
        LowerError: a kind of value that cannot be searched for.
    """
    if isinstance(value, SigmaExpansion):
        return ir.Or(items=tuple(keyword(item) for item in value.values))
    if isinstance(value, SigmaNumber):
        return ir.Contains(text=str(value))
    if isinstance(value, SigmaRegularExpression):
        return ir.Or(items=tuple(_regex(field.name, field, value) for field in _TEXTUAL))
    if isinstance(value, SigmaString):
        return _keyword_text(value)
    raise LowerError(f"a keyword of the kind {type(value).__name__} is not supported", field=None)


def _keyword_text(value: SigmaString) -> ir.Predicate:
    """A text is looked for in all texts at once. One with a wildcard inside is tried on each, where its longest piece is."""
    fold = not isinstance(value, SigmaCasedString)
    parts = tuple(part for part in value.s if part != "")
    literals = [part for part in parts if isinstance(part, str)]
    if not literals:
        raise LowerError("a keyword without text", field=None)
    if any(isinstance(part, Placeholder) for part in parts):
        raise LowerError("a placeholder in a keyword has no list of values", field=None)
    inner = tuple(_piece(part) for part in parts)
    anywhere = (None, *inner, None)
    if all(isinstance(piece, str) or piece is None for piece in inner) and len(literals) == 1:
        return ir.Contains(text=literals[0], fold=fold)
    hint = ir.Contains(text=max(literals, key=len), fold=fold)
    each = tuple(ir.Glob(field=field.name, pattern=anywhere, fold=fold) for field in _TEXTUAL)
    return ir.And(items=(hint, ir.Or(items=each)))


def _string(name: str, field: Field, value: SigmaString) -> ir.Predicate:
    fold = not isinstance(value, SigmaCasedString)
    parts = tuple(part for part in value.s if part != "")
    for part in parts:
        if isinstance(part, Placeholder):
            raise LowerError(
                f"the placeholder %{part.name}% has no list of values",
                field=name,
                hint=f"set detect.lists.{part.name}, or write the values out",
            )
    if all(isinstance(part, str) for part in parts):
        return _equals(name, field, "".join(str(part) for part in parts), fold=fold)
    if all(part is SpecialChars.WILDCARD_MULTI for part in parts):
        return ir.Exists(field=name)
    if field.type in ("boolean", "date"):
        raise LowerError(
            f"a wildcard on {name}, which is a {field.type}", field=name, hint="use lt, gt, lte, gte"
        )
    if len(parts) > MAX_PIECES:
        raise LowerError(f"more than {MAX_PIECES} pieces in one pattern", field=name)
    return ir.Glob(field=name, pattern=tuple(_piece(part) for part in parts), fold=fold)


def _piece(part: Any) -> str | int | None:
    if isinstance(part, str):
        return part
    return None if part is SpecialChars.WILDCARD_MULTI else 0


def _equals(name: str, field: Field, text: str, *, fold: bool) -> ir.Predicate:
    try:
        if field.type == "long":
            return ir.Equals(field=name, value=int(text))
        if field.type == "date":
            return ir.Equals(field=name, value=clock.parse_iso(text))
        if field.type == "ip" and "/" in text:
            return ir.Cidr(field=name, network=str(ipaddress.ip_network(text, strict=False)))
        if field.type == "ip":
            return ir.Equals(field=name, value=str(ipaddress.ip_address(text)))
        if field.type == "boolean":
            return ir.Equals(field=name, value=_TRUTH[text.lower()])
    except (ValueError, KeyError):
        raise LowerError(
            f"{text!r} is no value of {name}, which is of type {field.type}", field=name
        ) from None
    return ir.Equals(field=name, value=text, fold=fold)


def _number(name: str, field: Field, value: SigmaNumber) -> ir.Predicate:
    if isinstance(value, SigmaTimestampPart):
        return part_of_date(name, field, value.timestamp_part, {int(value.number)}.__contains__)
    if field.type in ("long", "date"):
        return ir.Equals(field=name, value=_whole(name, value))
    return _equals(name, field, str(value), fold=False)


def _whole(name: str, value: SigmaNumber) -> int:
    number = value.number
    if isinstance(number, float) and not number.is_integer():
        raise LowerError(f"{number} is not a whole number, and fields hold none but these", field=name)
    return int(number)


def _bool(name: str, field: Field, value: SigmaBool) -> ir.Predicate:
    if field.type == "boolean":
        return ir.Equals(field=name, value=value.boolean)
    return _equals(name, field, str(value).lower(), fold=True)


def _compare(name: str, field: Field, value: SigmaCompareExpression) -> ir.Predicate:
    if isinstance(value.number, SigmaTimestampPart):
        wanted, part = int(value.number.number), value.number.timestamp_part
        if value.op is CompareOperators.NEQ:
            return ir.Not(item=part_of_date(name, field, part, {wanted}.__contains__))
        return part_of_date(name, field, part, lambda one: _HOLDS[value.op](one, wanted))
    if field.type not in ("long", "date"):
        raise LowerError(f"{name} is a {field.type} and has no order to compare a number with", field=name)
    number = _whole(name, value.number)
    if value.op is CompareOperators.NEQ:
        return ir.Not(item=ir.Equals(field=name, value=number))
    return ir.Range(field=name, op=_OPS[value.op], value=number)


def _regex(name: str, field: Field, value: SigmaRegularExpression) -> ir.Predicate:
    if field.type in ("long", "boolean", "date"):
        raise LowerError(f"a regular expression on {name}, which is a {field.type}", field=name)
    pattern = str(value.regexp)
    flags = "".join(sorted(_FLAGS[flag] for flag in value.flags))
    if len(pattern) > MAX_REGEX:
        raise LowerError(f"a regular expression longer than {MAX_REGEX} characters", field=name)
    try:
        regex(regex_source(pattern, flags))
    except re2.error as error:
        raise LowerError(f"a regular expression RE2 does not take: {error}", field=name) from None
    return ir.Regex(field=name, pattern=pattern, flags=flags)


def _cidr(name: str, field: Field, value: SigmaCIDRExpression) -> ir.Predicate:
    if field.type != "ip":
        raise LowerError(f"cidr on {name}, which is a {field.type}, not an address", field=name)
    return ir.Cidr(field=name, network=str(value.network))


def _reference(name: str, _field: Field, value: SigmaFieldReference) -> ir.Predicate:
    if value.starts_with or value.ends_with:
        raise LowerError(
            "fieldref together with startswith, endswith or contains is not supported", field=name
        )
    field_of(value.field)
    return ir.SameAs(field=name, other=value.field, fold=True)


def _expansion(name: str, _field: Field, value: SigmaExpansion) -> ir.Predicate:
    return ir.Or(items=tuple(lower_value(name, item) for item in value.values))


def _null(name: str, _field: Field, _value: SigmaNull) -> ir.Predicate:
    return ir.Not(item=ir.Exists(field=name))


def _exists(name: str, _field: Field, value: SigmaExists) -> ir.Predicate:
    there = ir.Exists(field=name)
    return there if value.exists else ir.Not(item=there)


_LOWER: tuple[tuple[type[SigmaType], Callable[[str, Field, Any], ir.Predicate]], ...] = (
    (SigmaString, _string),
    (SigmaNumber, _number),
    (SigmaBool, _bool),
    (SigmaNull, _null),
    (SigmaExists, _exists),
    (SigmaRegularExpression, _regex),
    (SigmaCIDRExpression, _cidr),
    (SigmaCompareExpression, _compare),
    (SigmaFieldReference, _reference),
    (SigmaExpansion, _expansion),
)
