"""An alert: a rule that fired, for whom, on which events."""

import uuid
from hashlib import sha256

from msgspec import Struct
from msgspec.structs import replace

from jwtrail.detect.windows import Firing
from jwtrail.ecs import Event, event_for
from jwtrail.sigma import Level, Meta, Proposal

__all__ = [
    "MAX_EVENTS",
    "SEVERITY",
    "Alert",
    "Targets",
    "alert_id",
    "alert_of",
    "event_of",
    "group_text",
    "targets_of",
    "targets_of_group",
    "titled",
]

MAX_EVENTS = 100
"""Ids of events an alert carries; the latest ones. People read the first ten, `count` tells the rest."""

SEVERITY: dict[Level, int] = {"informational": 10, "low": 25, "medium": 50, "high": 75, "critical": 100}
"""`event.severity` of each of Sigma's levels."""

_TACTICS = {
    "reconnaissance": "TA0043",
    "resource-development": "TA0042",
    "initial-access": "TA0001",
    "execution": "TA0002",
    "persistence": "TA0003",
    "privilege-escalation": "TA0004",
    "defense-evasion": "TA0005",
    "credential-access": "TA0006",
    "discovery": "TA0007",
    "lateral-movement": "TA0008",
    "collection": "TA0009",
    "command-and-control": "TA0011",
    "exfiltration": "TA0010",
    "impact": "TA0040",
}


class Targets(Struct, frozen=True, kw_only=True):
    """On whom an answer may act: what was *verified* of the event that completed the alert. Empty where it knew nothing.

    Nothing here comes from `jwt.unverified.*` or from a name typed at sign-in: an attacker chooses those.
    """

    jti: str = ""
    family: str = ""
    user: str = ""
    source: str = ""
    route: str = ""


class Alert(Struct, frozen=True, kw_only=True):
    """A rule that fired.

    Args:
        id: 32 hexadecimal digits of rule, group and first event: the same events always give the same id.
        rule: the rule's UUID; `code` its short id, `name` its title.
        group: the fields that tell this group from others, and their values.
        at_us: event time of the event that completed it, µs; `first_us` that of the first one.
        sequence: index in the trail of the event that completed it.
        events: ids of the latest events that count, at most `MAX_EVENTS`; the last one completed it.
        count: events, values or rules that were counted; at least the threshold.
        proposal: what the rule's author would do; policy decides.
        held: code of a health rule that is active and explains this alert; it is then not answered.
    """

    id: str
    rule: str
    name: str
    level: Level
    group: dict[str, str]
    at_us: int
    first_us: int
    sequence: int
    first_event: str
    events: tuple[str, ...]
    count: int
    targets: Targets
    code: str = ""
    version: str = ""
    author: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    tactics: tuple[str, ...] = ()
    proposal: Proposal | None = None
    held: str = ""


def _held(alert: Alert) -> str:
    return f", held back while {alert.held} is active" if alert.held else ""


def alert_id(rule: str, key: str, first_event: str) -> str:
    """Stable over restarts, batches and replays."""
    return sha256(f"{rule}\0{key}\0{first_event}".encode()).hexdigest()[:32]


def group_text(group: dict[str, str]) -> str:
    """`field=value` pairs joined by commas."""
    return ",".join(f"{field}={value}" for field, value in group.items())


def titled(alert: Alert) -> str:
    """Code and title, as `rule.name` holds them: ECS has no field for a rule's short id."""
    return f"{alert.code} {alert.name}".strip()


def targets_of(event: Event) -> Targets:
    """The verified identity of an event, and its source."""
    return Targets(
        jti=event.jwt_jti or "",
        family=event.jwt_family or "",
        user=event.user_id or "",
        source=event.source_ip or "",
        route=event.http_route or "",
    )


def stable_id(event: Event, seed: str, at_us: int) -> Event:
    """The event with an id that follows from `seed`, so that writing it again after a crash can be seen.

    It is a UUIDv7 (RFC 9562 section 5.7) of the time `at_us` whose random bits are a digest.
    """
    bits = int.from_bytes(sha256(f"{event.event_action}\0{seed}".encode()).digest()[:16])
    value = (at_us // 1000 & (1 << 48) - 1) << 80 | bits & (1 << 80) - 1
    value = value & ~(0xF << 76 | 0b11 << 62) | 0x7 << 76 | 0b10 << 62
    return replace(event, event_id=str(uuid.UUID(int=value)))


def event_of(alert: Alert, *, now_us: int | None = None) -> Event:
    """The `alert-raised` event of an alert; the same alert always gives an event with the same id.

    Args:
        now_us: when it is raised; gives `@timestamp` and the lag. The completing event's time when absent.
    """
    raised = alert.at_us if now_us is None else now_us
    who = alert.targets
    event = event_for(
        "alert-raised",
        at_us=raised,
        event_outcome="unknown",
        event_severity=SEVERITY[alert.level],
        message=f"{titled(alert)} ({group_text(alert.group) or 'no group'}){_held(alert)}",
        rule_id=alert.rule,
        rule_name=titled(alert),
        rule_version=alert.version or None,
        rule_author=(alert.author,) if alert.author else None,
        rule_ruleset="jwtrail" if alert.code else None,
        tags=alert.tags or None,
        threat_technique_id=alert.techniques or None,
        threat_tactic_name=alert.tactics or None,
        threat_tactic_id=tuple(_TACTICS[name] for name in alert.tactics if name in _TACTICS) or None,
        jwtrail_alert_id=alert.id,
        jwtrail_alert_status="open",
        jwtrail_alert_severity=alert.level,
        jwtrail_alert_group=group_text(alert.group) or None,
        jwtrail_alert_events=alert.events,
        jwtrail_lag_ms=max(0, (raised - alert.at_us) // 1000),
        jwt_jti=who.jti or None,
        jwt_family=who.family or None,
        user_id=who.user or None,
        source_ip=who.source or None,
        http_route=who.route or None,
        related_ip=(who.source,) if who.source else None,
        related_user=(who.user,) if who.user else None,
    )
    return stable_id(event, alert.id, alert.at_us)


def targets_of_group(group: dict[str, str]) -> Targets:
    """On whom an alert without a completing event may act: the verified identities it is grouped by."""
    return Targets(
        jti=group.get("jwt.jti", ""),
        family=group.get("jwt.family", ""),
        user=group.get("user.id", ""),
        source=group.get("source.ip", ""),
        route=group.get("http.route", ""),
    )


def alert_of(
    meta: Meta,
    firing: Firing,
    *,
    key: str,
    group: dict[str, str],
    at_us: int,
    sequence: int,
    targets: Targets,
) -> Alert:
    """An alert of this rule.

    Args:
        key: tells the group from others, in the alert's id.
        at_us: event time at which the condition was fulfilled.
        sequence: index of the last event that counts.
    """
    return Alert(
        id=alert_id(meta.id, key, firing.first[1]),
        rule=meta.id,
        code=meta.code,
        name=meta.title,
        level=meta.level,
        version=meta.version,
        author=meta.author,
        description=meta.description,
        tags=meta.tags,
        techniques=meta.techniques,
        tactics=meta.tactics,
        group=group,
        at_us=at_us,
        first_us=firing.first[0],
        first_event=firing.first[1],
        sequence=sequence,
        events=firing.events[-MAX_EVENTS:],
        count=firing.count,
        proposal=meta.response,
        targets=targets,
    )
