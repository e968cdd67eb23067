"""Which tokens no longer count, held in memory: at most five look-ups a request, no query."""

from collections.abc import Iterable
from typing import Protocol

from msgspec import Struct

from jwtrail.state.records import Revocation, RevocationKind
from jwtrail.tokens.verdict import Claims

__all__ = ["GRACE_US", "REASONS", "RevocationView", "Revocations", "Revoked", "keys_of"]

GRACE_US = 60_000_000
"""How long after a revocation a client may not know of it; its attempts are marked, so that rules can be patient."""

REASONS: dict[RevocationKind, str] = {
    "jti": "revoked_token",
    "family": "revoked_session",
    "subject": "revoked_subject",
    "client": "revoked_client",
    "key": "key_revoked",
}


class Revoked(Struct, frozen=True):
    """That a token does not count any more, and why.

    Args:
        reason: one of `REASONS`.
        row: the revocation; `row.alert` names the alert it answers.
        recent: made less than `GRACE_US` ago.
    """

    reason: str
    row: Revocation
    recent: bool


class Revocations(Protocol):
    """What the verifier asks. Whoever answers must not block."""

    def check(self, claims: Claims, now_us: int) -> Revoked | None:
        """None while the token counts."""


class RevocationView:
    """The live revocations of this host. `live.LiveState` feeds it; `load` may be called from any thread."""

    def __init__(self, rows: Iterable[Revocation] = ()) -> None:
        self._rows: dict[tuple[RevocationKind, str], Revocation] = {}
        self.load(rows)

    def load(self, rows: Iterable[Revocation]) -> None:
        """Replace everything at once; a check sees the old rows or the new ones, never a mixture."""
        # An empty value would hit every token that lacks the claim.
        self._rows = {(row.kind, row.value): row for row in rows if row.value}

    def check(self, claims: Claims, now_us: int) -> Revoked | None:
        """The narrowest revocation that hits the token, or None.

        A subject's cut-off is compared with `iat`, which has whole seconds: what was issued in the very second of the
        cut-off is dead too. A token without `iat` cannot show that it is newer.
        """
        rows = self._rows
        if not rows:
            return None
        for key in keys_of(claims):
            row = rows.get(key)
            if row is not None and now_us < row.until_us and not _outlived(row, claims):
                return Revoked(REASONS[row.kind], row, now_us - row.at_us < GRACE_US)
        return None


def keys_of(claims: Claims) -> tuple[tuple[RevocationKind, str], ...]:
    """Everything a token can be revoked by, the narrowest first."""
    return (
        ("jti", claims.jti),
        ("family", claims.family),
        ("subject", claims.sub),
        ("client", claims.client_id),
        ("key", claims.kid),
    )


def _outlived(row: Revocation, claims: Claims) -> bool:
    return row.kind == "subject" and claims.iat is not None and claims.iat * 1_000_000 > row.at_us
