"""When a revocation may be forgotten: after the last token that it concerns, and not long after it.

Too early, and what was revoked counts again; too late, and every process carries rows about nothing in its memory.
"""

from typing import Protocol

from jwtrail.state.records import Family, IssuedToken, RevocationKind
from jwtrail.tokens.settings import TokenSettings

__all__ = ["Lives", "end_of", "end_of_access"]

_US = 1_000_000


class Lives(Protocol):
    """Who knows what was issued: `state.StateStore`."""

    def family(self, family_id: str) -> Family | None:
        """A family that has not ended."""

    def tokens_of(self, kind: RevocationKind, value: str, now_us: int) -> list[IssuedToken]:
        """Tokens issued here that may still count."""


def end_of(store: Lives, settings: TokenSettings, kind: RevocationKind, value: str, at_us: int) -> int:
    """The end of a revocation made at a time, µs.

    What is not known here (a sign-in at another issuer, a subject) is given the longest life that the settings allow. What is
    known keeps the end it was issued with, also when the settings allow less by now.

    Raises:
        StateError: nobody can tell.
    """
    leeway = settings.leeway_s * _US
    if kind == "family" and (family := store.family(value)) is not None:
        return family.expires_us + leeway
    known = store.tokens_of(kind, value, at_us)
    last = max((token.exp_us for token in known), default=0) + leeway
    if kind == "jti" and known:
        return last
    return max(at_us + settings.longest_s * _US, last)


def end_of_access(store: Lives, settings: TokenSettings, family: str, at_us: int) -> int:
    """The end of a revocation of a family that nothing can be exchanged of any more: that of its last access token, µs.

    Args:
        at_us: after the family ended, so that an exchange that was under way began before it.
    """
    known = [token for token in store.tokens_of("family", family, at_us) if token.kind == "access"]
    last = max((token.exp_us for token in known), default=0)
    return max(last, at_us + settings.access_ttl_s * _US) + settings.leeway_s * _US
