"""Observe mode: the application checks tokens itself; the trail learns who it was, and why somebody was refused."""

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from msgspec import structs

from jwtrail.middleware.exchange import Exchange, current
from jwtrail.middleware.http import Credential, Headers
from jwtrail.middleware.places import Places
from jwtrail.tokens.revocation import Revocations, Revoked
from jwtrail.tokens.verdict import ABSENT, Absent, Accepted, Claims, Rejected, Verdict
from jwtrail.tokens.verifier import fingerprint_of

__all__ = [
    "MAX_TOKENS",
    "MAX_WORDS",
    "Identify",
    "ObservedRevocations",
    "Observer",
    "claims_of",
    "seen",
    "whose",
]

Identify = Callable[[MutableMapping[str, Any]], Mapping[str, Any] | None]
"""Gives the claims that the application verified in this request, or None."""

MAX_TOKENS = 8
"""Tokens of one request that are looked at; each may cost a signature, and nobody sends two."""

MAX_WORDS = 64
"""Audiences, scopes or roles that are kept of a token that somebody else verified."""

_REFUSED = frozenset({401, 403, 422})
"""Flask-JWT-Extended answers 422 to a token that does not verify."""

# Where libraries and providers put them; the first that is there counts.
_SUBJECTS = (
    "sub",
    "user_id",
    "identity",
    "username",
)  # RFC 7519, SimpleJWT, Flask-JWT-Extended before 4, Cognito
_CLIENTS = ("client_id", "azp", "cid")  # RFC 9068, Keycloak and Google, Okta
_SCOPES = ("scope", "scp", "scopes")  # RFC 8693, Entra ID and Okta, FastAPI's tutorial
_KINDS = ("token_type", "type", "token_use")  # SimpleJWT, Flask-JWT-Extended, Cognito
_FAMILIES = ("fam", "sid")  # ours, OpenID Connect


class Observer:
    """Fills in the verdict when the answer is known, and stops what was revoked here before the application sees it.

    Args:
        classify: our verifier; it must know the application's keys to name the right reason, and to stop a revoked token.
        identify: asks the application who it was; without it the application says so itself (`seen`).
        places: where the application may read a token from.
    """

    def __init__(
        self,
        classify: Callable[[str | None], Verdict],
        identify: Identify | None = None,
        places: Places | None = None,
    ) -> None:
        self._classify = classify
        self._identify = identify
        self._places = places or Places()

    def stop(self, credential: Credential, headers: Headers, query: bytes) -> tuple[Credential, Verdict]:
        """The credential that the application is thought to judge, and the verdict on an authentic token that was revoked;
        `ABSENT` for any other, which is the application's to judge.

        Each is looked at that the application may read: one that is written so that only it finds it must not pass.
        """
        others = self._places.tokens(headers, query, MAX_TOKENS + 1)
        if len(others) > MAX_TOKENS or headers.cut:
            return credential, Rejected(reason="multiple_credentials")
        if credential.token is None and others:
            credential = Credential(others[0], several=credential.several)
        for one in dict.fromkeys((credential.token, *others)):
            verdict = self._judge(one)
            if isinstance(verdict, Rejected) and verdict.revoked is not None:
                return credential, verdict
        return credential, ABSENT

    def _judge(self, token: str | None) -> Verdict:
        verdict = self._classify(token)
        if isinstance(verdict, Rejected) and verdict.claims is not None:
            return structs.replace(verdict, claims=whose(verdict.claims))
        return verdict

    def conclude(self, scope: MutableMapping[str, Any], exchange: Exchange, status: int) -> None:
        """Look at the request once more before its event is written."""
        token = exchange.credential.token
        if isinstance(exchange.verdict, Absent) and self._identify is not None:
            payload = self._identify(scope)
            if payload:
                exchange.verdict = Accepted(claims_of(payload, token))
        if status not in _REFUSED or not isinstance(exchange.verdict, Absent):
            return
        exchange.verdict = self._judge(token) if token is not None else ABSENT
        if isinstance(exchange.verdict, Rejected):
            exchange.reason = exchange.reason or exchange.verdict.reason
        elif isinstance(exchange.verdict, Absent):
            exchange.reason = exchange.reason or ("token_missing" if status == 401 else None)


class ObservedRevocations:
    """What is revoked here, for tokens that name their subject as other libraries do (`user_id`)."""

    def __init__(self, revocations: Revocations) -> None:
        self._revocations = revocations

    def check(self, claims: Claims, now_us: int) -> Revoked | None:
        """See `Revocations.check`."""
        return self._revocations.check(whose(claims), now_us)


def whose(claims: Claims) -> Claims:
    """The claims with their subject, also when the library that made them does not call it `sub`."""
    if claims.sub or not (subject := _first(claims.extra, _SUBJECTS)):
        return claims
    return structs.replace(claims, sub=subject)


def seen(payload: Mapping[str, Any]) -> None:
    """The application verified these claims in the running request. Outside of one it has no effect."""
    if (exchange := current.get()) is not None:
        exchange.verdict = Accepted(claims_of(payload, exchange.credential.token))


def claims_of(payload: Mapping[str, Any], token: str | None = None) -> Claims:
    """Claims as another library decoded them, after it verified them. What has an odd type is left out, never an error.

    Args:
        token: that they came in, for its fingerprint.
    """
    actor = payload.get("act")
    return Claims(
        sub=_first(payload, _SUBJECTS),
        jti=_text(payload.get("jti")),
        iss=_text(payload.get("iss")),
        aud=_words(payload.get("aud"), split=False),
        exp=_date(payload.get("exp")),
        nbf=_date(payload.get("nbf")),
        iat=_date(payload.get("iat")),
        scope=next((found for name in _SCOPES if (found := _words(payload.get(name)))), ()),
        client_id=_first(payload, _CLIENTS),
        roles=_words(payload.get("roles")),
        tenant=_text(payload.get("tenant")),
        family=_first(payload, _FAMILIES),
        kind=_first(payload, _KINDS),
        act=_text(actor.get("sub")) if isinstance(actor, Mapping) else "",
        fingerprint=fingerprint_of(token.encode("utf-8", "surrogatepass")) if token else "",
    )


def _first(payload: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((found for name in names if (found := _text(payload.get(name)))), "")


def _text(value: Any) -> str:
    """A text, or a number as one: SimpleJWT's `user_id` is often a number."""
    if isinstance(value, bool):
        return ""
    return str(value) if isinstance(value, str | int) else ""


def _words(value: Any, *, split: bool = True) -> tuple[str, ...]:
    if isinstance(value, str):
        value = value.split() if split else [value]
    if not isinstance(value, list | tuple | set | frozenset):
        return ()
    return tuple(word for word in value if isinstance(word, str))[:MAX_WORDS]


def _date(value: Any) -> float | None:
    """A NumericDate, or what a library made of it."""
    stamp = getattr(value, "timestamp", None)
    if callable(stamp):
        value = stamp()
    return (
        value
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**53
        else None
    )
