"""Answers about many alerts, and about what was told and taken back: groups, risk, export, deliveries, undo, the story of an event."""

from collections.abc import Iterator

from starlette.responses import Response, StreamingResponse

from jwtrail.errors import QueryError
from jwtrail.query.times import parse_time
from jwtrail.respond.exporting import MAX_EXPORTED, line_of
from jwtrail.respond.risk import MAX_COUNTED, groups_of, risks_of
from jwtrail.runtime.explain import Explanation
from jwtrail.runtime.undo import Undone
from jwtrail.runtime.undo import undo as take_back
from jwtrail.state.outbox import Delivery, Outbox
from jwtrail.state.records import AlertRow
from jwtrail.web import alertquestions as questions
from jwtrail.web.audit import record
from jwtrail.web.call import Call

__all__ = ["deliveries", "explain", "export", "groups", "resend", "risk", "undo"]

MAX_ROWS = 500
"""Groups or scores of one answer."""

_MEDIA = {"cef": "text/plain; charset=utf-8"}


def groups(call: Call) -> questions.GroupsPage:
    return questions.GroupsPage(groups=groups_of(_between(call, MAX_COUNTED))[:MAX_ROWS])


def risk(call: Call) -> questions.RiskPage:
    query: questions.RiskQuery = call.query
    found = risks_of(_between(call, MAX_COUNTED), query.by, call.services.now_us())
    return questions.RiskPage(risks=found[:MAX_ROWS])


def export(call: Call) -> Response:
    """The file, and a record that somebody took it."""
    query: questions.AlertExportQuery = call.query
    rows = _between(call, MAX_EXPORTED)
    record(
        call,
        "console-export",
        f"exported {len(rows)} alerts as {query.format}",
        labels={"range": f"{query.from_} to {query.to}", "format": query.format},
    )
    ending = "cef" if query.format == "cef" else "ndjson"
    body: Iterator[bytes] = (line_of(row, query.format) for row in rows)
    return StreamingResponse(
        body,
        media_type=_MEDIA.get(query.format, "application/x-ndjson"),
        headers={"content-disposition": f'attachment; filename="jwtrail-alerts.{ending}"'},
    )


def deliveries(call: Call) -> questions.DeliveriesPage:
    query: questions.DeliveriesQuery = call.query
    with Outbox(call.services.state.path) as outbox:
        rows = outbox.listed(state=query.state, alert=query.alert or None, limit=query.limit)
    return questions.DeliveriesPage(deliveries=tuple(map(_view, rows)))


def resend(call: Call) -> questions.DeliveryView:
    with Outbox(call.services.state.path) as outbox:
        again = outbox.resend(call.path["id"], call.services.now_us())
    record(
        call,
        "alert-changed",
        f"asked for another delivery to {again.channel}",
        jwtrail_alert_id=again.alert,
        labels={"channel": again.channel, "delivery": again.id},
    )
    return _view(again)


def undo(call: Call) -> Undone:
    services = call.services
    return take_back(
        services.state,
        services.store,
        call.path["id"],
        by=call.session.user,
        record=services.record,
        now_us=services.now_us(),
    )


def explain(call: Call) -> Explanation:
    return call.services.explain(call.path["id"])


def _between(call: Call, limit: int) -> list[AlertRow]:
    query: questions.AlertSpan = call.query
    now = call.services.now_us()
    start, end = parse_time(query.from_, now), parse_time(query.to, now)
    if start > end:
        raise QueryError("the time ends before it begins", where="from")
    return call.services.state.alerts_between(start, end + 1, limit)


def _view(row: Delivery) -> questions.DeliveryView:
    return questions.DeliveryView(
        id=row.id,
        channel=row.channel,
        alert=row.alert,
        state=row.state,
        tries=row.tries,
        at_us=row.at_us,
        due_us=row.due_us,
        sent_us=row.sent_us or None,
        error=row.error,
    )
