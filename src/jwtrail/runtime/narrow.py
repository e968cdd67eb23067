"""Which events of the past a replay has to look at: asked of the segments in SQL, rule by rule (`detect.relevant`).

A rule that fits few events gets them all, found in one scan. Of a rule that fits many, only groups that could fire are
read; a test may keep too much, but never too little.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from msgspec import Struct

from jwtrail.clock import parse_iso
from jwtrail.detect.habits import MAX_TERMS
from jwtrail.detect.measures import MAX_SAMPLES
from jwtrail.detect.relevant import (
    Crowded,
    Fresh,
    Linked,
    Need,
    Peaked,
    Silent,
    Stepped,
    Summed,
    Turned,
    needs_of,
)
from jwtrail.detect.ruleset import Active
from jwtrail.query.engine import Engine
from jwtrail.query.source import Segment
from jwtrail.runtime.matches import Matches, Query, Row, given_rows
from jwtrail.runtime.past import Stretch

__all__ = ["OFTEN", "Narrowed", "narrow"]

OFTEN = 0.002
"""Share of events from which not simply all of a rule's are read: a scan for its groups costs what feeding so many does."""

SAMPLES = 2
"""Segments from whose beginnings it is guessed which rules fit many events; a wrong guess costs time and nothing else."""

SAMPLED = 4_096
"""Events of each: some eight of a rule that fits as often as `OFTEN` says."""

DIRECT = 4_000_000
"""Events of a rule whose groups are counted at once, in some 200 MB. Of more it is found out first where they can be many."""

SLOTS = (1 << 22) - 1
"""For that, stretches of groups are counted in so many slots by their hash; two that share one count too much, which is
allowed."""

MAX_MARGIN = 16
"""Spans by which events may be late before whole groups are kept instead of windows."""

CHUNK = 64
"""Segments of which the steps of numbers are looked at together: a million rows in memory."""

_BEFORE = "OVER (PARTITION BY k ORDER BY s ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"


class Narrowed(Struct, frozen=True):
    """What has to be read.

    Args:
        numbers: indexes of the events in segments, rising.
        only: for some rules the only indexes that count, by the rule's id.
    """

    numbers: list[int]
    only: dict[str, frozenset[int]]


class Window(Struct, frozen=True):
    """When a window is full.

    Args:
        size: SQL of how full a stretch of a group is; `crude` one that is not smaller and adds up.
        least: full from here on.
        whole: all of a group is needed when one of its windows is full.
    """

    size: str
    crude: str
    least: float
    span_us: int
    whole: bool = False


def narrow(
    stretch: Stretch, active: Active, *, late_us: int, often: float = OFTEN, timely: bool = False
) -> Narrowed:
    """What these rules have to read of a stretch.

    Args:
        late_us: by how much an event comes after one of a later time, at the most.
        often: see `OFTEN`.
        timely: it is read in the order of time.

    Raises:
        SegmentGone, QueryError: see `Engine.rows`.
    """
    if stretch.engine is None:
        return Narrowed([], {})
    return _Narrowing(stretch, stretch.engine, active, often, late_us, timely=timely).narrowed()


class _Narrowing:
    def __init__(
        self,
        stretch: Stretch,
        engine: Engine,
        active: Active,
        often: float,
        late_us: int,
        *,
        timely: bool,
    ) -> None:
        self._engine = engine
        self._segments = stretch.segments
        self._active = active
        self._often = often
        self._timely = timely
        self._lateness_us = 0 if timely else late_us
        self._outside = [*stretch.known, *stretch.loose]
        predicates = {rule.meta.id: rule.predicate for rule in active.rules}
        self._matches = Matches(stretch.segments, predicates, stretch.bounds, self._outside)
        self._names = tuple(predicates)

    def narrowed(self) -> Narrowed:
        shares = self._shares()
        only: dict[str, frozenset[int]] = {}
        numbers, whole = set[int](), set[str]()
        for need in needs_of(self._active):
            found = self._tested(need, shares) if self._is_often(need, shares) else None
            if found is None:
                whole.update(need.sources)
                continue
            numbers.update(found)
            if isinstance(need.test, Fresh | Stepped):
                only[need.rule] = frozenset(found)
        if whole:
            numbers.update(self._numbers(self._matches.numbers(whole)))
        first, last = self._segments[0].first, self._segments[-1].last
        return Narrowed(sorted(number for number in numbers if first <= number <= last), only)

    def _numbers(self, query: Query) -> list[int]:
        return [number for (number,) in self._engine.rows(*query)]

    def _shares(self) -> dict[str, float]:
        """For each rule on single events the share of events that fit, in a sample."""
        count, most = len(self._segments), min(SAMPLES, len(self._segments))
        sample = [self._segments[(2 * at + 1) * count // (2 * most)] for at in range(most)]
        [(rows, *fit)] = self._engine.rows(*self._matches.counts(sample, SAMPLED))
        return {rule: found / max(1, rows) for rule, found in zip(self._names, fit, strict=True)}

    def _is_often(self, need: Need, shares: Mapping[str, float]) -> bool:
        return need.test is not None and sum(shares[rule] for rule in need.sources) >= self._often

    def _tested(self, need: Need, shares: Mapping[str, float]) -> Iterable[int] | None:
        """Indexes of the events that the rule needs; None for all."""
        match need.test:
            case Crowded(count=count, span_us=span_us, values=values) if count > 1:
                size = "count(DISTINCT v)" if values else "count(*)"
                return self._windows(need, shares, values, Window(size, "count(*)", count, span_us))
            case Summed(field=field, least=least, span_us=span_us, calendar=calendar):
                # Where there are so many that a sum is no longer exact, all of them are needed; and of a group with a
                # past of its own.
                size = f"greatest(sum(greatest(v, 0)) / {least}, count(*) / {MAX_SAMPLES})"
                if calendar and self._lateness_us > span_us:
                    return None
                return self._windows(need, shares, (field,), Window(size, size, 1, span_us, whole=True))
            case Peaked():
                return self._peaked(need, need.test)
            case Silent(idle_us=idle_us):
                return self._silent(need, idle_us)
            case Linked(rules=rules):
                rarest = min(rules, key=lambda rule: shares[rule])
                sql, parameters = self._rows(need, [rarest])
                return self._of_groups(need, (f"SELECT DISTINCT hash(k) FROM ({sql})", parameters))  # noqa: S608
            case Fresh() if not self._timely:
                return self._fresh(need, need.test)
            case (Stepped() | Turned()) as test if not self._timely:
                return self._stepped(need, test)
        return None

    def _rows(self, need: Need, rules: Iterable[str], value: tuple[str, ...] = ()) -> Query:
        return self._matches.rows({rule: need.keys[rule] for rule in rules}, value)

    def _windows(
        self, need: Need, shares: Mapping[str, float], value: tuple[str, ...], window: Window
    ) -> list[int]:
        """Indexes of what the rule takes of groups in windows that are full, and of what may come late in them.

        A window lies in two stretches that begin at multiples of its length, so the two together must be as full.
        """
        rows = self._rows(need, need.rules, value)
        if sum(shares[rule] for rule in need.rules) * self._events > DIRECT:
            rows = self._dense(rows, window)
        full = self._full(rows, window, window.crude)
        if full and window.size != window.crude:
            full = self._full(_within(rows, full, window, 1), window, window.size)
        if not full:
            return []
        margin = -(-self._lateness_us // window.span_us)
        if window.whole or margin > MAX_MARGIN:
            return self._of_groups(need, ("SELECT unnest(?::UBIGINT[])", [[group for group, _ in full]]))
        sql, parameters = _within(self._rows(need, need.sources), full, window, 1 + margin)
        return self._numbers((f"SELECT DISTINCT s FROM ({sql})", parameters))  # noqa: S608

    def _full(self, rows: Query, window: Window, size: str) -> list[tuple[int, int]]:
        """Groups, by their hash, and where the first of two stretches begins that are together as full as a window."""
        sql, parameters = rows
        sizes = f"SELECT hash(k) AS h, t // {window.span_us} AS b, {size} AS n FROM ({sql}) GROUP BY h, b"  # noqa: S608
        following = "(PARTITION BY h ORDER BY b)"
        both = f"n + CASE lead(b) OVER {following} WHEN b + 1 THEN lead(n) OVER {following} ELSE 0 END"
        pairs = f"SELECT h, b, {both} AS n FROM ({sizes})"  # noqa: S608
        return self._engine.rows(f"SELECT h, b FROM ({pairs}) WHERE n >= {window.least}", parameters)  # noqa: S608

    def _dense(self, rows: Query, window: Window) -> Query:
        """The rows without those of stretches that cannot be part of a full window."""
        sql, parameters = rows
        slot = "(hash(k, {}) & " + f"{SLOTS})::BIGINT"
        stretch = f"t // {window.span_us}"
        half = f"GROUP BY slot HAVING 2 * {window.crude} >= {window.least}"
        slots = self._numbers((f"SELECT {slot.format(stretch)} AS slot FROM ({sql}) {half}", parameters))  # noqa: S608
        near = " OR ".join(
            f"{slot.format(f'{stretch} + {by}')} IN (SELECT unnest(?::BIGINT[]))" for by in (-1, 0, 1)
        )
        return f"SELECT * FROM ({sql}) WHERE {near}", [*parameters, slots, slots, slots]  # noqa: S608

    def _of_groups(self, need: Need, kept: Query) -> list[int]:
        """Indexes of everything the rule takes of the groups whose hashes this query gives."""
        sql, parameters = self._rows(need, need.sources)
        return self._numbers(
            (f"SELECT DISTINCT s FROM ({sql}) WHERE hash(k) IN ({kept[0]})", [*parameters, *kept[1]])  # noqa: S608
        )

    def _fresh(self, need: Need, test: Fresh) -> list[int] | None:
        if self._length_us > test.history_us:
            return None  # values are forgotten and seen anew: then every event may matter
        sql, parameters = self._matches.rows(need.keys, (test.field,), taken=True)
        found = self._numbers((f"SELECT min(s) FROM ({sql}) GROUP BY k, v", parameters))  # noqa: S608
        if len(found) > MAX_TERMS:
            most = f"SELECT count(DISTINCT v) AS c FROM ({sql}) GROUP BY k ORDER BY c DESC LIMIT 1"  # noqa: S608
            if self._numbers((most, parameters))[0] > MAX_TERMS:
                return None  # which values a group then forgets hangs on the order of all its events
        return found

    def _peaked(self, need: Need, test: Peaked) -> list[int] | None:
        """All of the groups that have numbers so high; one bucket takes of two stretches what comes a little late."""
        if self._lateness_us > test.span_us:
            return None
        sql, parameters = self._rows(need, need.rules, (test.field,))
        high = f"SELECT hash(k) AS h FROM ({sql}) WHERE v >= {test.least} GROUP BY h, t // {test.span_us}"  # noqa: S608
        return self._of_groups(need, (f"{high} HAVING count(*) >= {(test.count + 1) // 2}", parameters))

    def _silent(self, need: Need, idle_us: int) -> list[int]:
        """All of the groups that leave out a stretch of half the time: who is silent for all of it does."""
        if self._length_us <= idle_us:
            return []
        sql, parameters = self._matches.rows(need.keys, taken=True)
        half = idle_us // 2
        stretches = f"SELECT DISTINCT k, t // {half} AS b FROM ({sql})"  # noqa: S608
        gaps = f"SELECT k, b - lag(b) OVER (PARTITION BY k ORDER BY b) AS gap FROM ({stretches})"  # noqa: S608
        return self._of_groups(need, (f"SELECT hash(k) FROM ({gaps}) WHERE gap > 1", parameters))  # noqa: S608

    def _stepped(self, need: Need, test: Stepped | Turned) -> list[int]:
        """The groups in which a number jumps, found in the order of the trail with the highest numbers carried on.

        For a clock the number is when an event was over, from its time and its duration (ns), and jumps back.
        """
        if isinstance(test, Turned):
            number, least, step, by = "t + v // 1000", test.by_us, f"max(x) {_BEFORE} - x", 0
        else:
            number, least, step, by = "v", test.over, f"x - max(x) {_BEFORE}", 1
        ((rule, fields),) = need.keys.items()
        first = self._segments[0].first
        outside = self._matches.outside(rule, fields, (test.field,))
        stages: list[tuple[Sequence[Segment], list[Row]]] = [
            (self._segments[at : at + CHUNK], []) for at in range(0, len(self._segments), CHUNK)
        ]
        stages.insert(0, ((), [row for row in outside if row[0] < first]))
        stages.append(((), [row for row in outside if row[0] >= first]))
        jumping, highest = set[str](), dict[str, int]()
        for segments, given in stages:
            carried: list[Row] = [(-(2**62), high, key, high * by) for key, high in highest.items()]
            sql, parameters = given_rows([*carried, *given], number=True)
            if segments:
                more, further = self._matches.sealed(rule, fields, (test.field,), segments)
                sql, parameters = f"{more} UNION ALL {sql}", [*further, *parameters]
            steps = f"SELECT k, x, {step} AS step FROM (SELECT s, k, {number} AS x FROM ({sql}))"  # noqa: S608
            found = self._engine.rows(f"SELECT k, max(x), max(step) FROM ({steps}) GROUP BY k", parameters)  # noqa: S608
            highest = {key: high for key, high, _ in found} if found else highest
            jumping |= {key for key, _, jump in found if jump is not None and jump > least}
        return (
            self._of_groups(need, ("SELECT hash(unnest(?::VARCHAR[]))", [sorted(jumping)])) if jumping else []
        )

    @cached_property
    def _events(self) -> int:
        return sum(segment.rows for segment in self._segments) + len(self._outside)

    @cached_property
    def _length_us(self) -> int:
        """From the earliest event to the latest."""
        times = [parse_iso(event.timestamp) for event in self._outside]
        low = min([segment.min_us for segment in self._segments] + times)
        return max([segment.max_us for segment in self._segments] + times) - low


def _within(rows: Query, full: list[tuple[int, int]], window: Window, further: int) -> Query:
    """The rows in stretches that begin a full window, and in so many further ones behind each."""
    groups, begins = (list(column) for column in zip(*full, strict=True))
    given = "SELECT unnest(?::UBIGINT[]) AS h, unnest(?::BIGINT[]) AS b"
    wanted = f"SELECT h, b + far FROM ({given}) CROSS JOIN range({further + 1}) AS ahead(far)"  # noqa: S608
    where = f"(hash(k), t // {window.span_us}) IN ({wanted})"
    return f"SELECT * FROM ({rows[0]}) WHERE {where}", [*rows[1], groups, begins]  # noqa: S608
