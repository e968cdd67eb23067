"""The rule pack on decoded events: a shop with 2,000 users, and an attack now and then; and SigmaHQ-like rules in one scan."""

import random
import time

import msgspec

from bench.trail import access
from jwtrail.config import DetectSettings
from jwtrail.detect.engine import Detector
from jwtrail.detect.ruleset import configured
from jwtrail.ecs import Event

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
