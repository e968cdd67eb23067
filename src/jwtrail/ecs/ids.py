"""UUIDv7 (RFC 9562 section 5.7): ids that sort by time."""

import os
import threading
import uuid

from jwtrail import clock

__all__ = ["uuid7"]

_lock = threading.Lock()
_last = 0


def _after_fork() -> None:
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


def uuid7(now_us: int | None = None) -> str:
    """A new UUIDv7 as text; strictly increasing within a process as long as `now_us` is not given.

    Args:
        now_us: the time to put in, µs since the epoch; the clock's when absent.
    """
    global _last  # noqa: PLW0603
    if now_us is None:
        with _lock:
            # RFC 9562 section 6.2 method 3: twelve more bits of time, so two ids of one millisecond still sort.
            now_us = _last = max(clock.now_us(), _last + 1)
    millis, micros = divmod(now_us, 1000)
    value = (millis & (1 << 48) - 1) << 80 | 0x7 << 76 | (micros * 4) << 64 | 0b10 << 62
    value |= int.from_bytes(os.urandom(8)) & (1 << 62) - 1
    return str(uuid.UUID(int=value))
