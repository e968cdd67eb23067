"""What a written value means for each type of field."""

import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from msgspec import Struct

from jwtrail.ecs.catalogue import Field
from jwtrail.kql.ast import Term
from jwtrail.kql.dates import Stretch, parse_date
from jwtrail.predicate.ir import (
    And,
    Cidr,
    Contains,
    Equals,
    Glob,
    Nothing,
    Op,
    Or,
    Predicate,
    Range,
    Span,
    WordGlob,
)
from jwtrail.predicate.values import ip_key, network_bounds, words_of

__all__ = ["Meaning", "Unfit"]

MAX_WORDS = 32
"""Words of one unquoted value for a `text` field."""

_NUMBER = re.compile(r"[+-]?\d{1,18}(\.\d{1,9})?(e\d)?", re.IGNORECASE | re.ASCII)
_OCTETS = re.compile(r"((?:\d{1,3}\.){1,3})", re.ASCII)


class Unfit(Struct, frozen=True):
    """A field of this type cannot have this value; `message` goes on from the field's name."""

    message: str
    hint: str = ""


class Meaning:
    """Turns values into predicates; `now_us` is what `now` means."""

    def __init__(self, now_us: int) -> None:
        self._now_us = now_us

    def equal(self, name: str, field: Field, value: Term, span: Span) -> Predicate | Unfit:
        """`name: value`, where the value is not a lone `*`."""
        match field.type:
            case "date":
                return self._date(name, value, span)
            case "long":
                return _long(name, value, span)
            case "boolean":
                return _boolean(name, value, span)
            case "ip":
                return _ip(name, value, span)
            case "text":
                return _text(name, value, span)
            case "geo_point":
                return Unfit(
                    "is a place and has no value to compare with", f"{name}: * asks whether it is there"
                )
        if value.wild:
            return Glob(field=name, pattern=value.parts, span=span)
        return Equals(field=name, value=value.text, span=span)

    def ordered(self, name: str, field: Field, op: Op, value: Term, span: Span) -> Predicate | Unfit:
        """`name > value` and its kin."""
        text = value.text
        match field.type:
            case "date":
                stretch = self._stretch(text)
                if isinstance(stretch, Unfit):
                    return stretch
                plain_op, at = stretch.bound(op)
                return Range(field=name, op=plain_op, value=at, span=span)
            case "long":
                number = _number(text)
                if isinstance(number, Unfit):
                    return number
                up = op in (
                    "gte",
                    "lt",
                )  # the whole numbers behind 1.5 begin with 2, those before it end with 1
                return Range(field=name, op=op, value=_whole(number, up=up), span=span)
            case "ip":
                if ip_key(text) is None:
                    return Unfit(f"needs an address, not {text!r}")
            case "boolean" | "text" | "geo_point":
                return Unfit("has no order", f"use {name}: value")
        return Range(field=name, op=op, value=text, span=span)

    def _date(self, name: str, value: Term, span: Span) -> Predicate | Unfit:
        if value.wild:
            return Unfit("is a date and takes no wildcards", f"use a range, or {name}: 2026-11 for a month")
        stretch = self._stretch(value.text)
        if isinstance(stretch, Unfit):
            return stretch
        return And(
            items=(
                Range(field=name, op="gte", value=stretch.low, span=span),
                Range(field=name, op="lt", value=stretch.high, span=span),
            ),
            span=span,
        )

    def _stretch(self, text: str) -> Stretch | Unfit:
        try:
            return parse_date(text, self._now_us)
        except ValueError:
            return Unfit(f"needs a date, not {text!r}", "write it like 2026-11-23T16:46:55Z or now-1d/d")


def _long(name: str, value: Term, span: Span) -> Predicate | Unfit:
    if value.wild:
        return Unfit("is a number and takes no wildcards", f"use a range such as {name} >= 400")
    number = _number(value.text)
    if isinstance(number, Unfit):
        return number
    if number != number.to_integral_value():
        return Nothing(span=span)
    return Equals(field=name, value=int(number), span=span)


def _number(text: str) -> Decimal | Unfit:
    if not _NUMBER.fullmatch(text):
        return Unfit(f"needs a number, not {text!r}")
    return Decimal(text)


def _whole(number: Decimal, *, up: bool) -> int:
    return int(number.to_integral_value(ROUND_CEILING if up else ROUND_FLOOR))


def _boolean(name: str, value: Term, span: Span) -> Predicate | Unfit:
    if value.wild or value.text not in ("true", "false"):
        return Unfit(f"is true or false, not {value.text!r}")
    return Equals(field=name, value=value.text == "true", span=span)


def _ip(name: str, value: Term, span: Span) -> Predicate | Unfit:
    network = _network(value)
    if network is None:
        return Unfit(f"needs an address, not {value.text!r}", "a network is written like 10.0.0.0/8")
    if "/" in network:
        return Cidr(field=name, network=network, span=span)
    return Equals(field=name, value=network, span=span)


def _network(value: Term) -> str | None:
    """An address or a network; `10.1.*` is the one wildcard that is a network."""
    match value.parts:
        case (str(head), None) if _OCTETS.fullmatch(head):
            octets = head.split(".")[:-1]
            text = ".".join([*octets, *["0"] * (4 - len(octets))]) + f"/{8 * len(octets)}"
        case (str(text),):
            pass
        case _:
            return None
    try:
        network_bounds(text)
    except ValueError:
        return None
    return text


def _text(name: str, value: Term, span: Span) -> Predicate | Unfit:
    """Any of the words; a phrase when quoted; words that fit when there is a wildcard."""
    found: list[Predicate] = []
    if value.quoted and words_of(value.text):
        found.append(Contains(text=value.text, fields=(name,), span=span))
    for parts in [] if value.quoted else _split(value.parts):
        if None in parts:
            found.append(WordGlob(field=name, pattern=parts, span=span))
        else:
            words = words_of("".join(part for part in parts if part))
            found.extend(Contains(text=word, fields=(name,), span=span) for word in words)
    if len(found) > MAX_WORDS:
        return Unfit(f"can be asked for at most {MAX_WORDS} words", "put a phrase in quotes")
    return found[0] if len(found) == 1 else Or(items=tuple(found), span=span)


def _split(parts: tuple[str | None, ...]) -> list[tuple[str | None, ...]]:
    """What stands between white space, each with its wildcards."""
    made: list[list[str | None]] = [[]]
    for part in parts:
        if part is None:
            made[-1].append(None)
            continue
        first, *others = re.split(r"\s+", part)
        made[-1].append(first)
        made.extend([other] for other in others)
    return [tuple(piece for piece in one if piece != "") for one in made if any(piece != "" for piece in one)]
