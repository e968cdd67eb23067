"""Leaves in their last form before a writer: the field's type has been looked up, the constant converted and checked.

A leaf is a view of a field (as it is, as text, without case, as an address) and one of six tests on it. Writers render
views and tests and nothing else, so none of them can have an opinion of its own on what a condition means.
"""

import re
from typing import Literal

import re2
from msgspec import Struct

from jwtrail.clock import parse_iso
from jwtrail.ecs.catalogue import Field
from jwtrail.predicate.checks import MAX_PIECES, MAX_REGEX, field_of, refuse
from jwtrail.predicate.ir import (
    And,
    Anything,
    Cidr,
    Contains,
    Equals,
    Exists,
    Glob,
    Node,
    Not,
    Nothing,
    Op,
    Or,
    Predicate,
    Range,
    Regex,
    SameAs,
    Scalar,
    WordGlob,
)
from jwtrail.predicate.values import (
    fold,
    glob_regex,
    ip_key,
    network_bounds,
    phrase_regex,
    regex,
    regex_source,
    words_glob_regex,
    words_of,
)

__all__ = [
    "Between",
    "Compare",
    "Is",
    "Leaf",
    "Matches",
    "Pair",
    "Present",
    "Test",
    "View",
    "Word",
    "check_leaves",
    "fields_in",
    "leaves_of",
    "pair_of",
]

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_FAR = 2**62
"""Beyond every number of an event, which has at most 53 bits, and within the 64 of a column; larger ones come to this."""

View = Literal["raw", "text", "fold", "ip"]


class Present(Struct, frozen=True):
    """There is a value."""


class Is(Struct, frozen=True):
    """The value is this one."""

    value: Scalar


class Word(Struct, frozen=True):
    """The text begins with, ends with or holds this."""

    how: Literal["prefix", "suffix", "inside"]
    text: str


class Matches(Struct, frozen=True):
    """The text fits this RE2 source.

    Args:
        needle: a text without which it cannot fit; looking for it first is many times cheaper. Empty for none.
    """

    source: str
    needle: str = ""


class Compare(Struct, frozen=True):
    """The value stands in this order to the constant."""

    op: Op
    value: str | int


class Between(Struct, frozen=True):
    """The address lies between these two, both included."""

    low: int
    high: int


Test = Present | Is | Word | Matches | Compare | Between


class Leaf(Struct, frozen=True):
    """One test on one view of one field; on a list it holds when it holds for any item.

    Args:
        field: from the catalogue.
        key: the leaf of a flattened field; empty for the field itself, which then stands for all its leaves.
    """

    field: Field
    key: str
    view: View
    test: Test

    @property
    def many(self) -> bool:
        """Several values may have to be tried."""
        return self.field.many or (self.field.type == "flattened" and not self.key)


class Pair(Struct, frozen=True):
    """Two fields that must share a value; the tests are not used."""

    left: Leaf
    right: Leaf


def leaves_of(node: Exists | Equals | Glob | Contains | WordGlob | Range | Regex | Cidr) -> tuple[Leaf, ...]:
    """The leaves of which any must hold; more than one only for `Contains` over several fields.

    Raises:
        PredicateError: no such field, or a value that its type cannot have.
    """
    if isinstance(node, Contains):
        return tuple(_contains(node, name) for name in node.fields)
    field, key = field_of(node, node.field)
    match node:
        case Exists():
            return (Leaf(field, key, "raw", Present()),)
        case Equals():
            return (_equals(node, field, key),)
        case Glob():
            return (_glob(node, field, key),)
        case WordGlob():
            return (_word_glob(node, field),)
        case Range():
            return (_range(node, field, key),)
        case Regex():
            return (Leaf(field, key, "text", _matches(node)),)
        case Cidr():
            return (_cidr(node, field, key),)


def check_leaves(predicate: Predicate) -> None:
    """Look up and convert everything that a predicate names.

    Raises:
        PredicateError: as `leaves_of`.
    """
    match predicate:
        case And(items=items) | Or(items=items):
            for item in items:
                check_leaves(item)
        case Not(item=item):
            check_leaves(item)
        case SameAs():
            pair_of(predicate)
        case Anything() | Nothing():
            pass
        case leaf:
            leaves_of(leaf)


def fields_in(predicate: Predicate) -> set[str] | None:
    """The names of the fields that a predicate looks at; None when it may look at any."""
    found, todo = set[str](), [predicate]
    while todo:
        match todo.pop():
            case And(items=items) | Or(items=items):
                todo += items
            case Not(item=item):
                todo.append(item)
            case Contains(fields=()):
                return None
            case Contains(fields=fields):
                found.update(fields)
            case SameAs(field=field, other=other):
                found.update((field, other))
            case Anything() | Nothing():
                pass
            case leaf:
                found.add(leaf.field)
    return found


def pair_of(node: SameAs) -> Pair:
    """Both sides of a comparison of fields: as addresses when both are, else as texts.

    Raises:
        PredicateError: no such field.
    """
    left, right = field_of(node, node.field), field_of(node, node.other)
    view: View = "fold" if node.fold else "text"
    if left[0].type == right[0].type == "ip":
        view = "ip"
    return Pair(Leaf(*left, view, Present()), Leaf(*right, view, Present()))


def _equals(node: Equals, field: Field, key: str) -> Leaf:
    value = node.value
    match field.type:
        case "long":
            return Leaf(field, key, "raw", Is(_whole(node, value)))
        case "boolean":
            return Leaf(field, key, "raw", Is(_truth(node, value)))
        case "date":
            return Leaf(field, key, "raw", Is(_instant(node, value)))
        case "ip":
            return Leaf(field, key, "ip", Is(_address(node, value)))
    text = _text(value)
    return Leaf(field, key, "fold", Is(fold(text))) if node.fold else Leaf(field, key, "text", Is(text))


def _glob(node: Glob, field: Field, key: str) -> Leaf:
    pieces: list[str | int | None] = []
    for piece in node.pattern:
        folded = fold(piece) if node.fold and isinstance(piece, str) else piece
        if isinstance(folded, str) and pieces and isinstance(pieces[-1], str):
            pieces[-1] += folded
        elif folded != "" and not (folded is None and pieces and pieces[-1] is None):
            pieces.append(folded)
    if len(pieces) > MAX_PIECES:
        raise refuse(node, f"more than {MAX_PIECES} pieces between wildcards", "use fewer wildcards")
    if pieces == [None]:
        return Leaf(field, key, "raw", Present())
    return Leaf(field, key, "fold" if node.fold else "text", _glob_test(pieces))


def _word_glob(node: WordGlob, field: Field) -> Leaf:
    if field.type != "text":
        raise refuse(node, f"{field.name} is not cut into words")
    if len(node.pattern) > MAX_PIECES:
        raise refuse(node, f"more than {MAX_PIECES} pieces between wildcards", "use fewer wildcards")
    pieces = tuple(fold(piece) if node.fold and piece is not None else piece for piece in node.pattern)
    needle = max((piece for piece in pieces if piece is not None), key=len, default="")
    return Leaf(field, "", "fold" if node.fold else "text", Matches(words_glob_regex(pieces), needle))


def _glob_test(pieces: list[str | int | None]) -> Test:
    match pieces:
        case []:
            return Is("")
        case [str(text)]:
            return Is(text)
        case [str(text), None]:
            return Word("prefix", text)
        case [None, str(text)]:
            return Word("suffix", text)
        case [None, str(text), None]:
            return Word("inside", text)
    literals = [piece for piece in pieces if isinstance(piece, str)]
    return Matches(glob_regex(tuple(pieces)), max(literals, key=len, default=""))


def _range(node: Range, field: Field, key: str) -> Leaf:
    match field.type:
        case "boolean":
            raise refuse(node, f"{field.name} is true or false and has no order", "compare with `:`")
        case "long":
            return Leaf(field, key, "raw", Compare(node.op, _whole(node, node.value)))
        case "date":
            return Leaf(field, key, "raw", Compare(node.op, _instant(node, node.value)))
        case "ip":
            return Leaf(field, key, "ip", Compare(node.op, _address(node, node.value)))
    return Leaf(field, key, "text", Compare(node.op, _text(node.value)))


def _cidr(node: Cidr, field: Field, key: str) -> Leaf:
    if field.type in ("long", "boolean", "date"):
        raise refuse(node, f"{field.name} holds no addresses")
    try:
        low, high = network_bounds(node.network)
    except ValueError as wrong:
        raise refuse(node, f"not a network: {node.network!r}", "write it like 10.0.0.0/8") from wrong
    return Leaf(field, key, "ip", Between(low, high))


def _matches(node: Regex) -> Matches:
    if len(node.pattern) > MAX_REGEX:
        raise refuse(node, f"a regular expression of more than {MAX_REGEX} characters")
    if not set(node.flags) <= set("ims"):
        raise refuse(node, f"unknown regular expression flag in {node.flags!r}", "i, m and s are known")
    source = regex_source(node.pattern, node.flags)
    try:
        regex(source)
    except re2.error as wrong:
        said = wrong.args[0]
        reason = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        raise refuse(
            node, f"not a regular expression: {reason}", "RE2 syntax: no look-around, no back-references"
        ) from wrong
    return Matches(source)


def _contains(node: Contains, name: str) -> Leaf:
    field, key = field_of(node, name)
    text = fold(node.text) if node.fold else node.text
    view: View = "fold" if node.fold else "text"
    if field.type == "text" and (phrase := phrase_regex(text)):
        return Leaf(field, key, view, Matches(phrase, max(words_of(text), key=len)))
    return Leaf(field, key, view, Word("inside", text))


def _text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _whole(node: Node, value: Scalar) -> int:
    if isinstance(value, bool) or (isinstance(value, str) and not _WHOLE.fullmatch(value)):
        raise refuse(node, f"not a whole number: {value!r}")
    return max(-_FAR, min(_FAR, int(value)))


def _truth(node: Node, value: Scalar) -> bool:
    if value in (True, "true"):
        return True
    if value in (False, "false"):
        return False
    raise refuse(node, f"neither true nor false: {value!r}")


def _instant(node: Node, value: Scalar) -> int:
    if isinstance(value, int):
        return value
    try:
        return parse_iso(value)
    except ValueError as wrong:
        raise refuse(node, f"not a time: {value!r}", "write it like 2026-11-23T16:46:55Z") from wrong


def _address(node: Node, value: Scalar) -> int:
    key = ip_key(str(value))
    if key is None:
        raise refuse(node, f"not an address: {value!r}")
    return key
