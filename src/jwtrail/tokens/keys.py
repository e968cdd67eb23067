"""Verification keys, each bound to its algorithms and healthy before it is used (RFC 7517, RFC 8725 section 3.1)."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from msgspec import Struct

from jwtrail.errors import KeyRefusedError
from jwtrail.tokens import base64url, keyhealth
from jwtrail.tokens.algorithms import ALGORITHMS
from jwtrail.tokens.refusal import Refusal

__all__ = ["MAX_KEY_BYTES", "Key", "KeySet", "PublicKey", "key_of", "load_jwk", "load_pem", "load_secret"]

MAX_KEY_BYTES = 16_384
"""Of a PEM text or secret; an RSA key of 16,384 bits has 12 KB."""

PublicKey = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey

_CURVES: dict[str, ec.EllipticCurve] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
}
_CRV = {curve.name: crv for crv, curve in _CURVES.items()}


class Key(Struct, frozen=True, kw_only=True):
    """One key that may verify.

    Args:
        kid: empty when the key has none; it then fits any `kid`.
        algs: the algorithms it is bound to.
        material: a public key of `cryptography`, or the bytes of a secret.
    """

    kid: str
    kty: str
    algs: frozenset[str]
    material: Any

    def __repr__(self) -> str:
        return f"Key({self.kid!r}, {sorted(self.algs)})"  # the material may be a secret, and a repr ends up in logs

    def check(self, alg: str, message: bytes, signature: bytes) -> None:
        """Pass when the signature is this key's.

        Raises:
            Refusal: `alg_key_mismatch`, `alg_confusion`, `signature_malformed`, `signature_degenerate` or
                `signature_invalid`.
        """
        if alg not in self.algs:
            confused = alg.startswith("HS") and self.kty != "oct"
            raise Refusal("alg_confusion" if confused else "alg_key_mismatch")
        ALGORITHMS[alg].check(self.material, message, signature)


class KeySet:
    """The keys of one issuer. It is also the simplest `KeySource`: one that never changes.

    Raises:
        KeyRefusedError: `key_set_ambiguous` (two keys of one id) or `key_set_mixed` (public keys beside secrets).
    """

    def __init__(self, *keys: Key) -> None:
        self.keys = keys
        self.by_kid = {key.kid: key for key in keys if key.kid}
        self.algs = frozenset[str]().union(*(key.algs for key in keys))
        self.has_secrets = any(key.kty == "oct" for key in keys)
        if len(self.by_kid) != sum(1 for key in keys if key.kid):
            raise KeyRefusedError("key_set_ambiguous", "two keys have the same kid", hint="rename one")
        if self.has_secrets and not all(key.kty == "oct" for key in keys):
            raise KeyRefusedError(
                "key_set_mixed", "public keys and secrets in one set", hint="keep them in two sets"
            )

    def current(self) -> "KeySet":
        """Itself."""
        return self

    def choose(self, alg: str, kid: str | None) -> Key:
        """The one key that must have signed.

        Raises:
            Refusal: `kid_unknown`, `kid_missing` or `alg_key_mismatch`.
        """
        if kid is not None:
            if (named := self.by_kid.get(kid)) is not None:
                return named
            candidates = [key for key in self.keys if not key.kid]
        else:
            candidates = list(self.keys)
        if not candidates:
            raise Refusal("kid_unknown")
        if len(candidates) == 1:
            return candidates[0]
        fitting = [key for key in candidates if alg in key.algs]
        if len(fitting) == 1:
            return fitting[0]
        raise Refusal("kid_missing" if fitting else "alg_key_mismatch")


def load_secret(secret: bytes, alg: str = "HS256", *, kid: str = "") -> Key:
    """A shared secret.

    Raises:
        KeyRefusedError: empty, too short for `alg`, guessable, or in truth a public key.
    """
    algorithm = ALGORITHMS.get(alg)
    if algorithm is None or algorithm.kty != "oct":
        raise KeyRefusedError(
            "key_invalid", f"a secret cannot be used with {alg}", hint="HS256, HS384, HS512"
        )
    if len(secret) > MAX_KEY_BYTES:
        raise KeyRefusedError(
            "key_invalid", f"a secret of {len(secret)} bytes", hint=f"at most {MAX_KEY_BYTES} are read"
        )
    keyhealth.check_secret(secret, algorithm.secret_bytes)
    return Key(kid=kid, kty="oct", algs=frozenset((alg,)), material=secret)


def load_pem(pem: bytes | str, alg: str | None = None, *, kid: str = "") -> Key:
    """The public key of a PEM text; of a private key its public half.

    Args:
        alg: binds the key to one algorithm; without it, to all of its type.

    Raises:
        KeyRefusedError: empty, malformed, too weak, or not for `alg`.
    """
    raw = pem.encode() if isinstance(pem, str) else pem
    if not raw.strip():
        raise KeyRefusedError("key_empty", "the key is empty", hint="give a PEM text")
    try:
        if b"PRIVATE KEY" in raw:
            key = serialization.load_pem_private_key(raw[:MAX_KEY_BYTES], None).public_key()
        else:
            key = serialization.load_pem_public_key(raw[:MAX_KEY_BYTES])
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyRefusedError("key_invalid", "not a PEM key", hint="give a public key as PEM") from error
    return key_of(key, alg, kid=kid)


def key_of(public: object, alg: str | None = None, *, kid: str = "") -> Key:
    """A key of a `cryptography` public key object; see `load_pem`."""
    if isinstance(public, rsa.RSAPublicKey):
        kty, curve = "RSA", ""
        keyhealth.check_rsa(public.public_numbers().n, public.public_numbers().e)
    elif isinstance(public, ec.EllipticCurvePublicKey):
        kty, curve = "EC", _CRV.get(public.curve.name, public.curve.name)
    elif isinstance(public, ed25519.Ed25519PublicKey):
        kty, curve = "OKP", "Ed25519"
    else:
        raise KeyRefusedError(
            "key_invalid", "a type of key that signs no token", hint="Ed25519, P-256, P-384, P-521 or RSA"
        )
    fitting = frozenset(a.name for a in ALGORITHMS.values() if (a.kty, a.curve) == (kty, curve))
    algs = fitting if alg is None else fitting & {alg}
    if not algs:
        raise KeyRefusedError(
            "key_invalid", f"a {kty} {curve} key cannot be used with {alg}", hint="check alg"
        )
    return Key(kid=kid, kty=kty, algs=algs, material=public)


def load_jwk(jwk: Mapping[str, Any]) -> Key:
    """The key of a JWK (RFC 7517); of a private one its public half.

    Raises:
        KeyRefusedError: malformed, too weak, or not for verifying signatures.
    """
    kid, alg = jwk.get("kid", ""), jwk.get("alg")
    if not isinstance(kid, str) or not isinstance(alg, str | None):
        raise KeyRefusedError("key_invalid", "kid and alg must be texts", hint="check the JWK")
    if jwk.get("use", "sig") != "sig":
        raise KeyRefusedError("key_use_mismatch", "the key is not for signatures", hint='`"use": "sig"`')
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or not {"verify", "sign"}.intersection(map(str, operations)):
        raise KeyRefusedError(
            "key_ops_mismatch", "the key is not for verifying", hint='`"key_ops": ["verify"]`'
        )
    if jwk.get("kty") == "oct":
        return load_secret(_bytes(jwk, "k"), alg or "HS256", kid=kid)
    try:
        return key_of(_public(jwk), alg, kid=kid)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyRefusedError("key_invalid", str(error), hint="check the JWK") from error


def _public(jwk: Mapping[str, Any]) -> PublicKey:
    match jwk.get("kty"), jwk.get("crv"):
        case "RSA", _:
            n, e = int.from_bytes(_bytes(jwk, "n")), int.from_bytes(_bytes(jwk, "e"))
            keyhealth.check_rsa(n, e)  # before `cryptography`, which refuses some of it without telling why
            return rsa.RSAPublicNumbers(e, n).public_key()
        case "EC", str(crv) if crv in _CURVES:
            x, y = int.from_bytes(_bytes(jwk, "x")), int.from_bytes(_bytes(jwk, "y"))
            return ec.EllipticCurvePublicNumbers(
                x, y, _CURVES[crv]
            ).public_key()  # refuses what is off the curve
        case "OKP", "Ed25519":
            return ed25519.Ed25519PublicKey.from_public_bytes(_bytes(jwk, "x"))
        case kty, crv:
            raise KeyRefusedError("key_invalid", f"unknown kty {kty!r} or crv {crv!r}", hint="check the JWK")


def _bytes(jwk: Mapping[str, Any], name: str) -> bytes:
    value = jwk.get(name)
    if isinstance(value, str) and len(value) <= MAX_KEY_BYTES:
        with suppress(Refusal):
            return base64url.decode(value.encode())
    raise KeyRefusedError("key_invalid", f"{name} is not canonical base64url", hint="check the JWK")
