"""The only reader of wall time. Everything else is handed a time, so that live, replay and tests agree.

Times inside jwtrail are whole microseconds since the Unix epoch (`int`, names end in `_us`); on the outside they are the
one text form of `iso`, whose order as text is the order in time.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache

__all__ = ["Clock", "cpu_ns", "iso", "monotonic_ns", "now_us", "parse_iso", "seconds_iso", "sleep"]

Clock = Callable[[], int]
"""A source of `now` in µs; `now_us` in production, a fixed one in tests."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MAX_US = 253_402_300_799_999_999  # 9999-12-31T23:59:59.999999Z, the last instant the text form can hold


def now_us() -> int:
    """Microseconds since the Unix epoch, UTC."""
    return time.time_ns() // 1000


def monotonic_ns() -> int:
    """Nanoseconds of a clock that never steps; only differences mean anything."""
    return time.perf_counter_ns()


def cpu_ns() -> int:
    """Nanoseconds that all threads of this process have computed; only differences mean anything."""
    return time.process_time_ns()


def sleep(seconds: float) -> None:
    """Block this thread. Here so that a test can see who waits."""
    time.sleep(seconds)


def iso(us: int) -> str:
    """`2026-11-23T16:46:55.000012Z`: always UTC, always six digits, 27 characters.

    Raises:
        ValueError: before 1970 or after 9999.
    """
    if not 0 <= us <= _MAX_US:
        msg = f"time out of range: {us} µs"
        raise ValueError(msg)
    seconds, micros = divmod(us, 1_000_000)
    return f"{_to_the_second(seconds)}.{micros:06d}Z"


@lru_cache(maxsize=256)
def _to_the_second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def seconds_iso(seconds: float) -> str:
    """`iso` of a JWT NumericDate (RFC 7519 section 2): seconds since the epoch."""
    return iso(int(seconds * 1_000_000))


def parse_iso(text: str) -> int:
    """µs since the epoch of an RFC 3339 time; a missing offset means UTC.

    Raises:
        ValueError: not a time.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MICROSECOND
