"""What the demo proves: each attack found and answered, every answered request in the trail, the trail intact."""

from pathlib import Path

import click
from msgspec import Struct
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from jwtrail import clock
from jwtrail.demo.attackers import ATTACKS, Attack, Outcome
from jwtrail.demo.people import Ledger
from jwtrail.ecs import Event
from jwtrail.query.files import TrailFiles
from jwtrail.query.local import LocalStore
from jwtrail.query.page import MAX_LIMIT, SearchRequest
from jwtrail.state.store import StateStore
from jwtrail.trail import fsck
from jwtrail.trail.layout import Layout
from jwtrail.trail.reader import TrailReader

__all__ = ["AttackResult", "Facts", "Summary", "exit_code", "of", "show"]


class AttackResult(Struct, frozen=True):
    """One attack.

    Args:
        played: false when the demo was too short for it.
        to_alert_ms: from sending the decisive request to the alert.
        to_refused_ms: from sending the decisive request to the first refused use afterwards.
        refused_status: 401 for a dead token, 429 for a held source.
    """

    id: str
    title: str
    played: bool
    found: bool
    answered: bool
    alert: str | None
    rule: str | None
    to_alert_ms: float | None
    to_refused_ms: float | None
    refused_status: int | None


class Summary(Struct, frozen=True):
    """The whole document of `jwtrail demo --json`."""

    seconds: float
    requests_sent: int
    requests_answered: int
    requests_unanswered: int
    statuses: dict[str, int]
    events_stored: int
    events_lost: int
    events_doubled: int
    trail_size: int
    trail_intact: bool
    trail_findings: tuple[str, ...]
    alerts: int
    revocations: int
    restraints: int
    restarts: int
    attacks_found: int
    attacks: tuple[AttackResult, ...]


def of(root: Path, ledger: Ledger, outcomes: dict[str, Outcome], restarts: int, seconds: float) -> Summary:
    """Compare what was sent with what the stopped system holds on disk."""
    layout = Layout(root)
    events = _everything(layout)
    stored: dict[str, int] = {}
    for event in events:
        if event.event_action == "http-request" and event.http_request_id is not None:
            stored[event.http_request_id] = stored.get(event.http_request_id, 0) + 1
    report = fsck.verify(root)
    with StateStore(layout.state) as state:
        revocations, restraints = (
            len(state.revocations(clock.now_us())),
            len(state.restraints(clock.now_us())),
        )
    raised = _raised(events, ledger)
    attacks = tuple(_result(attack, outcomes.get(attack.id), raised) for attack in ATTACKS)
    return Summary(
        seconds=round(seconds, 1),
        requests_sent=ledger.sent,
        requests_answered=len(ledger.answered),
        requests_unanswered=len(ledger.unanswered),
        statuses={str(status): count for status, count in sorted(ledger.statuses.items())},
        events_stored=len(events),
        events_lost=sum(1 for request in ledger.answered if request not in stored),
        events_doubled=sum(count - 1 for count in stored.values()),
        trail_size=report.size,
        trail_intact=report.ok,
        trail_findings=tuple(str(finding) for finding in report.findings[:10]),
        alerts=len(raised),
        revocations=revocations,
        restraints=restraints,
        restarts=restarts,
        attacks_found=sum(attack.found for attack in attacks),
        attacks=attacks,
    )


def _result(attack: Attack, outcome: Outcome | None, alerts: list[tuple[Event, int]]) -> AttackResult:
    """Args: alerts: each with the time its completing request was sent."""
    mine = [
        (event, sent)
        for event, sent in alerts
        if _short(event) in attack.rules and event.source_ip == attack.source
    ]
    alert, sent_us = min(mine, key=lambda pair: _us(pair[0]), default=(None, 0))
    refused_us = outcome.refused_us if outcome is not None else None
    status = outcome.status if outcome is not None else None
    return AttackResult(
        id=attack.id,
        title=attack.title,
        played=outcome is not None,
        found=alert is not None,
        answered=refused_us is not None and (status == 401 or not attack.token),
        alert=alert.jwtrail_alert_id if alert is not None else None,
        rule=alert.rule_name if alert is not None else None,
        to_alert_ms=(_us(alert) - sent_us) / 1000 if alert is not None else None,
        to_refused_ms=(refused_us - sent_us) / 1000 if refused_us is not None and alert is not None else None,
        refused_status=status,
    )


def _raised(events: list[Event], ledger: Ledger) -> list[tuple[Event, int]]:
    """Alerts, each with the time its completing request was sent: the last event of an alert is the one that completed it."""
    request_of = {event.event_id: event.http_request_id or "" for event in events}
    raised = []
    for event in events:
        if event.event_action == "alert-raised" and event.jwtrail_alert_events:
            request = request_of.get(event.jwtrail_alert_events[-1], "")
            raised.append((event, ledger.sent_us.get(request, _us(event))))
    return raised


def _everything(layout: Layout) -> list[Event]:
    store = LocalStore(TrailFiles(layout))
    events: list[Event] = []
    cursor: str | None = None
    while True:
        page = store.search(SearchRequest(limit=MAX_LIMIT, cursor=cursor, ascending=True))
        events += page.events
        cursor = page.next
        if cursor is None:
            return events


def _us(event: Event) -> int:
    return clock.parse_iso(event.timestamp)


def _short(event: Event) -> str:
    """`C6a` of `C6a Failures then success…`: the pack's own number."""
    return (event.rule_name or "").partition(" ")[0]


def exit_code(result: Summary) -> int:
    """0 all well, 3 an attack got through, 5 the trail is broken or lacks an answered request."""
    if not result.trail_intact or result.events_lost or result.events_doubled:
        return 5
    return 0 if all(attack.found and attack.answered for attack in result.attacks if attack.played) else 3


def show(result: Summary) -> None:
    """The summary for people, on standard output."""
    table = Table(box=SIMPLE)
    for heading in ("attack", "alert after", "refused after", "answer"):
        table.add_column(heading, justify="right" if heading.endswith("after") else "left")
    for attack in result.attacks:
        table.add_row(
            f"{attack.id}  {attack.title}",
            _ms(attack.to_alert_ms) if attack.found else "not found" if attack.played else "not played",
            _ms(attack.to_refused_ms),
            {401: "the token is dead (401)", 429: "the source is held (429)"}.get(
                attack.refused_status or 0, "none"
            ),
        )
    Console().print(table)
    click.echo(
        f"{result.requests_answered} requests answered in {result.seconds} s, {result.events_stored} events stored, "
        f"{result.events_lost} lost, {result.events_doubled} doubled"
    )
    click.echo(f"trail of {result.trail_size} events: {'intact' if result.trail_intact else 'BROKEN'}")
    for finding in result.trail_findings:
        click.echo(f"  {finding}")


class Facts:
    """The numbers of the running line, read from the outside while the demo runs."""

    def __init__(self, root: Path) -> None:
        layout = Layout(root)
        self._reader = TrailReader(layout)
        self._state = StateStore(layout.state)

    def _signed(self) -> int:
        checkpoint = self._reader.checkpoint()
        return checkpoint.size if checkpoint is not None else 0

    def line(self, ledger: Ledger) -> str:
        """One line: requests, events, alerts, revocations."""
        now = clock.now_us()
        alerts = sum(self._state.alert_counts().values())
        dead = len([row for row in self._state.revocations(now) if row.cause != "logout"])
        held = len(self._state.restraints(now))
        return (
            f"requests {ledger.sent:,} · events signed {self._signed():,} · alerts {alerts} · "
            f"tokens revoked by alert {dead} · sources held {held}"
        )


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f} ms"
