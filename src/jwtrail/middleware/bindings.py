"""Sender-constrained tokens on the request path: reads the proof off the request, and says what the client is told."""

import asyncio
import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Protocol
from urllib.parse import quote

from msgspec import Struct, structs

from jwtrail import clock
from jwtrail.middleware.http import Credential, Headers, Where
from jwtrail.middleware.settings import HttpSettings
from jwtrail.tokens import base64url
from jwtrail.tokens.binding import Presented, Proven, check_binding, prove, wants_check
from jwtrail.tokens.dpop import ALGORITHMS, Proof
from jwtrail.tokens.htu import normal_url
from jwtrail.tokens.mtls import certificate_thumbprint
from jwtrail.tokens.nonce import Nonces
from jwtrail.tokens.verdict import Accepted, Claims, Rejected, Verdict

__all__ = ["Bindings", "Bound", "Spends", "challenge_of", "error_of", "proof_challenge"]

_ALGORITHMS = " ".join(ALGORITHMS)
_SCHEMES = {
    "ws": "http",
    "wss": "https",
}  # a WebSocket begins as an HTTP request, and that is what a proof is made for
_LOOPBACK = re.compile(r"//(?:127\.\d+\.\d+\.\d+|\[::1\]|localhost)(?=[:/])")


class Spends(Protocol):
    """What counts once: `state.spent.SpentStore`."""

    def spend(self, spent_id: str, until_us: int) -> bool:
        """True for the first caller with this id.

        Raises:
            StateError: it cannot be told.
        """


class Bound(Struct, frozen=True):
    """What came of the binding.

    Args:
        verdict: as before, or rejected.
        proof: id of the proof whose signature held; empty when there was none.
        nonce: a new nonce for the client; empty when it needs none.
    """

    verdict: Verdict
    proof: str = ""
    nonce: str = ""


class Bindings:
    """Checks what an accepted token is bound to. A plain bearer token costs nothing.

    Args:
        spent: remembers proofs across processes.
        settings: see `HttpSettings`.
        leeway_s: seconds that clocks may differ.
        nonces: makes and knows nonces; None asks for none.
    """

    def __init__(
        self, spent: Spends, settings: HttpSettings, *, leeway_s: int = 30, nonces: Nonces | None = None
    ) -> None:
        self._spent = spent
        self._settings = settings
        self._certificate_header = settings.client_cert_header.lower().encode()
        self._leeway_s = leeway_s
        self._nonces = nonces

    def wanted(self, verdict: Verdict, credential: Credential) -> bool:
        """True when `check` has something to say."""
        return isinstance(verdict, Accepted) and wants_check(verdict.claims.binding, credential.scheme)

    async def check(
        self,
        scope: Mapping[str, Any],
        headers: Headers,
        where: Where,
        accepted: Accepted,
        credential: Credential,
    ) -> Bound:
        """Judge, in a thread: a signature takes 100 µs, and the file of spent proofs may be held by another process.

        Raises:
            StateError: whether a proof was used before cannot be told.
        """
        shown = self._presented(scope, headers, where, credential)
        return await asyncio.to_thread(self._judged, accepted, shown)

    def prover(self, scope: Mapping[str, Any], headers: Headers, where: Where) -> Callable[[], Proven] | None:
        """Judges what the client shows when it asks for tokens; None when it shows nothing.

        The call may raise StateError: whether a proof was used before cannot be told.
        """
        if headers.get(b"dpop") is None and not self._certificate(headers, where):
            return None
        shown = self._presented(scope, headers, where, Credential())
        return lambda: self._proven(shown)

    def _presented(
        self, scope: Mapping[str, Any], headers: Headers, where: Where, credential: Credential
    ) -> Presented:
        return Presented(
            token=credential.token or "",
            scheme=credential.scheme,
            method=str(scope.get("method", "GET")),
            url=self._url(scope, headers),
            proofs=tuple(headers.all(b"dpop")),
            certificate=self._certificate(headers, where),
        )

    def first(self, jkt: str, jti: str, until_us: int) -> bool:
        """See `dpop.SeenProofs`; what is kept has one length, whatever the client chose."""
        return self._spent.spend(base64url.encode(sha256(f"{jkt}.{jti}".encode()).digest()), until_us)

    def _proven(self, shown: Presented) -> Proven:
        used: list[str] = []
        proven = prove(
            shown,
            clock.now_us(),
            seen=self,
            nonce=self._fresh(used),
            max_age_s=self._settings.dpop_max_age_s,
            leeway_s=self._leeway_s,
        )
        if not shown.proofs:
            return proven
        return structs.replace(proven, nonce=self._new_nonce(proven.reason, used))

    def _fresh(self, used: list[str]) -> Callable[[str], bool] | None:
        """Whether a nonce is fresh; each that is asked for is noted."""
        nonces = self._nonces
        if nonces is None:
            return None

        def fresh(nonce: str) -> bool:
            used.append(nonce)
            return nonces.fresh(nonce)

        return fresh

    def _judged(self, accepted: Accepted, shown: Presented) -> Bound:
        used: list[str] = []
        proof = check_binding(
            accepted.claims.binding,
            shown,
            clock.now_us(),
            seen=self,
            nonce=self._fresh(used),
            max_age_s=self._settings.dpop_max_age_s,
            leeway_s=self._leeway_s,
        )
        verdict = _rejected(proof, accepted.claims) if proof.reason else accepted
        return Bound(verdict, proof.jti, self._new_nonce(proof.reason, used))

    def _new_nonce(self, reason: str, used: list[str]) -> str:
        """A nonce for a client that lacks one, or whose own ages (RFC 9449 section 8.2)."""
        if self._nonces is None or (reason not in ("", "dpop_nonce_required")):
            return ""
        wanting = bool(reason) or any(self._nonces.ageing(nonce) for nonce in used)
        return self._nonces.new() if wanting else ""

    def _url(self, scope: Mapping[str, Any], headers: Headers) -> str:
        """The request's URL where clients reach us; empty when nobody has said where that is."""
        origin = self._settings.public_url.rstrip("/") or _listening_at(scope, headers)
        if not origin:
            return ""
        raw = scope.get("raw_path")
        path = raw.decode("latin-1").partition("?")[0] if raw else ""
        if not path.startswith(
            "/"
        ):  # a whole URL (RFC 9112 section 3.2.2), or `.evil.example/x` to go on with our host
            path = quote(str(scope.get("path", "")))
        return origin + path if path.startswith("/") else ""

    def _certificate(self, headers: Headers, where: Where) -> str:
        """Thumbprint of the client certificate, if a trusted proxy tells of exactly one."""
        if not self._certificate_header or not where.proxied:
            return ""
        values = headers.all(self._certificate_header)
        return certificate_thumbprint(values[0]) if len(values) == 1 else ""


def _listening_at(scope: Mapping[str, Any], headers: Headers) -> str:
    """The origin at which the server itself was reached, as for an API without a proxy or on one's own machine.

    The `Host` header is the client's word: it counts when it names the very address that the server listens at. Otherwise a
    proof that was made for another server would count here, for whoever sends that server's name (RFC 9449 section 4.3, 9).
    """
    server, host = scope.get("server"), headers.get(b"host") or ""
    if not server or server[1] is None:  # a Unix socket, or a door that cannot tell
        return ""
    scheme = str(scope.get("scheme", "http"))
    origin = f"{_SCHEMES.get(scheme, scheme)}://{host}"
    address = f"[{server[0]}]" if ":" in server[0] else server[0]
    named, listened = (
        normal_url(origin),
        normal_url(f"{_SCHEMES.get(scheme, scheme)}://{address}:{server[1]}"),
    )
    if named is None or listened is None or _on_loopback(named) != _on_loopback(listened):
        return ""
    return origin


def _on_loopback(url: str) -> str:
    """All names of one's own machine are one."""
    return _LOOPBACK.sub("//localhost", url)


def error_of(reason: str) -> str:
    """What a client is told of a proof, a code of RFC 9449 section 12.2 or `invalid_token`."""
    if reason == "dpop_nonce_required":
        return "use_dpop_nonce"
    return "invalid_dpop_proof" if reason.startswith("dpop_") else "invalid_token"


def proof_challenge(error: str) -> dict[str, str]:
    """The header that says which proofs are taken, for whoever asked for tokens with one that does not count."""
    return {"WWW-Authenticate": f'DPoP error="{error}", algs="{_ALGORITHMS}"'}


def challenge_of(verdict: Verdict, scheme: str = "bearer", nonce: str = "") -> dict[str, str]:
    """Response headers of a 401 (RFC 6750 section 3, RFC 9449 sections 7.1 and 9). The client learns the kind of refusal
    and nothing more; no error at all when it sent no token.
    """
    if isinstance(verdict, Rejected):
        reason, bound = verdict.reason, verdict.claims is not None and bool(verdict.claims.binding.jkt)
        if scheme == "dpop" or bound:
            return proof_challenge(error_of(reason)) | ({"DPoP-Nonce": nonce} if nonce else {})
        return {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    return {"WWW-Authenticate": "Bearer"}


def _rejected(proof: Proof, claims: Claims) -> Rejected:
    """The token is authentic, so the trail may say whose it is; who showed it is not known."""
    return Rejected(
        reason=proof.reason, alg=claims.alg, typ=claims.typ, fingerprint=claims.fingerprint, claims=claims
    )
