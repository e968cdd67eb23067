"""What the verifier says about a token: absent, rejected for one reason, or accepted with its claims."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from jwtrail.state.records import Revocation
from jwtrail.tokens.frozen import NOTHING

__all__ = ["ABSENT", "UNBOUND", "Absent", "Accepted", "Binding", "Claims", "Rejected", "Signed", "Verdict"]


class Binding(Struct, frozen=True, gc=False):
    """What a token is bound to, of its `cnf` claim (RFC 7800). Methods that are not known here are passed over, as
    section 3.1 demands.

    Args:
        jkt: thumbprint of the key that must sign a DPoP proof (RFC 9449 section 6.1).
        x5t: SHA-256 thumbprint of the client certificate, `x5t#S256` (RFC 8705 section 3.1).
    """

    jkt: str = ""
    x5t: str = ""

    def __bool__(self) -> bool:
        return bool(self.jkt or self.x5t)


UNBOUND = Binding()


class Claims(Struct, frozen=True, gc=False):
    """The claims of a token whose signature held, typed. A claim that is not there is empty, 0 or None.

    Args:
        exp: NumericDate (RFC 7519 section 2): seconds since the epoch; `nbf` and `iat` too.
        scope: the words of `scope` (RFC 8693 section 4.2).
        family: `fam`, the sign-in this token belongs to.
        generation: `gen`, exchanges since the sign-in.
        kind: `access`, `refresh`, `id`, or empty when the token does not tell.
        binding: the key or certificate the token is bound to; both empty for a bearer token.
        act: who acts as `sub` (RFC 8693 section 4.1).
        extra: every claim that has no attribute here; it cannot be changed, in depth, for the next request with this token gets
            the same.
        fingerprint: first 16 bytes of SHA-256 of the token, base64url.
    """

    sub: str = ""
    jti: str = ""
    iss: str = ""
    aud: tuple[str, ...] = ()
    exp: float | None = None
    nbf: float | None = None
    iat: float | None = None
    scope: tuple[str, ...] = ()
    client_id: str = ""
    roles: tuple[str, ...] = ()
    tenant: str = ""
    family: str = ""
    generation: int = 0
    kind: str = ""
    binding: Binding = UNBOUND
    act: str = ""
    alg: str = ""
    kid: str = ""
    typ: str = ""
    extra: Mapping[str, Any] = NOTHING
    fingerprint: str = ""

    @property
    def cnf(self) -> str:
        """The thumbprint the token is bound to, or an empty text."""
        return self.binding.jkt or self.binding.x5t

    def has_scope(self, *wanted: str) -> bool:
        """True when every wanted scope was granted."""
        return all(scope in self.scope for scope in wanted)


class Signed(Struct, frozen=True):
    """What the header of an authentic token adds to its claims.

    Args:
        kid: of the key that signed, also when the header does not name it.
        kind: what `typ` says the token is for; empty when it does not tell.
    """

    alg: str
    kid: str
    typ: str
    kind: str


class Absent(Struct, frozen=True, tag="absent"):
    """No token came; whether that is allowed is the route's business."""


class Rejected(Struct, frozen=True, tag="rejected", kw_only=True):
    """A token came and does not count. Everything here may be logged; nothing of it may be trusted but `claims`.

    Args:
        reason: a code of `ecs.reasons`; the first check that failed.
        kid: cut to 64 harmless characters.
        header_flags: what the header carried that it should not, by name: `jwk`, `jku`, `x5c`, `x5u`, `crit`, `b64`.
        sub: as the token says, cleaned and unverified; `jti` and `iss` too.
        fingerprint: first 16 bytes of SHA-256 of the token, base64url; empty when it was too large to be read.
        claims: set only when signature, issuer and audience held (`expired`, `revoked_*`, …): who it was, for sure.
        revoked: why it was revoked.
        revoked_recently: revoked less than `revocation.GRACE_US` ago; such a client may simply not know yet.
    """

    reason: str
    alg: str = ""
    typ: str = ""
    kid: str = ""
    header_flags: tuple[str, ...] = ()
    sub: str = ""
    jti: str = ""
    iss: str = ""
    fingerprint: str = ""
    claims: Claims | None = None
    revoked: Revocation | None = None
    revoked_recently: bool = False


class Accepted(Struct, frozen=True, tag="accepted", gc=False):
    """A token that passed every check."""

    claims: Claims


Verdict = Absent | Rejected | Accepted

ABSENT = Absent()
