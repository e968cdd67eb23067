"""Work for a request in a thread, which ends when nobody waits for the answer any more."""

import asyncio
from collections.abc import Callable
from typing import Any

import anyio
import anyio.to_thread
from starlette.requests import Request

from jwtrail.query.running import Run, running

__all__ = ["worked"]


async def worked(request: Request, work: Callable[[], Any], limiter: anyio.CapacityLimiter) -> Any:
    """The result of `work`. A closed tab cancels the searches of a GET; what changes something is done to its end."""
    run = Run()

    def within() -> Any:
        with running(run):
            return work()

    if request.method != "GET":
        return await anyio.to_thread.run_sync(within, limiter=limiter)
    watcher = asyncio.create_task(_cancelled_when_gone(request, run))
    try:
        return await anyio.to_thread.run_sync(within, limiter=limiter)
    finally:
        watcher.cancel()


async def _cancelled_when_gone(request: Request, run: Run) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    run.cancel()
