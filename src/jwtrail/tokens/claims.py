"""The payload: read strictly, typed, then asked who, for whom and when (RFC 7519 section 4.1, RFC 9068)."""

import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

from jwtrail.tokens.frozen import NOTHING, frozen
from jwtrail.tokens.refusal import Refusal
from jwtrail.tokens.settings import VerifyPolicy, normal_typ
from jwtrail.tokens.shapes import MAX_COUNT, MAX_DATE, MAX_WORDS, NO_CNF, Shape, Shapes, Values
from jwtrail.tokens.strictjson import decode_object
from jwtrail.tokens.verdict import UNBOUND, Binding, Claims, Signed

__all__ = ["MAX_DATE", "MAX_WORDS", "ClaimsReader", "check_claims", "kind_of_type", "read_at_length"]

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_KINDS = {"at+jwt": "access", "rt+jwt": "refresh", "refresh+jwt": "refresh", "id+jwt": "id"}
# How issuers mark the use inside the payload: Cognito, SimpleJWT, Flask-JWT-Extended, Keycloak.
_ID_ONLY = frozenset(("at_hash", "c_hash"))  # OpenID Connect Core sections 3.1.3.6 and 3.3.2.11
# Types of tokens that are never for an API, whatever else they say.
_OTHER_TYPES = frozenset(
    ("dpop+jwt", "logout+jwt", "secevent+jwt", "token-introspection+jwt", "oauth-authz-req+jwt")
)
_USE_CLAIMS = ("token_use", "token_type", "type", "typ")
_USES = {
    "access": "access", "access_token": "access", "bearer": "access",
    "refresh": "refresh", "refresh_token": "refresh", "offline": "refresh",
    "id": "id", "id_token": "id",
}  # fmt: skip


class ClaimsReader:
    """Reads the payloads below one header: the usual ones by their shape, the others at length.

    Args:
        signed: what the header adds.
        required: claims that must be there.
        shapes: what the verifier has learned.
    """

    def __init__(self, signed: Signed, required: tuple[str, ...], shapes: Shapes) -> None:
        self._signed = signed
        self._required = required
        # A shape has every name that is required, and a claim with a type is never null.
        self._not_null = tuple(name for name in required if name not in _READERS or name in _OURS)
        self._shapes = shapes
        self._last: Shape | None = None

    def read(self, raw: bytes, fingerprint: str) -> Claims:
        """The claims of an authentic payload.

        Raises:
            Refusal: `malformed_payload_json`, `json_too_deep`, `duplicate_json_key`, `claim_missing` or `claim_invalid`.
        """
        last = self._last
        found = None if last is None else last.read(raw)
        if found is None:
            found = self._other(raw)
        if found is not None:
            if self._not_null and any(found[1].get(name, "") is None for name in self._not_null):
                raise Refusal("claim_missing")
            return _shaped_claims(found[0], found[1], self._signed, fingerprint)
        claims = read_at_length(raw, self._signed, self._required, fingerprint)
        # Only what has passed is learned, so a shape has every claim that is required.
        self._last = self._shapes.learn(raw)
        return claims

    def _other(self, raw: bytes) -> tuple[Values, dict[str, Any]] | None:
        """The claims of a payload whose shape is known but was not the last one's."""
        shape = self._shapes.find(raw)
        if shape is None or shape is self._last:
            return None
        self._last = shape
        return shape.read(raw)


def read_at_length(raw: bytes, signed: Signed, required: tuple[str, ...], fingerprint: str) -> Claims:
    """`ClaimsReader.read` without the short cut: claim by claim, so that what is wrong gets its name."""
    payload, finite = decode_object(raw, "malformed_payload_json")
    for name in required:
        if payload.get(name) is None:
            raise Refusal("claim_missing")
    if not finite:
        raise Refusal("claim_invalid")
    typed: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for name, value in payload.items():
        reader = _READERS.get(name)
        if reader is None or (name in _OURS and (type(value) is not _OURS[name] or value == "")):
            extra[name] = value
        else:
            typed[reader[0]] = reader[1](value)
    if extra:
        _borrow(extra, typed)
    return Claims(
        **typed,
        kind=signed.kind or _use(extra),
        alg=signed.alg,
        kid=signed.kid,
        typ=signed.typ,
        extra=frozen(extra) if extra else NOTHING,
        fingerprint=fingerprint,
    )


def _borrow(extra: dict[str, Any], typed: dict[str, Any]) -> None:
    """What other issuers call the sign-in and the client (OpenID Connect), when ours are not there."""
    for name, attribute in (("sid", "family"), ("azp", "client_id")):
        if attribute not in typed and (value := _borrowed(extra, name)):
            typed[attribute] = _text(value)


def _borrowed(extra: dict[str, Any], name: str) -> str:
    value = extra.get(name)
    return value if type(value) is str else ""


def _shaped_claims(values: Values, extra: dict[str, Any], signed: Signed, fingerprint: str) -> Claims:
    """The same as the long way makes of the same payload; a property test holds the two together."""
    # By position, here and below: attribute by attribute and name by name take three times as long.
    sub, jti, iss, aud, exp, nbf, iat, scope, client_id, roles, tenant, family, generation, cnf, act = values
    if extra:
        family = family or _borrowed(extra, "sid")
        client_id = client_id or _borrowed(extra, "azp")
    return Claims(
        sub,
        jti,
        iss,
        (aud,) if type(aud) is str else aud,
        exp,
        nbf,
        iat,
        tuple(scope.split()) if type(scope) is str else scope,
        client_id,
        tuple(roles.split()) if type(roles) is str else roles,
        tenant,
        family,
        generation,
        signed.kind or _use(extra),
        Binding(cnf.jkt, cnf.x5t) if cnf is not NO_CNF else UNBOUND,
        act.sub,
        signed.alg,
        signed.kid,
        signed.typ,
        frozen(extra) if extra else NOTHING,
        fingerprint,
    )


def kind_of_type(typ: str) -> str:
    """What a token of this `typ` is for; empty when the type does not tell."""
    return _KINDS.get(normal_typ(typ), "")


def check_claims(claims: Claims, policy: VerifyPolicy, now_us: int) -> None:
    """Issuer, audience, times, lifetime and use, in this order.

    Raises:
        Refusal: with the first reason that applies, and from the times on with the claims.
    """
    if policy.issuer is not None and claims.iss != policy.issuer:
        raise Refusal("issuer_mismatch")
    if policy.audience is not None and not _meant_for(claims.aud, policy.audience):
        raise Refusal("audience_mismatch")
    now, leeway, exp, iat = now_us / 1_000_000, policy.leeway_s, claims.exp, claims.iat
    if exp is not None and now >= exp + leeway:  # section 4.1.4: "on or after" is dead
        raise Refusal("expired", claims)
    if claims.nbf is not None and now < claims.nbf - leeway:
        raise Refusal("not_yet_valid", claims)
    if iat is not None and now < iat - leeway:
        raise Refusal("issued_in_future", claims)
    if policy.max_lifetime_s is not None:
        born = now if iat is None else iat
        if exp is None or exp - born > policy.max_lifetime_s:
            raise Refusal("lifetime_too_long", claims)
    # Of a kind that nothing but `typ` has named no more is asked.
    typed = claims.kind == policy.use and not claims.extra
    if policy.use is not None and not typed and not _fits_use(claims, policy.use):
        raise Refusal("token_use_mismatch", claims)


def _meant_for(audience: tuple[str, ...], ours: tuple[str, ...]) -> bool:
    for name in audience:  # noqa: SIM110  # `any` with a generator takes three times as long, on every request
        if name in ours:
            return True
    return False


def _fits_use(claims: Claims, use: str) -> bool:
    if claims.kind not in ("", use):
        return False
    if normal_typ(claims.typ) in _OTHER_TYPES or type(claims.extra.get("token_use", "")) is not str:
        return False
    return _use(claims.extra) in ("", use)


def _text(value: Any) -> str:
    # `isprintable` is one pass in C and true for nearly every text; it is also false for odd spaces, which are allowed.
    if type(value) is not str or not value or (not value.isprintable() and _CONTROL.search(value)):
        raise Refusal("claim_invalid")
    return value


def _date(value: Any) -> float:
    """A number is a date (RFC 7519 section 2); one that calendars do not hold is read as the nearest that they do."""
    if type(value) not in (int, float) or abs(value) > sys.float_info.max:
        raise Refusal("claim_invalid")
    return min(max(value, 0), MAX_DATE)  # type: ignore[no-any-return]  # an int or a float, see above


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= MAX_COUNT:
        raise Refusal("claim_invalid")
    return value


def _name(value: Any) -> str:
    """An empty one is nobody's, which is for the comparison to find."""
    return "" if value == "" else _text(value)


def _audience(value: Any) -> tuple[str, ...]:
    return (_name(value),) if type(value) is str else _listed(value, _name)


def _words(value: Any) -> tuple[str, ...]:
    """A list of texts, or one text with words divided by spaces."""
    return _listed(value.split() if type(value) is str else value)


def _listed(value: Any, read: Callable[[Any], str] = _text) -> tuple[str, ...]:
    if type(value) is not list or len(value) > MAX_WORDS:
        raise Refusal("claim_invalid")
    return tuple([read(word) for word in value])


def _binding(value: Any) -> Binding:
    return Binding(_member(value, "jkt"), _member(value, "x5t#S256"))


def _actor(value: Any) -> str:
    """`sub` of `act`, the current actor (RFC 8693 section 4.1)."""
    return _member(value, "sub")


def _member(value: Any, name: str) -> str:
    if type(value) is not dict:
        raise Refusal("claim_invalid")
    return _text(value[name]) if name in value else ""


def _use(extra: Mapping[str, Any]) -> str:
    if not extra:
        return ""
    for name in _USE_CLAIMS:
        if name in extra and type(use := extra[name]) is str:
            if (known := _USES.get(use.lower())) is not None:
                return known
            if name == "token_use" and use:  # the one claim that says nothing else: "reset", "mfa", …
                return use
    return "id" if _ID_ONLY.intersection(extra) else ""


_OURS: dict[str, type] = {"tenant": str, "fam": str, "gen": int}
"""Names that no RFC registers: in tokens of others they may mean anything, and are then no claims of ours."""

_READERS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "iss": ("iss", _name),
    "sub": ("sub", _text),
    "aud": ("aud", _audience),
    "exp": ("exp", _date),
    "nbf": ("nbf", _date),
    "iat": ("iat", _date),
    "jti": ("jti", _text),
    "scope": ("scope", _words),
    "client_id": ("client_id", _text),
    "roles": ("roles", _words),
    "tenant": ("tenant", _text),
    "fam": ("family", _text),
    "gen": ("generation", _count),
    "cnf": ("binding", _binding),
    "act": ("act", _actor),
}
"""Claim, attribute of `Claims`, and what makes it typed or refuses it."""
