"""Predicates as Elastic's Event Query Language, for the steps of sequences.

Three-valued logic is made two-valued: below a `not`, each condition first asks whether the field is there. What EQL cannot
say the same way is refused: lists (it looks at one value), texts cut into words, regular expressions, letters outside ASCII
compared without case, and literal `*` or `?` where it would take them for wildcards.
"""

from jwtrail.ecs.catalogue import CATALOGUE
from jwtrail.errors import PredicateError
from jwtrail.predicate.ir import (
    And,
    Anything,
    Cidr,
    Equals,
    Exists,
    Glob,
    Not,
    Nothing,
    Or,
    Predicate,
    Range,
    Scalar,
)

__all__ = ["to_eql"]

_OPS = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
_SINGLE = ("keyword", "wildcard", "long", "ip", "boolean")
_WILD = ("*", "?")


def to_eql(predicate: Predicate) -> str:
    """A condition behind `where`.

    Raises:
        PredicateError: EQL cannot express it.
    """
    return _written(predicate, negated=False)


def _written(node: Predicate, *, negated: bool) -> str:
    match node:
        case Anything():
            return "true"
        case Nothing():
            return "false"
        case And(items=items):
            return f"({' and '.join(_written(item, negated=negated) for item in items)})" if items else "true"
        case Or(items=items):
            return f"({' or '.join(_written(item, negated=negated) for item in items)})" if items else "false"
        case Not(item=item):
            return f"not {_closed(_written(item, negated=True))}"
        case Exists(field=field):
            return f"{_field(field)} != null"
    condition, field = _condition(node)
    return f"({field} != null and {condition})" if negated else condition


def _condition(node: Predicate) -> tuple[str, str]:
    """A comparison, and the field it is about."""
    match node:
        case Equals(field=field, value=value, fold=fold):
            name = _field(field)
            return _equal(name, value, fold=fold and isinstance(value, str)), name
        case Glob(field=field, pattern=pattern, fold=fold):
            name = _field(field)
            text = "".join(
                {None: "*", 0: "?"}[part] if not isinstance(part, str) else _plain(part, fold=fold)
                for part in pattern
            )
            return f"{name} {':' if fold else 'like'} {_quoted(text)}", name
        case Range(field=field, op=op, value=value) if (
            isinstance(value, int) and CATALOGUE[field].type == "long"
        ):
            name = _field(field)
            return f"{name} {_OPS[op]} {value}", name
        case Cidr(field=field, network=network):
            name = _field(field)
            return f"cidrMatch({name}, {_quoted(network)})", name
    raise PredicateError(f"EQL cannot say {type(node).__name__.lower()}", hint="nothing is approximated")


def _equal(name: str, value: Scalar, *, fold: bool) -> str:
    if isinstance(value, bool):
        return f"{name} == {str(value).lower()}"
    if isinstance(value, int):
        return f"{name} == {value}"
    return f"{name} : {_quoted(_plain(value, fold=True))}" if fold else f"{name} == {_quoted(value)}"


def _field(name: str) -> str:
    known = CATALOGUE.get(name)
    if known is None or known.many or known.type not in _SINGLE:
        raise PredicateError(f"EQL cannot ask {name}, which is {_kind(name)}")
    return name


def _kind(name: str) -> str:
    known = CATALOGUE.get(name)
    return "unknown" if known is None else "a list" if known.many else known.type


def _plain(text: str, *, fold: bool) -> str:
    """Letters that stand for themselves in a pattern."""
    if any(sign in text for sign in _WILD):
        raise PredicateError("EQL takes * and ? for wildcards")
    if fold and not text.isascii():
        raise PredicateError("EQL compares letters outside ASCII in another way")
    return text


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    if not escaped.isprintable():
        raise PredicateError("EQL texts hold no control characters here")
    return f'"{escaped}"'


def _closed(text: str) -> str:
    return text if text.startswith("(") else f"({text})"
