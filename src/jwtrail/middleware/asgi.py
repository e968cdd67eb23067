"""Pure ASGI middleware: one event for each request, whatever becomes of it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from jwtrail import clock
from jwtrail.ecs import uuid7
from jwtrail.errors import WriteError
from jwtrail.middleware.answer import Answer
from jwtrail.middleware.answers import AWAY, DENIED, Message, Send, kind_of, respond
from jwtrail.middleware.bindings import challenge_of
from jwtrail.middleware.exchange import SCOPE_KEY, Exchange, current, situation_of
from jwtrail.middleware.gate import Gate
from jwtrail.middleware.http import (
    Headers,
    Networks,
    object_of,
    request_facts,
    template_of,
    where_from,
)
from jwtrail.middleware.identity import fields_of_verdict
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
        self._query_allow = frozenset(settings.query_allow)
        self._claims_allow = frozenset(settings.claims_allow)
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
            if not await self._gate.settle(scope, exchange):
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
            verdict = self._observer.stop(credential.token) or ABSENT
        given = headers.get(b"x-request-id")
        request_id = given if given and len(given) <= 128 else uuid7()
        exchange = Exchange(headers, where, credential, verdict, request_id)
        if credential.several:
            exchange.flags.add("multiple_credentials")
        if where.spoofed:
            exchange.flags.add("forwarded_spoof")
        self._gate.expect(scope, exchange)
        scope[SCOPE_KEY] = exchange
        return exchange

    def _held(self, scope: Scope, exchange: Exchange) -> Held | None:
        """The throttle or block that holds this request, if any; costs nothing while none is in force."""
        if not self._restraints:
            return None
        self._find_route(scope)
        verdict = exchange.verdict
        facts: dict[str, str | None] = {"source.ip": exchange.where.ip}
        if isinstance(verdict, Accepted):
            claims = verdict.claims
            facts |= {"user.id": claims.act or claims.sub, "jwt.jti": claims.jti, "jwt.family": claims.family}
        template = template_of(dict(scope), str(scope.get("root_path", "")))
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
            fields = self.event_fields(scope, exchange, root, status, started_ns) | {"error_type": error_type}
            if error_type is not None:
                fields["event_outcome"] = "failure"
            with contextlib.suppress(WriteError):  # the handshake is over: there is nothing left to refuse
                self.write(self.durability_of(status), started_us, exchange, fields)
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

    def event_fields(
        self, scope: Scope, exchange: Exchange, root: str, status: int, started_ns: int
    ) -> dict[str, Any]:
        """The attributes of the request's event."""
        if self._observer is not None:
            self._observer.conclude(scope, exchange, status)
        template = template_of(dict(scope), root)
        object_id, object_type = object_of(template, scope.get("path_params"))
        user = exchange.verdict.claims.sub if isinstance(exchange.verdict, Accepted) else None
        return {
            **request_facts(dict(scope), exchange.headers, self._query_allow, exchange.flags),
            **situation_of(exchange),
            **fields_of_verdict(exchange.verdict, clock.now_us(), self._claims_allow),
            "event_type": kind_of(status),
            "event_category": ("web", "api", "authentication") if status == 401 else ("web", "api"),
            "event_outcome": "success" if status < 400 else "failure",
            "event_reason": exchange.reason,
            "event_duration": clock.monotonic_ns() - started_ns,
            "http_response_status_code": status,
            "http_route": template,
            "jwtrail_object_id": object_id,
            "jwtrail_object_type": object_type,
            "jwtrail_policy": exchange.policy,
            "related_user": (user,) if user else None,
            **exchange.fields,
        }

    def durability_of(self, status: int) -> Durability:
        """Denials are on disk before the client hears of them."""
        return "sync" if status in DENIED else self._settings.durability

    def write(
        self, durability: Durability, started_us: int, exchange: Exchange, fields: dict[str, Any]
    ) -> None:
        """Hand over the event; what must be waited for goes to `exchange.pending`.

        Raises:
            WriteError: it cannot be written and the policy is to refuse.
        """
        try:
            done = self._recorder.write(
                "http-request", durability, at_us=started_us, flags=exchange.flags, **fields
            )
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
