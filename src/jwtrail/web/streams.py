"""Live streams as server-sent events (WHATWG HTML section 9.2)."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from jwtrail.ecs import Event, document
from jwtrail.kql import compile_kql
from jwtrail.predicate.python import compile_predicate
from jwtrail.web.call import Call
from jwtrail.web.live import Listener, Topic
from jwtrail.web.security import SignIns
from jwtrail.web.shapes import AlertView

__all__ = ["MAX_MESSAGES", "alerts", "events"]

MAX_MESSAGES = 200
"""Events in one go; more than a screen shows are counted, not sent."""

PAUSE_S = 0.2
"""Between two goes, so that a busy trail cannot drown a browser."""

SILENCE_S = 15.0
"""A comment line after so much silence keeps proxies from closing the stream and finds browsers that left."""

T = TypeVar("T")
_encode = msgspec.json.Encoder().encode


def events(call: Call, request: Request, sign_ins: SignIns) -> Response:
    """New events that match `q`.

    Raises:
        KqlError, PredicateError: the query.
        Full: too many streams.
    """
    matches: Callable[[Event], bool] | None = None
    if call.query.q.strip():
        matches = compile_predicate(compile_kql(call.query.q, call.services.now_us()))

    def written(items: Sequence[Event], lost: int) -> bytes:
        fitting = [event for event in items if matches is None or matches(event)]
        lost += max(0, len(fitting) - MAX_MESSAGES)
        told = [_message("event", document(event)) for event in fitting[-MAX_MESSAGES:]]
        return b"".join(told) + _lost(lost)

    return _stream(call.services.live.events, written, _alive(call, request, sign_ins))


def alerts(call: Call, request: Request, sign_ins: SignIns) -> Response:
    """New alerts. Raises Full: too many streams."""

    def written(items: Sequence[AlertView], lost: int) -> bytes:
        return b"".join(_message("alert", alert) for alert in items) + _lost(lost)

    return _stream(call.services.live.alerts, written, _alive(call, request, sign_ins))


def _stream(
    topic: Topic[T], written: Callable[[Sequence[T], int], bytes], alive: Callable[[], object]
) -> Response:
    listener = topic.join()
    return _Leaving(_lines(listener, written, alive), lambda: topic.leave(listener))


class _Leaving(StreamingResponse):
    """Leaves its topic however it ends, also when the browser left before the first byte."""

    def __init__(self, lines: AsyncIterator[bytes], leave: Callable[[], None]) -> None:
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        super().__init__(lines, media_type="text/event-stream", headers=headers)
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._leave()


async def _lines(
    listener: Listener[T], written: Callable[[Sequence[T], int], bytes], alive: Callable[[], object]
) -> AsyncIterator[bytes]:
    yield b"retry: 2000\n\n"
    while alive() and not listener.closed:
        items, lost = await listener.take(SILENCE_S)
        if not items:
            yield b": still here\n\n"
        elif data := written(items, lost):
            yield data
            await asyncio.sleep(PAUSE_S)


def _alive(call: Call, request: Request, sign_ins: SignIns) -> Callable[[], object]:
    """A stream ends when its session does; without this it would outlive a sign-out."""
    cookie = request.cookies.get(call.settings.cookie, "")
    return lambda: sign_ins.find(cookie, touch=False)


def _lost(count: int) -> bytes:
    return _message("lost", count) if count else b""


def _message(kind: str, data: object) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + _encode(data) + b"\n\n"
