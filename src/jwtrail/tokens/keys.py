"""Verification keys, each bound to its algorithms and healthy before it is used (RFC 7517, RFC 8725 section 3.1)."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa
from msgspec import Struct

from jwtrail.errors import KeyRefusedError
from jwtrail.tokens import base64url, keyhealth
from jwtrail.tokens.algorithms import ALGORITHMS, Check
from jwtrail.tokens.refusal import Refusal

__all__ = [
    "MAX_KEY_BYTES",
    "Key",
    "KeySet",
    "Keys",
    "PublicKey",
    "key_of",
    "load_jwk",
    "load_pem",
    "load_secret",
]

MAX_KEY_BYTES = 16_384
"""Of a PEM text or secret; an RSA key of 16,384 bits has 12 KB."""

PublicKey = (
    ed25519.Ed25519PublicKey
    | ec.EllipticCurvePublicKey
    | rsa.RSAPublicKey
    | mldsa.MLDSA44PublicKey
    | mldsa.MLDSA65PublicKey
)

_CURVES: dict[str, ec.EllipticCurve] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
}
_MLDSA: dict[str, type[mldsa.MLDSA44PublicKey | mldsa.MLDSA65PublicKey]] = {
    "ML-DSA-44": mldsa.MLDSA44PublicKey,
    "ML-DSA-65": mldsa.MLDSA65PublicKey,
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

    def checker(self, alg: str) -> Check:
        """What checks signatures of this key: passes, or raises a `Refusal` with `signature_malformed`,
        `signature_degenerate` or `signature_invalid`.

        Raises:
            Refusal: `alg_key_mismatch` or `alg_confusion`.
        """
        if alg not in self.algs:
            confused = alg.startswith("HS") and self.kty != "oct"
            raise Refusal("alg_confusion" if confused else "alg_key_mismatch")
        return ALGORITHMS[alg].checker(self.material)


class Keys(Protocol):
    """What the verifier asks of the keys of an issuer."""

    algs: frozenset[str]
    """Algorithms that some key is for."""

    public_only: bool
    """There are keys, and none is a secret: whoever offers an HMAC then wants a public key taken for one."""

    def knows(self, kid: str) -> bool:
        """Whether a key has this id."""

    def choose(self, alg: str, kid: str | None) -> Key:
        """The one key that must have signed.

        Raises:
            Refusal: `kid_unknown`, `kid_missing`, `alg_key_mismatch`, or what is wrong with the key.
        """


class KeySet:
    """The keys of one issuer. It is also the simplest `KeySource`: one that never changes.

    Raises:
        KeyRefusedError: `key_set_ambiguous` (two keys of one id) or `key_set_mixed` (public keys beside secrets).
    """

    def __init__(self, *keys: Key) -> None:
        self.keys = keys
        self.by_kid = {key.kid: key for key in keys if key.kid}
        self.algs = frozenset[str]().union(*(key.algs for key in keys))
        secrets = sum(1 for key in keys if key.kty == "oct")
        self.public_only = bool(keys) and not secrets
        if len(self.by_kid) != sum(1 for key in keys if key.kid):
            raise KeyRefusedError("key_set_ambiguous", "two keys have the same kid", hint="rename one")
        if 0 < secrets < len(keys):
            raise KeyRefusedError(
                "key_set_mixed", "public keys and secrets in one set", hint="keep them in two sets"
            )

    def current(self) -> "KeySet":
        """Itself."""
        return self

    def knows(self, kid: str) -> bool:
        """See `Keys`; `choose` too."""
        return kid in self.by_kid

    def choose(self, alg: str, kid: str | None) -> Key:
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


def load_secret(
    secret: bytes | str, alg: str = "HS256", *, kid: str = "", patterned: bool = False, examples: bool = False
) -> Key:
    """A shared secret.

    Args:
        secret: of a text the bytes of its UTF-8 form, as other libraries take it.
        patterned: takes a secret that repeats a few characters, as published test vectors have.
        examples: takes the keys that are printed in standards.

    Raises:
        KeyRefusedError: empty, too short for `alg`, guessable, or in truth a public key.
    """
    algorithm = ALGORITHMS.get(alg)
    if algorithm is None or algorithm.kty != "oct":
        raise KeyRefusedError(
            "key_invalid", f"a secret cannot be used with {alg}", hint="HS256, HS384, HS512"
        )
    raw = secret.encode() if isinstance(secret, str) else secret
    if len(raw) > MAX_KEY_BYTES:
        raise KeyRefusedError(
            "key_invalid", f"a secret of {len(raw)} bytes", hint=f"at most {MAX_KEY_BYTES} are read"
        )
    keyhealth.check_secret(raw, algorithm.secret_bytes, patterned=patterned)
    keyhealth.check_published(raw, examples=examples)
    return Key(kid=kid, kty="oct", algs=frozenset((alg,)), material=raw)


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


def key_of(public: object, alg: str | None = None, *, kid: str = "", examples: bool = False) -> Key:
    """A key of a `cryptography` public key object; see `load_pem` and `load_secret`."""
    if not isinstance(public, PublicKey):
        raise KeyRefusedError(
            "key_invalid",
            "a type of key that signs no token",
            hint="Ed25519, P-256, P-384, P-521, RSA or ML-DSA",
        )
    kty, curve = _healthy_kind(public)
    fitting = frozenset(a.name for a in ALGORITHMS.values() if (a.kty, a.curve) == (kty, curve))
    algs = fitting if alg is None else fitting & {alg}
    if not algs:
        raise KeyRefusedError(
            "key_invalid", f"a {kty} {curve} key cannot be used with {alg}", hint="check alg"
        )
    spki = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    keyhealth.check_published(spki, examples=examples)
    return Key(kid=kid, kty=kty, algs=algs, material=public)


def _healthy_kind(public: PublicKey) -> tuple[str, str]:
    """`kty`, and `crv` or what stands for it in `Algorithm.curve`."""
    match public:
        case rsa.RSAPublicKey():
            keyhealth.check_rsa(public.public_numbers().n, public.public_numbers().e)
            return "RSA", ""
        case ec.EllipticCurvePublicKey():
            return "EC", _CRV.get(public.curve.name, public.curve.name)
        case ed25519.Ed25519PublicKey():
            keyhealth.check_ed25519(public.public_bytes_raw())
            return "OKP", "Ed25519"
        case mldsa.MLDSA44PublicKey():
            return "AKP", "ML-DSA-44"
        case mldsa.MLDSA65PublicKey():
            return "AKP", "ML-DSA-65"


def load_jwk(jwk: Mapping[str, Any], *, patterned: bool = False, examples: bool = False) -> Key:
    """The key of a JWK (RFC 7517); of a private one its public half.

    Args:
        patterned: see `load_secret`; `examples` too.

    Raises:
        KeyRefusedError: malformed, too weak, or not for verifying signatures.
    """
    kid, alg = jwk.get("kid", ""), jwk.get("alg")
    if not isinstance(kid, str | None) or not isinstance(alg, str | None):
        raise KeyRefusedError("key_invalid", "kid and alg must be texts", hint="check the JWK")
    if jwk.get("use") not in ("sig", None):
        raise KeyRefusedError("key_use_mismatch", "the key is not for signatures", hint='`"use": "sig"`')
    # Of a private key only the public half is used, and that is for verifying whatever the private half is for.
    mine = {"verify", "sign"} if "d" in jwk else {"verify"}
    operations = jwk.get("key_ops")
    if operations is not None and not (
        isinstance(operations, list) and mine.intersection(map(str, operations))
    ):
        raise KeyRefusedError(
            "key_ops_mismatch", "the key is not for verifying", hint='`"key_ops": ["verify"]`'
        )
    if jwk.get("kty") == "oct":
        secret = _bytes(jwk, "k")
        return load_secret(secret, alg or "HS256", kid=kid or "", patterned=patterned, examples=examples)
    try:
        return key_of(_public(jwk), alg, kid=kid or "", examples=examples)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyRefusedError("key_invalid", str(error), hint="check the JWK") from error


def _public(jwk: Mapping[str, Any]) -> PublicKey:
    match jwk.get("kty"), jwk.get("crv"):
        case "RSA", _:
            n, e = int.from_bytes(_bytes(jwk, "n")), int.from_bytes(_bytes(jwk, "e"))
            keyhealth.check_rsa(n, e)  # before `cryptography`, which refuses some of it without telling why
            return rsa.RSAPublicNumbers(e, n).public_key()
        case "EC", str(crv) if crv in _CURVES:
            x, y = _coordinate(jwk, "x", _CURVES[crv]), _coordinate(jwk, "y", _CURVES[crv])
            return ec.EllipticCurvePublicNumbers(
                x, y, _CURVES[crv]
            ).public_key()  # refuses what is off the curve
        case "OKP", "Ed25519":
            return ed25519.Ed25519PublicKey.from_public_bytes(_bytes(jwk, "x"))
        case "AKP", _ if jwk.get("alg") in _MLDSA:  # RFC 9964 section 3
            return _MLDSA[jwk["alg"]].from_public_bytes(_bytes(jwk, "pub"))
        case kty, crv:
            raise KeyRefusedError("key_invalid", f"unknown kty {kty!r} or crv {crv!r}", hint="check the JWK")


def _coordinate(jwk: Mapping[str, Any], name: str, curve: ec.EllipticCurve) -> int:
    raw = _bytes(jwk, name)
    if (
        len(raw) != (curve.key_size + 7) // 8
    ):  # RFC 7518 section 6.2.1.2: the full size, zeros in front and all
        raise KeyRefusedError("key_invalid", f"{name} has {len(raw)} bytes", hint="check the JWK")
    return int.from_bytes(raw)


def _bytes(jwk: Mapping[str, Any], name: str) -> bytes:
    value = jwk.get(name)
    if isinstance(value, str) and len(value) <= MAX_KEY_BYTES:
        with suppress(Refusal):
            return base64url.decode(value.encode())
    raise KeyRefusedError("key_invalid", f"{name} is not canonical base64url", hint="check the JWK")
