"""Other ways to write what our fields hold: names that ECS has beside ours, and words of the closed lists in another form."""

from typing import Any

from jwtrail.ecs import ACTIONS, REASONS
from jwtrail.trail.intake.line import is_ip

__all__ = ["ALIASES", "HTTP_REQUEST", "action_of", "reason_of", "renamed", "user_of"]

HTTP_REQUEST = "http-request"

ALIASES = {
    "source.address": "source.ip",
    "client.address": "source.ip",
    "client.as.number": "source.as.number",
    "client.as.organization.name": "source.as.organization.name",
    "client.geo.city_name": "source.geo.city_name",
    "client.geo.country_iso_code": "source.geo.country_iso_code",
    "client.geo.location": "source.geo.location",
    "http.request.body.bytes": "http.request.bytes",
    "http.response.body.bytes": "http.response.bytes",
    "url.full": "url.original",
    "user.email": "user.name",
}
"""Names that stand for ours where ours is missing."""

_REFUSED = (401, 407)
"""Statuses of requests of whom nobody knows whether they are who they say."""


def renamed(doc: dict[str, Any]) -> None:
    """Move what stands under another name to ours, unless that is there."""
    for name, ours in ALIASES.items():
        value = doc.get(name)
        if value in (None, "") or doc.get(ours) not in (None, "", [], {}):
            continue
        if ours != "source.ip" or (isinstance(value, str) and is_ip(value)):
            doc[ours] = doc.pop(name)


def action_of(doc: dict[str, Any]) -> str:
    """The action: ours in whatever form it is written; what has a method and a status, and no action of ours, is a request."""
    action = doc.get("event.action")
    if isinstance(action, list) and action:
        action = action[0]
    asked, answered = "http.request.method" in doc, "http.response.status_code" in doc
    if not isinstance(action, str) or not action:
        return HTTP_REQUEST if asked or answered else "log-message"
    ours = action.strip().lower().replace("_", "-").replace(" ", "-")
    if ours in ACTIONS:
        return ours
    return HTTP_REQUEST if asked and answered else action


def reason_of(reason: str) -> str:
    """The reason, ours in whatever form it is written."""
    ours = reason.strip().lower().replace("-", "_").replace(" ", "_")
    return ours if ours in REASONS else reason


def user_of(action: str, fields: dict[str, Any]) -> str | None:
    """Who it was by the name alone, where somebody was let in by that name: what is only claimed says nothing."""
    name = fields.get("user_name")
    if action == HTTP_REQUEST:
        return name if fields.get("http_response_status_code") not in (None, *_REFUSED) else None
    return name if fields.get("event_outcome") == "success" else None
