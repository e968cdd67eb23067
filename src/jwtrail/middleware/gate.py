"""From a request to its verdict: which credential counts, what the verifier says of it, and what else it takes."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from jwtrail import clock
from jwtrail.errors import StateError
from jwtrail.middleware.bindings import Bindings
from jwtrail.middleware.cookies import Cookies
from jwtrail.middleware.exchange import Exchange
from jwtrail.middleware.http import Credential, Headers, credential_of
from jwtrail.middleware.paths import perhaps_below
from jwtrail.middleware.settings import HttpSettings
from jwtrail.tokens.verdict import ABSENT, Accepted, Rejected, Verdict

__all__ = ["Gate", "Judge", "SecondLook"]

_IN_QUERY = re.compile(rb"(?:^|&)access_token=[^&]")

SecondLook = Callable[[str, Rejected], Awaitable[Verdict]]


class Judge(Protocol):
    """`tokens.Verifier`, or several of them."""

    def verify(self, token: str | None, now_us: int) -> Verdict:
        """The verdict; never raises, never waits."""


class Gate:
    """Judges credentials.

    Args:
        verifier: names the one reason a token is refused for.
        bindings: checks what a token is bound to.
        settings: see `HttpSettings`.
        cookies: reads tokens of browsers; None takes none from cookies.
        second_look: judges a rejected token again, after fetching keys if that may help.
        away: why revocations cannot be followed at the moment; empty while they can.
    """

    def __init__(
        self,
        verifier: Judge,
        bindings: Bindings,
        settings: HttpSettings,
        *,
        cookies: Cookies | None = None,
        second_look: SecondLook | None = None,
        away: Callable[[], str] = str,
    ) -> None:
        self._verifier = verifier
        self._bindings = bindings
        self._settings = settings
        self.observes = settings.bad_token == "observe"  # noqa: S105  # a policy, not a password
        self._cookies = cookies
        self._second_look = second_look
        self._away = away

    def credential(self, headers: Headers, query: bytes) -> Credential:
        """What the request brings: a header counts before a cookie, and a token in the URL never."""
        found = credential_of(headers)
        if found.token is not None:
            return found
        if self._cookies is not None and (cookie := self._cookies.credential(headers)) is not None:
            return cookie
        return Credential(several=found.several, in_query=True) if _IN_QUERY.search(query) else found

    def first_look(self, token: str | None) -> Verdict:
        """The verdict with what is known now; none yet while the application judges for itself."""
        return ABSENT if self.observes else self.classify(token)

    def expect(self, scope: Mapping[str, Any], exchange: Exchange) -> None:
        """Let the doors ask what the client holds; a request without proof and certificate pays next to nothing."""
        prove = self._bindings.prover(scope, exchange.headers, exchange.where)
        if prove is not None:
            exchange.prove = prove

    def classify(self, token: str | None) -> Verdict:
        """The verifier's verdict."""
        return self._verifier.verify(token, clock.now_us())

    def is_settled(self, exchange: Exchange) -> bool:
        """Whether the first look was all: a good bearer token that is bound to nothing, or none, and revocations are followed."""
        verdict = exchange.verdict
        if isinstance(verdict, Rejected) or exchange.credential.scheme != "bearer" or self._away():
            return False
        return not self._bindings.wanted(verdict, exchange.credential)

    async def settle(self, scope: Mapping[str, Any], exchange: Exchange) -> bool:
        """Everything that may take a moment; False when nobody can tell at present whether the token counts."""
        if isinstance(exchange.verdict, Rejected) and self._second_look is not None:
            exchange.verdict = await self._second_look(exchange.credential.token or "", exchange.verdict)
        if isinstance(exchange.verdict, Accepted) and exchange.credential.scheme == "cookie":
            self._check_csrf(scope, exchange, exchange.verdict)
        await_binding = self._bindings.wanted(exchange.verdict, exchange.credential)
        known = await self._bound(scope, exchange) if await_binding else True
        if isinstance(exchange.verdict, Rejected):
            _note(exchange, exchange.verdict)
        return known and not self._blind(scope, exchange)

    def _check_csrf(self, scope: Mapping[str, Any], exchange: Exchange, accepted: Accepted) -> None:
        if self._cookies is None:
            return
        claims = accepted.claims
        method = str(scope.get("method", "POST"))  # a WebSocket has none, and other sites may open one
        if reason := self._cookies.refusal(method, exchange.headers, claims):
            exchange.verdict = Rejected(
                reason=reason, alg=claims.alg, typ=claims.typ, fingerprint=claims.fingerprint, claims=claims
            )

    async def _bound(self, scope: Mapping[str, Any], exchange: Exchange) -> bool:
        assert isinstance(exchange.verdict, Accepted)
        try:
            bound = await self._bindings.check(
                scope, exchange.headers, exchange.where, exchange.verdict, exchange.credential
            )
        except StateError as error:
            exchange.fields["error_type"] = type(error).__name__
            return False
        exchange.verdict = bound.verdict
        if bound.proof:
            exchange.fields["jwt_proof"] = bound.proof
        exchange.nonce = bound.nonce
        if bound.nonce and isinstance(bound.verdict, Accepted):
            exchange.answer_headers.append((b"dpop-nonce", bound.nonce.encode()))
        return True

    def _blind(self, scope: Mapping[str, Any], exchange: Exchange) -> bool:
        """True when a token is turned away because its issuer's keys, or what was revoked in the meantime, are unknown."""
        verdict = exchange.verdict
        if isinstance(verdict, Rejected):
            return verdict.reason == "jwks_unavailable"
        if not isinstance(verdict, Accepted) or not self._away():
            return False
        exchange.flags.add("revocation_unknown")
        settings = self._settings
        return settings.state_away == "closed" or perhaps_below(scope, settings.strict_paths)


def _note(exchange: Exchange, verdict: Rejected) -> None:
    exchange.reason = verdict.reason
    if verdict.revoked_recently:
        exchange.flags.add("revoked_grace")
    if verdict.revoked is not None and verdict.revoked.alert:
        exchange.flags.add("self_inflicted")  # our own answer must not feed the detector
