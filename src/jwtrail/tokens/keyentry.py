"""The keys of a ring as its index has them, and what may become of them; nothing here reads or writes."""

from typing import Any, Literal, cast

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from jwtrail.errors import KeyRefusedError
from jwtrail.tokens.keys import Key, PublicKey
from jwtrail.tokens.thumbprint import thumbprint

__all__ = [
    "PUBLISHED_S",
    "KeyEntry",
    "KeyState",
    "Ring",
    "check_published",
    "first",
    "moved",
    "print_of",
    "public_jwk",
    "verifies",
]

KeyState = Literal["next", "active", "retiring", "retired"]

PUBLISHED_S = 300
"""Seconds that others may keep the published keys, and so how long a key is among them before it signs."""


class KeyEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A key's line in the index of the ring.

    Args:
        changed_us: when it got its state.
        until_us: when a retiring key stops verifying; 0 otherwise.
        thumbprint: RFC 7638, of a key pair; a key is known again by it. Empty for a secret, and in older rings.
    """

    kid: str
    alg: str
    state: KeyState
    created_us: int
    changed_us: int
    until_us: int = 0
    thumbprint: str = ""


class Ring(msgspec.Struct, frozen=True):
    """The index of a ring: every key there ever was, the oldest first."""

    version: Literal[1] = 1
    keys: tuple[KeyEntry, ...] = ()


def first(ring: Ring, state: KeyState) -> KeyEntry | None:
    """The key in this state, of which there is at most one but for `retiring` and `next`: then the oldest."""
    return next((entry for entry in ring.keys if entry.state == state), None)


def moved(entry: KeyEntry, state: KeyState, now_us: int, until_us: int = 0) -> KeyEntry:
    """The key in another state from now on."""
    return msgspec.structs.replace(entry, state=state, changed_us=now_us, until_us=until_us)


def verifies(entry: KeyEntry, now_us: int) -> bool:
    """Whether tokens of this key count."""
    return entry.state in ("next", "active") or (entry.state == "retiring" and now_us < entry.until_us)


def check_published(old: KeyEntry, coming: KeyEntry | None, now_us: int) -> None:
    """That everybody who keeps the published keys has the next one by now; a token of a key they lack is `kid_unknown` there.

    Raises:
        KeyRefusedError: there is no next key, or it was published less than `PUBLISHED_S` ago.
    """
    if old.alg.startswith("HS"):  # a secret is not published: whoever verifies reads this very directory
        return
    if coming is None:
        raise KeyRefusedError(
            "key_invalid",
            "no next key is published",
            hint=f"make one: jwtrail keys new; it can sign {PUBLISHED_S} s later",
        )
    ready_us = coming.changed_us + PUBLISHED_S * 1_000_000
    if now_us < ready_us:
        wait_s = -(-(ready_us - now_us) // 1_000_000)
        raise KeyRefusedError(
            "key_invalid",
            f"the next key {coming.kid} was published a moment ago, and whoever keeps the keys does not have it yet",
            hint=f"wait {wait_s} s; in an emergency: jwtrail keys rotate --now",
        )


def print_of(key: Key) -> str:
    """RFC 7638 thumbprint; empty for a secret, whose own would help to guess it."""
    return "" if key.kty == "oct" else thumbprint(public_jwk(key))


def public_jwk(key: Key) -> dict[str, Any]:
    """What is published of a key pair (RFC 7517 section 4)."""
    public = cast("PublicKey", key.material)
    match public:
        case ed25519.Ed25519PublicKey():
            jwk = OKPAlgorithm.to_jwk(public, as_dict=True)
        case ec.EllipticCurvePublicKey():
            jwk = ECAlgorithm.to_jwk(public, as_dict=True)
        case rsa.RSAPublicKey():
            jwk = RSAAlgorithm.to_jwk(public, as_dict=True)
    jwk.pop("key_ops", None)
    return {**jwk, "kid": key.kid, "use": "sig", "alg": next(iter(key.algs))}
