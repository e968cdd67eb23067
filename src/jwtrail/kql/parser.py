"""KQL to its tree: `or` binds weakest, then `and`, then `not`; a value list has the same three levels inside."""

import re
from collections.abc import Callable

from jwtrail.errors import KqlError
from jwtrail.kql.ast import EVERYTHING, All, AnyOf, Clause, Compare, Is, Nested, Never, Term
from jwtrail.kql.lexer import Cursor
from jwtrail.kql.lucene import looks_like_lucene
from jwtrail.predicate.ir import Op, Span

__all__ = ["MAX_NESTING", "MAX_QUERY", "parse"]

MAX_QUERY = 8192
"""Code points of one query; Kibana's address bar holds less."""

MAX_NESTING = 64
"""Parentheses and braces within each other; each costs a few frames of the parser."""

_RANGES: tuple[tuple[str, Op], ...] = (("<=", "lte"), (">=", "gte"), ("<", "lt"), (">", "gt"))
_HALF = re.compile("[\ud800-\udfff]")  # comes from bytes on a command line that are not UTF-8


def parse(text: str) -> Clause:
    """The tree of a query; a blank one means everything.

    Raises:
        KqlError: not KQL as Kibana 8.12 reads it, or one of the limits is passed.
    """
    if len(text) > MAX_QUERY:
        raise KqlError(f"longer than {MAX_QUERY} characters", text=text, start=MAX_QUERY, hint="split it")
    if half := _HALF.search(text):
        raise KqlError("half of a surrogate pair stands for no character", text=text, start=half.start())
    parser = _Parser(Cursor(text))
    parser.cursor.skip_spaces()
    if parser.cursor.at_end():
        return EVERYTHING
    clause = parser.query()
    parser.cursor.skip_spaces()
    if not parser.cursor.at_end():
        raise parser.unexpected("AND", "OR", "the end of the query")
    return clause


class _Parser:
    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self._nesting = 0

    def query(self) -> Clause:
        return self._joined(self._not_query)

    def _joined(self, part: Callable[[], Clause]) -> Clause:
        """`or` of `and` of parts."""
        start = self.cursor.at
        options = [self._all(part)]
        while self.cursor.word("or"):
            options.append(self._all(part))
        return options[0] if len(options) == 1 else AnyOf(tuple(options), self._span(start))

    def _all(self, part: Callable[[], Clause]) -> Clause:
        start = self.cursor.at
        items = [part()]
        while self.cursor.word("and"):
            items.append(part())
        return items[0] if len(items) == 1 else All(tuple(items), self._span(start))

    def _not_query(self) -> Clause:
        start = self.cursor.at
        if self.cursor.word("not"):
            return Never(self._sub_query("a field name", "a value", '"("'), self._span(start))
        return self._sub_query("NOT", "a field name", "a value", '"("')

    def _sub_query(self, *expected: str) -> Clause:
        if self.cursor.take("("):
            return self._closed(")", self.query)
        start = self.cursor.at
        term = self.cursor.term()
        if term is None:
            raise self.unexpected(*expected)
        self._skip_spaces_before_operator()
        if self.cursor.take(":"):
            return self._after_colon(term, start)
        for mark, op in _RANGES:
            if self.cursor.take(mark):
                return self._compared(term, op, start)
        return Is(None, term, term.span)

    def _skip_spaces_before_operator(self) -> None:
        """Step over spaces only when an operator follows; before `and` they are part of the word."""
        before = self.cursor.at
        self.cursor.skip_spaces()
        if not self.cursor.text.startswith((":", "<", ">"), self.cursor.at):
            self.cursor.at = before

    def _after_colon(self, field: Term, start: int) -> Clause:
        self.cursor.skip_spaces()
        if self.cursor.take("{"):
            inner = self._closed("}", self.query)
            return Nested(field, inner, self._span(start))
        return self._values(field, start, '"("', '"{"', "a value")

    def _values(self, field: Term, start: int, *expected: str) -> Clause:
        if self.cursor.take("("):
            return self._closed(")", lambda: self._joined(lambda: self._not_values(field)))
        value = self.cursor.term()
        if value is None:
            raise self.unexpected(*expected)
        return Is(field, value, Span(start, value.span.end))

    def _not_values(self, field: Term) -> Clause:
        start = self.cursor.at
        if self.cursor.word("not"):
            return Never(self._values(field, self.cursor.at, '"("', "a value"), self._span(start))
        return self._values(field, start, '"("', "NOT", "a value")

    def _compared(self, field: Term, op: Op, start: int) -> Clause:
        self.cursor.skip_spaces()
        value = self.cursor.term()
        if value is None:
            raise self.unexpected("a value")
        return Compare(field, op, value, Span(start, value.span.end))

    def _closed(self, mark: str, inside: Callable[[], Clause]) -> Clause:
        """What stands before a closing mark; the opening one is behind us."""
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            raise KqlError(
                f"nested more than {MAX_NESTING} levels deep", text=self.cursor.text, start=self.cursor.at - 1
            )
        opened = self.cursor.at - 1
        self.cursor.skip_spaces()
        clause = inside()
        self.cursor.skip_spaces()
        if not self.cursor.take(mark):
            hint = f"opened at character {opened + 1}" if self.cursor.at_end() else ""
            raise self.unexpected("AND", "OR", f'"{mark}"', hint=hint)
        self._nesting -= 1
        return clause

    def unexpected(self, *expected: str, hint: str = "") -> KqlError:
        """The error for this place, with advice for the two surprises of the language."""
        rest = self.cursor.text[self.cursor.at :].lower()
        if not hint and rest.startswith("not") and rest[3:4].isspace():
            hint = 'a value with the word "not" in it needs quotes; before "not" write AND or OR'
        elif not hint and rest.startswith("(") and self.cursor.text[: self.cursor.at].lower().endswith("not"):
            hint = 'put a space between "not" and the parenthesis'
        elif not hint and looks_like_lucene(self.cursor.text):
            hint = "this looks like Lucene; in KQL write `field >= 1 and field <= 10`, `field: *`, `not field: value`"
        return self.cursor.error(*expected, hint=hint)

    def _span(self, start: int) -> Span:
        return Span(start, self.cursor.at)
