"""The story of one event: token, verdict, place in the trail, rules, alerts, answers, and what became of the token."""

from typing import Any, Literal

from msgspec import Struct

from jwtrail.clock import parse_iso
from jwtrail.detect.ruleset import RuleSet
from jwtrail.detect.trial import Trial, tried
from jwtrail.ecs import REASONS, Event, document
from jwtrail.errors import EventNotFound
from jwtrail.predicate.ir import And, Equals, Not, Or, Predicate
from jwtrail.query.page import SearchRequest
from jwtrail.query.store import Store
from jwtrail.trail.reader import TrailReader

__all__ = ["MAX_LATER", "MAX_TOLD", "Explanation", "Place", "Told", "Verdict", "explain"]

MAX_LATER = 20
"""Later events of the same token that are told."""

MAX_TOLD = 50
"""Alerts and answers."""

_REFUSING = ("forged", "suspicious", "broken_client")
_UNTIMELY = ("expired", "not_yet_valid", "issued_in_future", "lifetime_too_long")
"""Reasons that refuse the token itself; the other routine ones refuse a request whose token is good, or that has none."""

_REVOKED = ("revoked_token", "revoked_session", "revoked_subject")
_ENDS = (
    "token-revoked", "family-revoked", "subject-revoked", "logout", "token-replayed", "refresh-reused", "response-revoke",
)  # fmt: skip
"""What ends tokens by name: theirs, that of their sign-in, or that of their user."""

Kind = Literal["accepted", "rejected", "absent", "none"]


class Verdict(Struct, frozen=True, kw_only=True):
    """What was thought of the token.

    Args:
        kind: `absent` when the request came without one, `none` when the event is no request.
        reason: why it was refused, or the request; `why` says it in words, `sender` what kind of sender does that.
    """

    kind: Kind
    reason: str = ""
    why: str = ""
    sender: str = ""


class Place(Struct, frozen=True, kw_only=True):
    """Where the event stands.

    Args:
        index: in the tree; -1 while the daemon has not given it one.
        signed: whether a signed checkpoint covers it; `size` and `origin` are that checkpoint's.
    """

    index: int
    signed: bool
    size: int = 0
    origin: str = ""
    hash: str = ""


class Told(Struct, frozen=True, kw_only=True):
    """An alert that the event is part of, or caused, with its answers, oldest first."""

    alert: str
    rule: str
    level: str
    at: str
    answers: tuple[str, ...] = ()


class Explanation(Struct, frozen=True, kw_only=True):
    """Everything.

    Args:
        event: as a document.
        token: what the event says of the token, by field; claims of a token that did not verify are `jwt.unverified.*`.
        alerts: that name the event.
        later: the next events of the same token or sign-in, oldest first, at most `MAX_LATER`.
        ended: of a token that had been revoked, the event that did it; None when the trail has none.
    """

    event: dict[str, Any]
    token: dict[str, Any]
    verdict: Verdict
    place: Place
    trial: Trial
    alerts: tuple[Told, ...]
    later: tuple[dict[str, Any], ...]
    ended: dict[str, Any] | None = None


def explain(store: Store, reader: TrailReader, ruleset: RuleSet, event_id: str) -> Explanation:
    """The story of one event.

    Args:
        ruleset: the rules in use now, which may be others than when it happened.

    Raises:
        EventNotFound: no event has this id.
        QueryError, CorruptionError: the trail cannot be read.
    """
    event = store.get(event_id)
    if event is None:
        raise EventNotFound(
            f"no event {event_id!r}", hint="jwtrail search shows numbers and, with --json, ids"
        )
    doc = document(event)
    ending = _ending(store, event)
    return Explanation(
        event=doc,
        token={name: value for name, value in doc.items() if name.startswith("jwt.")},
        verdict=_verdict(event),
        place=_place(reader, event),
        trial=tried(ruleset, event),
        alerts=_alerts(store, event),
        later=tuple(map(document, _later(store, event))),
        ended=None if ending is None else document(ending),
    )


def _verdict(event: Event) -> Verdict:
    reason = REASONS.get(event.event_reason or "")
    kind: Kind = "accepted" if event.jwt_jti or event.jwt_iss else "absent"
    if reason is not None and (reason.klass in _REFUSING or reason.code in _UNTIMELY):
        kind = "rejected"
    elif kind == "absent" and event.event_action != "http-request":
        kind = "none"
    return Verdict(
        kind=kind,
        reason=event.event_reason or "",
        why=reason.doc if reason else "",
        sender=reason.klass if reason else "",
    )


def _place(reader: TrailReader, event: Event) -> Place:
    index, signed = event.event_sequence, reader.checkpoint()
    if index is None:
        return Place(index=-1, signed=False)
    covered = signed is not None and index < signed.size
    return Place(
        index=index,
        signed=covered,
        size=signed.size if signed is not None else 0,
        origin=signed.origin if signed is not None else "",
        hash=event.event_hash or "",
    )


def _alerts(store: Store, event: Event) -> tuple[Told, ...]:
    wanted = Equals(field="jwtrail.alert.events", value=event.event_id)
    if event.jwtrail_alert_id:  # the event is itself about an alert
        wanted = Equals(field="jwtrail.alert.id", value=event.jwtrail_alert_id)
    raised = [one for one in _search(store, wanted, MAX_TOLD) if one.event_action == "alert-raised"]
    if not raised:
        return ()
    ids = Or(
        items=tuple(
            Equals(field="jwtrail.response.alert", value=one.jwtrail_alert_id or "") for one in raised
        )
    )
    answers = _search(store, ids, MAX_TOLD)
    return tuple(
        Told(
            alert=one.jwtrail_alert_id or "",
            rule=one.rule_name or "",
            level=one.jwtrail_alert_severity or "",
            at=one.timestamp,
            answers=tuple(
                answer.message or ""
                for answer in answers
                if answer.jwtrail_response_alert == one.jwtrail_alert_id
            ),
        )
        for one in raised
    )


def _ending(store: Store, event: Event) -> Event | None:
    """The last event before that ended the token, its sign-in, or everything of its user."""
    if event.event_reason not in _REVOKED:
        return None
    named = (
        ("jwt.jti", event.jwt_jti),
        ("jwt.family", event.jwt_family),
        ("user.target.id", event.user_id),
        ("jwtrail.response.target", event.user_id and f"user.id={event.user_id}"),
    )
    whose = tuple(Equals(field=field, value=value) for field, value in named if value)
    did = tuple(Equals(field="event.action", value=action) for action in _ENDS)
    announced = Equals(field="jwtrail.response.dry_run", value=True)
    wanted = And(items=(Or(items=whose), Or(items=did), Not(item=announced)))
    request = SearchRequest(query=wanted, limit=1, to_us=parse_iso(event.timestamp))
    return next(iter(store.search(request).events), None) if whose else None


def _later(store: Store, event: Event) -> list[Event]:
    """What the token, or else its sign-in, or else a token that only claimed to be one, did after this."""
    for field, value in (
        ("jwt.jti", event.jwt_jti),
        ("jwt.family", event.jwt_family),
        ("jwt.fingerprint", event.jwt_fingerprint),
    ):
        if value:
            found = _search(store, Equals(field=field, value=value), MAX_LATER + 1, after=event.timestamp)
            return [one for one in found if one.event_id != event.event_id][:MAX_LATER]
    return []


def _search(store: Store, wanted: Predicate, limit: int, after: str = "") -> list[Event]:
    from_us = parse_iso(after) if after else None
    request = SearchRequest(query=wanted, limit=limit, ascending=True, from_us=from_us)
    return list(store.search(request).events)
