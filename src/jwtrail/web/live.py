"""New events and alerts, handed from the daemon's thread to every browser that listens.

A listener that is too slow loses events, never memory and never the daemon's time; it is told how many it lost.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Sequence
from typing import Generic, TypeVar

from jwtrail.ecs import Event
from jwtrail.web.shapes import AlertView

__all__ = ["MAX_LISTENERS", "MAX_WAITING", "Full", "Listener", "Live", "Topic"]

MAX_LISTENERS = 64
"""Streams at one time: a browser opens two."""

MAX_WAITING = 2000
"""Items that wait for one listener: a screen shows the newest 500."""

T = TypeVar("T")


class Full(Exception):  # noqa: N818  # reads as a sentence where it is caught
    """`MAX_LISTENERS` are listening already."""


class Listener(Generic[T]):
    """The waiting line of one stream; lives in the event loop that made it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ready = asyncio.Event()
        self._lock = threading.Lock()
        self._items: deque[T] = deque()
        self._lost = 0
        self.closed = False

    def put(self, items: Sequence[T]) -> None:
        """From any thread. Keeps the newest `MAX_WAITING`."""
        with self._lock:
            self._items.extend(items)
            while len(self._items) > MAX_WAITING:
                self._items.popleft()
                self._lost += 1
        self._wake()

    def close(self) -> None:
        """From any thread: nothing comes any more, the stream should end."""
        self.closed = True
        self._wake()

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._ready.set)
        except RuntimeError:  # the loop has ended; the listener goes with it
            return

    async def take(self, timeout_s: float) -> tuple[list[T], int]:
        """What came, oldest first, and how many were lost; nothing after `timeout_s` seconds of silence."""
        try:
            await asyncio.wait_for(self._ready.wait(), timeout_s)
        except TimeoutError:
            return [], 0
        with self._lock:
            self._ready.clear()
            taken, lost = list(self._items), self._lost
            self._items.clear()
            self._lost = 0
        return taken, lost


class Topic(Generic[T]):
    """What one kind of stream listens to."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: set[Listener[T]] = set()

    def publish(self, items: Sequence[T]) -> None:
        if not self._listeners or not items:
            return
        with self._lock:
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener.put(items)

    def join(self) -> Listener[T]:
        """A new listener of the running event loop.

        Raises:
            Full: too many already.
        """
        with self._lock:
            if len(self._listeners) >= MAX_LISTENERS:
                raise Full
            listener: Listener[T] = Listener()
            self._listeners.add(listener)
        return listener

    def close(self) -> None:
        with self._lock:
            for listener in self._listeners:
                listener.close()

    def leave(self, listener: Listener[T]) -> None:
        with self._lock:
            self._listeners.discard(listener)


class Live:
    """Two topics. The daemon publishes, the streams of the API join."""

    def __init__(self) -> None:
        self.events: Topic[Event] = Topic()
        self.alerts: Topic[AlertView] = Topic()

    def publish(self, events: Sequence[Event] = (), alerts: Sequence[AlertView] = ()) -> None:
        """From any thread; returns at once."""
        self.events.publish(events)
        self.alerts.publish(alerts)

    def close(self) -> None:
        """End every stream, so that a server can stop without waiting for browsers."""
        self.events.close()
        self.alerts.close()
