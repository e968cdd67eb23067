"""Predicates as Python: source text is generated and compiled, for one predicate or for a whole rule set at once.

In one generated function each attribute is fetched once, a text is folded or an address parsed at most once per event
and only when a condition gets that far, and cheap conditions come first. Constants never become source text: they are
handed over by name.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from jwtrail.ecs.event import Event
from jwtrail.errors import PredicateError
from jwtrail.predicate.checks import check_size
from jwtrail.predicate.codegen import Scope, Unit
from jwtrail.predicate.ir import And, Equals, Or, Predicate
from jwtrail.predicate.leaves import leaves_of
from jwtrail.predicate.simplify import simplify
from jwtrail.predicate.values import fold

__all__ = ["compile_many", "compile_predicate", "to_python"]

_PIVOTS = ("event.reason", "event.action")
"""Fields by which a rule set is indexed, the more telling one first: most events have no reason at all."""


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


def compile_many(rules: Mapping[str, Predicate]) -> Callable[[Event], list[str]]:
    """One function for a whole rule set: the names of the rules that an event fits, in the order of `rules`.

    Raises:
        PredicateError: as `compile_predicate`; `where` begins with the rule's name.
    """
    unit = Unit()
    scope = Scope(unit)
    scope.line("def match(e):")
    scope.line("    out = []")
    groups, rest = _grouped(rules)
    for pivot, by_literals in groups.items():
        _pivot_block(scope.inner(1), pivot, by_literals)
    last = scope.inner(1)
    for name, predicate in rest.items():
        _rule(last, name, predicate)
    rank = unit.constant({name: at for at, name in enumerate(rules)}.__getitem__)
    scope.line(f"    return out if len(out) < 2 else sorted(out, key={rank})")
    return unit.build("match")  # type: ignore[no-any-return]


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


_Groups = dict[str, dict[frozenset[str], dict[str, Predicate]]]


def _grouped(rules: Mapping[str, Predicate]) -> tuple[_Groups, dict[str, Predicate]]:
    """Rules by a pivot field and the folded literals of which it must hold one; and the rules without any."""
    groups: _Groups = {}
    rest: dict[str, Predicate] = {}
    for name, given in rules.items():
        with _naming(name):
            check_size(given)
        predicate = simplify(given)
        for pivot in _PIVOTS:
            if literals := _required(predicate, pivot):
                groups.setdefault(pivot, {}).setdefault(literals, {})[name] = predicate
                break
        else:
            rest[name] = predicate
    return groups, rest


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


def _pivot_block(scope: Scope, pivot: str, by_literals: dict[frozenset[str], dict[str, Predicate]]) -> None:
    (leaf,) = leaves_of(Equals(field=pivot, value="", fold=True))
    value = scope.view(leaf)
    scope.flush()
    guard = scope.inner(0)
    guard.line(f"{guard.indent}p = {value}")
    guard.line(f"{guard.indent}if p is not None:")
    for literals, rules in by_literals.items():
        one = guard.inner(1)
        test = (
            f"== {scope.unit.constant(next(iter(literals)))}"
            if len(literals) == 1
            else f"in {scope.unit.constant(literals)}"
        )
        one.line(f"{one.indent}if p {test}:")
        block = one.inner(1)
        for name, predicate in rules.items():
            _rule(block, name, predicate)


def _rule(scope: Scope, name: str, predicate: Predicate) -> None:
    with _naming(name):
        condition = scope.condition(predicate)
    scope.flush()
    scope.line(f"{scope.indent}if {condition}:")
    scope.line(f"{scope.indent}    out.append({scope.unit.constant(name)})")


@contextmanager
def _naming(rule: str) -> Iterator[None]:
    """Say which rule of the set is refused."""
    try:
        yield
    except PredicateError as wrong:
        where = f"{rule}, {wrong.where}" if wrong.where else rule
        raise PredicateError(wrong.message, where=where, hint=wrong.hint) from wrong
