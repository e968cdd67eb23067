"""Something looked at again and again, in a thread of its own."""

import threading
from collections.abc import Callable

__all__ = ["Ticker"]


class Ticker:
    """Calls a function now and then until it is closed.

    Args:
        name: of the thread.
        look: what to call; it must not raise.
        every_s: seconds between two calls.
        first_s: seconds before the first.
    """

    def __init__(self, name: str, look: Callable[[], None], every_s: float, first_s: float = 0.0) -> None:
        self._look = look
        self._every_s = every_s
        self._first_s = first_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Stop; a look that is under way is waited for, at most half a minute. Right also when it was never started."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=30)

    def _run(self) -> None:
        wait = self._first_s
        while not self._stop.wait(wait):
            wait = self._every_s
            self._look()
