"""Saved searches: the questions that end in a list of events."""

from msgspec import Struct

from jwtrail.ship.saved.panels import (
    ALERTS,
    ANSWERED,
    EXPORTED,
    INTEGRITY,
    REJECTED,
    REVOKED,
    SIGN_IN,
    of_class,
)

__all__ = ["SEARCHES", "Search"]


class Search(Struct, frozen=True):
    """One saved search: KQL and the columns of its table."""

    id: str
    title: str
    description: str
    query: str
    columns: tuple[str, ...]


_ACCESS = (
    "event.outcome",
    "http.request.method",
    "http.route",
    "http.response.status_code",
    "user.id",
    "source.ip",
)
_WHY = (
    "event.reason",
    "http.request.method",
    "url.path",
    "source.ip",
    "jwt.alg",
    "jwt.unverified.sub",
    "event.id",
)

SEARCHES = (
    Search("all", "Everything", "All events, newest first.", "", ("event.action", *_ACCESS, "event.id")),
    Search(
        "rejected",
        "Rejected tokens",
        "Requests that were turned away, each with the one reason.",
        REJECTED,
        _WHY,
    ),
    Search("forged", "Forged tokens", "Tokens that nobody sends by mistake.", of_class("forged"), _WHY),
    Search(
        "failed-sign-ins",
        "Failed sign-ins",
        "Who could not sign in, and why.",
        f"{SIGN_IN} and event.outcome: failure",
        ("user.name", "event.reason", "source.ip", "user_agent.original", "event.id"),
    ),
    Search(
        "revocations",
        "Revocations",
        "Tokens, sign-ins, users, clients and keys that were ended before their time.",
        REVOKED,
        ("event.action", "user.id", "jwt.jti", "jwt.family", "message", "event.id"),
    ),
    Search(
        "refresh-reused",
        "Refresh tokens used twice",
        "A refresh token that was exchanged already came again: one of the two is a thief.",
        "event.action: refresh-reused",
        ("user.id", "jwt.family", "source.ip", "user_agent.original", "event.id"),
    ),
    Search(
        "alerts",
        "Alerts",
        "What the rules found.",
        ALERTS,
        (
            "jwtrail.alert.severity",
            "rule.name",
            "jwtrail.alert.group",
            "threat.technique.id",
            "jwtrail.alert.id",
        ),
    ),
    Search(
        "answers",
        "Answers",
        "What was done about alerts, and how fast.",
        ANSWERED,
        (
            "jwtrail.response.kind",
            "jwtrail.response.target",
            "rule.name",
            "jwtrail.lag_ms",
            "jwtrail.response.alert",
        ),
    ),
    Search(
        "exports",
        "Data exports",
        "Who took how many records away.",
        EXPORTED,
        ("event.action", "user.id", "jwtrail.records", "jwtrail.object.type", "source.ip", "event.id"),
    ),
    Search(
        "server-errors",
        "Requests that failed in the application",
        "Status 500 and above.",
        "event.action: http-request and http.response.status_code >= 500",
        ("http.response.status_code", "http.route", "error.type", "user.id", "trace.id", "event.id"),
    ),
    Search(
        "privileges",
        "Rights and impersonation",
        "Roles given and taken, and who acted as somebody else.",
        "event.action: (role-granted or role-removed or impersonation-started)",
        ("event.action", "user.id", "user.target.id", "user.effective.id", "jwtrail.ticket", "event.id"),
    ),
    Search(
        "trail",
        "Trail and watchers",
        "Verification, gaps, erasure, and who looked at the records.",
        f"{INTEGRITY} or event.action: (console-search or console-export or rule-changed)",
        ("event.action", "event.outcome", "user.id", "message", "event.id"),
    ),
)
