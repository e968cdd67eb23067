"""Noticing that any process changed `state.db`, without a query on the request path."""

import os
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from jwtrail.errors import StateError
from jwtrail.state.database import Database

__all__ = ["INTERVAL_S", "Watch"]

INTERVAL_S = 0.01
"""One look costs some 5 µs (SQLite reads a counter in shared memory), so a hundred a second are nothing."""


class Watch:
    """Calls back, from its own thread, soon after any process committed a change to the file.

    A fork takes the thread away; in the child it is started again.

    Args:
        path: the file of a `StateStore`.
        on_change: called without arguments, at most once an interval. A `StateError` it raises means "again at the next
            look", so that a file that was away for a moment does not end the watch.
        on_health: called with the cause when looks begin to fail, with an empty text when they work again.
        interval_s: seconds between looks.
    """

    def __init__(
        self,
        path: Path | str,
        on_change: Callable[[], None],
        on_health: Callable[[str], None] | None = None,
        *,
        interval_s: float = INTERVAL_S,
    ) -> None:
        self._path = path
        self._on_change = on_change
        self._on_health = on_health
        self._interval_s = interval_s
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.failing = ""
        """Why the last look failed; empty when it did not."""

    def start(self) -> None:
        """Begin to watch; again has no effect. Changes from before are not told: read once after starting."""
        if self._thread is not None:
            return
        # Opened and read here, so that a change right after this call is seen.
        database = Database(self._path)
        seen = database.version()
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(database, seen, self._stop), name="jwtrail-watch", daemon=True
        )
        self._thread.start()
        _running.add(self)

    def close(self) -> None:
        """Stop watching and wait for the thread."""
        _running.discard(self)
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self._thread = None

    def restart_after_fork(self) -> None:
        """Start anew in a child, where the thread no longer exists, and tell of a change: time has passed."""
        self._thread = None
        self.start()
        self._on_change()

    def _run(self, database: Database, seen: int, stop: threading.Event) -> None:
        while not stop.wait(self._interval_s):
            try:
                now = database.version()
                if now != seen:
                    self._on_change()
                    seen = now
                self._told("")
            except StateError as error:
                self._told(str(error))
        database.close()

    def _told(self, failing: str) -> None:
        changed = bool(failing) != bool(self.failing)
        self.failing = failing
        if changed and self._on_health is not None:
            self._on_health(failing)


_running: weakref.WeakSet[Watch] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for watch in list(_running):
        with suppress(StateError):  # the file went away; nothing can be told from inside a fork
            watch.restart_after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)
