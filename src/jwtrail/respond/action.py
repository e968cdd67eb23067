"""One thing done about one alert."""

from hashlib import sha256

from msgspec import Struct

from jwtrail.respond.settings import AnswerKind
from jwtrail.state.records import Restraint, Revocation, RevocationKind

__all__ = ["REVOKES", "Action", "restraint_of", "revocation_of"]

REVOKES: dict[str, RevocationKind] = {"jwt.jti": "jti", "jwt.family": "family", "user.id": "subject"}
"""What a revocation of each field is called in `state.db`."""


class Action(Struct, frozen=True, kw_only=True):
    """What is done about an alert.

    Args:
        alert: id of the alert; `rule` and `rule_name` whose it is.
        field: ECS field of the target; empty for `notify`.
        value: the target's value.
        at_us: event time of what caused it, µs; `until_us` when it ends by itself.
        per_minute: requests let through, 0 for a block.
        hook: of `exec`, the entry point that is called.
        why: why it is less than was asked for; empty when it is not.
    """

    alert: str
    rule: str
    rule_name: str
    kind: AnswerKind
    at_us: int
    until_us: int
    field: str = ""
    value: str = ""
    per_minute: int = 0
    route: str = ""
    unauthenticated_only: bool = False
    dry_run: bool = False
    hook: str = ""
    why: str = ""

    @property
    def id(self) -> str:
        """Stable: the same alert and target always give the same id."""
        return sha256(f"{self.alert}\0{self.kind}\0{self.field}\0{self.value}".encode()).hexdigest()[:32]

    @property
    def target(self) -> str:
        """`field=value`, or empty."""
        return f"{self.field}={self.value}" if self.field else ""


def revocation_of(action: Action) -> Revocation | None:
    """The row of `state.db` that carries out a revocation; None for anything else and for a dry run."""
    if action.kind != "revoke" or action.dry_run:
        return None
    return Revocation(
        kind=REVOKES[action.field],
        value=action.value,
        at_us=action.at_us,
        until_us=action.until_us,
        cause="alert",
        alert=action.alert,
    )


def restraint_of(action: Action) -> Restraint | None:
    """The row that carries out a throttle or block; None for anything else and for a dry run."""
    if action.kind not in ("throttle", "block") or action.dry_run:
        return None
    return Restraint(
        id=action.id,
        field=action.field,
        value=action.value,
        at_us=action.at_us,
        until_us=action.until_us,
        per_minute=action.per_minute,
        route=action.route,
        unauthenticated_only=action.unauthenticated_only,
        alert=action.alert,
    )
