"""Answers that jwtrail gives itself, and what the trail tells of any answer."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

__all__ = ["AWAY", "DENIED", "Message", "Send", "kind_of", "mime_of", "respond"]

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

AWAY = b'{"error":"temporarily_unavailable"}'
DENIED = frozenset({401, 403, 429})


def kind_of(status: int) -> tuple[str, str]:
    if status in DENIED:
        return ("access", "denied")
    return ("access", "error") if status >= 500 else ("access", "allowed")


def mime_of(head: Message) -> str | None:
    for name, value in head.get("headers", ()):
        if name.lower() == b"content-type":
            return str(value.partition(b";")[0].decode("latin-1"))
    return None


async def respond(send: Send, status: int, body: bytes, headers: dict[str, str]) -> None:
    """Send a whole JSON answer; it is not to be kept unless `headers` say otherwise."""
    named = {"cache-control": "no-store"} | {name.lower(): value for name, value in headers.items()}
    named |= {"content-type": "application/json", "content-length": str(len(body))}
    raw = [(name.encode(), value.encode("latin-1")) for name, value in named.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
