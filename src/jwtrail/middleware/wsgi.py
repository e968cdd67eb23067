"""WSGI middleware (PEP 3333): one event for each request, whatever becomes of it."""

import asyncio
import os
import threading
from collections import UserDict
from collections.abc import Callable, Coroutine, Iterable
from http import HTTPStatus
from typing import Any

from jwtrail.errors import ConfigError, StateError
from jwtrail.middleware.exchange import SCOPE_KEY, Exchange, current
from jwtrail.middleware.frame import UNAVAILABLE, Frame, Refusal, Scope
from jwtrail.middleware.wsgianswer import App, Environ, StartResponse, WsgiAnswer

__all__ = ["SCOPE", "WsgiMiddleware", "exchange_of", "reply", "scope_of"]

SCOPE = "jwtrail.scope"
"""Where in the environment the request's scope is: what knows the route sets `scope["route"]` and `scope["path_params"]`."""

_REASONS = {status.value: status.phrase for status in HTTPStatus}


class WsgiMiddleware:
    """Verifies the bearer token, serves or refuses, and records exactly one event.

    Args:
        app: the application inside.
        frame: judges requests and makes their events.
        on_startup: called with the first request of each process.
    """

    def __init__(self, app: App, frame: Frame, *, on_startup: Callable[[], None] | None = None) -> None:
        self.app = app
        self._frame = frame
        self._on_startup = on_startup
        self._aside = _Aside()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        ready = self._is_ready()  # before the first look at a token
        scope = scope_of(environ)
        environ[SCOPE] = scope
        exchange = self._frame.open(scope)
        answer = WsgiAnswer(self._frame, scope, exchange, start_response)
        token = current.set(exchange)
        try:
            refusal = self._refusal(scope, exchange) if ready else self._frame.unready(exchange)
            if refusal is None:
                answer.take(self.app(environ, answer.start))
            else:
                exchange.reason = refusal.reason or exchange.reason
                answer.take(reply(answer.start, refusal.status, refusal.body, refusal.headers))
        except BaseException as error:
            answer.finish(error)
            raise
        finally:
            current.reset(token)
        return answer

    def _is_ready(self) -> bool:
        """False while it cannot be read what is revoked."""
        try:
            if self._on_startup is not None:
                self._on_startup()
        except StateError:
            return False
        return True

    def _refusal(self, scope: Scope, exchange: Exchange) -> Refusal | None:
        gate = self._frame.gate
        if not (gate.is_settled(exchange) or self._aside.run(gate.settle(scope, exchange))):
            return UNAVAILABLE
        return self._frame.refusal(scope, exchange)


def exchange_of(environ: Environ) -> Exchange:
    """The notes of the request with this environment.

    Raises:
        ConfigError: it did not come through the middleware.
    """
    if SCOPE not in environ:
        raise ConfigError(
            "this request did not come through the trail",
            hint="serve what `trail.wrap` gave, and in tests of Flask ask `app.test_client()`",
        )
    exchange: Exchange = environ[SCOPE][SCOPE_KEY]
    return exchange


def reply(start: StartResponse, status: int, body: bytes, headers: Any) -> list[bytes]:
    """A whole JSON answer; it is not to be kept unless `headers` say otherwise."""
    named = {"cache-control": "no-store"} | {name.lower(): value for name, value in dict(headers).items()}
    named |= {"content-type": "application/json", "content-length": str(len(body))}
    start(f"{status} {_REASONS[status]}", list(named.items()))
    return [body]


def scope_of(environ: Environ) -> Scope:
    """The request in the words of ASGI, which everything behind the doors speaks.

    PEP 3333 has text as bytes that were read as latin-1, and joins headers of one name with commas: two credentials are told
    by the comma.
    """
    root = _text(environ.get("SCRIPT_NAME", ""))
    target = environ.get("RAW_URI") or environ.get("REQUEST_URI")  # gunicorn and werkzeug; uwsgi and mod_wsgi
    scope = {
        "type": "http",
        "http_version": environ.get("SERVER_PROTOCOL", "HTTP/1.1").rpartition("/")[2],
        "method": environ["REQUEST_METHOD"],
        "scheme": environ.get("wsgi.url_scheme", "http"),
        "path": root + _text(environ.get("PATH_INFO", "")),
        "raw_path": target.encode("latin-1", "replace").partition(b"?")[0] if target else b"",
        "query_string": environ.get("QUERY_STRING", "").encode("latin-1", "replace"),
        "root_path": root,
        "headers": _headers(environ),
        "client": _peer(environ),
    }
    return _Unshown(scope)


def _headers(environ: Environ) -> list[tuple[bytes, bytes]]:
    named = ((name[5:], value) for name, value in environ.items() if name.startswith("HTTP_"))
    # Servers set these two, empty, when the client did not.
    own = ((name, environ[name]) for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if environ.get(name))
    return [
        (name.replace("_", "-").lower().encode("latin-1", "replace"), value.encode("latin-1", "replace"))
        for pairs in (named, own)
        for name, value in pairs
        if isinstance(value, str)
    ]


def _peer(environ: Environ) -> tuple[str, int | None] | None:
    address, port = environ.get("REMOTE_ADDR"), str(environ.get("REMOTE_PORT", ""))
    before = environ.get("werkzeug.proxy_fix.orig")
    if before and before.get("REMOTE_ADDR") != address:
        port = "0"  # as uvicorn says that it has read `X-Forwarded-For` already; the proxy's port is not the client's
    if not address:  # a Unix socket has none
        return None
    return address, int(port) if port.isascii() and port.isdigit() else None


def _text(raw: str) -> str:
    return raw.encode("latin-1", "replace").decode("utf-8", "replace")


class _Unshown(UserDict[str, Any]):
    """Debug pages and error mails show the environment, and mask only what they know: here are the token and the cookies again."""

    def __repr__(self) -> str:
        return "<request>"


class _Aside:
    """An event loop in a thread, for the little that must wait on the way of a request: a proof's store, an issuer's keys.

    Most requests never need it. The thread starts when first used, anew in a process that was forked.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = 0

    def run(self, waiting: Coroutine[Any, Any, bool]) -> bool:
        with self._lock:
            if self._loop is None or self._pid != os.getpid():
                self._loop, self._pid = asyncio.new_event_loop(), os.getpid()
                threading.Thread(target=self._loop.run_forever, name="jwtrail-aside", daemon=True).start()
        return asyncio.run_coroutine_threadsafe(waiting, self._loop).result()
