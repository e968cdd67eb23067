"""Answers remembered by the text they were given for: routes, clients, addresses and paths come again and again."""

from collections.abc import Callable
from typing import Generic, TypeVar

from jwtrail.ecs.catalogue import Field
from jwtrail.predicate.ir import And, Anything, Contains, Not, Nothing, Or, Predicate, SameAs
from jwtrail.predicate.leaves import Between, Compare, Is, Leaf, Matches, Present, Word, leaves_of

__all__ = [
    "COSTS",
    "MAX_REMEMBERED",
    "MAX_TEXT",
    "TEXTUAL",
    "VIEW_COSTS",
    "Memo",
    "cost_of",
    "only_text",
    "weight",
]

MAX_REMEMBERED = 8_192
"""Texts of which an answer is remembered; then it starts over. A flood of invented ones costs what it cost without."""

MAX_TEXT = 256
"""Characters of a text that is remembered: 4 MB of them at the most."""

TEXTUAL = frozenset(("keyword", "text", "wildcard", "ip", "geo_point", "flattened"))

COSTS: dict[type, int] = {Present: 1, Is: 1, Compare: 2, Between: 2, Word: 3, Matches: 80}
VIEW_COSTS = {"raw": 0, "text": 0, "fold": 3, "ip": 6}
"""What tests and views cost beside each other; about 10 ns each."""

V = TypeVar("V")


class Memo(dict[str | None, V], Generic[V]):
    """`memo[text]` is `make(text)`."""

    def __init__(self, make: Callable[[str | None], V]) -> None:
        self._make = make

    def __missing__(self, text: str | None) -> V:
        made = self._make(text)
        if text is None or len(text) <= MAX_TEXT:
            if len(self) >= MAX_REMEMBERED:
                self.clear()
            self[text] = made
        return made


def only_text(predicate: Predicate) -> tuple[Field, str] | None:
    """The one text that a predicate looks at: its field and, in a flattened one, its key; None when there is another."""
    match predicate:
        case And(items=items) | Or(items=items):
            each = {only_text(item) for item in items}
            return each.pop() if len(each) == 1 else None
        case Not(item=item):
            return only_text(item)
        case Anything() | Nothing() | SameAs() | Contains():
            return None
        case leaf:
            [found] = leaves_of(leaf)
            return (found.field, found.key) if found.field.type in TEXTUAL and not found.many else None


def weight(predicate: Predicate) -> int:
    """What it costs to ask, in the unit of `COSTS`; for what `only_text` knows."""
    match predicate:
        case And(items=items) | Or(items=items):
            return sum(map(weight, items))
        case Not(item=item):
            return weight(item)
        case Anything() | Nothing() | SameAs() | Contains():
            return 0
        case leaf:
            [found] = leaves_of(leaf)
            return cost_of(found)


def cost_of(leaf: Leaf) -> int:
    """What one leaf costs."""
    return COSTS[type(leaf.test)] + VIEW_COSTS[leaf.view]
