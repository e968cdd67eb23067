"""What every request must pass before it reaches a route: the right host, a session, and for unsafe methods a CSRF token.

Pure ASGI, outermost; it also puts the security headers on every answer, whoever made it.
"""

import hmac
import secrets
from collections.abc import MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jwtrail.web import tlog
from jwtrail.web.answers import failure
from jwtrail.web.api import METRICS, PREFIX
from jwtrail.web.security import Session, SignIns
from jwtrail.web.settings import WebSettings

__all__ = ["Guard", "content_security_policy"]

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_UNATTENDED = ("/status", "/stream")
_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


def content_security_policy(nonce: str, base: str = "'none'") -> str:
    """The policy of one answer.

    Args:
        nonce: for the styles that the page's libraries insert.
        base: `'self'` on the one page that carries a `<base>`, whose address the server wrote.
    """
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; "
        f"font-src 'self'; connect-src 'self'; base-uri {base}; form-action 'self'; frame-ancestors 'none'"
    )


class Guard:
    """Wraps the console. Puts `state.session` (or None) and `state.nonce` into the scope."""

    def __init__(self, app: ASGIApp, *, settings: WebSettings, sign_ins: SignIns) -> None:
        self._app = app
        self._settings = settings
        self._sign_ins = sign_ins
        closed = [PREFIX + "/"]
        closed += [] if settings.public_log else [tlog.PREFIX + "/"]
        closed += [] if settings.public_metrics else [METRICS]
        self._closed = tuple(settings.root_path + prefix for prefix in closed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        nonce = secrets.token_urlsafe(16)

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                _seal(message, nonce)
            await send(message)

        headers = Headers(scope=scope)
        session = self._session(scope, headers)
        state: MutableMapping[str, Any] = scope.setdefault("state", {})
        state["session"] = session
        state["nonce"] = nonce
        if self._settings.root_path:
            scope["root_path"] = self._settings.root_path
            if not scope["path"].startswith(self._settings.base):
                scope["path"] = self._settings.root_path + scope["path"]
        answer = self._refusal(scope, headers, session) or self._app
        await answer(scope, receive, sealed)

    def _session(self, scope: Scope, headers: Headers) -> Session | None:
        cookie = cookie_parser(headers.get("cookie", "")).get(self._settings.cookie, "")
        # What an open page asks for by itself is no sign that somebody sits in front of it.
        touch = not scope["path"].endswith(_UNATTENDED)
        return self._sign_ins.find(cookie, touch=touch) if cookie else None

    def _refusal(self, scope: Scope, headers: Headers, session: Session | None) -> Response | None:
        if _hostname(headers.get("host", "")) not in self._settings.hosts:
            return failure(
                421, "host_unknown", "This name is not served here.", hint="add it to console.hosts"
            )
        if not scope["path"].startswith(self._closed):
            return None
        if session is None:
            return failure(
                401, "not_signed_in", "Not signed in.", hint="open the link that jwtrail serve prints"
            )
        if scope["method"] in _SAFE:
            return None
        if not _same_origin(headers):
            return failure(403, "origin_mismatch", "The request comes from another site.")
        if not hmac.compare_digest(headers.get("x-csrf-token", "").encode(), session.csrf.encode()):
            return failure(403, "csrf_mismatch", "X-CSRF-Token is missing or wrong.", hint="reload the page")
        return None


def _hostname(host: str) -> str:
    """The name in a Host header, without port and brackets, lower case."""
    name = host.lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.rpartition(":")[0] if ":" in name else name


def _same_origin(headers: Headers) -> bool:
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    if origin is None:  # not a browser: the CSRF token alone decides
        return True
    # Behind a proxy that ends TLS the scheme is not known here; the host is what another site cannot have.
    return origin.lower() in {f"{scheme}://{headers.get('host', '').lower()}" for scheme in ("http", "https")}


def _seal(message: Message, nonce: str) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
    headers.setdefault("content-security-policy", content_security_policy(nonce))
    headers.setdefault("cache-control", "no-store")
