"""What the rules of a set have in common, so that it is asked once: a plan that both writers of whole sets follow.

Most rules say at their top that an action or a reason must be one of a few; those are looked up. Of what is left, the
condition that most rules share is asked first, and the rules below it are only looked at when it holds.
"""

from collections import Counter
from collections.abc import Mapping

from msgspec import Struct

from jwtrail.predicate.ir import And, Anything, Equals, Exists, Not, Nothing, Or, Predicate
from jwtrail.predicate.simplify import simplify
from jwtrail.predicate.values import fold

__all__ = ["Branch", "Pivot", "Plan", "joined", "planned"]

_PIVOTS = ("event.reason", "event.action")
"""Fields by which a rule set is indexed, the more telling one first: most events have no reason at all."""

MAX_LITERALS = 32
"""Values of a pivot for which a rule is written out; one with more is asked of every event."""

MAX_DEPTH = 8
"""Shared conditions within each other; Python's own limit on indentation is 100."""


class Branch(Struct, frozen=True):
    """Rules that share a condition.

    Args:
        condition: what they share; all else is asked only where it holds.
        rules: name and what is left to ask.
    """

    condition: Predicate
    rules: tuple[tuple[str, Predicate], ...]
    branches: tuple["Branch", ...] = ()


class Pivot(Struct, frozen=True):
    """Rules by the value, without case, that a field must have; the value that most rules want comes first."""

    field: str
    cases: tuple[tuple[str, Branch], ...]


class Plan(Struct, frozen=True):
    """A rule set; `rest` is asked of every event."""

    pivots: tuple[Pivot, ...]
    rest: Branch


def planned(rules: Mapping[str, Predicate]) -> Plan:
    """A plan that finds the same rules for every event as asking each by itself, each at most once."""
    cases: dict[str, dict[str, dict[str, Predicate]]] = {field: {} for field in _PIVOTS}
    rest = {}
    for name, predicate in rules.items():
        simple = simplify(predicate)
        for field in _PIVOTS:
            literals = _required(simple, field)
            if 0 < len(literals) <= MAX_LITERALS:
                for literal in literals:
                    cases[field].setdefault(literal, {})[name] = simplify(_given(simple, field, literal))
                break
        else:
            rest[name] = simple
    pivots = tuple(
        Pivot(
            field,
            tuple(
                (literal, _branch(Anything(), found))
                for literal, found in sorted(cases[field].items(), key=lambda case: (-len(case[1]), case[0]))
            ),
        )
        for field in _PIVOTS
        if cases[field]
    )
    return Plan(pivots, _branch(Anything(), rest))


def _required(predicate: Predicate, field: str) -> frozenset[str]:
    """Folded literals of which `field` must equal one for the predicate to hold; empty when none is known."""
    match predicate:
        case Equals(field=name, value=value) if name == field:
            return frozenset((fold(str(value)),))
        case Or(items=items):
            each = [_required(item, field) for item in items]
            return frozenset().union(*each) if all(each) else frozenset()
        case And(items=items):
            found = [literals for item in items if (literals := _required(item, field))]
            return min(found, key=len, default=frozenset())
    return frozenset()


def _given(predicate: Predicate, field: str, literal: str) -> Predicate:
    """What is left to ask of an event whose field is this literal, but for its case."""
    match predicate:
        case Equals(field=name, value=value, fold=True) if name == field:
            return Anything() if fold(str(value)) == literal else Nothing()
        case And(items=items):
            return And(items=tuple(_given(item, field, literal) for item in items))
        case Or(items=items):
            return Or(items=tuple(_given(item, field, literal) for item in items))
        case Not(item=item):
            return Not(item=_given(item, field, literal))
    return predicate


def _branch(condition: Predicate, rules: Mapping[str, Predicate]) -> Branch:
    """The rules in branches, as far as they share conditions."""
    items: dict[Predicate, int] = {}
    split = [
        (name, tuple(items.setdefault(item, len(items)) for item in _conjuncts(predicate)))
        for name, predicate in rules.items()
        if not isinstance(predicate, Nothing)
    ]
    return _grown(condition, split, list(items), 0)


_Split = list[tuple[str, tuple[int, ...]]]


def _grown(condition: Predicate, rules: _Split, items: list[Predicate], depth: int) -> Branch:
    """Rules given by the numbers of their conditions; the condition that most of them share goes first."""
    branches = []
    while depth < MAX_DEPTH:
        shared = Counter(item for _, numbers in rules for item in numbers).most_common(1)
        if not shared or shared[0][1] < 2:  # two are needed to share
            break
        item = shared[0][0]
        inside = [
            (name, tuple(one for one in numbers if one != item)) for name, numbers in rules if item in numbers
        ]
        rules = [(name, numbers) for name, numbers in rules if item not in numbers]
        branches.append(_grown(items[item], inside, items, depth + 1))
    left = tuple(
        (name, simplify(And(items=tuple(items[number] for number in numbers)))) for name, numbers in rules
    )
    return Branch(condition, left, tuple(branches))


def _conjuncts(predicate: Predicate) -> tuple[Predicate, ...]:
    if isinstance(predicate, And):
        return predicate.items
    return () if isinstance(predicate, Anything) else (predicate,)


def joined(plan: Plan) -> Predicate:
    """One predicate that holds when any rule of the plan does, put so that most events are quickly done with."""
    items: list[Predicate] = []
    for pivot in plan.pivots:
        (most, branch), *others = pivot.cases
        is_most = Equals(field=pivot.field, value=most, fold=True)
        items.append(And(items=(is_most, _any(branch))))
        rest = [
            And(items=(Equals(field=pivot.field, value=literal, fold=True), _any(other)))
            for literal, other in others
        ]
        items.append(And(items=(Exists(field=pivot.field), Not(item=is_most), Or(items=tuple(rest)))))
    return Or(items=(*items, _any(plan.rest)))


def _any(branch: Branch) -> Predicate:
    below = [_any(inner) for inner in branch.branches]
    return And(items=(branch.condition, Or(items=(*(predicate for _, predicate in branch.rules), *below))))
