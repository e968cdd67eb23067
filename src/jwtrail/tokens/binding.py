"""Does whoever shows a token hold what it is bound to: a DPoP key (RFC 9449) or a client certificate (RFC 8705)?"""

from collections.abc import Callable

from msgspec import Struct

from jwtrail.tokens.dpop import MAX_AGE_S, Proof, SeenProofs, check_proof
from jwtrail.tokens.verdict import Binding

__all__ = ["Presented", "check_binding", "wants_check"]

_BOUND = Proof()


class Presented(Struct, frozen=True, kw_only=True):
    """How a token was shown.

    Args:
        token: as it came.
        scheme: of `Authorization`, lower case: `bearer` or `dpop`.
        method: of the request.
        url: of the request, as the client sees it.
        proofs: every `DPoP` header.
        certificate: SHA-256 of the client certificate, base64url; empty when none was shown.
    """

    token: str
    scheme: str
    method: str
    url: str
    proofs: tuple[str, ...] = ()
    certificate: str = ""


def wants_check(binding: Binding, scheme: str) -> bool:
    """False for a plain bearer token, which nearly all are."""
    return bool(binding) or scheme == "dpop"


def check_binding(
    binding: Binding,
    shown: Presented,
    now_us: int,
    *,
    seen: SeenProofs | None = None,
    nonce: Callable[[str], bool] | None = None,
    max_age_s: int = MAX_AGE_S,
    leeway_s: int = 30,
) -> Proof:
    """Judge; `reason` is empty when the token may be used. A token that is bound twice needs both.

    A token bound to a DPoP key never counts as a bearer token, and a bearer token never with the scheme `DPoP`
    (RFC 9449 sections 7.1 and 7.2).

    Args:
        binding: of the token, which was accepted already.
        seen: see `check_proof`; `nonce`, `max_age_s` and `leeway_s` too.
    """
    if binding.x5t and not shown.certificate:
        return Proof("binding_missing")
    if binding.x5t and shown.certificate != binding.x5t:
        return Proof("binding_mismatch")
    if not binding.jkt and shown.scheme != "dpop":
        return _BOUND
    if not shown.proofs or shown.scheme != "dpop":
        return Proof("binding_missing")
    if len(shown.proofs) > 1:  # RFC 9449 section 4.3, check 1
        return Proof("dpop_invalid")
    return check_proof(
        shown.proofs[0],
        method=shown.method,
        url=shown.url,
        access_token=shown.token,
        thumbprint=binding.jkt,
        now_us=now_us,
        seen=seen,
        nonce=nonce,
        max_age_s=max_age_s,
        leeway_s=leeway_s,
    )
