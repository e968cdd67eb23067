"""What every kind of server shares: a request is opened, held against what is in force, and its event handed over."""

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from msgspec import Struct

from jwtrail import clock
from jwtrail.errors import StateError, WriteError
from jwtrail.middleware.account import Accounts, Outcome
from jwtrail.middleware.answers import AWAY, DENIED
from jwtrail.middleware.bindings import challenge_of
from jwtrail.middleware.exchange import SCOPE_KEY, Exchange
from jwtrail.middleware.gate import Gate
from jwtrail.middleware.http import Headers, Networks, template_of, where_from
from jwtrail.middleware.observed import Observer
from jwtrail.middleware.paths import perhaps_below, surely_below
from jwtrail.middleware.recorder import Durability, Recorder
from jwtrail.middleware.settings import HttpSettings
from jwtrail.tokens.restraint import Held, RestraintView
from jwtrail.tokens.verdict import Accepted, Rejected

__all__ = ["UNAVAILABLE", "Frame", "Refusal", "Resolve", "Scope"]

Scope = MutableMapping[str, Any]
Resolve = Callable[[Scope], None]

MAX_REQUEST_ID = 128
"""Characters of an `X-Request-ID` that is taken over."""


class Refusal(Struct, frozen=True):
    """A dull answer: the client learns `invalid_token` or `rate_limited` (RFC 6750 section 3.1), the trail the reason."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    reason: str | None = None


UNAVAILABLE = Refusal(503, AWAY, {"Retry-After": "1"})
"""Nobody can tell at present whether the token counts, or the event cannot be written and the policy is to refuse."""


class Frame:
    """Verifies the bearer token, decides whether to serve or to refuse, and makes the event.

    Args:
        gate: judges the credential of a request.
        restraints: throttles and blocks in force.
        recorder: takes the event.
        settings: see `HttpSettings`.
        observer: in observe mode, learns what became of a token that the application judged.
        resolve: finds the route of a request that is refused before routing, so that its event has a template.

    Attributes:
        gate: as given.
        settings: as given.
    """

    def __init__(
        self,
        *,
        gate: Gate,
        restraints: RestraintView,
        recorder: Recorder,
        settings: HttpSettings,
        observer: Observer | None = None,
        resolve: Resolve | None = None,
    ) -> None:
        self.gate = gate
        self._restraints = restraints
        self._recorder = recorder
        self.settings = settings
        self._trusted = Networks(settings.trusted_proxies)
        self._accounts = Accounts(settings, recorder.service)
        self._observer = observer
        self._resolve = resolve

    def open(self, scope: Scope) -> Exchange:
        """Begin the notes of a request, with a first verdict on its token."""
        headers = Headers(scope["headers"])
        where = where_from(scope.get("client"), headers, self._trusted)
        credential = self.gate.credential(headers, scope.get("query_string", b""))
        # RFC 6750 section 2: one method a request. Which of two counts would be a guess, and proxies guess differently.
        several = Rejected(reason="multiple_credentials") if credential.several else None
        verdict = several or self.gate.first_look(credential.token)
        if self._observer is not None:
            credential, verdict = self._observer.stop(credential, headers, scope.get("query_string", b""))
        given = headers.get(b"x-request-id")
        exchange = Exchange(
            headers, where, credential, verdict, given if given and len(given) <= MAX_REQUEST_ID else None
        )
        if credential.several:
            exchange.flags.add("multiple_credentials")
        if where.spoofed:
            exchange.flags.add("forwarded_spoof")
        self.gate.expect(scope, exchange)
        scope[SCOPE_KEY] = exchange
        return exchange

    def unready(self, exchange: Exchange) -> Refusal:
        """The answer while this process has never read what is revoked: whatever the policy, nobody can tell what counts."""
        exchange.fields["error_type"] = StateError.__name__
        return UNAVAILABLE

    def refusal(self, scope: Scope, exchange: Exchange) -> Refusal | None:
        """Why the application does not get this request, whose token is settled; None when it does."""
        if (held := self.held(scope, exchange)) is not None:
            self._find_route(scope)
            wait = str(max(1, round(held.retry_after_s)))
            return Refusal(429, b'{"error":"rate_limited"}', {"Retry-After": wait}, "rate_limited")
        verdict = exchange.verdict
        if not isinstance(verdict, Rejected) or not self._answers(scope):
            return None
        self._find_route(scope)
        if verdict.reason.startswith("csrf_"):
            return Refusal(403, b'{"error":"csrf"}', {}, verdict.reason)
        challenge = challenge_of(verdict, exchange.credential.scheme, exchange.nonce)
        return Refusal(401, b'{"error":"invalid_token"}', challenge, verdict.reason)

    def held(self, scope: Scope, exchange: Exchange) -> Held | None:
        """The throttle or block that holds this request, if any; costs nothing while none is in force."""
        if not self._restraints.active:
            return None
        self._find_route(scope)
        verdict = exchange.verdict
        facts: dict[str, str | None] = {"source.ip": exchange.where.ip}
        if isinstance(verdict, Accepted):
            claims = verdict.claims
            facts |= {"user.id": claims.act or claims.sub, "jwt.jti": claims.jti, "jwt.family": claims.family}
        template = template_of(scope, str(scope.get("root_path", "")))
        # Where credentials are given, a token of one's own must not buy free guesses at those of others.
        entrance = perhaps_below(scope, self.settings.open_paths)
        held = self._restraints.check(
            facts, template or "", isinstance(verdict, Accepted), clock.now_us(), entrance=entrance
        )
        if held is not None:
            exchange.flags.add("self_inflicted")
        return held

    def _answers(self, scope: Scope) -> bool:
        return self.settings.bad_token != "pass" and not surely_below(scope, self.settings.open_paths)  # noqa: S105

    def _find_route(self, scope: Scope) -> None:
        if self._resolve is not None:
            self._resolve(scope)

    def durability_of(self, status: int) -> Durability:
        """Denials are on disk before the client hears of them."""
        return "sync" if status in DENIED else self.settings.durability

    def write(self, scope: Scope, root: str, exchange: Exchange, outcome: Outcome) -> None:
        """Hand over the request's event; what must be waited for goes to `exchange.pending`.

        Raises:
            WriteError: it cannot be written and the policy is to refuse.
        """
        if self._observer is not None:
            self._observer.conclude(scope, exchange, outcome.status)
        event = self._accounts.event(scope, root, exchange, outcome)
        try:
            done = self._recorder.put(event, outcome.durability)
        except WriteError:
            if self.settings.write_failure == "closed":
                raise
            return
        if done is not None:
            exchange.pending.append(done)

    def late(self, error: Exception) -> None:
        """An event was not on the disk in time.

        Raises:
            WriteError: the policy is to refuse.
        """
        if self.settings.write_failure == "closed":
            raise WriteError(
                "an event could not be made durable in time", hint="see http.write_failure"
            ) from error
