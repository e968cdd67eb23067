"""Answers about the daemon itself: status, rules, fields, session."""

from jwtrail import __version__
from jwtrail.ecs import ACTIONS, CATALOGUE, CATALOGUE_VERSION, REASONS
from jwtrail.ecs.catalogue import DEFAULT_FIELDS
from jwtrail.web import shapes
from jwtrail.web.call import Call

__all__ = ["fields", "rules", "session", "status"]

_LEVELS = ("informational", "low", "medium", "high", "critical")
_VALUES: dict[str, tuple[str, ...]] = {
    "event.action": tuple(ACTIONS),
    "event.dataset": ("jwtrail.access", "jwtrail.audit", "jwtrail.alerts"),
    "event.kind": ("event", "alert", "metric"),
    "event.outcome": ("success", "failure", "unknown"),
    "event.reason": tuple(REASONS),
    "http.request.method": ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"),
    "jwt.kind": ("access", "refresh", "id"),
    "jwtrail.alert.severity": _LEVELS,
    "jwtrail.alert.status": ("open", "acknowledged", "in_progress", "closed"),
    "jwtrail.durability": ("sync", "batch", "memory"),
    "jwtrail.policy": ("required", "optional", "public"),
    "jwtrail.response.kind": ("revoke", "throttle", "block", "notify"),
}
"""Fields whose values are a closed list, so that a query bar can offer them before any was seen."""


def status(call: Call) -> shapes.Status:
    services = call.services
    facts = services.facts()
    now = services.now_us()
    return shapes.Status(
        version=__version__,
        service=facts.service,
        size=facts.size,
        segments=facts.segments,
        position=facts.size,
        started_us=facts.started_us,
        now_us=now,
        events_per_minute=facts.events_per_minute,
        open_alerts=services.state.alert_counts().get("open", 0),
        live_revocations=len(services.state.revocations(now)),
        kibana=bool(call.settings.kibana_url),
        trail=facts.trail,
        detector=facts.detector,
    )


def rules(call: Call) -> shapes.RulesPage:
    return call.services.rules()


def fields(_call: Call) -> shapes.FieldsPage:
    return shapes.FieldsPage(
        version=CATALOGUE_VERSION,
        default=DEFAULT_FIELDS,
        fields=tuple(
            shapes.FieldView(
                name=field.name,
                type=field.type,
                many=field.many,
                klass=field.klass,
                doc=field.doc,
                values=_VALUES.get(field.name, ()),
            )
            for field in sorted(CATALOGUE.values(), key=lambda field: field.name)
        ),
    )


def session(call: Call) -> shapes.SessionView:
    return shapes.SessionView(
        user=call.session.user, csrf=call.session.csrf, expires_us=call.session.expires_us
    )
