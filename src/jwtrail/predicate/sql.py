"""Predicates as DuckDB SQL: a boolean over the columns of a segment, every constant a parameter, never NULL.

A column is named as its ECS field; lists are arrays; a flattened field is its canonical JSON as text. Each leaf is
wrapped so that it is true or false, which is what makes `NOT` of it mean what it means in Python.
"""

from jwtrail.ecs.catalogue import CATALOGUE, Field
from jwtrail.predicate.checks import check_size
from jwtrail.predicate.codegen import TEXTUAL
from jwtrail.predicate.ir import And, Anything, Contains, Not, Nothing, Or, Predicate, SameAs
from jwtrail.predicate.leaves import (
    Between,
    Compare,
    Is,
    Leaf,
    Matches,
    Pair,
    Present,
    Word,
    leaves_of,
    pair_of,
)
from jwtrail.predicate.simplify import simplify
from jwtrail.predicate.sql_text import address_hex, folded, pointer, quoted
from jwtrail.predicate.values import fold

__all__ = ["Parameter", "to_sql"]

Parameter = str | int | bool
_OPS = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
_WORDS = {"prefix": "starts_with", "suffix": "ends_with", "inside": "contains"}
_MAX_INSTANT = 2**62
"""µs; what lies behind it is cut to it, before DuckDB's own `infinity`."""

_V4_MAPPED = 0xFFFF


def to_sql(predicate: Predicate, columns: frozenset[str] | None = None) -> tuple[str, list[Parameter]]:
    """The condition, and its parameters in the order of their `?`.

    Args:
        columns: columns that the table has; a field without one is missing in every row. All when None.

    Raises:
        PredicateError: an unknown field, a value its type cannot have, or a limit of `checks` passed.
    """
    check_size(predicate)
    writer = _Writer(columns if columns is not None else frozenset(CATALOGUE))
    return writer.condition(simplify(predicate)), writer.parameters


class _Writer:
    def __init__(self, columns: frozenset[str]) -> None:
        self.parameters: list[Parameter] = []
        self._columns = columns

    def condition(self, predicate: Predicate) -> str:
        match predicate:
            case Anything():
                return "true"
            case Nothing():
                return "false"
            case And(items=items):
                return f"({' AND '.join(map(self.condition, items))})"
            case Or(items=items):
                return f"({' OR '.join(map(self.condition, items))})"
            case Not(item=item):
                return f"NOT {self.condition(item)}"
            case SameAs():
                return self._pair(pair_of(predicate))
            case Contains(fields=()):
                return self._anywhere(predicate)
        leaves = leaves_of(predicate)
        if len(leaves) == 1:
            return self._leaf(leaves[0])
        return f"({' OR '.join(map(self._leaf, leaves))})"

    def _parameter(self, value: Parameter) -> str:
        self.parameters.append(value)
        return "?"

    def _leaf(self, leaf: Leaf) -> str:
        if leaf.field.name not in self._columns:
            return "false"
        if isinstance(leaf.test, Present):
            return self._present(leaf)
        if not leaf.many:
            return f"coalesce({self._test(leaf, self._view(leaf, self._value(leaf)))}, false)"
        if isinstance(leaf.test, Is) and leaf.view in ("raw", "text"):
            return f"coalesce(list_contains({self._items(leaf)}, {self._constant(leaf)}), false)"
        items = self._items(leaf)
        return f"coalesce(len(list_filter({items}, lambda x: {self._test(leaf, self._view(leaf, 'x'))})) > 0, false)"

    def _present(self, leaf: Leaf) -> str:
        if leaf.many:
            return f"coalesce(len({self._items(leaf)}) > 0, false)"
        return f"({self._value(leaf)} IS NOT NULL)"

    def _items(self, leaf: Leaf) -> str:
        """A list column, or the leaves of a flattened one."""
        column = quoted(leaf.field.name)
        return f"json_extract_string({column}, '$.*')" if leaf.field.type == "flattened" else column

    def _value(self, leaf: Leaf) -> str:
        column = quoted(leaf.field.name)
        if not leaf.key:
            return column
        return f"json_extract_string({column}, {pointer(leaf.key)})"

    @staticmethod
    def _view(leaf: Leaf, value: str) -> str:
        if leaf.view == "raw":
            return value
        text = _as_text(leaf.field, value)
        if leaf.view == "text":
            return text
        return folded(text) if leaf.view == "fold" else address_hex(text)

    def _test(self, leaf: Leaf, value: str) -> str:
        match leaf.test:
            case Is(value=int(key)) if leaf.view == "ip" and key >> 32 == _V4_MAPPED:
                return self._is_v4(leaf, value, key)
            case Is():
                return f"{value} = {self._constant(leaf)}"
            case Compare(op=op):
                return f"{value} {_OPS[op]} {self._constant(leaf)}"
            case Between(low=low, high=high):
                return f"{value} BETWEEN {self._parameter(_hex(low))} AND {self._parameter(_hex(high))}"
            case Word(how=how, text=text):
                return f"{_WORDS[how]}({value}, {self._parameter(text)})"
            case Matches(source=source):
                return f"regexp_matches({value}, {self._parameter(source)})"
        raise AssertionError(leaf.test)

    def _is_v4(self, leaf: Leaf, value: str, key: int) -> str:
        """An IPv4 address has one usual spelling; only what looks like IPv6 needs a closer look."""
        text = "x" if leaf.many else quoted(leaf.field.name)
        usual = ".".join(str(key >> shift & 0xFF) for shift in (24, 16, 8, 0))
        return (
            f"({text} = {self._parameter(usual)}"
            f" OR (contains({text}, ':') AND {value} = {self._parameter(_hex(key))}))"
        )

    def _constant(self, leaf: Leaf) -> str:
        assert isinstance(leaf.test, Is | Compare)
        value = leaf.test.value
        if leaf.view == "ip":
            assert isinstance(value, int)
            return self._parameter(_hex(value))
        if leaf.view == "raw" and leaf.field.type == "date":
            assert isinstance(value, int)
            return f"make_timestamp({self._parameter(max(-_MAX_INSTANT, min(_MAX_INSTANT, value)))}::BIGINT)"
        if isinstance(value, int) and not isinstance(value, bool):
            return f"{self._parameter(value)}::BIGINT"
        return self._parameter(value)

    def _anywhere(self, node: Contains) -> str:
        parts = [
            _texts(field)
            for field in CATALOGUE.values()
            if field.type in TEXTUAL and field.name in self._columns
        ]
        if not parts or "\n" in node.text:
            return "false"
        haystack = f"concat_ws(chr(10), {', '.join(parts)})"
        if node.fold:
            return f"contains({folded(haystack)}, {self._parameter(fold(node.text))})"
        return f"contains({haystack}, {self._parameter(node.text)})"

    def _pair(self, pair: Pair) -> str:
        if not {pair.left.field.name, pair.right.field.name} <= self._columns:
            return "false"
        left, right = self._side(pair.left), self._side(pair.right)
        match pair.left.many, pair.right.many:
            case False, False:
                return f"coalesce({left} = {right}, false)"
            case True, False:
                return f"coalesce(list_contains({left}, {right}), false)"
            case False, True:
                return f"coalesce(list_contains({right}, {left}), false)"
        return f"coalesce(list_has_any({left}, {right}), false)"

    def _side(self, leaf: Leaf) -> str:
        if not leaf.many:
            return self._view(leaf, self._value(leaf))
        return f"list_transform({self._items(leaf)}, lambda x: {self._view(leaf, 'x')})"


def _as_text(field: Field, value: str) -> str:
    match field.type:
        case "date":
            return f"strftime({value}, '%Y-%m-%dT%H:%M:%S.%fZ')"
        case "long" | "boolean":
            return f"CAST({value} AS VARCHAR)"
    return value


def _texts(field: Field) -> str:
    column = quoted(field.name)
    if field.type == "flattened":
        return f"array_to_string(json_extract_string({column}, '$.*'), chr(10))"
    return f"array_to_string({column}, chr(10))" if field.many else column


def _hex(key: int) -> str:
    return f"{key:032x}"
