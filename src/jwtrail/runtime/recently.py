"""How many events came within the last minute."""

import contextlib
from collections import deque

__all__ = ["Recently"]

_MINUTE_US = 60_000_000


class Recently:
    """One thread counts, others may ask."""

    def __init__(self) -> None:
        self._counted: deque[tuple[int, int]] = deque()

    def see(self, count: int, now_us: int) -> None:
        """So many came now."""
        self._counted.append((now_us, count))
        self._forget(now_us)

    def within_a_minute(self, now_us: int) -> int:
        self._forget(now_us)
        return sum(count for _, count in tuple(self._counted))

    def _forget(self, now_us: int) -> None:
        with contextlib.suppress(IndexError):
            while self._counted[0][0] < now_us - _MINUTE_US:
                self._counted.popleft()
