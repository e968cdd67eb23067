"""Limits on a predicate, and how a writer refuses one."""

from jwtrail.ecs.catalogue import Field, near_miss, resolve
from jwtrail.errors import PredicateError
from jwtrail.predicate.ir import And, Node, Not, Or, Predicate

__all__ = [
    "MAX_DEPTH",
    "MAX_NODES",
    "MAX_PIECES",
    "MAX_REGEX",
    "check_size",
    "count_nodes",
    "field_of",
    "refuse",
]

MAX_DEPTH = 150
"""Levels of `And`, `Or` and `Not`: below the 200 parentheses that Python's own parser allows."""

MAX_NODES = 5_000
"""Nodes of one predicate; the largest public Sigma rule has about 700."""

MAX_REGEX = 2_048
"""Characters of one regular expression."""

MAX_PIECES = 64
"""Pieces of one wildcard pattern."""


def refuse(node: Node, message: str, hint: str = "") -> PredicateError:
    """The error for a node that a writer cannot express; names the place when the node knows it."""
    where = f"characters {node.span.start + 1} to {node.span.end}" if node.span else ""
    return PredicateError(message, where=where, hint=hint)


def check_size(predicate: Predicate) -> None:
    """Refuse what is too deep or too large.

    Raises:
        PredicateError: a limit is passed; the message names it.
    """
    level: list[Predicate] = [predicate]
    nodes = depth = 0
    while level:
        depth += 1
        nodes += len(level)
        if depth > MAX_DEPTH:
            raise refuse(level[0], f"nested more than {MAX_DEPTH} levels deep", "write it flatter")
        if nodes > MAX_NODES:
            raise refuse(predicate, f"more than {MAX_NODES} conditions", "split it")
        level = [child for node in level for child in _children(node)]


def count_nodes(predicate: Predicate) -> int:
    """How many nodes it has; `MAX_NODES` may be asked at once."""
    nodes, todo = 0, [predicate]
    while todo:
        nodes += 1
        todo += _children(todo.pop())
    return nodes


def _children(node: Predicate) -> tuple[Predicate, ...]:
    if isinstance(node, And | Or):
        return node.items
    return (node.item,) if isinstance(node, Not) else ()


def field_of(node: Node, name: str) -> tuple[Field, str]:
    """The field of a name, and the key inside it for a leaf of a flattened field.

    Raises:
        PredicateError: there is no such field.
    """
    found = resolve(name)
    if found is None:
        raise refuse(node, f"no field {name}", near_miss(name))
    return found
