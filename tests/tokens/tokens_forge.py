"""A forge: tokens put together by hand, as an attacker would, for one fixed moment."""

import hashlib
import hmac
import json

from jwtrail.tokens import VerifyPolicy, base64url

NOW_S = 1_800_000_000
NOW_US = NOW_S * 1_000_000
SECRET = b"0123456789abcdef-0123456789ABCDEF-xyz"
ISSUER, AUDIENCE = "https://id.example", "https://api.example"


def text(value):
    """A segment of bytes, or of a JSON value."""
    raw = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
    return base64url.encode(raw)


def forge(header=None, payload=None, *, secret=SECRET, signature=None):
    """A token with any header and payload, signed with HS256 unless a signature is given."""
    header = {"alg": "HS256", "typ": "at+jwt"} if header is None else header
    signed = f"{text(header)}.{text(good() if payload is None else payload)}"
    if signature is None:
        signature = hmac.digest(secret, signed.encode(), hashlib.sha256)
    return f"{signed}.{base64url.encode(signature)}"


def good(**changes):
    """Claims that pass; a change of `...` takes one away."""
    claims = {
        "iss": ISSUER, "sub": "u1", "aud": AUDIENCE, "exp": NOW_S + 600, "iat": NOW_S - 60, "jti": "t1", **changes,
    }  # fmt: skip
    return {name: value for name, value in claims.items() if value is not ...}


POLICY = VerifyPolicy(
    issuer=ISSUER,
    audience=(AUDIENCE,),
    types=("at+jwt",),
    required=("iss", "sub", "aud", "exp", "iat", "jti"),
    max_lifetime_s=86_400,
    use="access",
)
