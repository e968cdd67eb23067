"""One response on its way to the client, and the event that is written about it."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from jwtrail import clock
from jwtrail.errors import WriteError
from jwtrail.middleware.account import Outcome
from jwtrail.middleware.answers import AWAY, DENIED, mime_of, respond
from jwtrail.middleware.exchange import Exchange
from jwtrail.middleware.frame import Frame

__all__ = ["Answer", "stored"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Answer:
    """Watches one response: holds its head while something must get to the disk first, and writes the event before its last byte.

    Attributes:
        exchange: the notes of the request.
    """

    __slots__ = (
        "_bytes",
        "_frame",
        "_gone",
        "_head",
        "_left",
        "_mime",
        "_refused",
        "_root",
        "_scope",
        "_send",
        "_started_ns",
        "_started_us",
        "_status",
        "_written",
        "exchange",
    )

    def __init__(self, frame: Frame, scope: Scope, exchange: Exchange, send: Send) -> None:
        self._frame = frame
        self._scope = scope
        self.exchange = exchange
        self._send = send
        self._root = str(scope.get("root_path", ""))
        self._started_us = clock.now_us()
        self._started_ns = clock.monotonic_ns()
        self._head: Message | None = None
        self._status: int | None = None
        self._mime: str | None = None
        self._bytes = 0
        self._written = False
        self._refused = False
        self._left = False
        self._gone = False

    def watch(self, receive: Receive) -> Receive:
        """`receive` that notes when the client goes away."""

        async def watched() -> Message:
            message = await receive()
            if message["type"] == "http.disconnect":
                self._gone = True
            return message

        return watched

    async def send(self, message: Message) -> None:
        """What the application calls in place of the server's `send`."""
        kind = message["type"]
        if kind == "http.response.start":
            self._status = message["status"]
            self._mime = mime_of(message)
            extra = self.exchange.answer_headers
            self._head = {**message, "headers": [*message.get("headers", ()), *extra]} if extra else message
            if not self._must_wait():
                await self._let_go()
            return
        if self._refused:
            return
        last = kind == "http.response.pathsend" or (
            kind == "http.response.body" and not message.get("more_body", False)
        )
        self._bytes += len(message.get("body", b""))
        try:
            # Of a denial that comes in pieces, as every answer below Starlette's BaseHTTPMiddleware does, none may be ahead.
            if (last or (self._head is not None and self._status in DENIED)) and not self._written:
                self._write(None, ended=True, size=self._bytes if last else None)
            if self.exchange.pending:
                await stored(self._frame, self.exchange)
        except WriteError:
            if self._left:  # all that remains is to break the answer off
                raise
            self._refused = True
            self._status = 503
            await respond(self._send, 503, AWAY, {"Retry-After": "1"})
            return
        if self._head is not None:
            await self._let_go()
        await self._send(message)

    def _must_wait(self) -> bool:
        """Whether the head stays here until an event is on the disk. A stream of events would wait for its first one."""
        if self._mime == "text/event-stream" and self._status not in DENIED:
            return False
        return bool(self.exchange.pending) or self._frame.durability_of(self._status or 500) == "sync"

    async def _let_go(self) -> None:
        head, self._head = self._head, None
        if head is not None:
            self._left = True
            await self._send(head)

    async def finish(self, error: BaseException | None) -> None:
        """Called once when the application is done: an answer that never ended still gets its event."""
        if self._written:
            return
        try:
            self._write(error, size=self._bytes)
            await stored(self._frame, self.exchange)
        except WriteError:
            if error is None:  # else the application's own error is the one to hear of
                raise

    def _write(self, error: BaseException | None, *, size: int | None, ended: bool = False) -> None:
        self._written = True
        # A head that was held and never left is no answer: the server, or whoever is outside of us, sends a 500.
        status = self._status if self._status is not None and (self._left or ended) else 500
        outcome = Outcome(
            status,
            self._started_us,
            clock.monotonic_ns() - self._started_ns,
            self._frame.durability_of(status),
            size,
            self._mime,
            self._failure(error, ended=ended),
        )
        self._frame.write(self._scope, self._root, self.exchange, outcome)

    def _failure(self, error: BaseException | None, *, ended: bool) -> str | None:
        """Class of what went wrong with the answer itself; None when it ended as it should."""
        if error is not None:
            return type(error).__name__
        if self._gone:
            return "ClientDisconnect"
        if ended:
            return None
        return "IncompleteResponse" if self._left else "NoResponse"


async def stored(frame: Frame, exchange: Exchange) -> None:
    """Wait until every pending event is on disk.

    Raises:
        WriteError: the disk failed or took longer than `sync_timeout_s`, and the policy is to refuse.
    """
    pending, exchange.pending = exchange.pending, []
    if not pending:
        return
    waiters = [asyncio.wrap_future(done) for done in pending]
    try:
        async with asyncio.timeout(frame.settings.sync_timeout_s):
            await asyncio.gather(*waiters)
    except (TimeoutError, WriteError, OSError) as error:
        frame.late(error)
