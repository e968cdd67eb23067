"""Test vectors: a token with the key, policy, moment, state and request that it is judged by, all in one JSON object.

Nothing is taken from this machine: no settings, no clock, no state. What a vector leaves out, or gives as null, is not
checked. Shapes are read liberally, verdicts are those of the verifier.
"""

import re
from collections.abc import Mapping
from typing import Any

from msgspec import structs

from jwtrail.tokens import base64url
from jwtrail.tokens.binding import Presented, check_binding, wants_check
from jwtrail.tokens.jwks import JwkSet
from jwtrail.tokens.refusal import Refusal
from jwtrail.tokens.settings import VerifyPolicy, normal_typ
from jwtrail.tokens.vectorstate import VectorState, finite_number
from jwtrail.tokens.verdict import Accepted, Claims, Rejected
from jwtrail.tokens.verifier import Verifier, signed_payload

__all__ = ["MAX_JWS_BYTES", "judge"]

MAX_JWS_BYTES = 65_536
"""Of a token whose policy names no limit."""

_US = 1_000_000
_CERTIFICATE = re.compile("cert|x5t|thumb|mtls", re.IGNORECASE)
_HEX = re.compile("[0-9A-Fa-f]{64}")
_LEEWAY_S = 30
_SCHEMES = ("scheme", "auth_scheme", "authorization_scheme", "token_type", "authorization")


def judge(vector: Mapping[str, Any]) -> str | None:
    """The reason for which the token is refused, a code of `ecs.reasons`; None when it is accepted.

    Args:
        vector: `layer` (`jws` or `jwt`), `token`, `key`, `alg_allowed`, `policy`, `now`, `state`, `request`, `dpop`.

    Raises:
        ValueError: the vector, not the token, is malformed: an unknown layer, a policy of the wrong type.
    """
    token = vector.get("token")
    raw = token.encode("utf-8", "surrogatepass") if isinstance(token, str) else b""
    policy = _policy(vector)
    match vector.get("layer", "jwt"):
        case "jws":
            return _judge_signature(raw, policy, JwkSet(vector.get("key"), examples=True, patterned=True))
        case "jwt":
            return _judge_token(raw, policy, vector)
        case layer:
            raise ValueError(f"layer is jws or jwt, not {layer!r}")


def _judge_signature(raw: bytes, policy: VerifyPolicy, keys: JwkSet) -> str | None:
    try:
        signed_payload(raw, structs.replace(policy, types=None), keys)  # `typ` is a matter of JWTs
    except Refusal as refusal:
        return refusal.reason
    return None


def _judge_token(raw: bytes, policy: VerifyPolicy, vector: Mapping[str, Any]) -> str | None:
    now_us = _moment_us(vector.get("now"))
    state = VectorState(_object(vector, "state"), now_us)
    keys = JwkSet(vector.get("key"), examples=True)
    verdict = Verifier(policy, keys, state, cache_size=0).verify(raw, now_us)
    if isinstance(verdict, Rejected):
        return verdict.reason
    assert isinstance(verdict, Accepted)
    return state.replayed(verdict.claims) or _judge_binding(raw, verdict.claims, state, vector, now_us)


def _judge_binding(
    raw: bytes, claims: Claims, state: VectorState, vector: Mapping[str, Any], now_us: int
) -> str | None:
    request = _object(vector, "request")
    proofs = tuple(_texts(vector.get("dpop") or request.get("dpop")) or ())
    scheme = _scheme(request) or ("dpop" if proofs else "bearer")
    if not wants_check(claims.binding, scheme):
        return None
    shown = Presented(
        token=raw.decode("ascii"),
        scheme=scheme,
        method=_first_of(request, ("method", "htm")),
        url=_first_of(request, ("url", "uri", "htu")),
        proofs=proofs,
        certificate=_certificate(request),
    )
    return check_binding(claims.binding, shown, now_us, seen=state, nonce=state.nonce).reason or None


def _scheme(request: Mapping[str, Any]) -> str:
    """The scheme of `Authorization`; one of the URL is not meant."""
    named = (str(request.get(name) or "").partition(" ")[0].lower() for name in _SCHEMES)
    return next((scheme for scheme in named if scheme in ("bearer", "dpop")), "")


def _first_of(request: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((str(request[name]) for name in names if request.get(name)), "")


def _certificate(request: Mapping[str, Any]) -> str:
    """The thumbprint of the client certificate, whatever its field is called, in any base64 or hexadecimal."""
    names = [name for name in request if _CERTIFICATE.search(name)]
    found = next((request[name] for name in names if request[name]), "")
    if isinstance(found, Mapping):
        found = next(iter(found.values()), "")
    bare = str(found).replace(":", "")
    if _HEX.fullmatch(bare):
        return base64url.encode(bytes.fromhex(bare))
    return bare.rstrip("=").replace("+", "-").replace("/", "_")


def _policy(vector: Mapping[str, Any]) -> VerifyPolicy:
    policy = _object(vector, "policy")
    issuer, audience, types = policy.get("issuer"), policy.get("audience"), policy.get("typ")
    algorithms = vector.get("alg_allowed", policy.get("alg_allowed"))
    return VerifyPolicy(
        issuer=next(iter(_texts(issuer) or ()), None),
        audience=_texts(audience),
        algorithms=None if algorithms is None else frozenset(_texts(algorithms) or ()),
        types=None if types is None else tuple(map(normal_typ, _texts(types) or ())),
        required=_texts(policy.get("required")) or (),
        leeway_s=_number(policy, "leeway", _LEEWAY_S),
        max_token_bytes=_number(policy, "max_token_bytes", MAX_JWS_BYTES),
        max_lifetime_s=_number(policy, "max_lifetime", None),
        use=next(iter(_texts(policy.get("token_use")) or ()), None),
    )


def _object(vector: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = vector.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} is an object, not {type(value).__name__}")  # noqa: TRY004  # one error for a bad vector
    return value


def _texts(value: object) -> tuple[str, ...] | None:
    """One text or several; None stays None."""
    if value is None:
        return None
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list):
        return tuple(str(one or "") for one in value)
    raise ValueError(f"a text or a list of texts, not {type(value).__name__}")


def _number(policy: Mapping[str, Any], name: str, default: Any) -> Any:
    value = policy.get(name)
    return default if value is None else finite_number(value, name)


def _moment_us(now: object) -> int:
    return round(finite_number(now, "now") * _US)
