"""From leaves to Python expressions: names for constants, one local for each view of a field, cheap tests first."""

from collections.abc import Callable, Sequence
from typing import Any

from jwtrail import clock
from jwtrail.ecs.catalogue import CATALOGUE, Field
from jwtrail.ecs.event import Event
from jwtrail.predicate.ir import And, Anything, Contains, Equals, Not, Nothing, Or, Predicate, SameAs, Scalar
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
from jwtrail.predicate.memo import COSTS, TEXTUAL, VIEW_COSTS, Memo, cost_of, only_text, weight
from jwtrail.predicate.values import fold, ip_key, regex

__all__ = ["Scope", "Unit"]

_OPS = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
_UNSET = object()
_SEPARATOR = "\n"  # no text of an event holds a control character (ecs.clean)
_TEXT_ATTRIBUTES = tuple(
    field.attribute for field in CATALOGUE.values() if field.type in TEXTUAL and not field.many
)
_LIST_ATTRIBUTES = tuple(
    field.attribute for field in CATALOGUE.values() if field.type in TEXTUAL and field.many
)
_HAYSTACK_COST = 120

_WORTH = 12
"""Cost from which the answer for a text is looked up by the text: two words looked for without case."""


def _optional_fold(text: str | None) -> str | None:
    return None if text is None else fold(text)


def _optional_ip(text: str | None) -> int | None:
    return None if text is None else ip_key(text)


def _fold_all(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(fold, texts))


def _ip_all(texts: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(key for key in map(ip_key, texts) if key is not None)


def _text(value: bool | int | None) -> str | None:
    if value is None:
        return None
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _haystack(event: Event) -> str:
    """Every text of an event in one, an item a line."""
    parts = [text for name in _TEXT_ATTRIBUTES if isinstance(text := getattr(event, name), str)]
    for name in _LIST_ATTRIBUTES:
        parts.extend(getattr(event, name) or ())
    for leaves in (event.jwt_claims, event.labels):
        parts.extend((leaves or {}).values())
    return _SEPARATOR.join(parts)


_HELPERS: dict[str, Any] = {
    "U": _UNSET,
    "F": Memo(_optional_fold),
    "fold": fold,
    "haystack": _haystack,
    "fold_all": _fold_all,
    "ip_one": _optional_ip,
    "ip_all": _ip_all,
    "text": _text,
}


class Unit:
    """Source being written, and the constants it names.

    Args:
        remembers: answers that only depend on one text are remembered by that text.
    """

    def __init__(self, *, remembers: bool = False) -> None:
        self.remembers = remembers
        self.lines: list[str] = []
        self.constants: dict[str, Any] = {}
        self.lazy: dict[tuple[str, str, str], str] = {}
        self._names: dict[tuple[type, Any], str] = {}
        self._asked: dict[tuple[Field, str], tuple[str, dict[Predicate, int]]] = {}
        self._locals = 0

    @property
    def source(self) -> str:
        head, *body = self.lines
        lazy = [f"    {' = '.join(self.lazy.values())} = U"] if self.lazy else []
        return "\n".join([head, *lazy, *body]) + "\n"

    def constant(self, value: Any) -> str:
        """A name for a hashable value; the same for equal values of one type."""
        key = (type(value), value)
        if key not in self._names:
            self._names[key] = f"c{len(self._names)}"
            self.constants[self._names[key]] = value
        return self._names[key]

    def regex(self, source: str) -> str:
        """A name for the `search` of a compiled RE2 pattern."""
        key = (type(regex), source)
        if key not in self._names:
            self._names[key] = f"c{len(self._names)}"
            self.constants[self._names[key]] = regex(source).search
        return self._names[key]

    def asked(self, predicate: Predicate, field: Field, key: str) -> tuple[str, int]:
        """A name for what is remembered of each text of a field, and where in it the answer to this predicate stands."""
        memo, answers = self._asked.setdefault((field, key), (f"m{len(self._asked)}", {}))
        return memo, answers.setdefault(predicate, len(answers))

    def local(self) -> str:
        self._locals += 1
        return f"v{self._locals}"

    def build(self, name: str) -> Any:
        """The function of this name in the source."""
        space: dict[str, Any] = {**_HELPERS, **self.constants}
        for (field, key), (memo, predicates) in self._asked.items():
            space[memo] = Memo(_of_text(tuple(predicates), field, key))
        exec(compile(self.source, "<predicate>", "exec"), space)  # noqa: S102  # our own text; no value is in it
        return space[name]


class Scope:
    """A block of the generated function; it sees the locals of the blocks around it."""

    def __init__(self, unit: Unit, parent: "Scope | None" = None, depth: int = 0) -> None:
        self.unit = unit
        self.depth = depth
        self._parent = parent
        self._fetches: dict[tuple[str, str], str] = {}
        self._pending: list[str] = []

    @property
    def indent(self) -> str:
        return "    " * self.depth

    def inner(self, deeper: int) -> "Scope":
        return Scope(self.unit, self, self.depth + deeper)

    def line(self, text: str) -> None:
        self.unit.lines.append(text)

    def flush(self) -> None:
        """Write the assignments that conditions asked for so far."""
        self.unit.lines.extend(self.indent + text for text in self._pending)
        self._pending.clear()

    def holds(self, field: Field, key: str, name: str) -> None:
        """A field's value is in a variable already."""
        self._fetches[field.attribute, key] = name

    def condition(self, predicate: Predicate) -> str:
        """A Python expression of this truth; call `flush` before it is written."""
        return self._cost_and_text(predicate)[1]

    def _cost_and_text(self, predicate: Predicate) -> tuple[int, str]:
        match predicate:
            case Anything():
                return 0, "True"
            case Nothing():
                return 0, "False"
            case And(items=items):
                made, others = self._remembered(And, items)
                return self._join(" and ", others, "True", made)
            case Or(items=items):
                made, others = self._remembered(Or, items)
                sets, others = self._alternatives(others)
                return self._join(" or ", others, "False", [*made, *sets])
            case Not(item=item):
                cost, text = self._cost_and_text(item)
                return cost, f"(not {text})" if isinstance(item, Not) else f"not {text}"
            case SameAs():
                return 8, self._pair(pair_of(predicate))
            case Contains(fields=()):
                return _HAYSTACK_COST, self._anywhere(predicate)
        leaves = [self._leaf(leaf) for leaf in leaves_of(predicate)]
        if len(leaves) == 1:
            return leaves[0]
        return sum(cost for cost, _ in leaves), f"({' or '.join(text for _, text in leaves)})"

    def _join(
        self, word: str, items: Sequence[Predicate], empty: str, made: Sequence[tuple[int, str]] = ()
    ) -> tuple[int, str]:
        parts = sorted((*made, *(self._cost_and_text(item) for item in items)), key=lambda part: part[0])
        if not parts:
            return 0, empty
        return sum(cost for cost, _ in parts), f"({word.join(text for _, text in parts)})"

    def _remembered(
        self, kind: type[And | Or], items: Sequence[Predicate]
    ) -> tuple[list[tuple[int, str]], Sequence[Predicate]]:
        """What looks at one text alone and costs something as a look-up by that text, and the items that do not."""
        if not self.unit.remembers:
            return [], items
        by_text: dict[tuple[Field, str], list[Predicate]] = {}
        for item in items:
            if (text := only_text(item)) is not None:
                by_text.setdefault(text, []).append(item)
        made, taken = [], set[int]()
        for (field, key), found in by_text.items():
            if sum(map(weight, found)) >= _WORTH:
                memo, number = self.unit.asked(kind(items=tuple(found)), field, key)
                answers = self._lazy(field.attribute, key, "answers", f"{memo}[{self._raw(field, key)}]")
                made.append((4, f"{answers}[{number}]"))
                taken.update(map(id, found))
        return made, [item for item in items if id(item) not in taken]

    def _alternatives(self, items: Sequence[Predicate]) -> tuple[list[tuple[int, str]], list[Predicate]]:
        """Equalities of one field as one look into a set, and the items that are none."""
        others: list[Predicate] = []
        found: dict[tuple[str, bool], list[Leaf]] = {}
        for item in items:
            if isinstance(item, Equals):
                found.setdefault((item.field, item.fold), []).extend(leaves_of(item))
            else:
                others.append(item)
        return [self._one_of(leaves) for leaves in found.values()], others

    def _one_of(self, leaves: list[Leaf]) -> tuple[int, str]:
        first = leaves[0]
        if len(leaves) == 1:
            return self._leaf(first)
        values = self.unit.constant(frozenset(self._value(leaf) for leaf in leaves))
        cost = 2 * (COSTS[Is] + VIEW_COSTS[first.view])
        if first.many:
            return cost * 2, f"(not {values}.isdisjoint({self.view(first)}))"
        return cost, f"({self.view(first)} in {values})"

    def _leaf(self, leaf: Leaf) -> tuple[int, str]:
        cost = cost_of(leaf)
        value = self.view(leaf)
        if leaf.many:
            return cost * 2, self._any(leaf, value)
        if isinstance(leaf.test, Present):
            empty = " and len(x) > 0" if leaf.field.many else ""
            return cost, f"({value} is not None{empty})"
        if isinstance(leaf.test, Is):
            return cost, f"({value} == {self._constant(leaf)})"
        if value.isidentifier():
            return cost, f"({value} is not None and {self._test(leaf, value)})"
        local = self.unit.local()
        return cost, f"(({local} := {value}) is not None and {self._test(leaf, local)})"

    def _any(self, leaf: Leaf, values: str) -> str:
        if isinstance(leaf.test, Present):
            return f"(len({values}) > 0)"
        if isinstance(leaf.test, Is):
            return f"({self._constant(leaf)} in {values})"
        return f"any(map(lambda x: {self._test(leaf, 'x')}, {values}))"

    def _test(self, leaf: Leaf, x: str) -> str:
        constant = self.unit.constant
        match leaf.test:
            case Word(how="prefix", text=text):
                return f"{x}.startswith({constant(text)})"
            case Word(how="suffix", text=text):
                return f"{x}.endswith({constant(text)})"
            case Word(text=text):
                return f"{constant(text)} in {x}"
            case Matches(source=source, needle=needle):
                fits = f"{self.unit.regex(source)}({x}) is not None"
                return f"{constant(needle)} in {x} and {fits}" if needle else fits
            case Compare(op=op):
                return f"{x} {_OPS[op]} {self._constant(leaf)}"
            case Between(low=low, high=high):
                return f"{constant(low)} <= {x} <= {constant(high)}"
        raise AssertionError(leaf.test)

    def _constant(self, leaf: Leaf) -> str:
        return self.unit.constant(self._value(leaf))

    @staticmethod
    def _value(leaf: Leaf) -> Scalar:
        """The constant of a test as an attribute of `Event` would hold it."""
        assert isinstance(leaf.test, Is | Compare)
        value = leaf.test.value
        if leaf.field.type == "date" and leaf.view == "raw" and isinstance(value, int):
            return _date_text(value)
        return value

    def _anywhere(self, node: Contains) -> str:
        if _SEPARATOR in node.text:
            return "False"
        raw = self._lazy("", "haystack", "text", "haystack(e)")
        if not node.fold:
            return f"({self.unit.constant(node.text)} in {raw})"
        folded = self._lazy("", "haystack", "fold", f"fold({raw})")
        return f"({self.unit.constant(fold(node.text))} in {folded})"

    def _pair(self, pair: Pair) -> str:
        left, right = self.view(pair.left), self.view(pair.right)
        match pair.left.many, pair.right.many:
            case False, False:
                return f"({left} is not None and {left} == {right})"
            case True, False:
                return f"({right} in {left})"
            case False, True:
                return f"({left} in {right})"
        return f"(not {{*{left}}}.isdisjoint({right}))"

    def view(self, leaf: Leaf) -> str:
        """An expression of this view of the field; None (or an empty tuple for many) when there is no value."""
        field, key = leaf.field, leaf.key
        raw = self._raw(field, key)
        stringy = field.type not in ("long", "boolean")
        one_or_all = "all" if leaf.many else "one"
        text = raw if stringy else self._lazy(field.attribute, key, "text", f"text({raw})")
        match leaf.view:
            case "raw":
                return raw
            case "text":
                return text
        made = f"{leaf.view}_{one_or_all}({text})"
        if leaf.view == "fold":
            made = f"({text} and fold_all({text}))" if leaf.many else f"F[{text}]"
        return self._lazy(field.attribute, key, leaf.view, made)

    def _raw(self, field: Field, key: str) -> str:
        name = f"e.{field.attribute}"
        if key:
            made = f"({name} or {{}}).get({self.unit.constant(key)})"
        elif field.type == "flattened":
            made = f"tuple(({name} or {{}}).values())"
        else:
            made = f"{name} or ()" if field.many else name
        return self._fetched(field.attribute, key, made)

    def _fetched(self, attribute: str, key: str, made: str) -> str:
        """A local for an attribute, fetched at the head of the block that first needs it."""
        found = self.find((attribute, key))
        if found is None:
            found = self._fetches[attribute, key] = self.unit.local()
            self._pending.append(f"{found} = {made}")
        return found

    def _lazy(self, attribute: str, key: str, view: str, made: str) -> str:
        """A local of the whole function for what costs something to make: made once an event, when first needed."""
        found = self.unit.lazy.setdefault((attribute, key, view), "")
        if not found:
            found = self.unit.lazy[attribute, key, view] = self.unit.local()
        return f"({found} if {found} is not U else ({found} := {made}))"

    def find(self, key: tuple[str, str]) -> str | None:
        """The local that this block or one around it holds an attribute in."""
        if key in self._fetches:
            return self._fetches[key]
        return self._parent.find(key) if self._parent else None


def _of_text(
    predicates: tuple[Predicate, ...], field: Field, key: str
) -> Callable[[str | None], tuple[bool, ...]]:
    """The answers to predicates that look at one text alone, as a function of that text."""
    unit = Unit()
    head = Scope(unit)
    head.line("def match(x):")
    body = head.inner(1)
    body.holds(field, key, "x")
    conditions = [body.condition(predicate) for predicate in predicates]
    body.flush()
    body.line(f"    return ({', '.join(conditions)},)")
    return unit.build("match")  # type: ignore[no-any-return]


def _date_text(us: int) -> str:
    """The stored form of an instant; one that the form cannot hold sorts before or behind all that it can."""
    try:
        return clock.iso(us)
    except ValueError:
        return "" if us < 0 else "~"
