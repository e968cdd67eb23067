"""The token routes as an ASGI application of their own, to mount in any framework."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from jwtrail.middleware.answers import respond
from jwtrail.middleware.exchange import SCOPE_KEY
from jwtrail.runtime.endpoints import MAX_FORM_BYTES, PATHS, Endpoints, form_of

__all__ = ["TokenRoutes"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]


class TokenRoutes:
    """Serves `endpoints.PATHS` below wherever it is mounted. It must stand behind the middleware.

    Args:
        endpoints: what the routes do.
    """

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints

    async def __call__(
        self,
        scope: Scope,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        if scope["type"] != "http":
            raise ValueError(f"no {scope['type']} here")
        path = str(scope["path"]).removeprefix(str(scope.get("root_path", "")).rstrip("/"))
        known = PATHS.get(path)
        if known is None:
            await respond(send, 404, b'{"error":"not_found"}', {})
        elif scope["method"] != known[0]:
            await respond(send, 405, b'{"error":"method_not_allowed"}', {"Allow": known[0]})
        elif (body := await _body(receive)) is None:
            await respond(send, 413, b'{"error":"too_large"}', {})
        else:
            reply = await asyncio.to_thread(
                self._endpoints.answer, path, form_of(body, _content_type(scope)), scope[SCOPE_KEY]
            )
            await respond(send, reply.status, reply.body, dict(reply.headers))


async def _body(receive: Callable[[], Awaitable[Message]]) -> bytes | None:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if len(body) > MAX_FORM_BYTES:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _content_type(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"content-type":
            return str(value.decode("latin-1"))
    return ""
