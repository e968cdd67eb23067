"""The state that a test vector is judged by: what was revoked, and what was seen before."""

from collections.abc import Mapping
from typing import Any

from msgspec import structs

from jwtrail.state.records import Revocation, RevocationKind
from jwtrail.tokens.revocation import RevocationView, Revoked
from jwtrail.tokens.shapes import MAX_COUNT
from jwtrail.tokens.verdict import Claims

__all__ = ["VectorState", "finite_number"]

_US = 1_000_000
_FOREVER_US = 2**62
_KINDS: dict[str, RevocationKind] = {
    "revoked_jti": "jti",
    "revoked_sid": "family",
    "revoked_clients": "client",
    "revoked_kid": "key",
}


def finite_number(value: object, name: str) -> float:
    """A number of a vector.

    Raises:
        ValueError: it is none, or beyond what JSON numbers hold exactly.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MAX_COUNT:
        raise ValueError(f"{name} is a number within 2^53, not {str(value)[:40]!r}")
    return value


class VectorState:
    """Answers the verifier's questions from the `state` of a vector.

    Args:
        state: `revoked_jti`, `revoked_sid`, `revoked_clients`, `revoked_kid`: one id or several; `revoked_before`: seconds,
            for every subject or by subject; `single_use` with `seen_jti`; `seen_dpop_jti`; `dpop_nonce`.
    """

    def __init__(self, state: Mapping[str, Any], now_us: int) -> None:
        self._state = state
        self._view = RevocationView(
            [
                _row(kind, value, now_us)
                for name, kind in _KINDS.items()
                for value in _listed(self._state.get(name))
            ]
        )
        nonce = self._state.get("dpop_nonce")
        self.nonce = None if nonce is None else lambda shown: shown in _listed(nonce)

    def check(self, claims: Claims, now_us: int) -> Revoked | None:
        """See `tokens.revocation.Revocations`. What was issued in the very second of a cut-off was not issued before it."""
        before = self._state.get("revoked_before")
        if isinstance(before, Mapping):
            before = before.get(claims.sub)
        if before is not None:
            row = _row("subject", claims.sub, round(finite_number(before, "revoked_before") * _US) - 1)
            if (found := RevocationView([row]).check(claims, now_us)) is not None:
                return found
        # A token may name its session twice: as we do (`fam`) and as OpenID providers do.
        sid = claims.extra.get("sid")
        if isinstance(sid, str) and sid != claims.family:
            both = structs.replace(claims, family=sid)
            return self._view.check(claims, now_us) or self._view.check(both, now_us)
        return self._view.check(claims, now_us)

    def replayed(self, claims: Claims) -> str | None:
        """Of a token that counts once: the reason for which it does not count now."""
        if not self._state.get("single_use"):
            return None
        if not claims.jti:
            return "claim_missing"
        return "token_replayed" if claims.jti in _listed(self._state.get("seen_jti")) else None

    def first(self, jkt: str, jti: str, until_us: int) -> bool:  # noqa: ARG002  # a protocol of `tokens.dpop`
        """See `tokens.dpop.SeenProofs`."""
        return jti not in _listed(self._state.get("seen_dpop_jti"))


def _row(kind: RevocationKind, value: str, at_us: int) -> Revocation:
    return Revocation(kind=kind, value=value, at_us=at_us, until_us=_FOREVER_US, cause="vector")


def _listed(value: object) -> list[str]:
    """One text, several, or the names of an object."""
    if isinstance(value, list | tuple | Mapping):
        return [str(one) for one in value]
    return [] if value is None else [str(value)]
