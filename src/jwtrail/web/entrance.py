"""Coming in by a one-time link, and going out."""

from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from jwtrail.ecs import event_for
from jwtrail.web import pages
from jwtrail.web.answers import failure
from jwtrail.web.security import Session, SignIns, TooManyFailures
from jwtrail.web.services import Services
from jwtrail.web.settings import WebSettings

__all__ = ["Entrance"]

MAX_KEY = 128
"""Characters of a key; ours have 43."""


class Entrance:
    """`/login?key=…` and `/api/v1/session/logout`."""

    def __init__(self, services: Services, settings: WebSettings, sign_ins: SignIns) -> None:
        self._services = services
        self._settings = settings
        self._sign_ins = sign_ins

    def login(self, request: Request) -> Response:
        """Worth one session. Whoever is signed in already is let through without using the link up."""
        if request.state.session is not None:
            return RedirectResponse(self._settings.base, 303)
        nonce = request.state.nonce
        if request.method != "GET":  # a preview of the link must not use it up
            return Response(status_code=204)
        if not _is_opened(request.headers):
            return failure(
                403, "origin_mismatch", "Another site asked for this.", hint="open the link itself"
            )
        source = request.client.host if request.client else ""
        key = request.query_params.get("key", "")[:MAX_KEY]
        try:
            session = self._sign_ins.redeem(key, source) if key else None
        except TooManyFailures:
            page = pages.signed_out(nonce, problem="Too many wrong links; wait a minute")
            return HTMLResponse(page, 429, {"retry-after": "60"})
        if session is None:
            self._record("login", source, "failure", None)
            return HTMLResponse(pages.signed_out(nonce, problem="This link was used or is too old"), 401)
        self._record("login", source, "success", session)
        answer = HTMLResponse(pages.signed_in(nonce, self._settings.base))
        answer.set_cookie(
            self._settings.cookie,
            session.id,
            max_age=self._settings.absolute_s,
            path=self._settings.base,
            secure=self._settings.https,
            httponly=True,
            samesite="strict",
        )
        return answer

    async def logout(self, request: Request) -> Response:
        """Ends the session; the guard has seen to it that there is one."""
        session: Session = request.state.session
        self._sign_ins.end(session)
        self._record("logout", request.client.host if request.client else "", "success", session)
        answer = Response(status_code=204)
        answer.delete_cookie(self._settings.cookie, path=self._settings.base)
        return answer

    def _record(self, what: str, source: str, outcome: str, session: Session | None) -> None:
        words = {"login": "signed in to the console", "logout": "signed out of the console"}[what]
        fields: dict[str, Any] = {
            "event_outcome": outcome,
            "event_reason": None if session else "bad_credentials",
            "source_ip": source or None,
            "user_id": session.user if session else None,
            "message": words if session else "refused a sign-in link for the console",
        }
        self._services.record(event_for("console-login", at_us=self._services.now_us(), **fields))


def _is_opened(headers: Headers) -> bool:
    """False when a page of another site asks by itself: as a picture, by a script, in a frame, or sending the browser on.

    A person's click on the link counts wherever it stands, such as in a web terminal. What is no browser says nothing
    (Fetch Metadata, W3C).
    """
    if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
        return True
    asked = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest"), headers.get("sec-fetch-user"))
    return asked == ("navigate", "document", "?1")
