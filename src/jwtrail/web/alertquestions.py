"""What a client may ask about many alerts and about deliveries, and what it gets."""

from typing import Annotated

from msgspec import Meta, Struct, field

from jwtrail.respond.exporting import AlertFormat
from jwtrail.respond.risk import AlertGroup, Risk, RiskKey
from jwtrail.state.outbox import MAX_LISTED, DeliveryState
from jwtrail.web.questions import Moment

__all__ = [
    "AlertExportQuery",
    "AlertSpan",
    "DeliveriesPage",
    "DeliveriesQuery",
    "DeliveryView",
    "GroupsPage",
    "RiskPage",
    "RiskQuery",
]


class AlertSpan(Struct, frozen=True, kw_only=True):
    """Alerts of a span of event time."""

    from_: Moment = field(name="from", default="now-7d")
    to: Moment = "now"


class AlertExportQuery(AlertSpan, frozen=True, kw_only=True):
    """Alerts as a file, one a line: `ecs`, `ocsf` (Detection Finding 2004), `cef`, or `ndjson` with everything."""

    format: AlertFormat = "ndjson"


class RiskQuery(AlertSpan, frozen=True, kw_only=True):
    """Whom the scores are for."""

    by: RiskKey = "user"


class DeliveriesQuery(Struct, frozen=True, kw_only=True):
    """What was told to whom, newest first."""

    state: DeliveryState | None = None
    alert: Annotated[str, Meta(max_length=64)] = ""
    limit: Annotated[int, Meta(ge=1, le=MAX_LISTED)] = 100


class GroupsPage(Struct, frozen=True, kw_only=True):
    """Alerts put together by rule and by whom they are about."""

    groups: tuple[AlertGroup, ...]


class RiskPage(Struct, frozen=True, kw_only=True):
    """Users, tokens or sources, the highest score first."""

    risks: tuple[Risk, ...]


class DeliveryView(Struct, frozen=True, kw_only=True):
    """One message for one channel; `dead` was given up."""

    id: str
    channel: str
    alert: str
    state: DeliveryState
    tries: int
    at_us: int
    due_us: int
    sent_us: int | None = None
    error: str = ""


class DeliveriesPage(Struct, frozen=True, kw_only=True):
    """A list of deliveries."""

    deliveries: tuple[DeliveryView, ...]
