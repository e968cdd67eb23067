"""A predicate as one line for people: KQL where KQL has a form for it, a call with a name where it has none."""

import json

from jwtrail.predicate.ir import (
    And,
    Anything,
    Cidr,
    Contains,
    Equals,
    Exists,
    Glob,
    Not,
    Nothing,
    Or,
    Predicate,
    Range,
    Regex,
    SameAs,
    WordGlob,
)

__all__ = ["to_text"]

_OPS = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}


def to_text(predicate: Predicate) -> str:
    """The printable form; two predicates of different meaning never print alike."""
    match predicate:
        case Anything():
            return "*"
        case Nothing():
            return "not *"
        case And(items=items):
            return f"({' and '.join(map(to_text, items))})" if items else "*"
        case Or(items=items):
            return f"({' or '.join(map(to_text, items))})" if items else "not *"
        case Not(item=item):
            return f"not {to_text(item)}"
    return _leaf(predicate)


def _leaf(leaf: Exists | Equals | Glob | Contains | WordGlob | Range | Regex | Cidr | SameAs) -> str:
    match leaf:
        case Exists(field=field):
            return f"{field}: *"
        case Equals(field=field, value=value):
            return f"{field}: {_value(value)}{_case(leaf)}"
        case Glob(field=field, pattern=pattern):
            return f"{field}: glob({' '.join(map(_piece, pattern))}){_case(leaf)}"
        case WordGlob(field=field, pattern=pattern):
            return f"{field}: word({' '.join(map(_piece, pattern))}){_case(leaf)}"
        case Contains(text=text, fields=fields):
            return f"{', '.join(fields) or 'anywhere'}: contains({_value(text)}){_case(leaf)}"
        case Range(field=field, op=op, value=value):
            return f"{field} {_OPS[op]} {_value(value)}"
        case Regex(field=field, pattern=pattern, flags=flags):
            return f"{field}: regex({_value(pattern)}){flags}"
        case Cidr(field=field, network=network):
            return f"{field}: {network}"
        case SameAs(field=field, other=other):
            return f"{field}: field({other}){_case(leaf)}"


def _value(value: str | int | bool) -> str:
    return json.dumps(value, ensure_ascii=False)


def _piece(piece: str | int | None) -> str:
    if piece is None:
        return "*"
    return _value(piece) if isinstance(piece, str) else "?"


def _case(leaf: Equals | Glob | Contains | WordGlob | SameAs) -> str:
    return " (any case)" if leaf.fold else ""
