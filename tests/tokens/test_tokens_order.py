"""Every pair of flaws that one token can have: the check that comes first names the reason."""

import hashlib
import hmac
import json
from itertools import combinations
from typing import Any, NamedTuple

from tokens_forge import AUDIENCE, ISSUER, NOW_S, good, text

from jwtrail.tokens import base64url
from jwtrail.tokens.vectors import judge

SECRET = hashlib.sha512(b"of this test").digest()
SHORT = SECRET[:16]
RSA_KEY = {"kty": "RSA", "kid": "k1", "n": text(b"\xc3" + SECRET * 3 + SECRET[:63]), "e": "AQAB"}
DEEP = b',"zz":' + b"[" * 60 + b"]" * 60 + b"}"
TWICE = b',"zz":1,"zz":2}'


class Flaw(NamedTuple):
    """What is changed in which part; flaws of one part do not meet."""

    reason: str
    part: str
    changes: dict[str, Any]


ORDER = [  # flaws of one line have no order between them
    [Flaw("token_too_large", "limit", {"max_token_bytes": 50})],
    [
        Flaw("unsupported_serialization", "form", {"form": "json"}),
        Flaw("encrypted_token_unexpected", "form", {"form": "five"}),
        Flaw("malformed_segments", "form", {"form": "four"}),
    ],
    [Flaw("malformed_base64", "header text", {"header_tail": "="})],
    [Flaw("malformed_header_json", "header text", {"header_end": b""})],
    [Flaw("duplicate_json_key", "header text", {"header_end": TWICE})],
    [Flaw("json_too_deep", "header text", {"header_end": DEEP})],
    [Flaw("alg_missing", "alg", {"header": {"alg": ...}})],
    [Flaw("alg_invalid", "alg", {"header": {"alg": 5}})],
    [Flaw("alg_none", "alg", {"header": {"alg": "none"}})],
    [Flaw("header_key_injection", "jwk", {"header": {"jwk": {}}})],
    [Flaw("header_url_injection", "jku", {"header": {"jku": "https://e.example"}})],
    [Flaw("alg_confusion", "key", {"key": RSA_KEY})],
    [Flaw("alg_not_allowed", "alg", {"header": {"alg": "HS384"}})],
    [
        Flaw("crit_malformed", "crit", {"header": {"crit": []}}),
        Flaw("crit_unsupported", "crit", {"header": {"crit": ["x"], "x": 1}}),
    ],
    [Flaw("b64_unsupported", "crit", {"header": {"crit": ["b64"], "b64": False}})],
    [Flaw("typ_mismatch", "typ", {"header": {"typ": "JWT"}})],
    [Flaw("nested_token_unsupported", "cty", {"header": {"cty": "JWT"}})],
    [Flaw("kid_invalid", "kid", {"header": {"kid": 5}})],
    [Flaw("kid_injection", "kid", {"header": {"kid": "../../x"}})],
    [Flaw("kid_unknown", "kid", {"header": {"kid": "zz"}})],
    [
        Flaw("key_too_weak", "key", {"key": {"k": text(SHORT)}}),
        Flaw("key_use_mismatch", "key", {"key": {"use": "enc"}}),
        Flaw("key_ops_mismatch", "key", {"key": {"key_ops": ["sign"]}}),
    ],
    [Flaw("signature_missing", "signature", {"signature": lambda _: b""})],
    [Flaw("signature_malformed", "signature", {"signature": lambda made: made[:20]})],
    [Flaw("signature_invalid", "signature", {"signature": lambda made: made[::-1]})],
    [Flaw("malformed_base64", "payload text", {"payload_tail": "="})],
    [
        Flaw("malformed_payload_json", "payload text", {"payload_end": b""}),
        Flaw("malformed_payload_json", "payload text", {"payload_end": b',"zz":"\xff"}'}),
    ],
    [Flaw("json_too_deep", "payload text", {"payload_end": DEEP})],
    [Flaw("duplicate_json_key", "payload text", {"payload_end": TWICE})],
    [Flaw("claim_missing", "jti", {"claims": {"jti": ...}})],
    [
        Flaw("claim_invalid", "sub", {"claims": {"sub": 5}}),
        Flaw("claim_invalid", "sub", {"claims": {"sub": "a\0"}}),
        Flaw("claim_invalid", "exp", {"claims": {"exp": "tomorrow"}}),
    ],
    [Flaw("issuer_mismatch", "iss", {"claims": {"iss": "https://evil.example"}})],
    [Flaw("audience_mismatch", "aud", {"claims": {"aud": "other"}})],
    [Flaw("expired", "exp", {"claims": {"exp": NOW_S - 30}})],
    [Flaw("not_yet_valid", "nbf", {"claims": {"nbf": NOW_S + 31}})],
    [Flaw("issued_in_future", "iat", {"claims": {"iat": NOW_S + 31}})],
    [Flaw("lifetime_too_long", "exp", {"claims": {"exp": NOW_S + 90_000}})],
    [Flaw("token_use_mismatch", "use", {"claims": {"token_use": "id"}})],
    [
        Flaw("revoked_token", "jti", {"state": {"revoked_jti": ["t1"]}}),
        Flaw("revoked_client", "client", {"state": {"revoked_clients": ["c1"]}}),
        Flaw("key_revoked", "kid", {"state": {"revoked_kid": ["k1"]}}),
    ],
    [Flaw("token_replayed", "jti", {"state": {"single_use": True, "seen_jti": ["t1"]}})],
    [Flaw("binding_missing", "cnf", {"claims": {"cnf": {"jkt": "x" * 43}}})],
]
"""As the reference of test vectors and the list of reasons have it."""

PAIRS = [
    (first, second)
    for earlier, later in combinations(ORDER, 2)
    for first in earlier
    for second in later
    if first.part != second.part
]


def test_each_flaw_alone() -> None:
    alone = [flaw for line in ORDER for flaw in line]
    assert [judge(vector(flaw)) for flaw in alone] == [flaw.reason for flaw in alone]
    assert judge(vector()) is None


def test_of_two_flaws_the_earlier_check_names_the_reason() -> None:
    assert len(PAIRS) > 1000
    wrong = [
        (first, second, told)
        for first, second in PAIRS
        if (told := judge(vector(first, second))) != first.reason
    ]
    assert not wrong


def vector(*flaws: Flaw) -> dict[str, Any]:
    """A test vector that is good but for the flaws."""
    header: dict[str, Any] = {"alg": "HS256", "typ": "at+jwt", "kid": "k1"}
    claims: dict[str, Any] = good(client_id="c1")
    key: dict[str, Any] = {"kty": "oct", "k": text(SECRET), "kid": "k1"}
    state: dict[str, Any] = {}
    other: dict[str, Any] = {}
    for flaw in flaws:
        for name, change in flaw.changes.items():
            match name:
                case "header":
                    header = _changed(header, change)
                case "claims":
                    claims = _changed(claims, change)
                case "key":
                    key = _changed(key, change)
                case "state":
                    state = _changed(state, change)
                case _:
                    other[name] = change
    return {
        "token": _token(header, claims, key, other),
        "key": key,
        "alg_allowed": ["HS256", "RS256"],
        "policy": {
            "issuer": ISSUER,
            "audience": AUDIENCE,
            "typ": ["at+jwt"],
            "required": ["iss", "sub", "aud", "exp", "iat", "jti"],
            "max_token_bytes": other.get("max_token_bytes", 8192),
            "max_lifetime": 86_400,
            "token_use": "access",
        },
        "now": NOW_S,
        "state": state,
        "request": {"method": "GET", "url": "https://api.example/x", "scheme": "Bearer"},
    }


def _changed(values: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**values, **change}.items() if value is not ...}


def _token(header: dict[str, Any], claims: dict[str, Any], key: dict[str, Any], other: dict[str, Any]) -> str:
    head = _segment(header, other.get("header_end", b"}"), other.get("header_tail", ""))
    body = _segment(claims, other.get("payload_end", b"}"), other.get("payload_tail", ""))
    secret = base64url.decode(key["k"].encode()) if "k" in key else SECRET
    hashed = "sha384" if header.get("alg") == "HS384" else "sha256"
    made = hmac.digest(secret, f"{head}.{body}".encode(), hashed)
    signature = text(other["signature"](made) if "signature" in other else made)
    match other.get("form"):
        case "json":
            return json.dumps({"protected": head, "payload": body, "signature": signature})
        case "five":
            return f"{head}.{body}.{signature}.AA.BB"
        case "four":
            return f"{head}.{body}.{signature}.AA"
    return f"{head}.{body}.{signature}"


def _segment(value: dict[str, Any], end: bytes, tail: str) -> str:
    raw = json.dumps(value, separators=(",", ":")).encode()
    return text(raw[:-1] + end) + tail
