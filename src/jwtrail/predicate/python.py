"""Predicates as Python: source text is generated and compiled, for one predicate or for a whole rule set at once.

In one generated function each attribute is fetched once, a text is folded or an address parsed at most once per event
and only when a condition gets that far, and cheap conditions come first. For a rule set, what rules share is asked once
(`shared`), and what only depends on one text is remembered by that text: addresses, routes and clients come again and
again. Constants never become source text: they are handed over by name.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from jwtrail.ecs.event import Event
from jwtrail.errors import PredicateError
from jwtrail.predicate.checks import check_size
from jwtrail.predicate.codegen import Scope, Unit
from jwtrail.predicate.ir import Equals, Predicate
from jwtrail.predicate.leaves import check_leaves, leaves_of
from jwtrail.predicate.memo import MAX_REMEMBERED
from jwtrail.predicate.shared import Branch, Pivot, planned
from jwtrail.predicate.simplify import simplify

__all__ = ["compile_many", "compile_predicate", "to_python"]


def compile_predicate(predicate: Predicate) -> Callable[[Event], bool]:
    """A function that tells whether an event fits.

    Raises:
        PredicateError: an unknown field, a value its type cannot have, or a limit of `checks` passed.
    """
    unit = _single(predicate)
    return unit.build("match")  # type: ignore[no-any-return]


def to_python(predicate: Predicate) -> str:
    """The source that `compile_predicate` runs, with its constants, for people to read.

    Raises:
        PredicateError: as `compile_predicate`.
    """
    unit = _single(predicate)
    constants = "".join(f"{name} = {value!r}\n" for name, value in unit.constants.items())
    return f"{constants}\n{unit.source}"


def compile_many(rules: Mapping[str, Predicate]) -> Callable[[Event], tuple[str, ...]]:
    """One function for a whole rule set: the names of the rules that an event fits, in the order of `rules`.

    Raises:
        PredicateError: as `compile_predicate`; `where` begins with the rule's name.
    """
    for name, predicate in rules.items():
        with _naming(name):
            check_size(predicate)
            check_leaves(predicate)
    plan = planned(rules)
    unit = Unit(remembers=True)
    scope = Scope(unit)
    scope.line("def match(e):")
    scope.line("    out = []")
    for pivot in plan.pivots:
        _pivot(scope.inner(1), pivot)
    _branch(scope.inner(1), plan.rest)
    unit.constants["orders"] = _Orders(rules)
    scope.line("    return orders[tuple(out)]")
    return unit.build("match")  # type: ignore[no-any-return]


class _Orders(dict[tuple[str, ...], tuple[str, ...]]):
    """Names as they were found to names in the order of the set; few combinations ever come together."""

    def __init__(self, rules: Iterable[str]) -> None:
        self._rank = {name: at for at, name in enumerate(rules)}

    def __missing__(self, found: tuple[str, ...]) -> tuple[str, ...]:
        if len(self) >= MAX_REMEMBERED:
            self.clear()
        self[found] = ordered = tuple(sorted(found, key=self._rank.__getitem__))
        return ordered


def _single(predicate: Predicate) -> Unit:
    check_size(predicate)
    unit = Unit()
    head = Scope(unit)
    head.line("def match(e):")
    body = head.inner(1)
    condition = body.condition(simplify(predicate))
    body.flush()
    body.line(f"    return {condition}")
    return unit


def _pivot(scope: Scope, pivot: Pivot) -> None:
    (leaf,) = leaves_of(Equals(field=pivot.field, value="", fold=True))
    value = scope.view(leaf)
    scope.flush()
    scope.line(f"{scope.indent}p = {value}")
    scope.line(f"{scope.indent}if p is None:")
    scope.line(f"{scope.indent}    pass")
    for literal, branch in pivot.cases:
        scope.line(f"{scope.indent}elif p == {scope.unit.constant(literal)}:")
        _branch(scope.inner(1), branch)


def _branch(scope: Scope, branch: Branch) -> None:
    for name, predicate in branch.rules:
        found = f"out.append({scope.unit.constant(name)})"
        condition = scope.condition(predicate)
        scope.flush()
        scope.line(f"{scope.indent}{found if condition == 'True' else f'if {condition}: {found}'}")
    for below in branch.branches:
        condition = scope.condition(below.condition)
        scope.flush()
        scope.line(f"{scope.indent}if {condition}:")
        _branch(scope.inner(1), below)


@contextmanager
def _naming(rule: str) -> Iterator[None]:
    """Say which rule of the set is refused."""
    try:
        yield
    except PredicateError as wrong:
        where = f"{rule}, {wrong.where}" if wrong.where else rule
        raise PredicateError(wrong.message, where=where, hint=wrong.hint) from wrong
