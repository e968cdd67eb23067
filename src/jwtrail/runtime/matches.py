"""Events that fit rules, as rows of SQL with what tells groups apart and what is counted."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from jwtrail.clock import parse_iso
from jwtrail.detect.engine import SELF_INFLICTED
from jwtrail.detect.fields import SEPARATOR, key_reader, number_reader
from jwtrail.ecs import Event
from jwtrail.ecs.catalogue import resolve
from jwtrail.predicate.ir import And, Equals, Not, Or, Predicate
from jwtrail.predicate.python import compile_predicate
from jwtrail.predicate.shared import joined, planned
from jwtrail.predicate.sql import text_sql, to_where
from jwtrail.predicate.sql_text import quoted
from jwtrail.query.scan import SEQUENCE
from jwtrail.query.source import Segment
from jwtrail.query.tables import columns_of, files_sql

__all__ = ["Matches", "Query", "Row"]

Query = tuple[str, list[Any]]
"""SQL and its parameters."""

Row = tuple[int, int, str, str | int]
"""Index, time (µs), group and value of an event."""

_OURS = Or(
    items=(
        Equals(field="event.kind", value="alert"),
        Equals(field="jwtrail.flags", value=SELF_INFLICTED),
    )
)
"""What the detector passes over."""

_AT = f"epoch_us({quoted('@timestamp')})"


class Matches:
    """Rows of a stretch of the trail.

    Args:
        predicates: of rules on single events, by their ids.
        bounds: of time; what lies outside is not there.
        outside: events that are in no segment but are fed, with their indexes.
    """

    def __init__(
        self,
        segments: Sequence[Segment],
        predicates: Mapping[str, Predicate],
        bounds: Sequence[Predicate],
        outside: Iterable[Event],
    ) -> None:
        self.segments = segments
        self._predicates = predicates
        self._bounds = tuple(bounds)
        self._outside = list(outside)
        self._fitting: dict[str, list[Event]] = {}

    def numbers(self, rules: Iterable[str]) -> Query:
        """Indexes of the events in segments that fit any of the rules."""
        wanted = joined(planned({rule: self._predicates[rule] for rule in rules}))
        condition, parameters = to_where(And(items=(*self._bounds, wanted)), columns_of(self.segments))
        return f"SELECT {SEQUENCE} FROM {files_sql(self.segments)} WHERE {condition}", parameters  # noqa: S608

    def counts(self, segments: Sequence[Segment], most: int) -> Query:
        """How many events the beginnings of some segments have, `most` of each, and how many fit each rule."""
        columns, parameters, counts = columns_of(segments), list[Any](), ["count(*)"]
        for predicate in self._predicates.values():
            condition, more = to_where(predicate, columns)
            counts.append(f"count(*) FILTER (WHERE {condition})")
            parameters += more
        begins = " UNION ALL BY NAME ".join(f"(FROM {files_sql([one])} LIMIT {most})" for one in segments)
        return f"SELECT {', '.join(counts)} FROM ({begins})", parameters  # noqa: S608

    def rows(
        self, keys: Mapping[str, tuple[str, ...]], value: tuple[str, ...] = (), *, taken: bool = False
    ) -> Query:
        """Index `s`, time `t`, group `k` and value `v` of every event that fits a rule and has both.

        Args:
            keys: by the id of a rule: the fields that tell its groups apart.
            value: fields whose values count together; a number stays one when it stands alone.
            taken: without what the detector passes over.
        """
        parts, parameters = [], list[Any]()
        for rule, fields in keys.items():
            for sql, given in (
                self.sealed(rule, fields, value, self.segments, taken=taken),
                given_rows(self.outside(rule, fields, value, taken=taken), number=_is_number(value)),
            ):
                parts.append(sql)
                parameters += given
        return " UNION ALL ".join(parts), parameters

    def sealed(
        self,
        rule: str,
        fields: tuple[str, ...],
        value: tuple[str, ...],
        segments: Sequence[Segment],
        *,
        taken: bool = False,
    ) -> Query:
        """The rows of one rule in some segments."""
        columns = columns_of(segments)
        items = [*self._bounds, self._predicates[rule], *([Not(item=_OURS)] if taken else [])]
        condition, parameters = to_where(And(items=tuple(items)), columns)
        found = quoted(value[0]) if _is_number(value) and value[0] in columns else _together(value, columns)
        sql = (
            f"SELECT {SEQUENCE} AS s, {_AT} AS t, {_together(fields, columns)} AS k, {found} AS v"  # noqa: S608
            f" FROM {files_sql(segments)} WHERE {condition} AND k IS NOT NULL AND v IS NOT NULL"
        )
        return sql, parameters

    def outside(
        self, rule: str, fields: tuple[str, ...], value: tuple[str, ...], *, taken: bool = False
    ) -> list[Row]:
        """The rows of one rule outside of segments, in order."""
        key, read = _reader(fields), number_reader(value[0]) if _is_number(value) else _reader(value)
        made = []
        for event in self._fits(rule):
            group, found = key(event), read(event)
            if group is not None and found is not None and not (taken and _passed_over(event)):
                made.append((event.event_sequence or 0, parse_iso(event.timestamp), group, found))
        return made

    def _fits(self, rule: str) -> list[Event]:
        if rule not in self._fitting:
            fits = compile_predicate(self._predicates[rule])
            self._fitting[rule] = [event for event in self._outside if fits(event)]
        return self._fitting[rule]


def given_rows(rows: Sequence[Row], *, number: bool) -> Query:
    """Rows that come from here."""
    kind = "BIGINT" if number else "VARCHAR"
    sql = f"SELECT unnest(?::BIGINT[]) AS s, unnest(?::BIGINT[]) AS t, unnest(?::VARCHAR[]) AS k, unnest(?::{kind}[]) AS v"
    return sql, [list(column) for column in zip(*rows, strict=True)] or [[], [], [], []]


def _is_number(value: tuple[str, ...]) -> bool:
    found = resolve(value[0]) if len(value) == 1 else None
    return found is not None and found[0].type == "long"


def _reader(fields: tuple[str, ...]) -> Callable[[Event], str | None]:
    if not fields:
        return lambda _event: ""
    read = key_reader(fields)
    return lambda event: None if (found := read(event)) is None else SEPARATOR.join(found)


def _together(fields: tuple[str, ...], columns: frozenset[str]) -> str:
    """SQL of the same text as `_reader` reads; NULL when any of them is missing."""
    return " || chr(31) || ".join(text_sql(name, columns) for name in fields) or "''"


def _passed_over(event: Event) -> bool:
    return event.event_kind == "alert" or SELF_INFLICTED in (event.jwtrail_flags or ())
