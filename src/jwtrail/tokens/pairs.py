"""What comes of issuing and exchanging: a pair of tokens, or an error with its reason."""

import msgspec

from jwtrail.errors import TokenError
from jwtrail.state.records import Revocation
from jwtrail.tokens.verdict import Claims, Rejected

__all__ = ["RefreshError", "TokenPair", "token_type_of"]


class TokenPair(msgspec.Struct, frozen=True, kw_only=True):
    """What the client gets (RFC 6749 section 5.1), and what the trail tells of it.

    Args:
        expires_in: seconds the access token lives.
        access: claims of the access token, as the verifier will read them; `refresh` too. Not for the client.
        parent: jti of the refresh token that was exchanged; empty at sign-in.
        repeated: the answer to the exchange was lost and is given again.
    """

    access_token: str
    refresh_token: str
    token_type: str
    expires_in: int
    scope: str
    access: Claims
    refresh: Claims
    parent: str = ""
    repeated: bool = False

    def __repr__(self) -> str:
        return f"TokenPair({self.access.sub!r}, family={self.access.family!r})"  # never the tokens: a repr ends up in logs


class RefreshError(TokenError):
    """A refresh token that is not exchanged; `reason` is a code of `ecs.reasons`.

    Args:
        claims: of an authentic token: who tried.
        rejected: the verdict, when the token itself did not count.
        revoked: the revocation that a reused token brought about.
        alert: id of the alert whose answer ended what the token belongs to; empty when no answer did.
    """

    code = "refresh_refused"

    def __init__(
        self,
        reason: str,
        *,
        claims: Claims | None = None,
        rejected: Rejected | None = None,
        revoked: Revocation | None = None,
        alert: str = "",
    ) -> None:
        super().__init__(reason, f"the refresh token is not accepted: {reason}", hint="sign in again")
        self.claims = claims
        self.rejected = rejected
        self.revoked = revoked
        self.alert = alert
        self.subject = claims.sub if claims else ""
        self.family = claims.family if claims else ""
        self.jti = claims.jti if claims else ""


def token_type_of(access: Claims) -> str:
    """How the token is shown: `Bearer` (RFC 6750) or `DPoP` (RFC 9449 section 5)."""
    return "DPoP" if access.binding.jkt else "Bearer"
