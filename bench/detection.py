"""The rule pack on decoded events, over the past and on a simulated month; what a flood costs it; the same rules by pySigma.

Rates are of CPU seconds (for the past, both of wall and CPU), because machines that benchmarks run on are seldom idle.
"""

import random
import tempfile
import time
import tracemalloc
from pathlib import Path

import msgspec

from bench import month
from bench.detection_trail import made
from bench.trail import access
from jwtrail.config import DetectSettings
from jwtrail.detect.engine import Detector
from jwtrail.detect.ruleset import configured
from jwtrail.ecs import Event, event_for
from jwtrail.runtime.history import replayed

USERS = 2_000
ROUTES = ("/products", "/products/{id}", "/orders", "/orders/{id}", "/me")


def run(calls: int) -> None:
    count = calls * 20
    events = shop(count)
    detector = Detector(configured(DetectSettings()))
    began = time.process_time()
    alerts = [alert for start in range(0, count, 500) for alert in detector.feed(events[start : start + 500])]
    seconds = time.process_time() - began
    stats = detector.stats()
    print(f"\ndetection, {stats.rules} rules, {count:,} events, {stats.groups:,} groups")
    print(f"  match                             {count / _matching(detector, events):10,.0f} events/s")
    print(f"  match and correlate               {count / seconds:10,.0f} events/s, {len(alerts)} alerts")

    past(calls * 500)
    flood(calls * 100)
    peers(calls * 10)
    month.run(calls)


def past(count: int) -> None:
    """A replay over segments, with the whole pack."""
    with tempfile.TemporaryDirectory() as folder:
        trail = made(Path(folder), count)
        rules = configured(DetectSettings())
        began, used = time.perf_counter(), time.process_time()
        found = replayed(trail, rules)
        wall, cpu = time.perf_counter() - began, time.process_time() - used
    print(f"\nthe past, {count:,} events in {len(trail.parts)} segments, {found.read:,} of them read")
    print(f"  replay, wall                      {count / wall:10,.0f} events/s, {len(found.alerts)} alerts")
    print(f"  replay, CPU of all threads        {count / cpu:10,.0f} events/s")


def flood(count: int) -> None:
    """Sign-ins with invented names of 1,000 characters, each once."""
    detector = Detector(configured(DetectSettings()), memory=64 << 20)
    template = event_for("login", event_outcome="failure", source_ip="192.0.2.1", user_agent_original="x")
    tracemalloc.start()
    print(f"\na flood of invented names, {count:,} sign-ins; state may take 64 MB")
    for step in range(4):
        for start in range(step * count // 4, (step + 1) * count // 4, 500):
            detector.feed(
                msgspec.structs.replace(
                    template,
                    event_id=f"e{number}",
                    event_sequence=number,
                    user_name=f"{number}" + "n" * 1_000,
                )
                for number in range(start, start + 500)
            )
        stats = detector.stats()
        memory, _ = tracemalloc.get_traced_memory()
        print(
            f"  after {(step + 1) * count // 4:9,}: {memory / 1e6:6.1f} MB, {stats.groups:,} groups, {stats.evicted:,} evicted"
        )
    tracemalloc.stop()


def peers(count: int) -> None:
    """The pack's rules on single events that pySigma's SQLite backend can convert: the same counts, and how fast."""
    try:
        from bench.detection_sqlite import counted
    except ImportError as missing:
        print(f"\nbeside pySigma and SQLite: not installed ({missing})")
        return
    with tempfile.TemporaryDirectory() as folder:
        trail = made(Path(folder), count)
        found = counted(trail)
    print(f"\n{found.rules} rules as pySigma and SQLite run them, {count:,} events")
    print(f"  pySigma to SQLite                 {count / found.sqlite_s:10,.0f} events/s")
    print(f"  one scan of DuckDB                {count / found.duckdb_s:10,.0f} events/s")
    print(f"  one function                      {count / found.function_s:10,.0f} events/s")
    print(f"  with equal counts                 {found.equal} of {found.rules} rules, {found.hits:,} hits")


def _matching(detector: Detector, events: list[Event]) -> float:
    began = time.process_time()
    for event in events:
        detector._match(event)
    return time.process_time() - began


def shop(count: int, seed: int = 7) -> list[Event]:
    """Requests of everyday life, 200 a second; half of them with a token, a third of those for one object."""
    chance = random.Random(seed)
    template = access(0)
    start = 1_790_000_000_000_000
    made = []
    for number in range(count):
        user = chance.randrange(USERS)
        route = chance.choice(ROUTES)
        known = route.startswith(("/orders", "/me"))
        object_id = str(chance.randrange(5_000)) if "{" in route else None
        path = route.replace("{id}", object_id or "")
        made.append(
            msgspec.structs.replace(
                template,
                timestamp=_iso(start + number * 5_000),
                event_id=f"e{number}",
                event_sequence=number,
                jwtrail_writer="w1",
                jwtrail_writer_seq=number + 1,
                event_reason="alg_none" if number % 10_000 == 0 else None,
                http_route=route,
                url_path=path,
                url_original=path,
                user_id=f"u{user}" if known else None,
                jwt_jti=f"t{user}" if known else None,
                jwtrail_object_id=object_id,
                source_ip=f"198.51.{user // 250}.{user % 250}",
            )
        )
    return made


def _iso(us: int) -> str:
    from jwtrail.clock import iso

    return iso(us)
