"""`jwtrail alerts undo|export|groups|risk`: what is done with many alerts, or about one."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jwtrail import clock
from jwtrail.cli.common import (
    LEVEL_STYLES,
    data_option,
    draw,
    is_terminal,
    json_line,
    note,
    open_alerts,
    open_state,
    open_store,
)
from jwtrail.cli.look import ago
from jwtrail.cli.plain import visible
from jwtrail.errors import AlertNotFound
from jwtrail.state.records import AlertRow

if TYPE_CHECKING:
    from jwtrail.respond.exporting import AlertFormat
    from jwtrail.respond.risk import RiskKey
    from jwtrail.state import StateStore

__all__ = ["export", "found", "groups", "level", "risk", "undo"]

MAX_LOOKED_AT = 500
"""Newest alerts among which the beginning of an id is looked for."""

SHORTEST_ID = 4
"""Characters of an id that are taken as its beginning, as with commits."""

from_option = click.option(
    "--from", "start", default="now-7d", show_default=True, metavar="TIME", help="From then on."
)
to_option = click.option("--to", "end", default="now", show_default=True, metavar="TIME", help="Until then.")
json_option = click.option(
    "--json", "as_json", is_flag=True, help="One JSON document a line. [default when not a terminal]"
)


@click.command(short_help="Take back what the answer to an alert did.")
@click.argument("alert_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="What became of it as one JSON document.")
@data_option
def undo(alert_id: str, as_json: bool, data: Path | None) -> None:
    """Take back what the answer to an alert did: lift throttles and blocks, let revoked tokens count again.

    A revocation stays when somebody else ended the same token or sign-in too: a refresh token used twice, a sign-out, an
    operator. Again changes nothing.
    """
    import getpass  # noqa: PLC0415

    from jwtrail.cli.recorded import put  # noqa: PLC0415
    from jwtrail.runtime.undo import undo as take_back  # noqa: PLC0415

    events: list[Any] = []
    with open_state(data) as state:
        row = found(state, alert_id)
        done = take_back(
            state,
            open_store(data),
            row.id,
            by=getpass.getuser(),
            record=events.append,
            now_us=clock.now_us(),
        )
    if events:
        put(data, events)
    if as_json:
        json_line(done)
        return
    for target in done.undone:
        click.echo(f"taken back: {visible(target)}")
    for target, why in done.kept:
        click.echo(f"stays: {visible(target)}: {visible(why)}")
    if not done.undone and not done.kept:
        note("Nothing of it is in force.")


@click.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(["ecs", "ocsf", "cef", "ndjson"]),
    default="ndjson",
    show_default=True,
)
@from_option
@to_option
@data_option
def export(form: "AlertFormat", start: str, end: str, data: Path | None) -> None:
    """Alerts for other systems, one a line on stdout, the oldest first.

    \b
    ecs     the event as the trail holds it (Elasticsearch, OpenSearch)
    ocsf    Detection Finding, class 2004 (Security Lake, Splunk)
    cef     Common Event Format (ArcSight, QRadar)
    ndjson  everything we know, with triage
    """
    from jwtrail.respond.exporting import MAX_EXPORTED, line_of  # noqa: PLC0415

    rows = _between(data, start, end, MAX_EXPORTED + 1)
    for row in rows[:MAX_EXPORTED]:
        sys.stdout.buffer.write(line_of(row, form))
    sys.stdout.buffer.flush()
    if len(rows) > MAX_EXPORTED:
        note(f"There are more than {MAX_EXPORTED:,}; the rest: --from {clock.iso(rows[MAX_EXPORTED].at_us)}")


@click.command()
@from_option
@to_option
@json_option
@data_option
def groups(start: str, end: str, as_json: bool, data: Path | None) -> None:
    """Alerts put together by rule and by whom they are about."""
    from jwtrail.respond.risk import MAX_COUNTED, groups_of  # noqa: PLC0415

    made = groups_of(_between(data, start, end, MAX_COUNTED))
    if as_json or not is_terminal():
        for one in made:
            json_line(one)
        return
    now = clock.now_us()
    shown = [
        (
            str(one.alerts),
            str(one.open),
            ago(one.last_us, now),
            level(one.level),
            visible(one.title),
            visible(one.group),
        )
        for one in made
    ]
    if shown:
        draw(("alerts", "open", "last", "level", "rule", "for"), shown, flexible=("rule", "for"))
    else:
        note("No alerts.")


@click.command()
@click.option(
    "--by", "key", type=click.Choice(["user", "token", "source"]), default="user", show_default=True
)
@from_option
@to_option
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@json_option
@data_option
def risk(*, key: "RiskKey", start: str, end: str, limit: int, as_json: bool, data: Path | None) -> None:
    """Users, tokens or sources by what the alerts about them come to. Newer and graver alerts weigh more."""
    from jwtrail.respond.risk import MAX_COUNTED, risks_of  # noqa: PLC0415

    now = clock.now_us()
    made = risks_of(_between(data, start, end, MAX_COUNTED), key, now)[:limit]
    if as_json or not is_terminal():
        for one in made:
            json_line(one)
        return
    shown = [
        (
            f"{one.score:.1f}",
            str(one.alerts),
            ago(one.last_us, now),
            level(one.worst),
            visible(one.value),
            visible(", ".join(one.rules)),
        )
        for one in made
    ]
    if shown:
        draw(("score", "alerts", "last", "worst", key, "rules"), shown, flexible=("rules",))
    else:
        note("No alerts.")


def found(state: "StateStore", alert_id: str) -> AlertRow:
    """The alert of an id, or of the beginning of one.

    Raises:
        AlertNotFound: none, or several.
    """
    if (row := state.alert(alert_id)) is not None:
        return row
    if len(alert_id) >= SHORTEST_ID:
        fitting = [row for row in state.alerts(limit=MAX_LOOKED_AT) if row.id.startswith(alert_id)]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise AlertNotFound(f"{len(fitting)} alerts begin with {alert_id!r}", hint="give more of the id")
        raise AlertNotFound(f"no alert {alert_id!r}", hint="jwtrail alerts list")
    raise AlertNotFound(
        f"no alert {alert_id!r}", hint=f"the beginning of an id is enough, from {SHORTEST_ID} characters on"
    )


def level(name: str) -> Any:
    """A level as a coloured cell."""
    from rich.text import Text  # noqa: PLC0415

    return Text(f" {name} ", LEVEL_STYLES.get(name, ""))


def _between(data: Path | None, start: str, end: str, limit: int) -> list[AlertRow]:
    from jwtrail.query.times import parse_time  # noqa: PLC0415

    now = clock.now_us()
    with open_alerts(data) as state:
        return state.alerts_between(parse_time(start, now), parse_time(end, now) + 1, limit)
