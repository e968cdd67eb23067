"""The one filter language inside: KQL and Sigma lower to it, every back end is written from it.

It is free of modifiers and of spelling. Two-valued: a condition on a missing field is false and `Not` of it is true.
A condition on a list holds when any item holds. What a back end cannot express it refuses, with the node's span.
"""

from typing import Literal

from msgspec import Struct

__all__ = [
    "And",
    "Anything",
    "Cidr",
    "Contains",
    "Equals",
    "Exists",
    "Glob",
    "Not",
    "Nothing",
    "Op",
    "Or",
    "Predicate",
    "Range",
    "Regex",
    "SameAs",
    "Scalar",
    "Span",
    "WordGlob",
]

Scalar = str | int | bool
Op = Literal["lt", "lte", "gt", "gte"]


class Span(Struct, frozen=True):
    """Where in the query or rule this was written: offsets in code points, `end` exclusive."""

    start: int
    end: int


class Node(Struct, frozen=True, kw_only=True):
    """Base of all nodes; the span is for error messages only and takes no part in meaning."""

    span: Span | None = None


class Anything(Node, frozen=True, tag="anything"):
    """True."""


class Nothing(Node, frozen=True, tag="nothing"):
    """False."""


class And(Node, frozen=True, tag="and"):
    """All of them; true when empty."""

    items: tuple["Predicate", ...]


class Or(Node, frozen=True, tag="or"):
    """Any of them; false when empty."""

    items: tuple["Predicate", ...]


class Not(Node, frozen=True, tag="not"):
    """The opposite; true for an event that lacks the field inside."""

    item: "Predicate"


class Exists(Node, frozen=True, tag="exists"):
    """The field is there and not an empty list."""

    field: str


class Equals(Node, frozen=True, tag="equals"):
    """The whole value. `fold` compares after `str.lower` on both sides; numbers and dates compare as such."""

    field: str
    value: Scalar
    fold: bool = False


class Glob(Node, frozen=True, tag="glob"):
    """The whole text fits a pattern: literal pieces (`str`), `*` any run (`None`), `?` one character (`0`)."""

    field: str
    pattern: tuple[str | int | None, ...]
    fold: bool = False


class Contains(Node, frozen=True, tag="contains"):
    """Some text of the event contains this: a keyword search over every textual field, or a `text` field's phrase."""

    text: str
    fields: tuple[str, ...] = ()
    fold: bool = True


class WordGlob(Node, frozen=True, tag="word_glob"):
    """Some word of a `text` field fits a pattern: literal pieces (`str`) and `*`, any run of a word's characters (`None`)."""

    field: str
    pattern: tuple[str | None, ...]
    fold: bool = True


class Range(Node, frozen=True, tag="range"):
    """Order: numbers as numbers, dates as µs since the epoch, addresses as addresses, texts by code point."""

    field: str
    op: Op
    value: str | int


class Regex(Node, frozen=True, tag="regex"):
    """RE2 syntax, unanchored; `flags` is a subset of `ims`. Linear time on every input."""

    field: str
    pattern: str
    flags: str = ""


class Cidr(Node, frozen=True, tag="cidr"):
    """The address lies in the network (IPv4 or IPv6, `10.0.0.0/8`)."""

    field: str
    network: str


class SameAs(Node, frozen=True, tag="same_as"):
    """Two fields hold the same value (Sigma's `fieldref`); false when either is missing."""

    field: str
    other: str
    fold: bool = False


Predicate = (
    Anything
    | Nothing
    | And
    | Or
    | Not
    | Exists
    | Equals
    | Glob
    | Contains
    | WordGlob
    | Range
    | Regex
    | Cidr
    | SameAs
)
