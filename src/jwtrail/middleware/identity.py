"""Who, from what the verifier said. Claims of a token whose signature did not hold are labels (`jwt.unverified.*`), never who."""

import json
from typing import Any

from jwtrail import clock
from jwtrail.tokens.pairs import TokenPair
from jwtrail.tokens.verdict import Accepted, Claims, Rejected, Verdict

__all__ = ["fields_of_claims", "fields_of_issued", "fields_of_verdict"]


def fields_of_verdict(
    verdict: Verdict, now_us: int, claims_allow: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """The token's attributes of `Event`; nothing for a request without a token.

    Args:
        claims_allow: names of further claims that may be kept.
    """
    if isinstance(verdict, Accepted):
        return fields_of_claims(verdict.claims, now_us, claims_allow)
    if isinstance(verdict, Rejected):
        # `expired` and `revoked_*` are said of authentic tokens only: those still tell whose they are.
        known = fields_of_claims(verdict.claims, now_us, claims_allow) if verdict.claims is not None else {}
        return known | _labels(verdict)
    return {}


def fields_of_claims(
    claims: Claims, now_us: int, claims_allow: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """Attributes of `Event` for claims whose signature held."""
    extra = {name: _leaf(value) for name, value in claims.extra.items() if name in claims_allow}
    return {
        "user_id": claims.act or claims.sub or None,
        "user_effective_id": claims.sub if claims.act else None,
        "user_roles": claims.roles or None,
        "organization_id": claims.tenant or None,
        "jwt_jti": claims.jti or None,
        "jwt_iss": claims.iss or None,
        "jwt_aud": claims.aud or None,
        "jwt_alg": claims.alg or None,
        "jwt_kid": claims.kid or None,
        "jwt_typ": claims.typ or None,
        "jwt_kind": claims.kind or None,
        "jwt_client_id": claims.client_id or None,
        "jwt_scope": claims.scope or None,
        "jwt_family": claims.family or None,
        "jwt_generation": claims.generation if claims.family else None,
        "jwt_cnf": claims.cnf or None,
        "jwt_fingerprint": claims.fingerprint or None,
        "jwt_iat": _date(claims.iat),
        "jwt_nbf": _date(claims.nbf),
        "jwt_exp": _date(claims.exp),
        "jwt_ttl": int(claims.exp - claims.iat)
        if claims.exp is not None and claims.iat is not None
        else None,
        "jwt_age": max(0, now_us // 1_000_000 - int(claims.iat)) if claims.iat is not None else None,
        "jwt_claims": extra or None,
    }


def fields_of_issued(pair: TokenPair, now_us: int) -> dict[str, Any]:
    """Attributes of `Event` for the access token of a pair that was just issued."""
    return {
        **fields_of_claims(pair.access, now_us),
        "related_user": (pair.access.sub,),
        "jwt_parent": pair.parent or None,
        "jwt_known": True,
    }


def _labels(rejected: Rejected) -> dict[str, Any]:
    labels: dict[str, Any] = {
        "jwt_alg": rejected.alg or None,
        "jwt_typ": rejected.typ or None,
        "jwt_header_flags": rejected.header_flags or None,
        "jwt_fingerprint": rejected.fingerprint or None,
    }
    if rejected.claims is None:
        labels |= {
            "jwt_unverified_sub": rejected.sub or None,
            "jwt_unverified_jti": rejected.jti or None,
            "jwt_unverified_iss": rejected.iss or None,
            "jwt_unverified_kid": rejected.kid or None,
        }
    return labels


def _date(seconds: float | None) -> str | None:
    try:
        return clock.seconds_iso(seconds) if seconds is not None else None
    except (ValueError, OverflowError):  # a date beyond the year 9999 is a claim somebody may well sign
        return None


def _leaf(value: Any) -> str:
    """A claim as one keyword: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
