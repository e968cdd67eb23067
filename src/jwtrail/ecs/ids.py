"""UUIDv7 (RFC 9562 section 5.7): ids that sort by time."""

import os
import random

from jwtrail import clock

__all__ = ["uuid7"]

# Seeded by the system, once a process: an id must be unlike every other, not secret, and asking the system for every
# request costs more than the rest of its event.
_random = random.Random()  # noqa: S311
os.register_at_fork(after_in_child=_random.seed)

_last = 0


def uuid7(now_us: int | None = None) -> str:
    """A new UUIDv7 as text; strictly increasing within a thread as long as `now_us` is not given. Unique, not secret.

    Args:
        now_us: the time to put in, µs since the epoch; the clock's when absent.
    """
    global _last  # noqa: PLW0603
    if now_us is None:
        # RFC 9562 section 6.2 method 3: twelve more bits of time, so two ids of one millisecond still sort. No lock: two
        # threads that meet here have no order between them, and 62 random bits keep them apart.
        now_us = _last = max(clock.now_us(), _last + 1)
    millis, micros = divmod(now_us, 1000)
    low = _random.getrandbits(62)
    return (
        f"{millis >> 16 & 0xFFFFFFFF:08x}-{millis & 0xFFFF:04x}-{0x7000 | micros * 4:04x}"
        f"-{0x8000 | low >> 48:04x}-{low & 0xFFFFFFFFFFFF:012x}"
    )
