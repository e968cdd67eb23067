"""The JOSE header: read strictly, then judged in the fixed order (RFC 7515 sections 4 and 10, RFC 8725)."""

import re
import unicodedata
from typing import Any

from msgspec import Struct

from jwtrail.tokens import base64url
from jwtrail.tokens.algorithms import ALGORITHMS
from jwtrail.tokens.keys import Keys
from jwtrail.tokens.refusal import Refusal
from jwtrail.tokens.settings import VerifyPolicy, normal_typ
from jwtrail.tokens.strictjson import decode_object

__all__ = ["FLAGGED", "MAX_KID", "Header", "check_header", "read_header"]

FLAGGED = ("jwk", "x5c", "jku", "x5u", "crit", "b64")
"""Header parameters that no access token needs; their presence is told in the trail."""

MAX_KID = 256
"""Characters of a key id; thumbprints have 43, UUIDs 36."""

_KEYS = ("jwk", "x5c")
_URLS = ("jku", "x5u")
_REGISTERED = frozenset(
    ("alg", "jku", "jwk", "kid", "x5u", "x5c", "x5t", "x5t#S256", "typ", "cty", "crit")
)  # RFC 7515 section 4.1: `crit` must not name them
_UNDERSTOOD = frozenset(("b64",))

# Paths, markup, quotes, shell, look-ups, control characters. Base64 (`+`, `/`, `=`) and URNs stay free of it.
_INJECTION = re.compile(
    r"""[\x00-\x20\x7f-\x9f'"`<>;|&$\\*(){}%]|\.\.|(?:^|:)//|^[/~]|/[^/]*\.\w|(?:^|@)/?(?:dev|etc|proc)/"""
    r"""|^(?:file|https?|ftp|ldaps?|jndi|javascript|data|jar|php):""",
    re.IGNORECASE,
)


class Header(Struct, frozen=True):
    """A header that is well-formed, signed by a named algorithm, and brings no key.

    Args:
        fields: all parameters.
    """

    alg: str
    fields: dict[str, Any]

    @property
    def kid(self) -> str | None:
        """The key id; `check_header` has seen to its type."""
        kid: str | None = self.fields.get("kid")
        return kid

    @property
    def typ(self) -> str:
        """`typ` as sent, or an empty text."""
        typ: str = self.fields.get("typ", "")
        return typ


def read_header(segment: bytes) -> Header:
    """Form, algorithm, embedded keys and URLs; nothing that depends on keys or policy.

    Raises:
        Refusal: with the first reason that applies.
    """
    fields, finite = decode_object(base64url.decode(segment), "malformed_header_json")
    if not finite:
        raise Refusal("malformed_header_json")
    if "alg" not in fields:
        raise Refusal("alg_missing")
    alg = fields["alg"]
    if not isinstance(alg, str):
        raise Refusal("alg_invalid")
    if _is_none(alg):
        raise Refusal("alg_none")
    if any(name in fields for name in _KEYS):
        raise Refusal("header_key_injection")
    if any(name in fields for name in _URLS):
        raise Refusal("header_url_injection")
    return Header(alg, fields)


def check_header(header: Header, policy: VerifyPolicy, keys: Keys) -> None:
    """Family confusion, allow-list, `crit`, `b64`, `typ`, `cty` and `kid`, in this order.

    Raises:
        Refusal: with the first reason that applies.
    """
    fields = header.fields
    if header.alg.startswith("HS") and keys.public_only:
        raise Refusal("alg_confusion")
    allowed = keys.algs if policy.algorithms is None else policy.algorithms
    if header.alg not in allowed or header.alg not in ALGORITHMS:
        raise Refusal("alg_not_allowed")
    if "crit" in fields:
        _check_crit(fields)
    if fields.get("b64", True) is not True:
        raise Refusal("b64_unsupported")
    typ = fields.get("typ", "")
    if not isinstance(typ, str) or (policy.types is not None and normal_typ(typ) not in policy.types):
        raise Refusal("typ_mismatch")
    cty = fields.get("cty", "")
    if not isinstance(cty, str) or normal_typ(cty) == "jwt":
        raise Refusal("nested_token_unsupported")
    if "kid" in fields:
        _check_kid(fields["kid"], keys)


def _is_none(alg: str) -> bool:
    """`none` however it is written: case, width, white space, control characters (CVE-2020-28042)."""
    return re.sub(r"[^0-9a-z]", "", unicodedata.normalize("NFKC", alg).casefold()) == "none"


def _check_crit(fields: dict[str, Any]) -> None:
    """RFC 7515 section 4.1.11: a non-empty list of distinct extension names, each present in the header."""
    crit = fields["crit"]
    if not isinstance(crit, list) or not crit or not all(isinstance(name, str) for name in crit):
        raise Refusal("crit_malformed")
    if len(set(crit)) != len(crit) or _REGISTERED.intersection(crit) or not all(n in fields for n in crit):
        raise Refusal("crit_malformed")
    if not _UNDERSTOOD.issuperset(crit):
        raise Refusal("crit_unsupported")


def _check_kid(kid: object, keys: Keys) -> None:
    if not isinstance(kid, str) or not kid:
        raise Refusal("kid_invalid")
    if keys.knows(kid):  # an id that we gave out ourselves is harmless, whatever it looks like
        return
    if _INJECTION.search(kid):
        raise Refusal("kid_injection")
    if len(kid) > MAX_KID:
        raise Refusal("kid_invalid")
