"""DPoP at the resource server: is this proof for this request, this token and this key (RFC 9449 section 4.3)?

Everything about a proof comes from the client, its key too. What ties it to somebody is the thumbprint in the token.
"""

from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from typing import Any, Protocol

from cryptography.hazmat.primitives.asymmetric import rsa
from msgspec import Struct

from jwtrail.errors import KeyRefusedError
from jwtrail.tokens import base64url
from jwtrail.tokens.claims import MAX_DATE
from jwtrail.tokens.htu import normal_url
from jwtrail.tokens.keys import Key, load_jwk
from jwtrail.tokens.refusal import Refusal
from jwtrail.tokens.settings import normal_typ
from jwtrail.tokens.strictjson import decode_object
from jwtrail.tokens.thumbprint import thumbprint

__all__ = [
    "ALGORITHMS",
    "MAX_AGE_S",
    "MAX_JTI",
    "MAX_PROOF_BYTES",
    "Proof",
    "SeenProofs",
    "check_proof",
]

ALGORITHMS = (
    "ES256",
    "EdDSA",
    "Ed25519",
    "ES384",
    "ES512",
    "PS256",
    "PS384",
    "PS512",
    "RS256",
    "RS384",
    "RS512",
)
"""Asymmetric ones, as section 4.2 demands; told to clients in the challenge (section 7.1)."""

MAX_PROOF_BYTES = 8192
"""A proof has some 500 bytes, with an RSA key 1,500."""

MAX_JTI = 256
"""Characters of a proof's id; it is remembered, so a client must not choose how much."""

MAX_AGE_S = 60
"""Seconds from a proof's `iat` in which it is taken (section 11.1: "seconds or minutes"), and it is remembered."""

MAX_RSA_BITS = 4096
MAX_RSA_EXPONENT = 1 << 32
"""The client brings the key: with these a check stays below a millisecond."""

_US = 1_000_000
_NOT_IN_PROOFS = frozenset(("crit", "b64", "x5c", "jku", "x5u"))
"""Extensions, and other ways to bring a key: a proof has the one in `jwk`."""
_PRIVATE = frozenset(("d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"))


class Proof(Struct, frozen=True):
    """What came of a proof.

    Args:
        reason: a code of `ecs.reasons`; empty when the proof holds.
        jti: id of the proof, of one whose signature held.
        jkt: thumbprint of the key that made it, of one whose signature held.
    """

    reason: str = ""
    jti: str = ""
    jkt: str = ""


class SeenProofs(Protocol):
    """Remembers proofs. Whoever answers is asked once for each proof that holds otherwise."""

    def first(self, jkt: str, jti: str, until_us: int) -> bool:
        """True for the first time this key shows this id; remembered at least until `until_us`."""


def check_proof(
    proof: str | bytes,
    *,
    method: str,
    url: str,
    access_token: str | bytes | None,
    thumbprint: str,
    now_us: int,
    seen: SeenProofs | None = None,
    nonce: Callable[[str], bool] | None = None,
    max_age_s: int = MAX_AGE_S,
    leeway_s: int = 30,
    algorithms: tuple[str, ...] = ALGORITHMS,
) -> Proof:
    """Judge the `DPoP` header of a request, in the order of section 4.3; the id is remembered only when all else holds.

    Never raises, whatever the proof; `seen` and `nonce` may.

    Args:
        method: of the request, compared exactly.
        url: of the request; query and fragment do not count.
        access_token: that came with it, for `ath`; None where tokens are issued (section 5).
        thumbprint: `cnf.jkt` of the token; empty refuses with `binding_mismatch`, for a proof without a bound token
            proves nothing (section 7.1). Without a token any key will do.
        seen: remembers ids; None leaves replay unchecked.
        nonce: says whether a nonce is one of ours and fresh; None asks for none.
        max_age_s: seconds from `iat`.
        leeway_s: seconds that clocks may differ, in both directions.
        algorithms: allow-list.
    """
    jti = jkt = ""
    try:
        payload, key_print = _signed(
            proof if isinstance(proof, bytes) else proof.encode("utf-8", "replace"), algorithms
        )
        jti, jkt = _text(payload, "jti", MAX_JTI), key_print
        _check_target(payload, method, url)
        _check_nonce(payload, nonce)
        until_us = _check_time(payload, now_us, max_age_s, leeway_s)
        if access_token is not None:
            _check_key(payload, access_token, jkt, thumbprint)
        _check_first(seen, jkt, jti, until_us)
    except Refusal as refusal:
        return Proof(refusal.reason, jti, jkt)
    return Proof("", jti, jkt)


def _signed(proof: bytes, algorithms: tuple[str, ...]) -> tuple[dict[str, Any], str]:
    """Payload of a well-formed proof with a good signature, and the thumbprint of its key.

    Raises:
        Refusal: `dpop_invalid`.
    """
    with suppress(Refusal, KeyRefusedError, ValueError, KeyError):
        head, payload, signature = proof[: MAX_PROOF_BYTES + 1].split(b".")
        if len(proof) > MAX_PROOF_BYTES:
            raise Refusal("dpop_invalid")
        header, _ = decode_object(base64url.decode(head), "dpop_invalid")
        key = _key(header, algorithms)
        key.checker(header["alg"])(proof[: len(head) + 1 + len(payload)], base64url.decode(signature))
        claims, finite = decode_object(base64url.decode(payload), "dpop_invalid")
        if finite:
            return claims, thumbprint(header["jwk"])
    raise Refusal("dpop_invalid")


def _key(header: dict[str, Any], algorithms: tuple[str, ...]) -> Key:
    typ, jwk = header.get("typ"), header.get("jwk")
    if not isinstance(typ, str) or normal_typ(typ) != "dpop+jwt" or not _NOT_IN_PROOFS.isdisjoint(header):
        raise Refusal("dpop_invalid")
    if header.get("alg") not in algorithms or not isinstance(jwk, dict) or _PRIVATE.intersection(jwk):
        raise Refusal("dpop_invalid")
    key = load_jwk(jwk)
    if isinstance(key.material, rsa.RSAPublicKey) and (
        key.material.key_size > MAX_RSA_BITS or key.material.public_numbers().e > MAX_RSA_EXPONENT
    ):
        raise Refusal("dpop_invalid")
    return key


def _check_target(payload: dict[str, Any], method: str, url: str) -> None:
    asked = normal_url(_text(payload, "htu"))
    if _text(payload, "htm") != method or asked is None or asked != normal_url(url):
        raise Refusal("dpop_invalid")


def _check_time(payload: dict[str, Any], now_us: int, max_age_s: int, leeway_s: int) -> int:
    """Until when the proof could be taken, µs: so long its id must be remembered."""
    iat = payload.get("iat")
    if not isinstance(iat, int | float) or isinstance(iat, bool):
        raise Refusal("dpop_invalid")
    iat = min(max(iat, 0), MAX_DATE)
    if iat * _US > now_us + leeway_s * _US:
        raise Refusal("dpop_invalid")  # one from the future could be used later, by somebody else
    until_us = int((iat + max_age_s + leeway_s) * _US)
    if now_us >= until_us:
        raise Refusal("dpop_expired")
    return until_us


def _check_nonce(payload: dict[str, Any], nonce: Callable[[str], bool] | None) -> None:
    """A nonce that is missing, foreign or stale: in each case the client is to try again with a new one (section 9)."""
    if nonce is None:
        return
    shown = payload.get("nonce")
    if not isinstance(shown, str) or not nonce(shown):
        raise Refusal("dpop_nonce_required")


def _check_key(payload: dict[str, Any], access_token: str | bytes, jkt: str, wanted: str) -> None:
    raw = access_token if isinstance(access_token, bytes) else access_token.encode("utf-8", "replace")
    if _text(payload, "ath") != base64url.encode(sha256(raw).digest()):
        raise Refusal("dpop_invalid")
    if jkt != wanted:
        raise Refusal("binding_mismatch")


def _check_first(seen: SeenProofs | None, jkt: str, jti: str, until_us: int) -> None:
    if seen is not None and not seen.first(jkt, jti, until_us):
        raise Refusal("dpop_replayed")


def _text(payload: dict[str, Any], name: str, limit: int = MAX_PROOF_BYTES) -> str:
    value = payload.get(name)
    if not isinstance(value, str) or not value or len(value) > limit:
        raise Refusal("dpop_invalid")
    return value
