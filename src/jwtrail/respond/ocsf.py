"""An alert as a Detection Finding of the Open Cybersecurity Schema Framework, class 2004.

Attributes and numbers are those of schema 1.3.0; later versions of the first only add to them.
"""

from typing import Any

from jwtrail import __version__
from jwtrail.detect import Alert, event_of
from jwtrail.detect.alert import titled
from jwtrail.sigma import Level
from jwtrail.state.records import AlertRow

__all__ = ["SCHEMA", "ocsf_of"]

SCHEMA = "1.3.0"

_CLASS = 2004
_CATEGORY = 2
_SEVERITY: dict[Level, tuple[int, str]] = {
    "informational": (1, "Informational"),
    "low": (2, "Low"),
    "medium": (3, "Medium"),
    "high": (4, "High"),
    "critical": (5, "Critical"),
}
_ACTIVITY = {1: "Create", 2: "Update", 3: "Close"}
_HARMLESS = ("false_positive", "benign", "testing")
_IP_ADDRESS = 2
_OTHER = 99
_RULE = 1


def ocsf_of(row: AlertRow, alert: Alert) -> dict[str, Any]:
    """The finding, with the triage of its row. Times are ms since the epoch."""
    activity = 3 if row.status == "closed" else 2 if row.changed_us else 1
    severity_id, severity = _SEVERITY[alert.level]
    status_id, status = _status(row)
    made: dict[str, Any] = {
        "activity_id": activity,
        "activity_name": _ACTIVITY[activity],
        "category_uid": _CATEGORY,
        "category_name": "Findings",
        "class_uid": _CLASS,
        "class_name": "Detection Finding",
        "type_uid": _CLASS * 100 + activity,
        "type_name": f"Detection Finding: {_ACTIVITY[activity]}",
        "time": _ms(alert.at_us),
        "start_time": _ms(alert.first_us),
        "end_time": _ms(alert.at_us),
        "count": alert.count,
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "is_alert": activity == 1,
        "message": titled(alert),
        "metadata": {
            "version": SCHEMA,
            "product": {"name": "jwtrail", "vendor_name": "jwtrail", "version": __version__},
            "uid": alert.id,
            "log_name": "jwtrail.alerts",
        },
        "finding_info": _finding(row, alert),
        "observables": _observables(alert),
        "unmapped": {
            "group": dict(alert.group),
            "events": list(alert.events),
            **({"held_by": alert.held} if alert.held else {}),
        },
    }
    if evidence := _evidence(alert):
        made["evidences"] = [evidence]
    if row.note:
        made["comment"] = row.note
    return made


def _status(row: AlertRow) -> tuple[int, str]:
    if row.status == "closed":
        return (3, "Suppressed") if row.reason in _HARMLESS else (4, "Resolved")
    return (1, "New") if row.status == "open" else (2, "In Progress")


def _finding(row: AlertRow, alert: Alert) -> dict[str, Any]:
    analytic = {"type_id": _RULE, "type": "Rule", "uid": alert.rule, "name": titled(alert)}
    if alert.version:
        analytic["version"] = alert.version
    found: dict[str, Any] = {
        "uid": alert.id,
        "title": titled(alert),
        "analytic": analytic,
        "created_time": _ms(alert.at_us),
        "first_seen_time": _ms(alert.first_us),
        "last_seen_time": _ms(alert.at_us),
        "types": list(alert.tags) or [alert.code or "Sigma"],
    }
    if alert.description:
        found["desc"] = " ".join(alert.description.split())
    if row.changed_us:
        found["modified_time"] = _ms(row.changed_us)
    if attacks := _attacks(alert):
        found["attacks"] = attacks
    return found


def _attacks(alert: Alert) -> list[dict[str, Any]]:
    tactics = event_of(alert).threat_tactic_id or ()
    return [
        *({"technique": {"uid": technique}} for technique in alert.techniques),
        *({"tactic": {"uid": tactic}} for tactic in tactics),
    ]


def _evidence(alert: Alert) -> dict[str, Any]:
    """Who did it: nothing but what was verified."""
    who = alert.targets
    actor: dict[str, Any] = {}
    if who.user:
        actor["user"] = {"uid": who.user}
    if who.family or who.jti:
        actor["session"] = {"uid": who.family or who.jti, **({"uid_alt": who.jti} if who.jti else {})}
    evidence: dict[str, Any] = {}
    if actor:
        evidence["actor"] = actor
    if who.source:
        evidence["src_endpoint"] = {"ip": who.source}
    if who.route:
        evidence["api"] = {"operation": who.route}
    return evidence


def _observables(alert: Alert) -> list[dict[str, Any]]:
    who = alert.targets
    told = [
        ("evidences[0].src_endpoint.ip", _IP_ADDRESS, "IP Address", who.source),
        ("evidences[0].actor.user.uid", _OTHER, "User ID", who.user),
        ("evidences[0].actor.session.uid", _OTHER, "Session ID", who.family or who.jti),
    ]
    return [
        {"name": name, "type_id": kind, "type": word, "value": value}
        for name, kind, word, value in told
        if value
    ]


def _ms(at_us: int) -> int:
    return at_us // 1000
