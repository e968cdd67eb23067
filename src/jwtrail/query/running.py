"""One run of a query: how long it may take, and how somebody else ends it."""

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from jwtrail import clock
from jwtrail.errors import QueryError

__all__ = ["MAX_SECONDS", "Run", "running"]

MAX_SECONDS = 30.0
"""What a query may take when nobody says otherwise; a person has given up by then."""

_AGAIN_NS = 20_000_000
_IDLE_NS = 3_600_000_000_000

_now: ContextVar["Run | None"] = ContextVar("jwtrail_query_run", default=None)


class _Alarms:
    """Calls what is due, in one thread for all: to start one for each statement cost more than most statements."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._due: dict[int, tuple[int, Callable[[], None]]] = {}
        self._numbers = itertools.count()
        self._wakes_ns = 0
        self._thread: threading.Thread | None = None

    def add(self, at_ns: int, call: Callable[[], None]) -> int:
        """What `remove` needs."""
        with self._lock:
            number = next(self._numbers)
            self._due[number] = (at_ns, call)
            if self._thread is None or not self._thread.is_alive():  # not alive: this process was forked
                self._woken = threading.Event()
                self._thread = threading.Thread(
                    target=self._run, args=(self._woken,), name="jwtrail-alarms", daemon=True
                )
                self._wakes_ns = at_ns
                self._thread.start()
            elif at_ns < self._wakes_ns:
                self._woken.set()
            return number

    def remove(self, number: int) -> None:
        """Forget it. The thread sleeps on until the time it knows, so that the next one need not wake it."""
        with self._lock:
            self._due.pop(number, None)

    def _run(self, woken: threading.Event) -> None:
        while True:
            woken.clear()
            woken.wait(self._told() / 1e9)

    def _told(self) -> int:
        """Call what is due; ns until this is to be done again."""
        with self._lock:
            now = clock.monotonic_ns()
            for at_ns, call in self._due.values():
                if at_ns <= now:
                    call()
            # What is due and did not end at once is told again soon.
            ahead = [max(at_ns, now + _AGAIN_NS) for at_ns, _ in self._due.values()]
            self._wakes_ns = min(ahead, default=now + _IDLE_NS)
            return self._wakes_ns - now


_alarms = _Alarms()


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

    @property
    def left_s(self) -> float:
        """Seconds until its time is over, a tenth at least."""
        return max(0.1, (self._end_ns - clock.monotonic_ns()) / 1e9)

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
        with self._lock:
            self._interrupts.append(interrupt)
        alarm = _alarms.add(self._end_ns, interrupt)
        try:
            yield
        finally:
            _alarms.remove(alarm)
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
