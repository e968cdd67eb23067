"""Answers about alerts: the queue, one alert with what led to it and what was done, and triage."""

from typing import cast

import msgspec

from jwtrail import clock
from jwtrail.detect.alert import Alert
from jwtrail.ecs import Event, document
from jwtrail.errors import AlertNotFound, QueryError
from jwtrail.predicate.ir import Equals, Or
from jwtrail.query.page import SearchRequest
from jwtrail.state.records import AlertRow
from jwtrail.web import questions, shapes
from jwtrail.web.audit import record
from jwtrail.web.call import Call
from jwtrail.web.rules import proposed
from jwtrail.web.services import Services

__all__ = ["change", "get", "list_page", "made", "view"]

MAX_SHOWN = 100
"""Events and answers of one alert."""

SLACK_US = 60_000_000
"""Around an alert's events when they are looked up, µs: order in the trail is not quite order in time."""

_decode = msgspec.json.Decoder(Alert).decode


def list_page(call: Call) -> shapes.AlertsPage:
    query: questions.AlertsQuery = call.query
    state = call.services.state
    found = state.alerts(status=query.status, limit=query.limit + 1, before_us=query.before)
    rows = _whole_moments(found, query.limit)
    return shapes.AlertsPage(
        alerts=tuple(view(row) for row in rows),
        next=rows[-1].at_us if len(found) > len(rows) else None,
        counts=cast("dict[str, int]", state.alert_counts()),
    )


def get(call: Call) -> shapes.AlertDetail:
    services = call.services
    row = services.state.alert(call.path["id"])
    if row is None:
        raise AlertNotFound(f"no alert {call.path['id']!r}")
    told = _told(services, row)
    raised = next((event for event in told if event.event_action == "alert-raised"), None)
    alert = view(row, raised.jwtrail_lag_ms if raised else None)
    return shapes.AlertDetail(
        alert=alert,
        rule=next((rule for rule in services.rules().rules if rule.id == row.rule), None),
        events=tuple(document(event) for event in _completing(services, alert)),
        actions=tuple(_action(event) for event in told if (event.event_action or "").startswith("response-")),
    )


def change(call: Call) -> shapes.AlertView:
    body: questions.AlertChange = call.body
    alert_id = call.path["id"]
    if body.status == "closed" and body.reason is None:
        raise QueryError("closing an alert needs a reason", where="reason")
    # A reason belongs to a closed alert; opening it again takes it away.
    reason = "" if body.status not in (None, "closed") else body.reason
    row = call.services.state.set_alert(
        alert_id, status=body.status, reason=reason, assignee=body.assignee, note=body.note
    )
    changes = {name: str(value) for name, value in msgspec.structs.asdict(body).items() if value is not None}
    words = ", ".join(f"{name} {value!r}" for name, value in changes.items()) or "nothing"
    record(
        call,
        "alert-changed",
        f"changed alert {alert_id}: {words}",
        jwtrail_alert_id=alert_id,
        jwtrail_alert_status=row.status,
        labels=changes or None,
    )
    return view(row)


def view(row: AlertRow, lag_ms: int | None = None) -> shapes.AlertView:
    """An alert as it goes over the wire."""
    return made(_decode(row.doc), row, lag_ms)


def made(alert: Alert, row: AlertRow | None = None, lag_ms: int | None = None) -> shapes.AlertView:
    """The same of an alert that was just raised, so that its triage is a new one's."""
    row = row or AlertRow(
        id=alert.id, rule=alert.rule, severity=alert.level, group="", at_us=alert.at_us, doc=""
    )
    return shapes.AlertView(
        id=row.id,
        rule_id=alert.rule,
        rule_code=alert.code,
        rule_name=alert.name,
        level=alert.level,
        status=row.status,
        at_us=row.at_us,
        first_us=alert.first_us,
        group=alert.group,
        events=alert.events,
        count=alert.count,
        tags=alert.tags,
        lag_ms=lag_ms,
        targets={
            name: value
            for name, value in (
                ("jti", alert.targets.jti),
                ("family", alert.targets.family),
                ("subject", alert.targets.user),
                ("source", alert.targets.source),
            )
            if value
        },
        response=proposed(alert.proposal),
        description=alert.description,
        assignee=row.assignee,
        reason=row.reason,
        note=row.note,
        changed_us=row.changed_us or None,
    )


def _whole_moments(found: list[AlertRow], limit: int) -> list[AlertRow]:
    """At most `limit` alerts, cut between two moments: one event may complete several, and the next page begins before it."""
    if len(found) <= limit:
        return found
    kept = [row for row in found if row.at_us > found[-1].at_us]
    return kept or found[:limit]  # more alerts of one moment than a page holds


def _completing(services: Services, alert: shapes.AlertView) -> list[Event]:
    """The events of an alert, oldest first, in one search instead of one each."""
    ids = alert.events[-MAX_SHOWN:]
    if not ids:
        return []
    page = services.store.search(
        SearchRequest(
            query=Or(items=tuple(Equals(field="event.id", value=event_id) for event_id in ids)),
            from_us=(alert.first_us or alert.at_us) - SLACK_US,
            to_us=alert.at_us + SLACK_US,
            limit=MAX_SHOWN,
        )
    )
    return list(reversed(page.events))


def _told(services: Services, row: AlertRow) -> list[Event]:
    """What was said and done about the alert, oldest first."""
    query = f'jwtrail.response.alert: "{row.id}" or (jwtrail.alert.id: "{row.id}" and event.action: "alert-raised")'
    page = services.store.search(SearchRequest(query=query, from_us=row.at_us, limit=MAX_SHOWN))
    return list(reversed(page.events))


def _action(event: Event) -> shapes.ActionView:
    until = event.jwtrail_response_until
    return shapes.ActionView(
        event_id=event.event_id,
        kind=event.jwtrail_response_kind or (event.event_action or "").removeprefix("response-"),
        target=event.jwtrail_response_target or "",
        at_us=clock.parse_iso(event.timestamp),
        until_us=clock.parse_iso(until) if until else None,
        dry_run=bool(event.jwtrail_response_dry_run),
        message=event.message or "",
    )
