"""Predicates as DuckDB SQL: a boolean over the columns of a segment, every constant a parameter, never NULL.

A column is named as its ECS field; lists are arrays; a flattened field is its canonical JSON as text. Each leaf is
wrapped so that it is true or false, which is what makes `NOT` of it mean what it means in Python.
"""

import re2

from jwtrail.ecs.catalogue import CATALOGUE, Field
from jwtrail.predicate.checks import check_size
from jwtrail.predicate.ir import And, Anything, Contains, Exists, Glob, Not, Nothing, Or, Predicate, SameAs
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
from jwtrail.predicate.memo import TEXTUAL
from jwtrail.predicate.simplify import simplify
from jwtrail.predicate.sql_text import address_hex, folded, pointer, quoted, v4_between
from jwtrail.predicate.values import fold

__all__ = ["Parameter", "text_sql", "to_sql", "to_where"]

Parameter = str | int | bool
_OPS = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
_WORDS = {"prefix": "starts_with", "suffix": "ends_with", "inside": "contains"}
_PATTERNS = {"prefix": r"\A(?:{})", "suffix": r"(?:{})\z", "inside": "{}"}
_MANY = 4
"""Words from which one pattern is faster than `contains` for each."""

_MAX_INSTANT = 2**62
"""µs; what lies behind it is cut to it, before DuckDB's own `infinity`."""

_V4_MAPPED = 0xFFFF


def to_sql(predicate: Predicate, columns: frozenset[str] | None = None) -> tuple[str, list[Parameter]]:
    """The condition, true or false for every row, and its parameters in the order of their `?`.

    Args:
        columns: columns that the table has; a field without one is missing in every row. All when None.

    Raises:
        PredicateError: an unknown field, a value its type cannot have, or a limit of `checks` passed.
    """
    return _written(_Writer(columns, everywhere=True), predicate)


def to_where(predicate: Predicate, columns: frozenset[str] | None = None) -> tuple[str, list[Parameter]]:
    """The same for a WHERE clause alone: NULL where that comes to false, so that DuckDB can use a file's statistics.

    Raises:
        PredicateError: as `to_sql`.
    """
    return _written(_Writer(columns, everywhere=False), predicate)


def text_sql(name: str, columns: frozenset[str]) -> str:
    """A field of single values as text: NULL where it is missing.

    Raises:
        PredicateError: no such field.
    """
    (leaf,) = leaves_of(Exists(field=name))
    if leaf.field.name not in columns:
        return "NULL::VARCHAR"
    writer = _Writer(columns, everywhere=False)
    return _as_text(leaf.field, writer._value(leaf))  # noqa: SLF001  # of this module


def _written(writer: "_Writer", predicate: Predicate) -> tuple[str, list[Parameter]]:
    check_size(predicate)
    return writer.condition(simplify(predicate)), writer.parameters


class _Writer:
    """Args: everywhere: no leaf may be NULL, not only those below a `NOT`."""

    def __init__(self, columns: frozenset[str] | None, *, everywhere: bool) -> None:
        self.parameters: list[Parameter] = []
        self._columns = columns if columns is not None else frozenset(CATALOGUE)
        self._two_valued = everywhere

    def condition(self, predicate: Predicate) -> str:
        match predicate:
            case Anything():
                return "true"
            case Nothing():
                return "false"
            case And(items=items):
                return f"({' AND '.join(map(self.condition, items))})"
            case Or(items=items):
                words, others = _wordy(items)
                parts = [self._any_word(found) for found in words] + [self.condition(item) for item in others]
                return f"({' OR '.join(parts)})"
            case Not(item=item):
                return self._not(item)
            case SameAs():
                return self._pair(pair_of(predicate))
            case Contains(fields=()):
                return self._anywhere(predicate)
        leaves = leaves_of(predicate)
        if len(leaves) == 1:
            return self._leaf(leaves[0])
        return f"({' OR '.join(map(self._leaf, leaves))})"

    def _any_word(self, leaves: list[Leaf]) -> str:
        """Many texts looked for in one: DuckDB walks over a text once for a pattern, and once for each `contains`."""
        first = leaves[0]
        if first.field.name not in self._columns:
            return "false"
        pattern = self._parameter(
            "|".join(_PATTERNS[test.how].format(re2.escape(test.text)) for test in map(_word, leaves))
        )
        return self._settled(f"regexp_matches({self._view(first, self._value(first))}, {pattern})")

    def _not(self, item: Predicate) -> str:
        before, self._two_valued = self._two_valued, True
        condition = self.condition(item)
        self._two_valued = before
        return f"NOT {condition}"

    def _settled(self, condition: str) -> str:
        """The condition, false instead of NULL where that matters."""
        return f"coalesce({condition}, false)" if self._two_valued else condition

    def _parameter(self, value: Parameter) -> str:
        self.parameters.append(value)
        return "?"

    def _leaf(self, leaf: Leaf) -> str:
        if leaf.field.name not in self._columns:
            return "false"
        if isinstance(leaf.test, Present):
            return self._present(leaf)
        if not leaf.many:
            return self._settled(self._test(leaf, self._view(leaf, self._value(leaf))))
        if isinstance(leaf.test, Is) and leaf.view in ("raw", "text"):
            return self._settled(f"list_contains({self._items(leaf)}, {self._constant(leaf)})")
        items = self._items(leaf)
        return self._settled(
            f"len(list_filter({items}, lambda x: {self._test(leaf, self._view(leaf, 'x'))})) > 0"
        )

    def _present(self, leaf: Leaf) -> str:
        if leaf.many:
            return self._settled(f"len({self._items(leaf)}) > 0")
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
                return self._between_v4(leaf, value, key, key)
            case Between(low=low, high=high) if low >> 32 == high >> 32 == _V4_MAPPED:
                return self._between_v4(leaf, value, low, high)
            case Is():
                return f"{value} = {self._constant(leaf)}"
            case Compare(op=op):
                return f"{value} {_OPS[op]} {self._constant(leaf)}"
            case Between(low=low, high=high):
                bounds = f"{self._parameter(_hex(low))} AND {self._parameter(_hex(high))}"
                return f"{value} BETWEEN {bounds}"
            case Word(how=how, text=text):
                return f"{_WORDS[how]}({value}, {self._parameter(text)})"
            case Matches(source=source, needle=""):
                return f"regexp_matches({value}, {self._parameter(source)})"
            case Matches(source=source, needle=needle):
                held = f"contains({value}, {self._parameter(needle)})"
                return f"CASE WHEN {held} THEN regexp_matches({value}, {self._parameter(source)}) END"
        raise AssertionError(leaf.test)

    def _between_v4(self, leaf: Leaf, value: str, low: int, high: int) -> str:
        """IPv4 has one spelling, so most of it is a matter of text; only what looks like IPv6 needs a closer look."""
        text = "x" if leaf.many else self._value(leaf)
        plain = v4_between(text, low & 0xFFFFFFFF, high & 0xFFFFFFFF)
        bounds = f"{self._parameter(_hex(low))} AND {self._parameter(_hex(high))}"
        return f"CASE WHEN contains({text}, ':') THEN {value} BETWEEN {bounds} ELSE {plain} END"

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
                return self._settled(f"{left} = {right}")
            case True, False:
                return self._settled(f"list_contains({left}, {right})")
            case False, True:
                return self._settled(f"list_contains({right}, {left})")
        return self._settled(f"list_has_any({left}, {right})")

    def _side(self, leaf: Leaf) -> str:
        if not leaf.many:
            return self._view(leaf, self._value(leaf))
        return f"list_transform({self._items(leaf)}, lambda x: {self._view(leaf, 'x')})"


def _wordy(items: tuple[Predicate, ...]) -> tuple[list[list[Leaf]], list[Predicate]]:
    """Texts looked for in the same view of a field, `_MANY` and more, and the items that are none of these."""
    by_view: dict[tuple[str, str, str], list[tuple[Predicate, Leaf]]] = {}
    for item in items:
        if isinstance(item, Glob):
            (leaf,) = leaves_of(item)
            if isinstance(leaf.test, Word) and not leaf.many:
                by_view.setdefault((leaf.field.name, leaf.key, leaf.view), []).append((item, leaf))
    groups = [found for found in by_view.values() if len(found) >= _MANY]
    taken = {id(item) for found in groups for item, _ in found}
    return [[leaf for _, leaf in found] for found in groups], [
        item for item in items if id(item) not in taken
    ]


def _word(leaf: Leaf) -> Word:
    assert isinstance(leaf.test, Word)
    return leaf.test


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
