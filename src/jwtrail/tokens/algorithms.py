"""Signature algorithms: how each one checks a signature (RFC 7518 section 3, RFC 8037, RFC 9864, RFC 9964)."""

from collections.abc import Callable
from hmac import compare_digest
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hmac import HMAC
from msgspec import Struct

from jwtrail.tokens.refusal import Refusal

__all__ = ["ALGORITHMS", "Algorithm", "Check"]

Check = Callable[[bytes, bytes], None]
"""Signed bytes and signature; raises `Refusal` when they do not fit."""

_Hash = hashes.SHA256 | hashes.SHA384 | hashes.SHA512


class Algorithm(Struct, frozen=True):
    """One `alg`.

    Args:
        kty: type of key it takes (RFC 7518 section 6.1).
        curve: `crv` of the key, `alg` of one of type AKP; empty for RSA and secrets.
        checker: makes the check for a key, with all that can be prepared once.
        secret_bytes: shortest secret it takes (RFC 7518 section 3.2); 0 for public keys.
    """

    name: str
    kty: str
    checker: Callable[[Any], Check]
    curve: str = ""
    secret_bytes: int = 0


def _hmac(name: str, digest: _Hash, size: int) -> Algorithm:
    def checker(secret: bytes) -> Check:
        keyed = HMAC(secret, digest)

        def check(message: bytes, signature: bytes) -> None:
            if len(signature) != size:
                raise Refusal("signature_malformed")
            made = keyed.copy()
            made.update(message)
            if not compare_digest(made.finalize(), signature):
                raise Refusal("signature_invalid")

        return check

    return Algorithm(name, "oct", checker, secret_bytes=size)


def _rsa(name: str, pad: padding.AsymmetricPadding, digest: _Hash) -> Algorithm:
    def checker(key: rsa.RSAPublicKey) -> Check:
        size = (key.key_size + 7) // 8

        def check(message: bytes, signature: bytes) -> None:
            if len(signature) != size:
                raise Refusal("signature_malformed")
            try:
                key.verify(signature, message, pad, digest)
            except InvalidSignature:
                raise Refusal("signature_invalid") from None

        return check

    return Algorithm(name, "RSA", checker)


def _pss(digest: _Hash) -> padding.PSS:
    # RFC 7518 section 3.5: the salt is as long as the hash, the mask uses the same hash.
    return padding.PSS(mgf=padding.MGF1(digest), salt_length=digest.digest_size)


def _ecdsa(name: str, curve: str, size: int, order: int, digest: _Hash) -> Algorithm:
    method = ec.ECDSA(digest)

    def checker(key: ec.EllipticCurvePublicKey) -> Check:
        def check(message: bytes, signature: bytes) -> None:
            if len(signature) != 2 * size:
                raise Refusal("signature_malformed")
            r, s = int.from_bytes(signature[:size]), int.from_bytes(signature[size:])
            if r % order == 0 or s % order == 0:  # CVE-2022-21449
                raise Refusal("signature_degenerate")
            try:
                key.verify(encode_dss_signature(r, s), message, method)
            except InvalidSignature:
                raise Refusal("signature_invalid") from None

        return check

    return Algorithm(name, "EC", checker, curve)


def _ed25519(name: str) -> Algorithm:
    """RFC 8037, by libsodium: half the time of OpenSSL's, and it refuses points of small order as well."""

    def checker(key: ed25519.Ed25519PublicKey) -> Check:
        from nacl.exceptions import BadSignatureError  # noqa: PLC0415  # 20 ms, for those who have such keys
        from nacl.signing import VerifyKey  # noqa: PLC0415

        verify = VerifyKey(key.public_bytes_raw()).verify

        def check(message: bytes, signature: bytes) -> None:
            if len(signature) != 64:
                raise Refusal("signature_malformed")
            try:
                verify(message, signature)
            except BadSignatureError:
                raise Refusal("signature_invalid") from None

        return check

    return Algorithm(name, "OKP", checker, "Ed25519")


def _mldsa(name: str, size: int) -> Algorithm:
    """RFC 9964."""

    def checker(key: mldsa.MLDSA44PublicKey | mldsa.MLDSA65PublicKey) -> Check:
        def check(message: bytes, signature: bytes) -> None:
            if len(signature) != size:
                raise Refusal("signature_malformed")
            try:
                key.verify(signature, message)
            except InvalidSignature:
                raise Refusal("signature_invalid") from None

        return check

    return Algorithm(name, "AKP", checker, name)


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
        _ed25519("EdDSA"),
        _ed25519("Ed25519"),
        _ecdsa("ES256", "P-256", 32, _P256_ORDER, _SHA256),
        _ecdsa("ES384", "P-384", 48, _P384_ORDER, _SHA384),
        _ecdsa("ES512", "P-521", 66, _P521_ORDER, _SHA512),
        _rsa("RS256", _PKCS1, _SHA256),
        _rsa("RS384", _PKCS1, _SHA384),
        _rsa("RS512", _PKCS1, _SHA512),
        _rsa("PS256", _pss(_SHA256), _SHA256),
        _rsa("PS384", _pss(_SHA384), _SHA384),
        _rsa("PS512", _pss(_SHA512), _SHA512),
        _hmac("HS256", _SHA256, 32),
        _hmac("HS384", _SHA384, 48),
        _hmac("HS512", _SHA512, 64),
        _mldsa("ML-DSA-44", 2420),  # FIPS 204 table 2
        _mldsa("ML-DSA-65", 3309),
    )
}
"""Everything that can be verified. `none` is not here and never will be."""
