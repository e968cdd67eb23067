"""Settings of an issuer somewhere else, whose tokens are accepted here."""

from msgspec import Struct

from jwtrail.errors import ConfigError

__all__ = ["RemoteIssuer"]

_BOUNDS: dict[str, tuple[int, int]] = {
    "refresh_s": (10, 86_400),
    "max_stale_s": (60, 30 * 86_400),
    "max_lifetime_s": (10, 366 * 86_400),
}


class RemoteIssuer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked of its tokens, and where its keys are. Its name in `tokens.issuers` is `iss`, compared exactly.

    Args:
        jwks_uri: address of its keys; empty asks its metadata (RFC 8414, OpenID Connect Discovery).
        audience: the token must name one of them; empty takes `tokens.audience`.
        types: values of `typ`; many providers write `JWT` or nothing where RFC 9068 wants `at+jwt`.
        algorithms: allow-list; empty takes what its keys are for, never a shared secret.
        required: claims its tokens must have.
        max_lifetime_s: longest life of a token.
        refresh_s: keys are fetched again after so long, or when the answer's `Cache-Control` says, whichever comes first.
        max_stale_s: keys are used so long after the last good fetch, then its tokens are refused.
        allow_private: the provider may have a private or loopback address, and `http`; for one in your own network.
    """

    jwks_uri: str = ""
    audience: tuple[str, ...] = ()
    types: tuple[str, ...] = ("at+jwt",)
    algorithms: tuple[str, ...] = ()
    required: tuple[str, ...] = ("iss", "exp", "aud", "sub", "iat")
    max_lifetime_s: int = 86_400
    refresh_s: int = 600
    max_stale_s: int = 86_400
    allow_private: bool = False

    def __post_init__(self) -> None:
        for name, (low, high) in _BOUNDS.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigError(
                    f"{value} is not between {low} and {high}",
                    where=f"tokens.issuers.….{name}",
                    hint="change it",
                )
        if any(alg.upper().startswith("HS") or alg.lower() == "none" for alg in self.algorithms):
            raise ConfigError(
                "a remote issuer signs with key pairs only",
                where="tokens.issuers.….algorithms",
                hint="leave it empty, or name RS256, ES256, EdDSA, …",
            )
