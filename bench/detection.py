"""The rule pack on decoded events, benign traffic with an attack now and then."""

import time

import msgspec

from bench.trail import access
from jwtrail.detect.engine import Detector
from jwtrail.detect.ruleset import load_ruleset


def run(calls: int) -> None:
    count = calls * 20
    events = [
        msgspec.structs.replace(
            access(number),
            event_sequence=number,
            event_reason="alg_none" if number % 10_000 == 0 else None,
        )
        for number in range(count)
    ]
    detector = Detector(load_ruleset())
    began = time.perf_counter()
    alerts = [alert for start in range(0, count, 500) for alert in detector.feed(events[start : start + 500])]
    seconds = time.perf_counter() - began
    print(f"\ndetection, {detector.stats().rules} rules, {count:,} events")
    print(f"  match and correlate               {count / seconds:10,.0f} events/s, {len(alerts)} alerts")
