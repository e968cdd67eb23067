"""Statistics of a field, and what users, addresses, tokens and clients did, over segments and unsealed events as one."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from jwtrail.ecs import CATALOGUE, Event, Field
from jwtrail.predicate.sql_text import quoted, text
from jwtrail.query.page import Entity, EntityKind, FieldStats, TopValues
from jwtrail.query.reading import Given, Reading
from jwtrail.query.scan import Scan, View, at_us
from jwtrail.query.tally import Column

__all__ = ["ENTITIES", "MAX_EXACT", "PERCENTILES", "entities_of", "stats_of", "top_of"]

ENTITIES: dict[EntityKind, str] = {
    "user": "user.id",
    "address": "source.ip",
    "token": "jwt.jti",
    "client": "jwt.client_id",
}
"""What can be rolled up, and the field that names one of it."""

MAX_EXACT = 1_000_000
"""Values up to which different ones and percentiles are counted; above they are estimated, which needs little memory."""

PERCENTILES = (1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0)
"""Kibana's."""

_Ask = Callable[[str], tuple[Any, ...]]
_NO_ORDER = ("ip", "boolean", "geo_point")
_COUNTED = ("user.id", "source.ip", "jwt.jti", "url.path")


def stats_of(reading: Reading, view: View, scan: Scan, found: tuple[Field, str]) -> FieldStats:
    """Statistics of one field.

    Args:
        found: the field and the key inside it, as `resolve` gives them.
    """
    field, _ = found
    given = _values(view, scan, found)

    def ask(select: str) -> tuple[Any, ...]:
        return reading.over(view.segments, scan, given, f"SELECT {select} FROM v")[0]  # noqa: S608

    numeric = field.type == "long"
    count, missing, about, low, high, mean = ask(
        "count(x), count(*) - count(x), approx_count_distinct(x), min(x), max(x), "
        + ("avg(x)" if numeric else "NULL")
    )
    exact = count <= MAX_EXACT
    (distinct,) = ask("count(DISTINCT x)") if exact else (about,)
    if field.type in _NO_ORDER:
        low = high = None
    return FieldStats(
        field=_name(found),
        count=count,
        missing=missing,
        distinct=distinct,
        exact=exact,
        low=low,
        high=high,
        mean=mean,
        percentiles=_percentiles(ask, exact=exact) if numeric and count else (),
    )


def top_of(reading: Reading, view: View, scan: Scan, found: tuple[Field, str], size: int) -> TopValues:
    """The most frequent values; counted where the values are, so that only these leave the store."""
    rows = reading.over(
        view.segments,
        scan,
        _values(view, scan, found),
        ", g AS (SELECT x, count(*) AS n FROM v GROUP BY x)"  # noqa: S608
        " SELECT x, n, sum(n) FILTER (x IS NOT NULL) OVER (), sum(n) FILTER (x IS NULL) OVER ()"
        f" FROM g ORDER BY x IS NULL, n DESC, CAST(x AS VARCHAR) LIMIT {size}",
    )
    values = tuple((value, int(count)) for value, count, _, _ in rows if value is not None)
    total, missing = (int(rows[0][2] or 0), int(rows[0][3] or 0)) if rows else (0, 0)
    return TopValues(_name(found), values, total - sum(count for _, count in values), missing)


def _name(found: tuple[Field, str]) -> str:
    field, key = found
    return f"{field.name}.{key}" if key else field.name


def _values(view: View, scan: Scan, found: tuple[Field, str]) -> Given:
    """The values of a field as `x`; NULL for an event without any."""
    column = Column(*found)
    kind = {"long": "BIGINT", "boolean": "BOOLEAN"}.get(found[0].type, "VARCHAR")
    loose = [(value,) for event in _fitting(view, scan) for value in column.values(event)]
    return Given({"x": kind}, column.columns, f"{column.by} AS x", loose)


def _percentiles(ask: _Ask, *, exact: bool) -> tuple[tuple[float, float], ...]:
    parts = ", ".join(str(percent / 100) for percent in PERCENTILES)
    (values,) = ask(f"quantile_cont(x, [{parts}])" if exact else f"approx_quantile(x, [{parts}])")
    return tuple((percent, float(value)) for percent, value in zip(PERCENTILES, values, strict=True))


def entities_of(
    reading: Reading, view: View, scan: Scan, kind: EntityKind, size: int, *, by_failures: bool
) -> tuple[Entity, ...]:
    """The busiest of a kind: found first, then looked at closely, so that only theirs is counted apart."""
    failures = "count(*) FILTER (outcome = 'failure')"
    busiest = reading.over(
        view.segments,
        scan,
        _given(view, scan, (ENTITIES[kind],)),
        f"SELECT f0, {failures if by_failures else 'count(*)'} AS n FROM v"  # noqa: S608
        f" WHERE f0 IS NOT NULL GROUP BY f0 ORDER BY n DESC, f0 LIMIT {size}",
    )
    keys = [key for key, _ in busiest]
    if not keys:
        return ()
    counted = ", ".join(f"count(DISTINCT f{number})" for number in range(1, len(_COUNTED) + 1))
    closely = reading.over(
        view.segments,
        scan,
        _given(view, scan, (ENTITIES[kind], *_COUNTED)),
        f"SELECT f0, count(*), {failures}, min(t), max(t), {counted} FROM v"  # noqa: S608
        f" WHERE f0 IN ({', '.join(map(text, keys))}) GROUP BY f0",
    )
    found = {row[0]: Entity(**dict(zip(Entity.__struct_fields__, row, strict=True))) for row in closely}
    return tuple(found[key] for key in keys)


def _given(view: View, scan: Scan, names: Sequence[str]) -> Given:
    """Time, outcome and these text fields as `f0`, `f1` and so on."""
    fields = [CATALOGUE[name] for name in names]
    columns = ("@timestamp", "event.outcome", *names)
    by = [f"epoch_us({quoted('@timestamp')}) AS t", f"{quoted('event.outcome')} AS outcome"]
    by += [f"{quoted(name)} AS f{number}" for number, name in enumerate(names)]
    types = {"t": "BIGINT", "outcome": "VARCHAR"} | {f"f{number}": "VARCHAR" for number in range(len(names))}
    rows = [
        (at_us(event), event.event_outcome, *(getattr(event, field.attribute) for field in fields))
        for event in _fitting(view, scan)
    ]
    return Given(types, {name: CATALOGUE[name].sql_type for name in columns}, ", ".join(by), rows)


def _fitting(view: View, scan: Scan) -> Iterable[Event]:
    return (one.event for one in view.loose if scan.fits(one.event))
