"""What may be told of a token that does not count: cleaned, cut, and never the token itself."""

import re
from typing import Any

import msgspec

from jwtrail.ecs.clean import clean
from jwtrail.tokens import base64url
from jwtrail.tokens.header import FLAGGED
from jwtrail.tokens.refusal import Refusal
from jwtrail.tokens.revocation import Revoked
from jwtrail.tokens.strictjson import MAX_DEPTH
from jwtrail.tokens.verdict import Claims, Rejected

__all__ = ["MAX_KID_SHOWN", "MAX_SHOWN", "rejected"]

MAX_KID_SHOWN = 64
"""Characters of a key id in the trail. It is the one part of a header that attackers like to fill."""

MAX_SHOWN = 128
"""Characters of an unverified claim in the trail."""

_MAX_ALG_SHOWN = 32
_HARMFUL = re.compile(r"[^A-Za-z0-9._~:@/+=-]")


def rejected(
    reason: str,
    raw: bytes,
    fingerprint: str = "",
    claims: Claims | None = None,
    revoked: Revoked | None = None,
) -> Rejected:
    """A rejection with everything about the token that may be logged. Never raises.

    Args:
        raw: the token; empty when it is too large to be looked at.
    """
    head, _, rest = raw.partition(b".")
    header, payload = _peek(head), _peek(rest.partition(b".")[0])
    return Rejected(
        reason=reason,
        alg=_shown(header, "alg", _MAX_ALG_SHOWN),
        typ=_shown(header, "typ", _MAX_ALG_SHOWN),
        kid=_HARMFUL.sub("_", _shown(header, "kid", MAX_KID_SHOWN)[:MAX_KID_SHOWN]),
        header_flags=tuple(name for name in FLAGGED if name in header),
        sub=_shown(payload, "sub", MAX_SHOWN),
        jti=_shown(payload, "jti", MAX_SHOWN),
        iss=_shown(payload, "iss", MAX_SHOWN),
        fingerprint=fingerprint,
        claims=claims,
        revoked=revoked.row if revoked else None,
        revoked_recently=revoked.recent if revoked else False,
    )


def _peek(segment: bytes) -> dict[str, Any]:
    """The object in a segment, if there is one that is not nested beyond reason."""
    try:
        text = base64url.decode(segment)
        if text.count(b"{") + text.count(b"[") > MAX_DEPTH:
            return {}
        made = msgspec.json.decode(text)
    except (Refusal, ValueError):
        return {}
    return made if isinstance(made, dict) else {}


def _shown(fields: dict[str, Any], name: str, limit: int) -> str:
    value = fields.get(name, "")
    return clean(value, set(), limit) if isinstance(value, str) else ""
