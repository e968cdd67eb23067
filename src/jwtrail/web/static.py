"""Serves the built console: hashed assets for ever, index.html never from a cache and with its nonce filled in."""

from html import escape
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from jwtrail.web import pages
from jwtrail.web.guard import content_security_policy
from jwtrail.web.settings import WebSettings

__all__ = ["STATIC", "Assets", "Index"]

STATIC = Path(__file__).with_name("static")
"""Where the build puts the console."""

NONCE_MARK = "__CSP_NONCE__"
BASE_MARK = "__BASE__"


class Assets:
    """`/assets/…`: names carry a hash of the content, so they may be kept for ever. Public: they hold no data."""

    def __init__(self, directory: Path = STATIC) -> None:
        self._files = StaticFiles(directory=directory / "assets", check_dir=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = self._files.get_path(scope)
        answer = await self._files.get_response(path, scope)
        if answer.status_code in (200, 304):
            answer.headers["cache-control"] = "public, max-age=31536000, immutable"
        await answer(scope, receive, send)


class Index:
    """The one page of the console, for every path that is nothing else, so that its addresses can be shared."""

    def __init__(self, settings: WebSettings, directory: Path = STATIC) -> None:
        self._base = escape(settings.base, quote=True)
        self._directory = directory
        self._file = directory / "index.html"

    def answer(self, request: Request) -> Response:
        nonce = request.state.nonce
        if (icon := self._icon(request.path_params["path"])) is not None:
            return FileResponse(icon, headers={"cache-control": "public, max-age=3600"})
        if request.state.session is None:
            return HTMLResponse(pages.signed_out(nonce), 401)
        try:
            text = self._file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return HTMLResponse(pages.not_built(nonce), 503)
        page = HTMLResponse(text.replace(NONCE_MARK, nonce).replace(BASE_MARK, self._base))
        page.headers["content-security-policy"] = content_security_policy(nonce, base="'self'")
        return page

    def _icon(self, name: str) -> Path | None:
        """A file beside the index, such as the icon: only names that are really there, so that no path leads out."""
        if "." not in name or "/" in name or name == "index.html" or not self._directory.is_dir():
            return None
        return next(
            (file for file in self._directory.iterdir() if file.name == name and file.is_file()), None
        )
