"""Settings of tokens: what is issued and what is accepted, each with its bounds."""

from msgspec import Struct

from jwtrail.errors import ConfigError
from jwtrail.tokens.remotesettings import RemoteIssuer

__all__ = ["ALGORITHMS_ISSUED", "TokenSettings", "VerifyPolicy", "normal_typ"]

ALGORITHMS_ISSUED = ("EdDSA", "ES256", "RS256", "HS256")
"""What the key ring makes keys for, the default first."""

ACCESS_TYP = "at+jwt"
"""RFC 9068 section 2.1."""

REFRESH_TYP = "rt+jwt"

_BOUNDS: dict[str, tuple[int, int]] = {
    "access_ttl_s": (10, 86_400),
    "refresh_idle_s": (60, 90 * 86_400),
    "refresh_absolute_s": (60, 366 * 86_400),
    "leeway_s": (0, 300),
    "grace_s": (0, 60),
    "max_token_bytes": (512, 65_536),
    "max_lifetime_s": (10, 366 * 86_400),
    "cache_size": (0, 1_000_000),
}


class VerifyPolicy(Struct, frozen=True, kw_only=True):
    """What is asked of a token. None means "not checked".

    Args:
        issuer: the only issuer, compared exactly.
        audience: the token must name one of them.
        algorithms: allow-list on top of what the key itself allows.
        types: values of `typ` without `application/`, in lower case.
        required: claims that must be there.
        leeway_s: seconds that clocks may differ.
        max_token_bytes: longer ones are not read at all.
        max_lifetime_s: seconds from `iat` (or now, without one) to `exp`.
        use: `access`, `refresh` or `id`: refuse a token that says it is for another use.
    """

    issuer: str | None = None
    audience: tuple[str, ...] | None = None
    algorithms: frozenset[str] | None = None
    types: tuple[str, ...] | None = None
    required: tuple[str, ...] = ("exp",)
    leeway_s: int = 30
    max_token_bytes: int = 8192
    max_lifetime_s: int | None = None
    use: str | None = None


class TokenSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The `[tokens]` part of the configuration.

    Args:
        issuer: `iss` of what is issued and accepted.
        audience: `aud` of access tokens: the name of this API.
        client_id: `client_id` of tokens issued without one (RFC 9068 demands the claim).
        algorithm: of new keys, one of `ALGORITHMS_ISSUED`.
        access_ttl_s: life of an access token; a stolen one that nobody notices lives as long.
        refresh_idle_s: a sign-in that is not used for so long ends.
        refresh_absolute_s: a sign-in ends after so long in any case.
        leeway_s: seconds that clocks may differ; only for tokens, never for sign-ins.
        grace_s: how long after an exchange the same source may repeat it, because the answer got lost.
        max_token_bytes: longer tokens are refused unread.
        max_lifetime_s: longest life of an access token that is accepted.
        required: claims an access token must have.
        cache_size: verified tokens remembered in a process; 0 turns the cache off.
        issuers: other issuers whose tokens are accepted: a table for each, named by its `iss`.
    """

    issuer: str = "jwtrail"
    audience: str = "api"
    client_id: str = "first-party"
    algorithm: str = "EdDSA"
    access_ttl_s: int = 900
    refresh_idle_s: int = 14 * 86_400
    refresh_absolute_s: int = 90 * 86_400
    leeway_s: int = 30
    grace_s: int = 10
    max_token_bytes: int = 8192
    max_lifetime_s: int = 86_400
    required: tuple[str, ...] = ("iss", "exp", "aud", "sub", "iat", "jti")
    cache_size: int = 10_000
    issuers: dict[str, RemoteIssuer] = {}

    def __post_init__(self) -> None:
        for name, (low, high) in _BOUNDS.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigError(
                    f"{value} is not between {low} and {high}", where=f"tokens.{name}", hint="change it"
                )
        if self.algorithm not in ALGORITHMS_ISSUED:
            raise ConfigError(
                f"no algorithm {self.algorithm!r}",
                where="tokens.algorithm",
                hint=f"one of {', '.join(ALGORITHMS_ISSUED)}",
            )
        for name in ("issuer", "audience", "client_id"):
            if not getattr(self, name):
                raise ConfigError("must not be empty", where=f"tokens.{name}", hint="name it")
        self._check_lifetimes()
        if self.issuer in self.issuers:
            raise ConfigError("is the issuer of our own tokens", where="tokens.issuers", hint="name another")

    def _check_lifetimes(self) -> None:
        if self.refresh_idle_s > self.refresh_absolute_s:
            raise ConfigError(
                "longer than the sign-in itself may last",
                where="tokens.refresh_idle_s",
                hint=f"at most tokens.refresh_absolute_s, {self.refresh_absolute_s}",
            )
        if self.access_ttl_s > self.max_lifetime_s:
            raise ConfigError(
                "longer than what is accepted",
                where="tokens.access_ttl_s",
                hint=f"at most tokens.max_lifetime_s, {self.max_lifetime_s}",
            )

    @property
    def longest_s(self) -> int:
        """No token or sign-in that begins now, here or elsewhere, counts longer, seconds."""
        lives = (self.refresh_absolute_s, self.max_lifetime_s)
        return max(*lives, *(one.max_lifetime_s for one in self.issuers.values())) + self.leeway_s

    def access_policy(self) -> VerifyPolicy:
        """What an API asks of an access token (RFC 9068 section 4)."""
        return VerifyPolicy(
            issuer=self.issuer,
            audience=(self.audience,),
            types=(ACCESS_TYP,),
            required=self.required,
            leeway_s=self.leeway_s,
            max_token_bytes=self.max_token_bytes,
            max_lifetime_s=self.max_lifetime_s,
            use="access",
        )

    def refresh_policy(self) -> VerifyPolicy:
        """What the issuer asks of a refresh token: made by itself, for itself, without leeway."""
        return VerifyPolicy(
            issuer=self.issuer,
            audience=(self.issuer,),
            types=(REFRESH_TYP,),
            required=("iss", "exp", "aud", "sub", "iat", "jti", "fam"),
            leeway_s=0,
            max_token_bytes=self.max_token_bytes,
            use="refresh",
        )


def normal_typ(typ: str) -> str:
    """`typ` for comparison: media types ignore case, `application/` may be left out (RFC 7515 section 4.1.9)."""
    return typ.lower().removeprefix("application/")
