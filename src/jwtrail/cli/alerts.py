"""`jwtrail alerts`: what was detected, and its triage."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from jwtrail import clock
from jwtrail.cli.alertwork import export, found, groups, level, risk, undo
from jwtrail.cli.common import (
    console,
    data_option,
    draw,
    is_terminal,
    json_line,
    layout_of,
    note,
    open_alerts,
    open_state,
    open_store,
)
from jwtrail.cli.exits import FOUND
from jwtrail.cli.look import ago, line, moment
from jwtrail.cli.notifying import deliveries, notify_test, resend
from jwtrail.cli.plain import visible
from jwtrail.state.records import AlertRow, AlertStatus

if TYPE_CHECKING:
    pass

__all__ = ["alerts"]

REASONS = ("false_positive", "benign", "testing", "remediated", "malicious", "other")
MAX_LISTED = 500
MAX_WHO = 200
"""Characters of an assignee's name."""

SHOWN_ID = 8


@click.group(short_help="What was detected, and its triage.")
def alerts() -> None:
    """What was detected, and its triage."""


for command in (notify_test, deliveries, resend, export, undo, groups, risk):
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
    from jwtrail.respond.exporting import whole  # noqa: PLC0415

    with open_alerts(data) as state:
        rows = state.alerts(status=status, rule=rule, limit=limit)
    if as_json or not is_terminal():
        for row in rows:
            json_line(whole(row))
    elif rows:
        _table(rows)
    else:
        note("No alerts." if status is None else f"No alerts are {status}.")
        if not layout_of(data).checkpoint.exists():
            note("Nothing was looked at yet: rules run in jwtrail serve.")
    if exit_code and rows:
        sys.exit(FOUND)


@alerts.command()
@click.argument("alert_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="One JSON document. [default when not a terminal]")
@data_option
def show(alert_id: str, as_json: bool, data: Path | None) -> None:
    """One alert: what happened, the events, and what was done about it. The beginning of an ID is enough."""
    from jwtrail.query.page import SearchRequest  # noqa: PLC0415
    from jwtrail.respond.exporting import whole  # noqa: PLC0415

    with open_alerts(data) as state:
        row = found(state, alert_id)
    store = open_store(data)
    alert = whole(row)
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
        out.print(line(event, dated=True), no_wrap=True, overflow="ellipsis")
    out.print("\nanswers" if answers else "\nNo answer was given.", style="bold" if answers else "dim")
    for event in reversed(answers):
        out.print(f"{moment(event.timestamp)}  {visible(event.message or event.event_action or '')}")


@alerts.command()
@click.argument("alert_id", metavar="ID")
@click.option("--note", "words", help="A remark for the next reader.")
@data_option
def ack(alert_id: str, words: str | None, data: Path | None) -> None:
    """Say that somebody has seen it."""
    _change(data, alert_id, status="acknowledged", note=words)


@alerts.command()
@click.argument("alert_id", metavar="ID")
@click.option("--note", "words", help="A remark for the next reader.")
@data_option
def start(alert_id: str, words: str | None, data: Path | None) -> None:
    """Say that it is being worked on, by you."""
    import getpass  # noqa: PLC0415

    _change(data, alert_id, status="in_progress", assignee=getpass.getuser(), note=words)


@alerts.command()
@click.argument("alert_id", metavar="ID")
@click.argument("who", metavar="WHO", type=click.STRING)
@data_option
def assign(alert_id: str, who: str, data: Path | None) -> None:
    """Give it to somebody; an empty WHO takes it away again."""
    _change(data, alert_id, assignee=who.strip()[:MAX_WHO])


@alerts.command()
@click.argument("alert_id", metavar="ID")
@click.option("--note", "words", help="A remark for the next reader.")
@data_option
def reopen(alert_id: str, words: str | None, data: Path | None) -> None:
    """Open it again; the reason it was closed for goes."""
    _change(data, alert_id, status="open", reason="", note=words)


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
        row = state.set_alert(found(state, alert_id).id, **changes)
    became = _state(row)
    record(data, "alert-changed", f"alert {row.id} is {became}", jwtrail_alert_id=row.id)
    note(f"Alert {row.id[:SHOWN_ID]} is {visible(became)}.")


def _state(row: AlertRow) -> str:
    """What became of it: its status, whose it is, why it was closed."""
    of = f", assigned to {row.assignee}" if row.assignee else ", nobody's"
    return f"{row.status.replace('_', ' ')}{f' ({row.reason})' if row.reason else ''}{of}"


def _table(rows: list[AlertRow]) -> None:
    from jwtrail.respond.exporting import whole  # noqa: PLC0415

    now = clock.now_us()
    shown = [
        (
            row.id[:SHOWN_ID],
            ago(row.at_us, now),
            level(row.severity),
            row.status,
            visible(_title(row.rule, whole(row))),
            visible(_about(row, whole(row))),
        )
        for row in rows
    ]
    draw(("id", "when", "level", "status", "rule", "for"), shown, flexible=("rule", "for"))


def _title(rule: str, alert: dict[str, Any]) -> str:
    return " ".join(filter(None, (str(alert.get("code", "")), str(alert.get("name", rule)))))


def _about(row: AlertRow, alert: dict[str, Any]) -> str:
    """The group; of a rule without one whoever is known."""
    if row.group:
        return row.group.replace(",", ", ")
    targets = alert.get("targets", {})
    known = (("user.id", targets.get("user")), ("source.ip", targets.get("source")))
    return next((f"{field}={value}" for field, value in known if value), "")


def _headline(out: Any, row: AlertRow, alert: dict[str, Any]) -> None:
    from rich.text import Text  # noqa: PLC0415

    out.print(Text.assemble(level(row.severity), "  ", (visible(_title(row.rule, alert)), "bold")))
    if text := " ".join(str(alert.get("description", "")).split()):
        out.print(Text(visible(text), "dim"))
    count = alert.get("count", 0)
    facts = [
        ("id", row.id),
        ("when", f"{moment(clock.iso(row.at_us))} UTC, {ago(row.at_us, clock.now_us())}"),
        ("for", _about(row, alert)),
        ("count", f"{count}" if count > 1 else ""),
        ("status", row.status + (f", {row.reason}" if row.reason else "")),
        ("assignee", row.assignee),
        ("note", row.note),
    ]
    for name, value in facts:
        if value:
            out.print(Text.assemble((f"{name:>9}  ", "dim"), visible(value)))
