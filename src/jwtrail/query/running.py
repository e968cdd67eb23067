"""One run of a query: how long it may take, and how somebody else ends it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from jwtrail import clock
from jwtrail.errors import QueryError

__all__ = ["MAX_SECONDS", "Run", "running"]

MAX_SECONDS = 30.0
"""What a query may take when nobody says otherwise; a person has given up by then."""

_now: ContextVar["Run | None"] = ContextVar("jwtrail_query_run", default=None)


class Run:
    """Everything that is asked of a store within `running(run)`, until its time is over or `cancel` is called.

    Args:
        seconds: from now; for all statements together.
    """

    def __init__(self, seconds: float = MAX_SECONDS) -> None:
        self._seconds = seconds
        self._end_ns = clock.monotonic_ns() + int(seconds * 1e9)
        self._lock = threading.Lock()
        self._cancelled = False
        self._interrupts: list[Callable[[], None]] = []

    def cancel(self) -> None:
        """End what runs now, and refuse what would come; from any thread."""
        with self._lock:
            self._cancelled = True
            for interrupt in self._interrupts:
                interrupt()

    def check(self) -> None:
        """Go on?

        Raises:
            QueryError: cancelled, or the time is over.
        """
        if self._cancelled:
            raise QueryError("the query was cancelled")
        if clock.monotonic_ns() >= self._end_ns:
            raise QueryError(
                f"the query took more than {self._seconds:g} s", hint="narrow the time or the query"
            )

    @contextmanager
    def interrupting(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """While the block runs, `interrupt` is called when the run must end.

        Raises:
            QueryError: as `check`, before the block.
        """
        self.check()
        left = max(0.0, (self._end_ns - clock.monotonic_ns()) / 1e9)
        timer = threading.Timer(left, interrupt)
        timer.daemon = True
        with self._lock:
            self._interrupts.append(interrupt)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            with self._lock:
                self._interrupts.remove(interrupt)


@contextmanager
def running(run: Run) -> Iterator[Run]:
    """Queries of this thread (or task) within the block belong to this run."""
    token = _now.set(run)
    try:
        yield run
    finally:
        _now.reset(token)


def current() -> Run:
    """The run that a query belongs to; one of its own when nobody began any."""
    return _now.get() or Run()
