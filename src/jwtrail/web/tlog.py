"""`/tlog/…`: the log as C2SP tlog-tiles, for tools that are not ours."""

from collections.abc import Callable

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from jwtrail.errors import JwtrailError
from jwtrail.trail.publish import CHECKPOINT
from jwtrail.web import answers

__all__ = ["PREFIX", "LogFiles"]

PREFIX = "/tlog"

_FOR_EVER = "max-age=31536000, immutable"
"""For tiles and bundles: what a checkpoint covers never changes."""


class LogFiles:
    """Answers for the resources of the log.

    Args:
        read: content of a resource by its path; None when there is none.
        limiter: how many requests may work at one time.
        public: they are answered without sign-in, so caches between may keep them.
    """

    def __init__(
        self, read: Callable[[str], bytes | None], limiter: anyio.CapacityLimiter, *, public: bool
    ) -> None:
        self._read = read
        self._limiter = limiter
        self._cache = f"{'public' if public else 'private'}, {_FOR_EVER}"

    async def answer(self, request: Request) -> Response:
        path = request.path_params["path"]
        try:
            found = await anyio.to_thread.run_sync(self._read, path, limiter=self._limiter)
        except JwtrailError as error:
            return answers.from_error(error)
        if found is None:
            return answers.failure(404, "not_in_the_log", "The last checkpoint covers no such resource.")
        if path == CHECKPOINT:
            return Response(found, media_type="text/plain; charset=utf-8")
        headers = {"cache-control": self._cache}
        return Response(found, headers=headers, media_type="application/octet-stream")
