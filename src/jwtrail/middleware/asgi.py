"""Pure ASGI middleware: one event for each request, whatever becomes of it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from jwtrail import clock
from jwtrail.errors import StateError, WriteError
from jwtrail.middleware.account import Outcome
from jwtrail.middleware.answer import Answer, stored
from jwtrail.middleware.answers import Message, Send, respond
from jwtrail.middleware.exchange import current
from jwtrail.middleware.frame import UNAVAILABLE, Frame, Refusal, Scope
from jwtrail.tokens.verdict import Rejected

__all__ = ["TrailMiddleware"]

Receive = Callable[[], Awaitable[Message]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class TrailMiddleware:
    """Verifies the bearer token, serves or refuses, and records exactly one event.

    Args:
        app: the application inside.
        frame: judges requests and makes their events.
        on_startup: called with the server's start, or the first request.
        on_shutdown: called when the server ends its lifespan.
    """

    def __init__(
        self,
        app: App,
        frame: Frame,
        *,
        on_startup: Callable[[], None] | None = None,
        on_shutdown: Callable[[], None] | None = None,
    ) -> None:
        self.app = app
        self._frame = frame
        self._on_startup = on_startup
        self._started = on_startup is None
        self._on_shutdown = on_shutdown

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            ready = self._started or await self._is_ready()
            serve = self._http if scope["type"] == "http" else self._websocket
            await serve(scope, receive, send, ready=ready)
        elif scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _is_ready(self) -> bool:
        """A mounted application, or a server without lifespan, never hears of a start. False while it cannot be read what is
        revoked.
        """
        try:
            await self._start()
        except StateError:
            return False
        return True

    async def _http(self, scope: Scope, receive: Receive, send: Send, *, ready: bool) -> None:
        frame = self._frame
        exchange = frame.open(scope)
        answer = Answer(frame, scope, exchange, send)
        token = current.set(exchange)
        try:
            if not ready:
                await _refuse(answer, frame.unready(exchange))
            elif not (frame.gate.is_settled(exchange) or await frame.gate.settle(scope, exchange)):
                await _refuse(answer, UNAVAILABLE)
            elif (refusal := frame.refusal(scope, exchange)) is not None:
                await _refuse(answer, refusal)
            else:
                await self.app(scope, answer.watch(receive), answer.send)
            await answer.finish(None)
        except BaseException as error:
            await answer.finish(error)
            raise
        finally:
            current.reset(token)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send, *, ready: bool) -> None:
        frame = self._frame
        exchange = frame.open(scope)
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
            served = (
                ready and await frame.gate.settle(scope, exchange) and frame.held(scope, exchange) is None
            )
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
                frame.durability_of(status),
                failure=error_type,
            )
            with contextlib.suppress(WriteError):  # the handshake is over: there is nothing left to refuse
                frame.write(scope, root, exchange, outcome)
                await stored(frame, exchange)

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


async def _refuse(answer: Answer, refusal: Refusal) -> None:
    answer.exchange.reason = refusal.reason or answer.exchange.reason
    await respond(answer.send, refusal.status, refusal.body, dict(refusal.headers))
