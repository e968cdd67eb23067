"""Signature algorithms: how each one checks a signature (RFC 7518 section 3, RFC 8037, RFC 9864, RFC 9964)."""

import hmac
from collections.abc import Callable
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from msgspec import Struct

from jwtrail.tokens.refusal import Refusal

__all__ = ["ALGORITHMS", "Algorithm"]

Check = Callable[[Any, bytes, bytes], None]
"""Key material, signed bytes, signature; raises `Refusal` when they do not fit."""

_Hash = hashes.SHA256 | hashes.SHA384 | hashes.SHA512


class Algorithm(Struct, frozen=True):
    """One `alg`.

    Args:
        kty: type of key it takes (RFC 7518 section 6.1).
        curve: `crv` of the key, `alg` of one of type AKP; empty for RSA and secrets.
        secret_bytes: shortest secret it takes (RFC 7518 section 3.2); 0 for public keys.
    """

    name: str
    kty: str
    check: Check
    curve: str = ""
    secret_bytes: int = 0


def _hmac(name: str, digest: str, size: int) -> Algorithm:
    def check(secret: bytes, message: bytes, signature: bytes) -> None:
        if len(signature) != size:
            raise Refusal("signature_malformed")
        if not hmac.compare_digest(hmac.digest(secret, message, digest), signature):
            raise Refusal("signature_invalid")

    return Algorithm(name, "oct", check, secret_bytes=size)


def _rsa(name: str, pad: padding.AsymmetricPadding, digest: _Hash) -> Algorithm:
    def check(key: rsa.RSAPublicKey, message: bytes, signature: bytes) -> None:
        if len(signature) != (key.key_size + 7) // 8:
            raise Refusal("signature_malformed")
        try:
            key.verify(signature, message, pad, digest)
        except InvalidSignature:
            raise Refusal("signature_invalid") from None

    return Algorithm(name, "RSA", check)


def _pss(digest: _Hash) -> padding.PSS:
    # RFC 7518 section 3.5: the salt is as long as the hash, the mask uses the same hash.
    return padding.PSS(mgf=padding.MGF1(digest), salt_length=digest.digest_size)


def _ecdsa(name: str, curve: str, size: int, order: int, digest: _Hash) -> Algorithm:
    method = ec.ECDSA(digest)

    def check(key: ec.EllipticCurvePublicKey, message: bytes, signature: bytes) -> None:
        if len(signature) != 2 * size:
            raise Refusal("signature_malformed")
        r, s = int.from_bytes(signature[:size]), int.from_bytes(signature[size:])
        if r % order == 0 or s % order == 0:  # CVE-2022-21449
            raise Refusal("signature_degenerate")
        try:
            key.verify(encode_dss_signature(r, s), message, method)
        except InvalidSignature:
            raise Refusal("signature_invalid") from None

    return Algorithm(name, "EC", check, curve)


def _eddsa(name: str) -> Algorithm:
    def check(key: ed25519.Ed25519PublicKey, message: bytes, signature: bytes) -> None:
        if len(signature) != 64:
            raise Refusal("signature_malformed")
        try:
            key.verify(signature, message)
        except InvalidSignature:
            raise Refusal("signature_invalid") from None

    return Algorithm(name, "OKP", check, "Ed25519")


def _mldsa(name: str, size: int) -> Algorithm:
    def check(key: mldsa.MLDSA44PublicKey | mldsa.MLDSA65PublicKey, message: bytes, signature: bytes) -> None:
        if len(signature) != size:
            raise Refusal("signature_malformed")
        try:
            key.verify(signature, message)
        except InvalidSignature:
            raise Refusal("signature_invalid") from None

    return Algorithm(name, "AKP", check, name)


# Orders of the base points: FIPS 186-5 / SEC 2 section 2.
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_P384_ORDER = int(
    "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973", 16
)
_P521_ORDER = int(
    "1FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFA51868783BF2F966B7FCC0148F709A5D03BB5"
    "C9B8899C47AEBB6FB71E91386409",
    16,
)
_PKCS1 = padding.PKCS1v15()
_SHA256, _SHA384, _SHA512 = hashes.SHA256(), hashes.SHA384(), hashes.SHA512()

ALGORITHMS: dict[str, Algorithm] = {
    algorithm.name: algorithm
    for algorithm in (
        _eddsa("EdDSA"),
        _eddsa("Ed25519"),
        _ecdsa("ES256", "P-256", 32, _P256_ORDER, _SHA256),
        _ecdsa("ES384", "P-384", 48, _P384_ORDER, _SHA384),
        _ecdsa("ES512", "P-521", 66, _P521_ORDER, _SHA512),
        _rsa("RS256", _PKCS1, _SHA256),
        _rsa("RS384", _PKCS1, _SHA384),
        _rsa("RS512", _PKCS1, _SHA512),
        _rsa("PS256", _pss(_SHA256), _SHA256),
        _rsa("PS384", _pss(_SHA384), _SHA384),
        _rsa("PS512", _pss(_SHA512), _SHA512),
        _hmac("HS256", "sha256", 32),
        _hmac("HS384", "sha384", 48),
        _hmac("HS512", "sha512", 64),
        _mldsa("ML-DSA-44", 2420),  # FIPS 204 table 2
        _mldsa("ML-DSA-65", 3309),
    )
}
"""Everything that can be verified. `none` is not here and never will be."""
