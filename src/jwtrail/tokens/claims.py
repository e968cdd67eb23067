"""The payload: read strictly, typed, then asked who, for whom and when (RFC 7519 section 4.1, RFC 9068)."""

import re
from typing import Any

from jwtrail.tokens.header import Header
from jwtrail.tokens.refusal import Refusal
from jwtrail.tokens.settings import VerifyPolicy, normal_typ
from jwtrail.tokens.strictjson import decode_object
from jwtrail.tokens.verdict import Claims

__all__ = ["MAX_DATE", "MAX_WORDS", "check_claims", "read_claims"]

MAX_DATE = 253_402_300_799
"""9999-12-31T23:59:59Z; a date before 1970 or later than this is nobody's."""

MAX_WORDS = 256
"""Audiences, scopes or roles of one token."""

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_TEXTS = ("iss", "sub", "jti", "client_id", "tenant", "fam")
_DATES = ("exp", "nbf", "iat")
_TYPED = frozenset(
    (*_TEXTS, *_DATES, "aud", "scope", "scp", "roles", "gen", "cnf", "act")
)  # what has an attribute of `Claims`
_KINDS = {"at+jwt": "access", "rt+jwt": "refresh"}
# How issuers mark the use inside the payload: Cognito, SimpleJWT, Flask-JWT-Extended.
_USE_CLAIMS = ("token_use", "token_type", "type")
_USES = frozenset(("access", "refresh", "id"))


def read_claims(raw: bytes, header: Header, required: tuple[str, ...], fingerprint: str) -> Claims:
    """The claims of an authentic payload.

    Raises:
        Refusal: `malformed_payload_json`, `json_too_deep`, `duplicate_json_key`, `claim_missing` or `claim_invalid`.
    """
    payload, finite = decode_object(raw, "malformed_payload_json")
    for name in required:
        if payload.get(name) is None:
            raise Refusal("claim_missing")
    if not finite:
        raise Refusal("claim_invalid")
    typ = normal_typ(header.typ)
    return Claims(
        sub=_text(payload, "sub"),
        jti=_text(payload, "jti"),
        iss=_text(payload, "iss"),
        aud=_audience(payload),
        exp=_date(payload, "exp"),
        nbf=_date(payload, "nbf"),
        iat=_date(payload, "iat"),
        scope=_words(payload, "scope" if "scope" in payload else "scp"),
        client_id=_text(payload, "client_id"),
        roles=_words(payload, "roles"),
        tenant=_text(payload, "tenant"),
        family=_text(payload, "fam"),
        generation=_count(payload, "gen"),
        kind=_KINDS.get(typ, "") or _use(payload),
        cnf=_thumbprint(payload),
        act=_actor(payload),
        alg=header.alg,
        kid=header.kid or "",
        typ=header.typ,
        extra={name: value for name, value in payload.items() if name not in _TYPED},
        fingerprint=fingerprint,
    )


def check_claims(claims: Claims, policy: VerifyPolicy, now_us: int) -> None:
    """Issuer, audience, times, lifetime and use, in this order.

    Raises:
        Refusal: with the first reason that applies, and from the times on with the claims.
    """
    if policy.issuer is not None and claims.iss != policy.issuer:
        raise Refusal("issuer_mismatch")
    if policy.audience is not None and not any(name in policy.audience for name in claims.aud):
        raise Refusal("audience_mismatch")
    now, leeway = now_us / 1_000_000, policy.leeway_s
    if claims.exp is not None and now >= claims.exp + leeway:  # section 4.1.4: "on or after" is dead
        raise Refusal("expired", claims)
    if claims.nbf is not None and now < claims.nbf - leeway:
        raise Refusal("not_yet_valid", claims)
    if claims.iat is not None and now < claims.iat - leeway:
        raise Refusal("issued_in_future", claims)
    if policy.max_lifetime_s is not None and claims.exp is not None:
        born = now if claims.iat is None else claims.iat
        if claims.exp - born > policy.max_lifetime_s:
            raise Refusal("lifetime_too_long", claims)
    if policy.use is not None and claims.kind not in ("", policy.use):
        raise Refusal("token_use_mismatch", claims)
    if policy.use is not None and _use(claims.extra) not in ("", policy.use):
        raise Refusal("token_use_mismatch", claims)


def _text(payload: dict[str, Any], name: str) -> str:
    value = payload.get(name, "")
    if type(value) is not str or (name in payload and not value) or _has_control(value):
        raise Refusal("claim_invalid")
    return value


def _has_control(value: str) -> bool:
    # `isprintable` is one pass in C and true for nearly every text; it is also false for odd spaces, which are allowed.
    return not value.isprintable() and _CONTROL.search(value) is not None


def _date(payload: dict[str, Any], name: str) -> float | None:
    if name not in payload:
        return None
    value = payload[name]
    if type(value) not in (int, float) or not 0 <= value <= MAX_DATE:
        raise Refusal("claim_invalid")
    return value  # type: ignore[no-any-return]  # an int or a float, see above


def _count(payload: dict[str, Any], name: str) -> int:
    value = payload.get(name, 0)
    if type(value) is not int or not 0 <= value < 2**53:
        raise Refusal("claim_invalid")
    return value


def _audience(payload: dict[str, Any]) -> tuple[str, ...]:
    value = payload.get("aud", [])
    return (_text(payload, "aud"),) if type(value) is str else _listed(value)


def _words(payload: dict[str, Any], name: str) -> tuple[str, ...]:
    """A list of texts, or one text with words divided by spaces."""
    value = payload.get(name, "")
    return _listed(value.split()) if type(value) is str else _listed(value)


def _listed(value: object) -> tuple[str, ...]:
    if type(value) is not list or len(value) > MAX_WORDS:
        raise Refusal("claim_invalid")
    for word in value:
        if type(word) is not str or _has_control(word):
            raise Refusal("claim_invalid")
    return tuple(value)


def _thumbprint(payload: dict[str, Any]) -> str:
    """`jkt` (RFC 9449 section 6) or `x5t#S256` (RFC 8705 section 3.1) of `cnf`."""
    return _member(payload, "cnf", "jkt") or _member(payload, "cnf", "x5t#S256")


def _actor(payload: dict[str, Any]) -> str:
    """`sub` of `act`, the current actor (RFC 8693 section 4.1)."""
    return _member(payload, "act", "sub")


def _member(payload: dict[str, Any], name: str, inner: str) -> str:
    value = payload.get(name)
    if value is None:
        return ""
    if type(value) is not dict:
        raise Refusal("claim_invalid")
    return _text(value, inner)


def _use(payload: dict[str, Any]) -> str:
    for name in _USE_CLAIMS:
        value = payload.get(name)
        if type(value) is str and value.lower() in _USES:
            return value.lower()
    return ""
