"""Pure ASGI middleware: one event for each request, whatever becomes of it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from jwtrail import clock
from jwtrail.errors import WriteError
from jwtrail.middleware.account import Accounts, Outcome
from jwtrail.middleware.answer import Answer
from jwtrail.middleware.answers import AWAY, DENIED, Message, Send, respond
from jwtrail.middleware.bindings import challenge_of
from jwtrail.middleware.exchange import SCOPE_KEY, Exchange, current
from jwtrail.middleware.gate import Gate
from jwtrail.middleware.http import Headers, Networks, template_of, where_from
from jwtrail.middleware.observed import Observer
from jwtrail.middleware.recorder import Durability, Recorder
from jwtrail.middleware.settings import HttpSettings
from jwtrail.tokens.restraint import Held, RestraintView
from jwtrail.tokens.verdict import ABSENT, Accepted, Rejected

__all__ = ["TrailMiddleware"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Resolve = Callable[[Scope], None]


MAX_REQUEST_ID = 128
"""Characters of an `X-Request-ID` that is taken over."""

_BODIES = {
    401: b'{"error":"invalid_token"}',
    403: b'{"error":"csrf"}',
    429: b'{"error":"rate_limited"}',
}


class TrailMiddleware:
    """Verifies the bearer token, serves or refuses, and records exactly one event.

    Args:
        app: the application inside.
        gate: judges the credential of a request.
        restraints: throttles and blocks in force.
        recorder: takes the event.
        settings: see `HttpSettings`.
        observer: in observe mode, learns what became of a token that the application judged.
        resolve: finds the route of a request that is refused before routing, so that its event has a template.
        on_shutdown: called when the server ends its lifespan.
    """

    def __init__(
        self,
        app: App,
        *,
        gate: Gate,
        restraints: RestraintView,
        recorder: Recorder,
        settings: HttpSettings,
        observer: Observer | None = None,
        resolve: Resolve | None = None,
        on_startup: Callable[[], None] | None = None,
        on_shutdown: Callable[[], None] | None = None,
    ) -> None:
        self.app = app
        self._gate = gate
        self._restraints = restraints
        self._recorder = recorder
        self._settings = settings
        self._trusted = Networks(settings.trusted_proxies)
        self._accounts = Accounts(settings, recorder.service)
        self._observer = observer
        self._resolve = resolve
        self._on_startup = on_startup
        self._started = on_startup is None
        self._on_shutdown = on_shutdown

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            if not self._started:
                await (
                    self._start()
                )  # a mounted application, or a server without lifespan, never hears of a start
            serve = self._http if scope["type"] == "http" else self._websocket
            await serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = self._open(scope)
        answer = Answer(self, scope, exchange, send)
        token = current.set(exchange)
        try:
            if not (self._gate.is_settled(exchange) or await self._gate.settle(scope, exchange)):
                await respond(answer.send, 503, AWAY, {"Retry-After": "1"})
            elif (held := self._held(scope, exchange)) is not None:
                self._find_route(scope)
                await _refuse(
                    answer, 429, "rate_limited", {"Retry-After": str(max(1, round(held.retry_after_s)))}
                )
            elif isinstance(exchange.verdict, Rejected) and self._answers(scope):
                self._find_route(scope)
                challenge = challenge_of(exchange.verdict, exchange.credential.scheme, exchange.nonce)
                status = 403 if exchange.verdict.reason.startswith("csrf_") else 401
                await _refuse(answer, status, exchange.verdict.reason, challenge if status == 401 else {})
            else:
                await self.app(scope, answer.watch(receive), answer.send)
            await answer.finish(None)
        except BaseException as error:
            await answer.finish(error)
            raise
        finally:
            current.reset(token)

    def _open(self, scope: Scope) -> Exchange:
        headers = Headers(scope["headers"])
        where = where_from(scope.get("client"), headers, self._trusted)
        credential = self._gate.credential(headers, scope.get("query_string", b""))
        # RFC 6750 section 2: one method a request. Which of two counts would be a guess, and proxies guess differently.
        several = Rejected(reason="multiple_credentials") if credential.several else None
        verdict = several or self._gate.first_look(credential.token)
        if self._observer is not None:
            verdict = self._observer.stop(credential.token, headers) or ABSENT
        given = headers.get(b"x-request-id")
        exchange = Exchange(
            headers, where, credential, verdict, given if given and len(given) <= MAX_REQUEST_ID else None
        )
        if credential.several:
            exchange.flags.add("multiple_credentials")
        if where.spoofed:
            exchange.flags.add("forwarded_spoof")
        self._gate.expect(scope, exchange)
        scope[SCOPE_KEY] = exchange
        return exchange

    def _held(self, scope: Scope, exchange: Exchange) -> Held | None:
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
        entrance = str(scope.get("path", "")).startswith(self._settings.open_paths)
        held = self._restraints.check(
            facts, template or "", isinstance(verdict, Accepted), clock.now_us(), entrance=entrance
        )
        if held is not None:
            exchange.flags.add("self_inflicted")
        return held

    def _answers(self, scope: Scope) -> bool:
        path = scope.get("path", "")
        return self._settings.bad_token != "pass" and not path.startswith(self._settings.open_paths)  # noqa: S105

    def _find_route(self, scope: Scope) -> None:
        if self._resolve is not None:
            self._resolve(scope)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = self._open(scope)
        token = current.set(exchange)
        started_us, started_ns = clock.now_us(), clock.monotonic_ns()
        root = scope.get("root_path", "")
        status, error_type = 403, None

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "websocket.accept":
                status = 101
            elif message["type"] == "websocket.http.response.start":
                status = message["status"]
            await send(message)

        try:
            served = await self._gate.settle(scope, exchange) and self._held(scope, exchange) is None
            if not served or isinstance(exchange.verdict, Rejected):
                await send({"type": "websocket.close", "code": 1008})  # before accept: the server answers 403
            else:
                await self.app(scope, receive, watched)
        except BaseException as error:
            error_type = type(error).__name__
            raise
        finally:
            current.reset(token)
            outcome = Outcome(
                status,
                started_us,
                clock.monotonic_ns() - started_ns,
                self.durability_of(status),
                failure=error_type,
            )
            with contextlib.suppress(WriteError):  # the handshake is over: there is nothing left to refuse
                self.write(scope, root, exchange, outcome)
                await self.wait(exchange)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def watched(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                await self._start()
            if message["type"].startswith("lifespan.shutdown.") and self._on_shutdown is not None:
                await asyncio.to_thread(self._on_shutdown)
            await send(message)

        await self.app(scope, receive, watched)

    async def _start(self) -> None:
        if self._on_startup is not None and not self._started:
            await asyncio.to_thread(self._on_startup)
        self._started = True

    # What `Answer` needs.

    def durability_of(self, status: int) -> Durability:
        """Denials are on disk before the client hears of them."""
        return "sync" if status in DENIED else self._settings.durability

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
            if self._settings.write_failure == "closed":
                raise
            return
        if done is not None:
            exchange.pending.append(done)

    async def wait(self, exchange: Exchange) -> None:
        """Wait until every pending event is on disk.

        Raises:
            WriteError: the disk failed or took longer than `sync_timeout_s`, and the policy is to refuse.
        """
        pending, exchange.pending = exchange.pending, []
        if not pending:
            return
        waiters = [asyncio.wrap_future(done) for done in pending]
        try:
            async with asyncio.timeout(self._settings.sync_timeout_s):
                await asyncio.gather(*waiters)
        except (TimeoutError, WriteError, OSError) as error:
            if self._settings.write_failure == "closed":
                raise WriteError(
                    "an event could not be made durable in time", hint="see http.write_failure"
                ) from error


async def _refuse(answer: Answer, status: int, reason: str, headers: dict[str, str]) -> None:
    """A dull answer: the client learns `invalid_token` or `rate_limited` (RFC 6750 section 3.1), the trail the reason."""
    answer.exchange.reason = reason
    await respond(answer.send, status, _BODIES[status], headers)
