"""Noticing changes in Redis: at once by pub/sub, after a moment at the latest by a counter."""

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from jwtrail.errors import StateError

__all__ = ["POLL_S", "RETRY_S", "RedisFollower"]

POLL_S = 0.25
"""Between two looks at the counter: how late a lost message is noticed, and with the time-out how late an outage."""

RETRY_S = 0.25
"""Between two attempts while the server is away."""


class Source(Protocol):
    """What is followed: `redisstore.RedisStore`."""

    def state(self) -> tuple[bytes, bytes]:
        """Epoch and version."""

    def restore(self) -> None:
        """Give a server that has lost its data what this process knows."""

    def subscribed(self) -> AbstractContextManager[Callable[[float], bool]]:
        """A function that waits for a change."""


class RedisFollower:
    """See `shared.Follower`. A fork takes the thread away; in the child it is started again.

    Args:
        source: what is followed.
        on_change: called after every change, and whenever a connection was made anew.
        on_health: called with the cause when the server goes away, with an empty text when it is back.
    """

    def __init__(
        self, source: Source, on_change: Callable[[], None], on_health: Callable[[str], None] | None = None
    ) -> None:
        self._source = source
        self._on_change = on_change
        self._on_health = on_health
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._seen: tuple[bytes, bytes] | None = None
        self.failing = ""

    def start(self) -> None:
        """Begin to follow; again has no effect. Changes from before are told once."""
        if self._thread is not None:
            return
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(self._stop,), name="jwtrail-watch", daemon=True
        )
        self._thread.start()
        _running.add(self)

    def close(self) -> None:
        """Stop, and wait for the thread."""
        _running.discard(self)
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self._thread = None

    def restart_after_fork(self) -> None:
        """Start anew in a child, where the thread no longer exists."""
        self._thread = None
        self.start()

    def _run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                for _ in self._connected(stop):
                    self._told("")
            except StateError as error:
                self._told(str(error))
                stop.wait(RETRY_S)

    def _connected(self, stop: threading.Event) -> Iterator[None]:
        """One connection's life; comes back after every good look."""
        with self._source.subscribed() as changed:
            while not stop.is_set():
                self._look()
                yield
                changed(POLL_S)

    def _look(self) -> None:
        now = self._source.state()
        if now == self._seen:
            return
        if (
            self._seen is None or now[0] != self._seen[0]
        ):  # at first too: it may have been lost before we looked
            self._source.restore()
            now = self._source.state()
        self._on_change()
        self._seen = now

    def _told(self, failing: str) -> None:
        changed = bool(failing) != bool(self.failing)
        self.failing = failing
        if changed and self._on_health is not None:
            self._on_health(failing)


_running: weakref.WeakSet[RedisFollower] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for follower in list(_running):
        follower.restart_after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)
