"""From the console to the same question in Kibana's Discover."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from jwtrail.ship.saved.links import discover_url
from jwtrail.web.answers import failure
from jwtrail.web.settings import WebSettings

__all__ = ["MAX_TEXT", "Discover"]

MAX_TEXT = 4096
"""Letters of the query; browsers and proxies cut longer addresses."""


class Discover:
    """`GET kibana?q=…&from=…&to=…`: leads to `kibana_url`."""

    def __init__(self, settings: WebSettings) -> None:
        self._base = settings.kibana_url

    async def answer(self, request: Request) -> Response:
        """A redirect; 404 when no Kibana is set."""
        if not self._base:
            return failure(404, "kibana_unknown", "No Kibana is known.", hint="set serve.kibana_url")
        asked = request.query_params
        query, start, end = asked.get("q", ""), asked.get("from", "now-24h"), asked.get("to", "now")
        if len(query) + len(start) + len(end) > MAX_TEXT:
            return failure(400, "query_too_long", f"The query is longer than {MAX_TEXT} letters.")
        return RedirectResponse(discover_url(self._base, query, start, end), status_code=302)
