"""Interleaved timing: every contender runs in every round, so a slow moment of the machine hits all of them."""

import gc
import statistics
import time
from collections.abc import Callable

__all__ = ["compare", "show"]

ROUNDS = 7


def compare(
    contenders: dict[str, Callable[[], object]],
    calls: int,
    clock: Callable[[], int] = time.perf_counter_ns,
) -> dict[str, float]:
    """Median µs a call of each contender.

    Args:
        calls: calls of each contender in one round.
        clock: nanoseconds; `time.process_time_ns` counts the CPU time of all threads instead of what passes.
    """
    for call in contenders.values():
        call()
    rounds: dict[str, list[float]] = {name: [] for name in contenders}
    gc.disable()
    try:
        for _ in range(ROUNDS):
            for name, call in contenders.items():
                began = clock()
                for _ in range(calls):
                    call()
                rounds[name].append((clock() - began) / calls / 1000)
            gc.collect()
    finally:
        gc.enable()
    return {name: statistics.median(times) for name, times in rounds.items()}


def show(title: str, medians: dict[str, float], peer: str) -> None:
    """A line for each contender; the ratio says how many times as fast as the peer it is."""
    print(f"\n{title}")
    for name, us in medians.items():
        ratio = "" if name == peer else f"{medians[peer] / us:8.2f}x {peer}"
        print(f"  {name:<34}{us:10.2f} µs{1e6 / us:12,.0f}/s {ratio}")
