"""The contract of the HTTP API: one table. `openapi.py` makes the description of it, `app.py` the routes."""

from typing import Any, Literal

from msgspec import Struct

from jwtrail.runtime.explain import Explanation
from jwtrail.runtime.undo import Undone
from jwtrail.web import alertquestions, countshapes, questions, shapes

__all__ = ["ENDPOINTS", "METRICS", "PREFIX", "Endpoint"]

PREFIX = "/api/v1"
METRICS = "/metrics"
"""Where Prometheus looks."""

Kind = Literal["json", "stream", "file"]


class Endpoint(Struct, frozen=True, kw_only=True):
    """One operation.

    Args:
        name: operation id, and the name of the function that answers.
        path: below `PREFIX`, with `{parameter}`s.
        query: Struct of the query string.
        body: Struct of the JSON body.
        answer: Struct of the JSON answer; of each message when `kind` is `stream`; None when there is no body.
        kind: `json`, `stream` (server-sent events) or `file`.
        fails: HTTP statuses beyond 400, 401 and 403 that a client must expect.
    """

    name: str
    method: Literal["GET", "POST", "DELETE"]
    path: str
    summary: str
    query: type[Struct] | None = None
    body: type[Struct] | None = None
    answer: Any = None
    kind: Kind = "json"
    fails: tuple[int, ...] = ()


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        name="status", method="GET", path="/status", summary="The daemon at a glance.", answer=shapes.Status
    ),
    Endpoint(
        name="search_events",
        method="GET",
        path="/events",
        summary="Events that match, newest first.",
        query=questions.EventsQuery,
        answer=shapes.EventsPage,
    ),
    Endpoint(
        name="stream_events",
        method="GET",
        path="/events/stream",
        summary="New events that match, as they arrive: messages `event` (a document) and `lost` (how many were skipped).",
        query=questions.StreamQuery,
        answer=shapes.Document,
        kind="stream",
    ),
    Endpoint(
        name="export_events",
        method="GET",
        path="/events/export",
        summary="Events that match as a file, newest first; at most 100,000.",
        query=questions.ExportQuery,
        kind="file",
    ),
    Endpoint(
        name="histogram",
        method="GET",
        path="/histogram",
        summary="Events over time by outcome.",
        query=questions.HistogramQuery,
        answer=shapes.Histogram,
    ),
    Endpoint(
        name="top",
        method="GET",
        path="/top",
        summary="Most frequent values of a field.",
        query=questions.TopQuery,
        answer=shapes.TopValues,
    ),
    Endpoint(
        name="field_stats",
        method="GET",
        path="/stats",
        summary="What the values of a field look like, with the most frequent.",
        query=questions.TopQuery,
        answer=countshapes.FieldStats,
    ),
    Endpoint(
        name="entities",
        method="GET",
        path="/entities",
        summary="The busiest users, addresses, tokens or clients, and what they did.",
        query=questions.EntitiesQuery,
        answer=countshapes.EntitiesPage,
    ),
    Endpoint(
        name="list_saved",
        method="GET",
        path="/saved",
        summary="Searches kept under a name.",
        answer=countshapes.SavedPage,
    ),
    Endpoint(
        name="save_search",
        method="POST",
        path="/saved",
        summary="Keep a search under a name, in place of one of the same name.",
        body=questions.NewSaved,
        answer=countshapes.SavedView,
    ),
    Endpoint(
        name="forget_saved",
        method="DELETE",
        path="/saved/{name}",
        summary="Forget a saved search.",
        fails=(404,),
    ),
    Endpoint(
        name="get_event",
        method="GET",
        path="/events/{id}",
        summary="One event.",
        answer=shapes.Document,
        fails=(404,),
    ),
    Endpoint(
        name="events_around",
        method="GET",
        path="/events/{id}/around",
        summary="The events before and after one event, oldest first.",
        query=questions.AroundQuery,
        answer=shapes.EventsPage,
        fails=(404,),
    ),
    Endpoint(
        name="explain_event",
        method="GET",
        path="/events/{id}/explain",
        summary="The story of one event: token, verdict, place in the trail, rules, alerts, answers, what followed.",
        answer=Explanation,
        fails=(404,),
    ),
    Endpoint(
        name="prove_event",
        method="GET",
        path="/events/{id}/proof",
        summary="Proof that the event is in the signed trail; 409 while it is not signed yet.",
        answer=shapes.Proof,
        fails=(404, 409),
    ),
    Endpoint(
        name="list_alerts",
        method="GET",
        path="/alerts",
        summary="Alerts, newest first.",
        query=questions.AlertsQuery,
        answer=shapes.AlertsPage,
    ),
    Endpoint(
        name="stream_alerts",
        method="GET",
        path="/alerts/stream",
        summary="Alerts as they are raised: messages `alert`.",
        answer=shapes.AlertView,
        kind="stream",
    ),
    Endpoint(
        name="export_alerts",
        method="GET",
        path="/alerts/export",
        summary="Alerts for other systems as a file, the oldest first; at most 100,000.",
        query=alertquestions.AlertExportQuery,
        kind="file",
    ),
    Endpoint(
        name="alert_groups",
        method="GET",
        path="/alerts/groups",
        summary="Alerts put together by rule and group.",
        query=alertquestions.AlertSpan,
        answer=alertquestions.GroupsPage,
    ),
    Endpoint(
        name="risk",
        method="GET",
        path="/alerts/risk",
        summary="Users, tokens or sources by what the alerts about them come to.",
        query=alertquestions.RiskQuery,
        answer=alertquestions.RiskPage,
    ),
    Endpoint(
        name="list_deliveries",
        method="GET",
        path="/deliveries",
        summary="What was told to which channel, newest first.",
        query=alertquestions.DeliveriesQuery,
        answer=alertquestions.DeliveriesPage,
    ),
    Endpoint(
        name="resend_delivery",
        method="POST",
        path="/deliveries/{id}/resend",
        summary="Tell it once more.",
        answer=alertquestions.DeliveryView,
        fails=(404,),
    ),
    Endpoint(
        name="undo_answers",
        method="POST",
        path="/alerts/{id}/undo",
        summary="Take back what the answers to an alert did, where that is sound.",
        answer=Undone,
        fails=(404,),
    ),
    Endpoint(
        name="get_alert",
        method="GET",
        path="/alerts/{id}",
        summary="One alert with its rule, events and answers.",
        answer=shapes.AlertDetail,
        fails=(404,),
    ),
    Endpoint(
        name="change_alert",
        method="POST",
        path="/alerts/{id}",
        summary="Triage an alert.",
        body=questions.AlertChange,
        answer=shapes.AlertView,
        fails=(404,),
    ),
    Endpoint(
        name="list_rules",
        method="GET",
        path="/rules",
        summary="The rules that run, and those refused.",
        answer=shapes.RulesPage,
    ),
    Endpoint(
        name="list_revocations",
        method="GET",
        path="/revocations",
        summary="What is revoked, throttled or blocked now.",
        answer=shapes.RevocationsPage,
    ),
    Endpoint(
        name="preview_revocation",
        method="GET",
        path="/revocations/preview",
        summary="What a revocation would hit.",
        query=questions.PreviewQuery,
        answer=shapes.BlastRadius,
    ),
    Endpoint(
        name="revoke",
        method="POST",
        path="/revocations",
        summary="Revoke a token, sign-in, user, client or key.",
        body=questions.NewRevocation,
        answer=shapes.RevocationView,
    ),
    Endpoint(
        name="undo_revocation",
        method="DELETE",
        path="/revocations/{kind}/{value}",
        summary="Take a revocation back; tokens not expired work again.",
        fails=(404,),
    ),
    Endpoint(
        name="lift_restraint",
        method="DELETE",
        path="/restraints/{id}",
        summary="End a throttle or block now.",
        fails=(404,),
    ),
    Endpoint(
        name="list_fields",
        method="GET",
        path="/fields",
        summary="Fields one can search for.",
        answer=shapes.FieldsPage,
    ),
    Endpoint(
        name="get_session",
        method="GET",
        path="/session",
        summary="Who is signed in, and the CSRF token.",
        answer=shapes.SessionView,
    ),
    Endpoint(name="logout", method="POST", path="/session/logout", summary="End this sign-in."),
)
