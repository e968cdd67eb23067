"""Taking back what an alert's answer did, where that is sound."""

from collections.abc import Callable, Iterable

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from jwtrail import clock
from jwtrail.ecs import Event, event_for
from jwtrail.errors import AlertNotFound
from jwtrail.predicate.ir import And, Equals, Or
from jwtrail.query.page import SearchRequest
from jwtrail.query.store import Store
from jwtrail.respond.action import REVOKES, Action, revocation_of
from jwtrail.state.records import AlertRow, Revocation, RevocationKind
from jwtrail.state.store import StateStore

__all__ = ["Undone", "undo"]

_FIELDS = {kind: field for field, kind in REVOKES.items()}

_ENDED: dict[RevocationKind, tuple[str, tuple[str, ...]]] = {
    "jti": ("jwt.jti", ("token-revoked", "logout", "token-replayed")),
    "family": ("jwt.family", ("family-revoked", "logout", "refresh-reused")),
    "subject": ("user.target.id", ("subject-revoked",)),
}
"""Where an event names what it ended, and the events that say that somebody else ended it too."""


class Undone(Struct, frozen=True, kw_only=True):
    """What became of an alert's answers.

    Args:
        undone: what is no longer in force, `field=value`.
        kept: what stays, with the reason.
    """

    undone: tuple[str, ...] = ()
    kept: tuple[tuple[str, str], ...] = ()


def undo(
    state: StateStore,
    store: Store,
    alert_id: str,
    *,
    by: str,
    record: Callable[[Event], None],
    now_us: int,
) -> Undone:
    """Take back every answer to an alert that is in force; again changes nothing.

    A throttle or block can always be lifted. A revocation is taken back only when nobody else ended the same token, sign-in
    or user: a refresh token that was used twice, somebody who signed out, an operator who revoked. A cut-off of a user goes
    back to the one before it.

    Args:
        by: who wants it.
        record: puts an event into the trail, for each of them.

    Raises:
        AlertNotFound: no alert has this id.
        StateError, QueryError: something could not be read or written; what is not told as undone is in force.
    """
    alert = state.alert(alert_id)
    if alert is None:
        raise AlertNotFound(f"no alert {alert_id!r}", hint="jwtrail alerts list")
    undone = [
        f"{held.field}={held.value}"
        for held in state.restraints(now_us)
        if held.alert == alert_id and state.lift(held.id)
    ]
    kept = list(_of_others(state, alert, now_us))
    for row in state.revocations(now_us):
        if row.alert != alert_id:
            continue
        target = f"{_FIELDS[row.kind]}={row.value}"
        if why := _taken_back(state, store, row):
            kept.append((target, why))
        else:
            undone.append(target)
    for target in undone:
        record(
            event_for(
                "response-undone",
                at_us=now_us,
                user_id=by,
                message=f"took back the answer to alert {alert_id}: {target}",
                jwtrail_alert_id=alert_id,
                jwtrail_response_alert=alert_id,
                jwtrail_response_target=target,
            )
        )
    return Undone(undone=tuple(undone), kept=tuple(kept))


class _Answered(Struct, frozen=True):
    """What of an alert's document says what was to be done."""

    actions: tuple[Action, ...] = ()


def _of_others(state: StateStore, alert: AlertRow, now_us: int) -> Iterable[tuple[str, str]]:
    """What the answer was to revoke and somebody else had revoked before it: that row is theirs, and stays."""
    planned = map(revocation_of, msgspec.json.decode(alert.doc, type=_Answered).actions)
    wanted = {(row.kind, row.value) for row in planned if row is not None}
    for row in state.revoked(wanted, now_us):
        if row.alert != alert.id:
            who = f"alert {row.alert}" if row.alert else row.cause
            yield f"{_FIELDS[row.kind]}={row.value}", f"{who} ended it too, {clock.iso(row.at_us)[:19]}"


def _taken_back(state: StateStore, store: Store, row: Revocation) -> str:
    """Why it stays; empty when it was taken back."""
    other = _also_ended(store, row)
    if row.kind == "subject":
        state.unrevoke(row.kind, row.value)
        if other is not None and (earlier := clock.parse_iso(other.timestamp)) < row.at_us:
            state.revoke(replace(row, at_us=earlier, cause="operator", alert=""))
        return ""
    if other is not None:
        return f"{other.event_action} ended it too, {other.timestamp[:19]}"
    state.unrevoke(row.kind, row.value)
    return ""


def _also_ended(store: Store, row: Revocation) -> Event | None:
    """The newest event by which somebody else ended the same."""
    field, actions = _ENDED[row.kind]
    wanted = And(
        items=(
            Equals(field=field, value=row.value),
            Or(items=tuple(Equals(field="event.action", value=action) for action in actions)),
        )
    )
    return next(iter(store.search(SearchRequest(query=wanted, limit=1)).events), None)
