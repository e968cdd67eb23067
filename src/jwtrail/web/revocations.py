"""Answers about what is denied: look first, revoke with a reason, take back."""

from typing import Any

import msgspec

from jwtrail import clock
from jwtrail.query.page import SearchRequest
from jwtrail.state.records import Restraint, Revocation, RevocationKind
from jwtrail.web import questions, shapes
from jwtrail.web.answers import NothingToUndo
from jwtrail.web.audit import record
from jwtrail.web.call import Call

__all__ = ["lift", "list_all", "preview", "revoke", "undo"]

_DAY_US = 86_400_000_000

# Where a kind's value stands in an event, how the event of its revocation is called, and the attribute that names it there.
_FIELD: dict[RevocationKind, str] = {
    "jti": "jwt.jti",
    "family": "jwt.family",
    "subject": "user.id",
    "client": "jwt.client_id",
    "key": "jwt.kid",
}
_ACTION: dict[RevocationKind, tuple[str, str]] = {
    "jti": ("token-revoked", "jwt_jti"),
    "family": ("family-revoked", "jwt_family"),
    "subject": ("subject-revoked", "user_target_id"),
    "client": ("client-revoked", "jwt_client_id"),
    "key": ("key-revoked", "jwt_kid"),
}


def list_all(call: Call) -> shapes.RevocationsPage:
    now = call.services.now_us()
    state = call.services.state
    return shapes.RevocationsPage(
        revocations=tuple(_view(row) for row in reversed(state.revocations(now))),
        restraints=tuple(_restraint(row) for row in reversed(state.restraints(now))),
    )


def preview(call: Call) -> shapes.BlastRadius:
    query: questions.PreviewQuery = call.query
    now = call.services.now_us()
    radius = call.services.state.blast_radius(query.kind, query.value, now)
    newest = call.services.store.search(
        SearchRequest(
            query=f"{_FIELD[query.kind]}: {_quoted(query.value)}", from_us=now - _DAY_US, to_us=now, limit=1
        )
    )
    last = newest.events[0] if newest.events else None
    return shapes.BlastRadius(
        kind=query.kind,
        value=query.value,
        live_tokens=radius.live_tokens,
        families=radius.families,
        subjects=radius.subjects,
        last_seen_us=clock.parse_iso(last.timestamp) if last else None,
        last_source=(last.source_ip or "") if last else "",
        revoked=any(
            row.kind == query.kind and row.value == query.value
            for row in call.services.state.revocations(now)
        ),
    )


def revoke(call: Call) -> shapes.RevocationView:
    body: questions.NewRevocation = call.body
    now = call.services.now_us()
    row = Revocation(
        kind=body.kind,
        value=body.value,
        at_us=now,
        until_us=call.services.ends(body.kind, body.value, now),
        cause="operator",
        by=call.session.user,
    )
    call.services.state.revoke(row)
    action, attribute = _ACTION[body.kind]
    fields: dict[str, Any] = {attribute: body.value, "jwtrail_ticket": body.reason}
    record(call, action, f"revoked {body.kind} {body.value}: {body.reason}", **fields)
    return _view(row)


def undo(call: Call) -> None:
    kind = msgspec.convert(call.path["kind"], RevocationKind)
    value = call.path["value"]
    if not call.services.state.unrevoke(kind, value):
        raise NothingToUndo(f"{kind} {value!r} is not revoked")
    _action, attribute = _ACTION[kind]
    fields: dict[str, Any] = {attribute: value}
    record(call, "revocation-undone", f"took back the revocation of {kind} {value}", **fields)


def lift(call: Call) -> None:
    number = call.path["id"]
    held = {row.id: row for row in call.services.state.restraints(call.services.now_us())}
    if number not in held or not call.services.state.lift(number):
        raise NothingToUndo(f"no throttle or block {number!r} is in force")
    target = f"{held[number].field}={held[number].value}"
    record(call, "restraint-lifted", f"lifted the restraint on {target}", jwtrail_response_target=target)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _view(row: Revocation) -> shapes.RevocationView:
    return shapes.RevocationView(
        kind=row.kind,
        value=row.value,
        at_us=row.at_us,
        until_us=row.until_us,
        cause=row.cause,
        by=row.by,
        alert=row.alert,
    )


def _restraint(row: Restraint) -> shapes.RestraintView:
    return shapes.RestraintView(
        id=row.id,
        field_=row.field,
        value=row.value,
        at_us=row.at_us,
        until_us=row.until_us,
        per_minute=row.per_minute,
        route=row.route,
        unauthenticated_only=row.unauthenticated_only,
        alert=row.alert,
    )
