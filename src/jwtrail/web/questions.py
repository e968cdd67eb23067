"""What a client may ask: one frozen Struct for each query string and body of the HTTP API, with its bounds."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from jwtrail.state.records import AlertStatus, RevocationKind
from jwtrail.state.saved import MAX_NAME

__all__ = [
    "MAX_ALERTS",
    "MAX_AROUND",
    "MAX_BUCKETS",
    "MAX_PAGE",
    "MAX_TOP",
    "AlertChange",
    "AlertsQuery",
    "AroundQuery",
    "CloseReason",
    "EntitiesQuery",
    "EventsQuery",
    "ExportQuery",
    "HistogramQuery",
    "NewRevocation",
    "NewSaved",
    "PreviewQuery",
    "StreamQuery",
    "TopQuery",
    "Window",
]

MAX_PAGE = 500
"""Events in one answer: what a screen can hold; more come by the cursor."""

MAX_ALERTS = 200
"""Alerts in one answer; below the store's own limit, so that one more can be looked for."""

MAX_BUCKETS = 400
"""Bars of a histogram: a wide screen has room for no more."""

MAX_TOP = 100
"""Values of one top list."""

MAX_AROUND = 50
"""Events on each side of one event."""

MAX_QUERY = 8192
"""Characters of a KQL query; the same limit as the parser's."""

MAX_WORDS = 2000
"""Characters of a reason or note that a person types."""

MAX_VALUE = 1024
"""Characters of an identifier in a request; the cap of a text in an event."""

CloseReason = Literal["false_positive", "benign", "testing", "remediated", "malicious", "other"]

Words = Annotated[str, Meta(max_length=MAX_WORDS)]
Kql = Annotated[str, Meta(max_length=MAX_QUERY, description="KQL; everything when empty")]
Moment = Annotated[
    str, Meta(max_length=64, description="RFC 3339, or relative to now as in Kibana: now-15m, now-1d/d")
]
Identifier = Annotated[str, Meta(min_length=1, max_length=MAX_VALUE)]


class Window(Struct, frozen=True, kw_only=True):
    """Which events: a query and a span of time, `from` included, `to` not."""

    q: Kql = ""
    from_: Moment = field(name="from", default="now-24h")
    to: Moment = "now"


class EventsQuery(Window, frozen=True, kw_only=True):
    """One page, newest first; `cursor` is `next` of the page before."""

    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE)] = 100
    cursor: Annotated[str, Meta(max_length=512)] = ""


class HistogramQuery(Window, frozen=True, kw_only=True):
    """`buckets` is a wish; the answer uses the nearest round interval."""

    buckets: Annotated[int, Meta(ge=1, le=MAX_BUCKETS)] = 60


class TopQuery(Window, frozen=True, kw_only=True):
    """The most frequent values of one field."""

    field_: Identifier = field(name="field")
    size: Annotated[int, Meta(ge=1, le=MAX_TOP)] = 10


class EntitiesQuery(Window, frozen=True, kw_only=True):
    """The busiest of a kind, or those with the most failures."""

    kind: Literal["user", "address", "token", "client"]
    order: Literal["events", "failures"] = "events"
    size: Annotated[int, Meta(ge=1, le=MAX_TOP)] = 10


class ExportQuery(Window, frozen=True, kw_only=True):
    """Everything that matches, as a file."""

    format: Literal["ndjson", "csv"] = "ndjson"


class AroundQuery(Struct, frozen=True, kw_only=True):
    """How many events on each side."""

    n: Annotated[int, Meta(ge=1, le=MAX_AROUND)] = 10


class StreamQuery(Struct, frozen=True, kw_only=True):
    """Which new events to send."""

    q: Kql = ""


class NewSaved(Window, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A search to keep, in place of one of the same name."""

    name: Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]


class AlertsQuery(Struct, frozen=True, kw_only=True):
    """One page of alerts, newest first; `before` is `next` of the page before."""

    status: AlertStatus | None = None
    limit: Annotated[int, Meta(ge=1, le=MAX_ALERTS)] = 50
    before: Annotated[int, Meta(ge=0)] | None = None


class AlertChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Triage; what is absent stays as it is. Closing needs a `reason`."""

    status: AlertStatus | None = None
    reason: CloseReason | None = None
    note: Words | None = None
    assignee: Annotated[str, Meta(max_length=200)] | None = None


class PreviewQuery(Struct, frozen=True, kw_only=True):
    """What a revocation would name."""

    kind: RevocationKind
    value: Identifier


class NewRevocation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Revoke now; `reason` goes into the trail with the name of who did it."""

    kind: RevocationKind
    value: Identifier
    reason: Annotated[str, Meta(min_length=1, max_length=MAX_WORDS)]
