"""Keys that must not be used: empty, short, guessable, mistaken or known to be broken."""

from hashlib import sha256

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_public_key

from jwtrail.errors import KeyRefusedError
from jwtrail.tokens.published import EXAMPLE_KEYS, PUBLISHED_KEYS, is_published_secret

__all__ = ["MIN_RSA_BITS", "check_ed25519", "check_published", "check_rsa", "check_secret"]

MIN_RSA_BITS = 2048
"""RFC 7518 section 3.3."""

MIN_DISTINCT_BYTES = 8
"""A random secret of 32 bytes has fewer distinct ones once in 10^24; `aaaa…` and `12341234…` always have."""

_PEM_SIGN = b"-----BEGIN "
_OPENSSH_SIGNS = (b"ssh-", b"ecdsa-sha2-", b"sk-ssh-", b"sk-ecdsa-")
_DER_SEQUENCE = b"0"

# ROCA (CVE-2017-15361): moduli of the broken library are powers of 65537 modulo every small prime.
_ROCA_PRIMES = (
    11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157,
)  # fmt: skip
_ROCA_RESIDUES = {p: frozenset(pow(65537, power, p) for power in range(p)) for p in _ROCA_PRIMES}


# Curve25519 in Edwards form (RFC 8032 section 5.1).
_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P
# The y coordinates of the points of order 1, 2, 4 and 8: with such a key a signature of zeros fits any message.
_SMALL_ORDER = frozenset(
    (
        0,
        1,
        _P - 1,
        2707385501144840649318225287225658788936804267575313519463743609750303402022,
        55188659117513257062467267217118295137698188065244968500265048394206261417927,
    )
)


def check_secret(secret: bytes, least: int, *, patterned: bool = False) -> None:
    """Refuse a secret that is empty, published, repetitive, shorter than `least` bytes, or a public key.

    Args:
        patterned: a repetitive one is taken all the same.

    Raises:
        KeyRefusedError: `key_empty`, `key_weak_secret`, `key_too_weak` or `alg_confusion`.
    """
    hint = 'make one with `python -c "import secrets; print(secrets.token_urlsafe(48))"`'
    if not secret:
        raise KeyRefusedError("key_empty", "the secret is empty", hint=hint)
    if is_published_secret(secret):
        raise KeyRefusedError("key_weak_secret", "the secret is a published one", hint=hint)
    if len(secret) < least:
        raise KeyRefusedError(
            "key_too_weak", f"the secret has {len(secret)} bytes, {least} are needed", hint=hint
        )
    if not patterned and len(set(secret)) < MIN_DISTINCT_BYTES:
        raise KeyRefusedError("key_weak_secret", "the secret repeats a few characters", hint=hint)
    if _is_public_key(secret):
        raise KeyRefusedError("alg_confusion", "a public key is no secret", hint="load it as PEM")


def _is_public_key(secret: bytes) -> bool:
    """PEM, OpenSSH or DER (SubjectPublicKeyInfo or PKCS#1), white space around it or not: everybody can sign with it."""
    bare = secret.strip()
    if _PEM_SIGN in bare or bare.startswith(_OPENSSH_SIGNS):
        return True
    if not bare.startswith(_DER_SEQUENCE):
        return False
    # What ends in a byte that is white space by chance must not lose it.
    return any(map(_is_der_public_key, (secret.lstrip(), bare)))


def _is_der_public_key(raw: bytes) -> bool:
    try:
        load_der_public_key(raw)
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True


def check_rsa(n: int, e: int) -> None:
    """Refuse an RSA key that is short, has an exponent below 3 or an even one, or a ROCA modulus.

    Raises:
        KeyRefusedError: `key_too_weak` or `key_compromised`.
    """
    if n.bit_length() < MIN_RSA_BITS or e < 3 or not e & 1:
        raise KeyRefusedError(
            "key_too_weak",
            f"RSA key of {n.bit_length()} bits with exponent {e if e < 10**9 else 'too large'}",
            hint=f"at least {MIN_RSA_BITS} bits and exponent 65537",
        )
    if all(n % p in residues for p, residues in _ROCA_RESIDUES.items()):
        raise KeyRefusedError(
            "key_compromised", "the key comes from the ROCA generator (CVE-2017-15361)", hint="replace it"
        )


def check_ed25519(raw: bytes) -> None:
    """Refuse an Ed25519 key that is no point of the curve, or one of the few that any signature fits.

    Raises:
        KeyRefusedError: `key_invalid`.
    """
    y = int.from_bytes(raw, "little") & (1 << 255) - 1
    x_squared = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    on_curve = y < _P and pow(x_squared, (_P - 1) // 2, _P) in (0, 1)
    if not on_curve or y in _SMALL_ORDER:
        raise KeyRefusedError("key_invalid", "not a usable point of Ed25519", hint="make a new key")


def check_published(raw: bytes, *, examples: bool) -> None:
    """Refuse a key whose private half is known to everybody.

    Args:
        raw: the secret, or the public key as SubjectPublicKeyInfo.
        examples: keys of standards are taken, as their own test vectors need.

    Raises:
        KeyRefusedError: `key_compromised`.
    """
    print_ = sha256(raw).hexdigest()[:32]
    if print_ in PUBLISHED_KEYS or (not examples and print_ in EXAMPLE_KEYS):
        raise KeyRefusedError("key_compromised", "a published example key", hint="make one of your own")
