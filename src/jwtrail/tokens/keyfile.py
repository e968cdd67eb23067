"""Private keys on disk: PKCS#8 (RFC 5958) for key pairs, sealed bytes for secrets; 0600, replaced in one step."""

import os
from pathlib import Path

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from jwtrail.errors import KeyRefusedError
from jwtrail.tokens import base64url
from jwtrail.tokens.keys import MAX_KEY_BYTES, key_of
from jwtrail.tokens.refusal import Refusal
from jwtrail.tokens.settings import ALGORITHMS_ISSUED

__all__ = [
    "KeyPair",
    "PrivateKey",
    "algorithm_of",
    "generate",
    "is_encrypted",
    "load",
    "parse",
    "save",
    "write_atomically",
]

KeyPair = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PrivateKey = KeyPair | bytes
"""What signs; bytes are an HMAC secret."""

RSA_BITS = 3072
"""128 bits of strength (NIST SP 800-57 part 1, table 2)."""

SECRET_BYTES = 32

_SALT = 16
_NONCE = 12
_PLAIN, _SEALED = b"jwtrail-secret-1 ", b"jwtrail-sealed-1 "


def generate(alg: str) -> PrivateKey:
    """A new key for an algorithm of `ALGORITHMS_ISSUED`."""
    match alg:
        case "EdDSA":
            return ed25519.Ed25519PrivateKey.generate()
        case "ES256":
            return ec.generate_private_key(ec.SECP256R1())
        case "RS256":
            return rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
        case "HS256":
            return os.urandom(SECRET_BYTES)
        case _:
            raise KeyRefusedError(
                "key_invalid", f"no keys are made for {alg}", hint="EdDSA, ES256, RS256 or HS256"
            )


def save(path: Path, key: PrivateKey, passphrase: bytes | None) -> None:
    """Write a key; without a passphrase only the file's mode protects it."""
    if isinstance(key, bytes):
        text = _PLAIN + base64url.encode(key).encode() if passphrase is None else _seal(key, passphrase)
    else:
        text = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption(),
        )
    write_atomically(path, text)


def load(path: Path, passphrase: bytes | None) -> PrivateKey:
    """Read a key.

    Raises:
        KeyRefusedError: missing, damaged, of a foreign type, or the passphrase is missing or wrong.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_KEY_BYTES)
        if text.startswith((_PLAIN, _SEALED)):
            return _secret(text, passphrase)
    except (OSError, ValueError, InvalidTag, Refusal) as error:
        raise _unreadable(str(path), error) from error
    return parse(text, passphrase, where=str(path))


def is_encrypted(pem: bytes) -> bool:
    """Whether a passphrase is needed: PKCS#8, or the older form of OpenSSL (RFC 1421)."""
    return b"ENCRYPTED" in pem


def parse(pem: bytes, passphrase: bytes | None, *, where: str) -> KeyPair:
    """A private key of a PEM text.

    Raises:
        KeyRefusedError: damaged, of a foreign type, or the passphrase is missing or wrong.
    """
    # A passphrase for a file that is not encrypted is refused by `cryptography`; reading it is what is wanted.
    try:
        key = serialization.load_pem_private_key(pem, passphrase if is_encrypted(pem) else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        if is_encrypted(pem):
            raise _unreadable(where, error) from error
        raise KeyRefusedError(
            "key_invalid", "no private key", where=where, hint="PKCS#8 as PEM: -----BEGIN PRIVATE KEY-----"
        ) from error
    if not isinstance(key, KeyPair):
        raise KeyRefusedError("key_invalid", "not a signing key", where=where, hint="replace it")
    return key


def algorithm_of(key: KeyPair) -> str:
    """The algorithm that is issued with a key.

    Raises:
        KeyRefusedError: weak, published, or of a type that nothing is issued with.
    """
    fitting = [alg for alg in ALGORITHMS_ISSUED if alg in key_of(key.public_key()).algs]
    if not fitting:
        raise KeyRefusedError(
            "key_invalid", "no tokens are issued with such a key", hint="Ed25519, P-256 or RSA"
        )
    return fitting[0]


def _unreadable(where: str, error: Exception) -> KeyRefusedError:
    return KeyRefusedError(
        "key_invalid",
        f"cannot be read ({type(error).__name__})",
        where=where,
        hint="is the passphrase right, and the file whole?",
    )


def write_atomically(path: Path, text: bytes) -> None:
    """Replace a file: after a crash it is the old one or the new one, whole, for its owner only."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, text)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _seal(secret: bytes, passphrase: bytes) -> bytes:
    """PKCS#8 holds no secrets, so AES-256-GCM under a scrypt key (RFC 7914) does the same for them."""
    salt, nonce = os.urandom(_SALT), os.urandom(_NONCE)
    sealed = AESGCM(_derived(passphrase, salt)).encrypt(nonce, secret, _SEALED)
    return _SEALED + base64url.encode(salt + nonce + sealed).encode()


def _secret(text: bytes, passphrase: bytes | None) -> bytes:
    kind, _, body = text.strip().partition(b" ")
    raw = base64url.decode(body)
    if kind == _PLAIN.strip():
        return raw
    if passphrase is None:
        raise ValueError("sealed")
    salt, nonce, sealed = raw[:_SALT], raw[_SALT : _SALT + _NONCE], raw[_SALT + _NONCE :]
    return AESGCM(_derived(passphrase, salt)).decrypt(nonce, sealed, _SEALED)


def _derived(passphrase: bytes, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, n=2**15, r=8, p=1).derive(passphrase)
