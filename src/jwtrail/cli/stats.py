"""`jwtrail stats`: what the values of fields look like, and who was busiest."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click
import msgspec

from jwtrail import clock
from jwtrail.cli.common import counted, data_option, draw, is_terminal, json_line, open_store, store_option
from jwtrail.cli.kql import note_equals
from jwtrail.cli.plain import visible
from jwtrail.cli.search import timeout_option

if TYPE_CHECKING:
    from jwtrail.query.page import Bucket, EntityKind, SearchRequest, TopValues
    from jwtrail.query.store import Store

__all__ = ["stats"]

MAX_FIELDS = 20
"""Fields of one call; each is a scan of its own."""

_UNITS = {
    "event.duration": (1e6, "ms"),  # recorded in nanoseconds
    "jwtrail.lag_ms": (1, "ms"),
    "http.request.bytes": (1, "bytes"),
    "http.response.bytes": (1, "bytes"),
}
"""What people read a number in: by how much it is divided, and the unit."""

ROLL_UPS = ("user", "address", "token", "client")

TIME = "time"
"""What is asked for instead of a field to count events over time."""

BUCKETS = 30
"""At most so many intervals over time: what a screen shows without scrolling."""

_PLURALS = {"user": "users", "address": "addresses", "token": "tokens", "path": "paths"}

_BAR = 40
"""Characters of the longest bar."""


@click.command(short_help="Count: values of a field, or what users, addresses, tokens and clients did.")
@click.argument("names", metavar="FIELD…", nargs=-1, required=True)
@click.option("--where", "query", metavar="KQL", default="", help="Only events that fit.")
@click.option("--from", "start", default="now-24h", show_default=True, help="Begin, as in `jwtrail search`.")
@click.option("--to", "end", default="now", show_default=True, help="End, not included.")
@click.option(
    "--top", default=10, show_default=True, type=click.IntRange(1, 1000), help="So many values or rows."
)
@click.option("--failures", is_flag=True, help="Roll-ups: those with the most failures first.")
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON document a name. [default when not a terminal]"
)
@timeout_option
@store_option
@data_option
def stats(
    *,
    names: tuple[str, ...],
    query: str,
    start: str,
    end: str,
    top: int,
    failures: bool,
    as_json: bool,
    timeout: float,
    store: str | None,
    data: Path | None,
) -> None:
    """Count what was recorded.

    FIELD is any field: how many values and different ones, the range and the
    percentiles of a number, and the most frequent values. Or it is one of
    user, address, token, client: the busiest of them and what they did. Or it
    is time: how many events there were, in intervals of a round length.

    \b
    jwtrail stats event.duration url.path --where 'http.response.status_code >= 500'
    jwtrail stats address --failures --from now-7d
    jwtrail stats time --where 'event.outcome: failure' --from now-7d
    """
    from jwtrail.query.page import SearchRequest  # noqa: PLC0415
    from jwtrail.query.running import Run, running  # noqa: PLC0415
    from jwtrail.query.times import parse_time  # noqa: PLC0415

    if len(names) > MAX_FIELDS:
        raise click.UsageError(f"more than {MAX_FIELDS} fields; ask twice")
    note_equals(query)
    now = clock.now_us()
    request = SearchRequest(query=query, from_us=parse_time(start, now), to_us=parse_time(end, now))
    asked = open_store(data, store)
    people = is_terminal() and not as_json
    with running(Run(timeout)):
        for name in names:
            if name in ROLL_UPS:
                _roll_up(asked, cast("EntityKind", name), request, top, failures=failures, people=people)
            elif name == TIME:
                _over_time(asked, request, people=people)
            else:
                _field(asked, name, request, top, people=people)


def _field(store: "Store", name: str, request: "SearchRequest", size: int, *, people: bool) -> None:
    found, values = store.stats(name, request), store.top(name, request, size)
    if not people:
        json_line({**msgspec.to_builtins(found), "top": values.values, "other": values.other})
        return
    if not found.count:
        click.echo(f"{name}: no value in {counted(found.missing, 'event')}\n")
        return
    about = "" if found.exact else "about "
    click.echo(
        f"{name}: {counted(found.count, 'value')}, {about}{found.distinct:,} different; {counted(found.missing, 'event')} without"
    )
    if found.low is not None:
        click.echo(f"  from {_shown(name, found.low)} to {_shown(name, found.high)}")
    if found.percentiles:
        parts = (f"p{part:g} {_shown(name, value)}" for part, value in found.percentiles)
        click.echo(f"  mean {_shown(name, found.mean)}; {', '.join(parts)}")
    _draw_top(values)
    click.echo()


def _shown(name: str, value: object) -> str:
    """A value for people, a measured one with its unit."""
    if name in _UNITS and isinstance(value, int | float):
        divisor, unit = _UNITS[name]
        number = value / divisor
        return f"{number:,.{2 if divisor > 1 and number < 100 else 0}f} {unit}"
    return f"{value:,.1f}".removesuffix(".0") if isinstance(value, float) else visible(str(value))


def _draw_top(values: "TopValues") -> None:
    if values.other and all(count == 1 for _, count in values.values):
        click.echo("  no value comes twice")
        return
    rows = [(f"{count:,}", _shown(values.field, value)) for value, count in values.values]
    if values.other:
        rows.append((f"{values.other:,}", "(others)"))
    if rows:
        draw(("count", "value"), rows, flexible=("value",))


def _roll_up(
    store: "Store",
    kind: "EntityKind",
    request: "SearchRequest",
    size: int,
    *,
    failures: bool,
    people: bool,
) -> None:
    found = store.entities(kind, request, size, by_failures=failures)
    if not people:
        json_line({"kind": kind, "entities": [_document(one) for one in found]})
        return
    if not found:
        click.echo(f"{kind}: none in these events")
        return
    # Of what is rolled up, each has one.
    others = [name for name in ("user", "address", "token", "path") if name != kind]
    rows = [
        (
            visible(one.key),
            f"{one.events:,}",
            f"{one.failures:,}",
            clock.iso(one.first_us)[:19],
            clock.iso(one.last_us)[:19],
            *(f"{getattr(one, _PLURALS[name]):,}" for name in others),
        )
        for one in found
    ]
    columns = (kind, "events", "failures", "first (UTC)", "last (UTC)", *(_PLURALS[name] for name in others))
    draw(columns, rows, flexible=(kind,))


def _over_time(store: "Store", request: "SearchRequest", *, people: bool) -> None:
    found = store.histogram(request, BUCKETS)
    if not people:
        buckets = [
            {"start": clock.iso(one.start_us), "events": _events(one), "failures": one.failure}
            for one in found.buckets
        ]
        json_line({"field": TIME, "interval_s": found.interval_us / 1_000_000, "buckets": buckets})
        return
    most = max(map(_events, found.buckets), default=0) or 1
    rows = [
        (
            clock.iso(one.start_us)[:19],
            f"{_events(one):,}",
            f"{one.failure:,}",
            "█" * -(-_events(one) * _BAR // most),
        )
        for one in found.buckets
    ]
    draw(("from (UTC)", "events", "failures", ""), rows, flexible=("",))


def _events(bucket: "Bucket") -> int:
    return bucket.success + bucket.failure + bucket.unknown


def _document(one: Any) -> dict[str, Any]:
    made: dict[str, Any] = msgspec.to_builtins(one)
    return made | {"first": clock.iso(made.pop("first_us")), "last": clock.iso(made.pop("last_us"))}
