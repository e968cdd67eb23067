"""`jwtrail alerts`: what was detected, and its triage."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click
import msgspec

from jwtrail import clock
from jwtrail.cli.common import (
    LEVEL_STYLES,
    console,
    data_option,
    draw,
    is_terminal,
    json_line,
    note,
    open_alerts,
    open_state,
    open_store,
)
from jwtrail.cli.exits import FOUND
from jwtrail.cli.look import ago, line, moment
from jwtrail.cli.notifying import deliveries, notify_test, resend
from jwtrail.cli.plain import visible
from jwtrail.errors import AlertNotFound
from jwtrail.state.records import AlertRow, AlertStatus

if TYPE_CHECKING:
    from jwtrail.state import StateStore

__all__ = ["alerts"]

REASONS = ("false_positive", "benign", "testing", "remediated", "malicious", "other")
MAX_LISTED = 500
SHOWN_ID = 8
SHORTEST_ID = 4
"""Characters of an id that are taken as its beginning, as with commits."""


@click.group(short_help="What was detected, and its triage.")
def alerts() -> None:
    """What was detected, and its triage."""


for command in (notify_test, deliveries, resend):
    alerts.add_command(command)


@alerts.command("list")
@click.option("--status", type=click.Choice(get_args(AlertStatus)), help="Only these.")
@click.option("--rule", metavar="ID", help="Only of this rule.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, MAX_LISTED))
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON document a line. [default when not a terminal]"
)
@click.option("--exit-code", is_flag=True, help="Exit with 3 when there is one.")
@data_option
def list_(
    *,
    status: AlertStatus | None,
    rule: str | None,
    limit: int,
    as_json: bool,
    exit_code: bool,
    data: Path | None,
) -> None:
    """Alerts, newest first."""
    with open_alerts(data) as state:
        rows = state.alerts(status=status, rule=rule, limit=limit)
    if as_json or not is_terminal():
        for row in rows:
            json_line(_json(row))
    elif rows:
        _table(rows)
    else:
        note("No alerts." if status is None else f"No alerts are {status}.")
    if exit_code and rows:
        sys.exit(FOUND)


@alerts.command()
@click.argument("alert_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="One JSON document. [default when not a terminal]")
@data_option
def show(alert_id: str, as_json: bool, data: Path | None) -> None:
    """One alert: what happened, the events, and what was done about it. The beginning of an ID is enough."""
    from jwtrail.query.page import SearchRequest  # noqa: PLC0415

    with open_alerts(data) as state:
        row = _found(state, alert_id)
    store = open_store(data)
    alert = _json(row)
    events = [event for number in alert.get("events", ()) if (event := store.get(number)) is not None]
    answers = store.search(SearchRequest(query=f'jwtrail.response.alert: "{row.id}"', limit=50)).events
    if as_json or not is_terminal():
        from jwtrail.ecs import document  # noqa: PLC0415

        json_line({"alert": alert, "events": [*map(document, events)], "actions": [*map(document, answers)]})
        return
    out = console()
    _headline(out, row, alert)
    out.print("\nevents", style="bold")
    for event in events:
        out.print(line(event), no_wrap=True, overflow="ellipsis")
    out.print("\nanswers" if answers else "\nNo answer was given.", style="bold" if answers else "dim")
    for event in reversed(answers):
        out.print(f"{moment(event.timestamp)[11:]}  {visible(event.message or event.event_action or '')}")


@alerts.command()
@click.argument("alert_id", metavar="ID")
@click.option("--note", "words", help="A remark for the next reader.")
@data_option
def ack(alert_id: str, words: str | None, data: Path | None) -> None:
    """Say that somebody has seen it."""
    _change(data, alert_id, status="acknowledged", note=words)


@alerts.command()
@click.argument("alert_id", metavar="ID")
@click.option("--reason", type=click.Choice(REASONS), required=True)
@click.option("--note", "words", help="A remark for the next reader.")
@data_option
def close(alert_id: str, reason: str, words: str | None, data: Path | None) -> None:
    """Close it, with a reason."""
    _change(data, alert_id, status="closed", reason=reason, note=words)


def _change(data: Path | None, alert_id: str, **changes: Any) -> None:
    from jwtrail.cli.recorded import record  # noqa: PLC0415

    with open_state(data) as state:
        row = state.set_alert(_found(state, alert_id).id, **changes)
    record(data, "alert-changed", f"alert {row.id} is {row.status}", jwtrail_alert_id=row.id)
    note(f"Alert {row.id} is {row.status}.")


def _found(state: "StateStore", alert_id: str) -> AlertRow:
    if (row := state.alert(alert_id)) is not None:
        return row
    if len(alert_id) >= SHORTEST_ID:
        fitting = [row for row in state.alerts(limit=MAX_LISTED) if row.id.startswith(alert_id)]
        if len(fitting) == 1:
            return fitting[0]
    raise AlertNotFound(f"no alert {alert_id!r}", hint="jwtrail alerts list")


def _json(row: AlertRow) -> dict[str, Any]:
    """The alert as it was raised, with its triage on top."""
    alert: dict[str, Any] = msgspec.json.decode(row.doc)
    triage = msgspec.structs.asdict(row)
    del triage["doc"]
    return {**alert, **triage, "group": alert.get("group", row.group)}


def _table(rows: list[AlertRow]) -> None:
    now = clock.now_us()
    shown = [
        (
            row.id[:SHOWN_ID],
            ago(row.at_us, now),
            _level(row.severity),
            row.status,
            visible(_title(row.rule, _json(row))),
            visible(row.group),
        )
        for row in rows
    ]
    draw(("id", "when", "level", "status", "rule", "for"), shown, flexible=("rule", "for"))


def _title(rule: str, alert: dict[str, Any]) -> str:
    return " ".join(filter(None, (str(alert.get("code", "")), str(alert.get("name", rule)))))


def _level(level: str) -> Any:
    from rich.text import Text  # noqa: PLC0415

    return Text(f" {level} ", LEVEL_STYLES.get(level, ""))


def _headline(out: Any, row: AlertRow, alert: dict[str, Any]) -> None:
    from rich.text import Text  # noqa: PLC0415

    out.print(Text.assemble(_level(row.severity), "  ", (visible(_title(row.rule, alert)), "bold")))
    if text := " ".join(str(alert.get("description", "")).split()):
        out.print(Text(visible(text), "dim"))
    count = alert.get("count", 0)
    facts = [
        ("id", row.id),
        ("when", f"{moment(clock.iso(row.at_us))} UTC, {ago(row.at_us, clock.now_us())}"),
        ("for", row.group.replace(",", ", ")),
        ("count", f"{count}" if count > 1 else ""),
        ("status", row.status + (f", {row.reason}" if row.reason else "")),
        ("assignee", row.assignee),
        ("note", row.note),
    ]
    for name, value in facts:
        if value:
            out.print(Text.assemble((f"{name:>9}  ", "dim"), visible(value)))
