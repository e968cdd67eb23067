"""Does whoever shows a token, or asks for one, hold a DPoP key (RFC 9449) or a client certificate (RFC 8705)?"""

from collections.abc import Callable

from msgspec import Struct

from jwtrail.tokens.dpop import MAX_AGE_S, Proof, SeenProofs, check_proof
from jwtrail.tokens.verdict import UNBOUND, Binding

__all__ = ["Presented", "Proven", "check_binding", "prove", "refused", "wants_check"]

_BOUND = Proof()


class Presented(Struct, frozen=True, kw_only=True):
    """How a token was shown, or asked for.

    Args:
        token: as it came; empty when one is asked for.
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


class Proven(Struct, frozen=True):
    """What somebody who asks for tokens has shown to hold.

    Args:
        binding: to be put into the tokens; both empty when nothing was shown.
        reason: why the proof does not count, a code of `ecs.reasons`; empty when it does, or when there was none.
        jti: id of the proof.
        nonce: a new nonce for the client; empty when it needs none.
    """

    binding: Binding = UNBOUND
    reason: str = ""
    jti: str = ""
    nonce: str = ""


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


def prove(
    shown: Presented,
    now_us: int,
    *,
    seen: SeenProofs | None = None,
    nonce: Callable[[str], bool] | None = None,
    max_age_s: int = MAX_AGE_S,
    leeway_s: int = 30,
) -> Proven:
    """What tokens can be bound to that are issued to this request (RFC 9449 section 5, RFC 8705 section 3).

    Args:
        seen: see `check_proof`; `nonce`, `max_age_s` and `leeway_s` too.
    """
    if not shown.proofs:
        return Proven(Binding(x5t=shown.certificate))
    if len(shown.proofs) > 1:
        return Proven(reason="dpop_invalid")
    proof = check_proof(
        shown.proofs[0],
        method=shown.method,
        url=shown.url,
        access_token=None,
        thumbprint="",
        now_us=now_us,
        seen=seen,
        nonce=nonce,
        max_age_s=max_age_s,
        leeway_s=leeway_s,
    )
    if proof.reason:
        return Proven(reason=proof.reason, jti=proof.jti)
    return Proven(Binding(proof.jkt, shown.certificate), jti=proof.jti)


def refused(wanted: Binding, shown: Binding) -> str:
    """Why a token that is bound may not be exchanged by whoever has shown this; empty when it may.

    What is bound twice needs both.
    """
    for one, other in ((wanted.x5t, shown.x5t), (wanted.jkt, shown.jkt)):
        if one and one != other:
            return "binding_mismatch" if other else "binding_missing"
    return ""
