"""Time in tests: waiting for a state that another thread or process brings about, and what a piece of work costs.

A test waits for what it means and for as long as a busy machine needs; how fast something is, the benches say.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest

from jwtrail import clock

LONG_S = 60
"""Limit of every wait in the tests. It says only how long a failure takes, so it is far beyond what is usual."""

DAY_US = 86_400_000_000

T = TypeVar("T")


def until(holds: Callable[[], T], what: str = "it did not happen", *, seconds: float = LONG_S) -> T:
    """The first true answer of `holds`, asked again and again."""
    end = clock.monotonic_ns() + int(seconds * 1e9)
    while not (found := holds()):
        assert clock.monotonic_ns() < end, f"{what} within {seconds} s"
        clock.sleep(0.01)
    return found


def within_a_day() -> None:
    """Return when the day lasts a while longer, so that what is made next is of one day also for other processes."""
    until(lambda: clock.now_us() % DAY_US < DAY_US - 30_000_000)


@contextmanager
def one_day() -> Iterator[None]:
    """The clock goes on from noon: what is made meanwhile is of one day, at whatever hour the tests run."""
    real = clock.now_us
    ahead_us = DAY_US // 2 - real() % DAY_US
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "now_us", lambda: real() + ahead_us)
        yield


AT_ONCE_S = 0.5
"""What a hostile input may cost. Refusing one takes milliseconds; what grows with its square or worse takes far longer."""


def cost_s(work: Callable[[], object], tries: int = 3) -> float:
    """CPU seconds that this thread needs for it, the least of a few tries: what else the machine does is not counted."""

    def once() -> float:
        began = time.thread_time()
        work()
        return time.thread_time() - began

    return min(once() for _ in range(tries))
