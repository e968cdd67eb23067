"""What a KQL query says, node by node, before any field is looked up; every node knows its place in the text."""

from typing import Any, Literal

from msgspec import Struct

from jwtrail.predicate.ir import Op, Span

__all__ = [
    "EVERYTHING",
    "All",
    "AnyOf",
    "Clause",
    "Compare",
    "Is",
    "Nested",
    "Never",
    "Term",
    "literal",
    "to_json",
]

WILDCARD_MARK = "@kuery-wildcard@"
"""How Kibana writes a live `*` inside the value of a node."""


class Term(Struct, frozen=True):
    """A field name or a value.

    Args:
        parts: literal texts (`str`) and live wildcards (`None`), neighbours joined; `()` is the empty text.
        quoted: written in double quotes: a phrase, and its `*` are literal.
    """

    parts: tuple[str | None, ...]
    quoted: bool
    span: Span

    @property
    def wild(self) -> bool:
        """It holds a live wildcard."""
        return None in self.parts

    @property
    def star(self) -> bool:
        """It is a lone `*`."""
        return self.wild and all(part is None for part in self.parts)

    @property
    def text(self) -> str:
        """As plain text, a live wildcard as `*`."""
        return "".join("*" if part is None else part for part in self.parts)


class Is(Struct, frozen=True):
    """`field: value`; a bare value when `field` is None."""

    field: Term | None
    value: Term
    span: Span


class Compare(Struct, frozen=True):
    """`field > value` and its kin; a `*` in the value is read as a wildcard, and compared as an ordinary character."""

    field: Term
    op: Op
    value: Term
    span: Span


class All(Struct, frozen=True):
    """`a and b`."""

    items: tuple["Clause", ...]
    span: Span


class AnyOf(Struct, frozen=True):
    """`a or b`."""

    items: tuple["Clause", ...]
    span: Span


class Never(Struct, frozen=True):
    """`not a`."""

    item: "Clause"
    span: Span


class Nested(Struct, frozen=True):
    """`path: { query }`; names inside are relative to the path."""

    path: Term
    item: "Clause"
    span: Span


Clause = Is | Compare | All | AnyOf | Never | Nested

_STAR = Term((None,), quoted=False, span=Span(0, 0))
EVERYTHING = Is(_STAR, _STAR, Span(0, 0))
"""What a blank query means."""

_VALUES: dict[str, bool | None] = {"true": True, "false": False, "null": None}


def to_json(clause: Clause) -> dict[str, Any]:
    """The tree in the shape that Kibana's own parser gives it, spans left out."""
    match clause:
        case Is(field=field, value=value):
            name = _json_null() if field is None else _json_term(field)
            return _function("is", name, _json_term(value))
        case Compare(field=field, op=op, value=value):
            return _function("range", _json_term(field), op, _json_term(value))
        case All(items=items):
            return _function("and", *map(to_json, items))
        case AnyOf(items=items):
            return _function("or", *map(to_json, items))
        case Never(item=item):
            return _function("not", to_json(item))
        case Nested(path=path, item=item):
            return _function("nested", _json_term(path), to_json(item))


def _function(name: Literal["is", "range", "and", "or", "not", "nested"], *arguments: Any) -> dict[str, Any]:
    return {"type": "function", "function": name, "arguments": list(arguments)}


def _json_null() -> dict[str, Any]:
    return {"type": "literal", "value": None, "isQuoted": False}


def _json_term(term: Term) -> dict[str, Any]:
    if term.wild:
        value = "".join(WILDCARD_MARK if part is None else part for part in term.parts)
        return {"type": "wildcard", "value": value}
    return {"type": "literal", "value": literal(term), "isQuoted": term.quoted}


def literal(term: Term) -> str | bool | None:
    """The value as JSON: unquoted `true`, `false` and `null` are what they say, everything else is text."""
    text = term.text
    return text if term.quoted else _VALUES.get(text, text)
