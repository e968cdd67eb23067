"""How fast: the size of batches, the pauses after failures, and the breaker that all threads stop at."""

import random
import threading

from jwtrail import clock

__all__ = ["Breaker", "Pause", "Size"]

START = 1_000
"""Events of the first batch: small enough for an engine that is busy."""

LEAST = 50
"""Events of a batch that failures do not go below: fewer make an engine no less busy, and growing again takes time."""

GOOD_S = 4.0
"""An answer that comes within this asks for larger batches; one that takes twice as long for smaller ones. Far below what an
answer may take (`engine.timeout_s`), and long enough that a slow engine is not kept at small batches, which cost it most."""

FIRST_S = 0.25
LONGEST_S = 20.0
MAX_ASKED_S = 600.0
"""What a sink may ask for (`Retry-After`)."""

OPEN_AFTER = 5
"""Failures in a row after which nobody tries for a while."""


class Size:
    """Events of a batch: grows slowly while answers are quick, and halves when the sink is busy. Any thread may tell."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._least = float(min(LEAST, most))
        self._now = float(min(START, most))

    @property
    def now(self) -> int:
        return max(1, int(self._now))

    def taken(self, count: int, seconds: float) -> None:
        """A batch of this many was answered in this time."""
        if seconds > 2 * GOOD_S:
            self._now = max(self._least, self._now * 0.75)
        elif seconds < GOOD_S and count >= self.now * 0.9:  # a small batch tells nothing of larger ones
            self._now = min(float(self._most), self._now * 1.5)

    def busy(self) -> None:
        """The sink asked for less."""
        self._now = max(self._least, self._now / 2)


class Pause:
    """Pauses between tries, doubling, each with jitter so that many do not come back at once."""

    def __init__(self) -> None:
        self._tries = 0

    def next_s(self, asked_s: float | None = None) -> float:
        """Seconds until the next try.

        Args:
            asked_s: what the sink asked for (`Retry-After`); not less than that, and not longer than is sane.
        """
        longest = min(LONGEST_S, FIRST_S * 2 ** min(self._tries, 16))
        self._tries += 1
        return max(min(asked_s or 0.0, MAX_ASKED_S), random.uniform(longest / 2, longest))  # noqa: S311  # spreads, hides nothing


class Breaker:
    """Closed while the sink answers. After some failures in a row it opens: one thread tries now and then, the others wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures = 0
        self._until_ns = 0
        self._pause = Pause()

    @property
    def is_open(self) -> bool:
        return self._failures >= OPEN_AFTER

    def wait(self, stop: threading.Event) -> bool:
        """Wait for one's turn; False when it is time to stop."""
        while not stop.is_set():
            with self._lock:
                left = (self._until_ns - clock.monotonic_ns()) / 1e9
                if left <= 0:
                    if self.is_open:  # this one tries; the others wait for what it finds
                        self._until_ns = clock.monotonic_ns() + int(self._pause.next_s() * 1e9)
                    return True
            stop.wait(min(left, 1.0))
        return False

    def failed(self, pause_s: float) -> None:
        with self._lock:
            self._failures += 1
            if self.is_open:
                self._until_ns = max(self._until_ns, clock.monotonic_ns() + int(pause_s * 1e9))

    def good(self) -> None:
        with self._lock:
            if self._failures:
                self._failures, self._until_ns, self._pause = 0, 0, Pause()
