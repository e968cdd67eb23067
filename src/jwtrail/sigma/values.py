"""One Sigma value on one field as a predicate. What it cannot say exactly it refuses by name."""

import ipaddress
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
from jwtrail.ecs.catalogue import Field, near_miss, resolve
from jwtrail.predicate import ir
from jwtrail.predicate.checks import MAX_PIECES, MAX_REGEX
from jwtrail.predicate.values import regex, regex_source

__all__ = ["LowerError", "field_of", "keyword", "lower_value"]

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
_LEAF = "name a leaf, such as labels.team"
_TRUTH = {"true": True, "false": False}


class LowerError(Exception):
    """A value that has no exact predicate; caught in this room, where its place in the file is known.

    Args:
        field: the field it stood on, None for a keyword.
    """

    def __init__(self, message: str, *, field: str | None, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.hint = hint


def field_of(name: str) -> Field:
    """The catalogue's field of this name.

    Raises:
        LowerError: there is none (the hint names the nearest), or it has no value of its own.
    """
    found = resolve(name)
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
    field = field_of(name)
    for kind, lower in _LOWER:
        if isinstance(value, kind):
            return lower(name, field, value)
    raise LowerError(f"values of the kind {type(value).__name__} are not supported", field=name)


def keyword(value: SigmaType) -> ir.Predicate:
    """A value without a field: a search for it in every text of the event.

    Raises:
        LowerError: a kind of value that cannot be searched for.
    """
    if isinstance(value, SigmaExpansion):
        return ir.Or(items=tuple(keyword(item) for item in value.values))
    if isinstance(value, SigmaNumber):
        return ir.Contains(text=str(value))
    if isinstance(value, SigmaString):
        parts = [part for part in value.s if part != ""]
        while parts and parts[0] is SpecialChars.WILDCARD_MULTI:
            parts.pop(0)
        while parts and parts[-1] is SpecialChars.WILDCARD_MULTI:
            parts.pop()
        if len(parts) == 1 and isinstance(parts[0], str):
            return ir.Contains(text=parts[0], fold=not isinstance(value, SigmaCasedString))
        raise LowerError("a keyword with a wildcard inside, a placeholder, or without text", field=None)
    raise LowerError(f"a keyword of the kind {type(value).__name__} is not supported", field=None)


def _string(name: str, field: Field, value: SigmaString) -> ir.Predicate:
    fold = not isinstance(value, SigmaCasedString)
    parts = tuple(part for part in value.s if part != "")
    for part in parts:
        if isinstance(part, Placeholder):
            raise LowerError(
                f"the placeholder %{part.name}% has no list of values",
                field=name,
                hint="write the values out",
            )
    if all(isinstance(part, str) for part in parts):
        return _equals(name, field, "".join(str(part) for part in parts), fold=fold)
    if all(part is SpecialChars.WILDCARD_MULTI for part in parts):
        return ir.Exists(field=name)
    if field.type in ("long", "boolean", "date"):
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
        raise LowerError(f"the modifier {value.timestamp_part.name.lower()} is not supported", field=name)
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
