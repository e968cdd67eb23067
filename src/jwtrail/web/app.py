"""The console's ASGI application: routes from the table in `api.py`, answered by the functions named here."""

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from jwtrail.errors import JwtrailError
from jwtrail.runtime.metrics import CONTENT_TYPE
from jwtrail.web import (
    alerts,
    alertwork,
    answers,
    counts,
    events,
    export,
    facts,
    openapi,
    revocations,
    streams,
    tlog,
)
from jwtrail.web.api import ENDPOINTS, METRICS, PREFIX, Endpoint
from jwtrail.web.call import MAX_BODY, Call, TooLarge, read
from jwtrail.web.entrance import Entrance
from jwtrail.web.guard import Guard
from jwtrail.web.kibana import Discover
from jwtrail.web.live import Full
from jwtrail.web.security import SignIns
from jwtrail.web.services import Services
from jwtrail.web.settings import WebSettings
from jwtrail.web.static import STATIC, Assets, Index
from jwtrail.web.working import worked

__all__ = ["HANDLERS", "MAX_AT_ONCE", "STREAMS", "build"]

MAX_AT_ONCE = 8
"""Requests that work at one time; the rest wait. Searches share one database and two cores are common."""

HANDLERS: dict[str, Callable[[Call], Any]] = {
    "status": facts.status,
    "search_events": events.search,
    "export_events": export.answer,
    "histogram": events.histogram,
    "top": events.top,
    "field_stats": counts.stats,
    "entities": counts.entities,
    "list_saved": counts.saved,
    "save_search": counts.keep,
    "forget_saved": counts.forget,
    "get_event": events.get,
    "events_around": events.around,
    "prove_event": events.prove,
    "list_alerts": alerts.list_page,
    "get_alert": alerts.get,
    "change_alert": alerts.change,
    "export_alerts": alertwork.export,
    "alert_groups": alertwork.groups,
    "risk": alertwork.risk,
    "list_deliveries": alertwork.deliveries,
    "resend_delivery": alertwork.resend,
    "undo_answers": alertwork.undo,
    "explain_event": alertwork.explain,
    "list_rules": facts.rules,
    "list_revocations": revocations.list_all,
    "preview_revocation": revocations.preview,
    "revoke": revocations.revoke,
    "undo_revocation": revocations.undo,
    "lift_restraint": revocations.lift,
    "list_fields": facts.fields,
    "get_session": facts.session,
}
"""Functions that may block; each runs in a thread."""

STREAMS = {"stream_events": streams.events, "stream_alerts": streams.alerts}
"""Functions that join a live topic; they run in the event loop and never block."""

_log = logging.getLogger("jwtrail.web")

Answer = Callable[[Request], Awaitable[Response]]


def build(
    services: Services, settings: WebSettings, sign_ins: SignIns | None = None, directory: Path = STATIC
) -> Starlette:
    """The console.

    Args:
        sign_ins: who may come in; pass one to print links from outside (`SignIns.new_key`).
        directory: where the built pages lie.
    """
    keys = sign_ins or SignIns(settings, services.now_us)
    door = Entrance(services, settings, keys)
    limiter = anyio.CapacityLimiter(MAX_AT_ONCE)
    log_files = tlog.LogFiles(services.log, limiter, public=settings.public_log)

    def answering(end: Endpoint) -> Answer:
        if end.name == "logout":
            return door.logout

        async def answer(request: Request) -> Response:
            call = await read(end, request, services, settings)
            if stream := STREAMS.get(end.name):
                return stream(call, request, keys)
            made = await worked(request, partial(HANDLERS[end.name], call), limiter)
            if isinstance(made, Response):
                return made
            return Response(status_code=204) if end.answer is None else answers.json(made)

        return answer

    async def metrics(_request: Request) -> Response:
        page = await anyio.to_thread.run_sync(services.metrics, limiter=limiter)
        return Response(page, media_type=CONTENT_TYPE)

    routes: list[BaseRoute] = [
        Route(PREFIX + _pattern(end.path), _caught(answering(end)), methods=[end.method]) for end in ENDPOINTS
    ]
    routes += [
        Route(PREFIX + "/openapi.json", _openapi),
        Route(PREFIX + "/kibana", Discover(settings).answer),
        Route(PREFIX + "/{rest:path}", _unknown, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
        Route(METRICS, _caught(metrics)),
        Route("/login", door.login),
        Route(tlog.PREFIX + "/{path:path}", log_files.answer),
        Mount("/assets", Assets(directory)),
        Route("/{path:path}", Index(settings, directory).answer),
    ]
    return Starlette(routes=routes, middleware=[Middleware(Guard, settings=settings, sign_ins=keys)])


def _pattern(path: str) -> str:
    # A subject or a name may hold a slash; the last part of a path takes it.
    return path.replace("{value}", "{value:path}").replace("{name}", "{name:path}")


def _caught(answer: Answer) -> Answer:
    """Every failure as JSON; what nobody foresaw is logged here and told to nobody."""

    async def safe(request: Request) -> Response:
        try:
            return await answer(request)
        except msgspec.DecodeError as error:  # its child ValidationError names the field
            return answers.failure(400, "request_invalid", str(error))
        except TooLarge:
            return answers.failure(413, "body_too_large", f"The body is longer than {MAX_BODY} bytes.")
        except Full:
            return answers.failure(503, "streams_full", "Too many streams are open.", hint="close a tab")
        except JwtrailError as error:
            return _told(error)
        except Exception:  # noqa: BLE001  # the last door: a browser gets JSON whatever broke
            _log.exception("%s %s failed", request.method, request.url.path)
            return answers.failure(500, "internal", "Something failed here; the daemon's log says what.")

    return safe


def _told(error: JwtrailError) -> Response:
    made = answers.from_error(error)
    if made.status_code >= 500:
        _log.error("%s: %s", error.code, error)
    return made


def _openapi(_request: Request) -> Response:
    return Response(openapi.FILE.read_bytes(), media_type="application/json")


def _unknown(request: Request) -> Response:
    return answers.failure(404, "path_unknown", f"The API has no {request.method} {request.url.path}.")
