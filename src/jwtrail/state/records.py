"""The rows of `state.db`, one Struct a table. Times are µs since the epoch unless a name says otherwise."""

from typing import Literal

from msgspec import Struct

__all__ = [
    "AlertRow",
    "AlertStatus",
    "BlastRadius",
    "Family",
    "IssuedToken",
    "Restraint",
    "Revocation",
    "RevocationKind",
]

RevocationKind = Literal["jti", "family", "subject", "client", "key"]
AlertStatus = Literal["open", "acknowledged", "in_progress", "closed"]


class Revocation(Struct, frozen=True, kw_only=True):
    """A token, family, subject, client or key that no longer counts.

    Args:
        kind: what `value` names. `subject` is a cut-off: tokens issued at or before `at_us` are dead.
        until_us: when the row may be forgotten: every token it can concern has expired by then.
        cause: `logout`, `refresh_reused`, `alert`, `operator`, …
        by: who did it, a user id or `jwtrail`.
        alert: id of the alert that caused it, or empty.
    """

    kind: RevocationKind
    value: str
    at_us: int
    until_us: int
    cause: str
    by: str = "jwtrail"
    alert: str = ""


class Restraint(Struct, frozen=True, kw_only=True):
    """A throttle or a block on one key, always with an end.

    Args:
        field: the ECS field that must equal `value`: `source.ip`, `user.id`, `jwt.jti`.
        route: only on this route template; every route when empty.
        per_minute: requests that are still let through a minute; 0 blocks.
        unauthenticated_only: leaves requests with a verified token alone (an address that many people share).
    """

    id: str
    field: str
    value: str
    at_us: int
    until_us: int
    per_minute: int
    route: str = ""
    unauthenticated_only: bool = False
    alert: str = ""


class Family(Struct, frozen=True, kw_only=True):
    """A refresh family: one sign-in on one device and every token exchanged from it.

    Args:
        jti: the refresh token that is valid now.
        previous: the one before it, for the grace period of a lost answer.
        generation: exchanges since sign-in.
        source: address of the last exchange.
        expires_us: absolute end of the session.
        device: what the application called the device at sign-in.
    """

    id: str
    subject: str
    jti: str
    generation: int
    created_us: int
    rotated_us: int
    expires_us: int
    previous: str = ""
    source: str = ""
    client_id: str = ""
    scope: str = ""
    claims: str = "{}"
    device: str = ""


class IssuedToken(Struct, frozen=True, kw_only=True):
    """A token issued here that may still be alive; forgotten at `exp_us`.

    Args:
        kind: `access` or `refresh`.
        kid: the key that signed it.
        source: address it was issued to.
    """

    jti: str
    subject: str
    kind: str
    at_us: int
    exp_us: int
    family: str = ""
    client_id: str = ""
    kid: str = ""
    source: str = ""


class BlastRadius(Struct, frozen=True, kw_only=True):
    """What a revocation would hit: shown before somebody confirms it.

    Args:
        live_tokens: tokens issued here that have not expired.
        families: sign-ins among them.
        subjects: users among them.
        last_issued_us: the newest issue or exchange; 0 when nothing is hit.
        sources: addresses they were issued to, at most `MAX_SOURCES`, newest first.
    """

    live_tokens: int
    families: int
    subjects: int
    last_issued_us: int
    sources: tuple[str, ...]


class AlertRow(Struct, frozen=True, kw_only=True):
    """An alert and its triage.

    Args:
        id: stable: the same rule, group and first event always give the same id.
        group: `field=value` pairs joined by commas.
        doc: the whole alert as JSON, as `detect` made it.
        reason: why it was closed: false_positive, benign, testing, remediated, malicious, other; empty while open.
    """

    id: str
    rule: str
    severity: str
    group: str
    at_us: int
    doc: str
    status: AlertStatus = "open"
    assignee: str = ""
    reason: str = ""
    note: str = ""
    changed_us: int = 0
