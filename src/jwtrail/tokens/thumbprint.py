"""What a public key is known by, whatever it is called (RFC 7638)."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec

from jwtrail.tokens import base64url

__all__ = ["thumbprint"]

_MEMBERS = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x")}


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """SHA-256 thumbprint of a public key (RFC 7638 section 3), base64url.

    Raises:
        KeyError: a member is missing or the type of key is unknown.
    """
    members = {name: jwk[name] for name in _MEMBERS[jwk["kty"]]}  # already in the order of their names
    return base64url.encode(sha256(msgspec.json.encode(members)).digest())
