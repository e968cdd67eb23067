"""Normal life is quiet: a week of 100 people, with their mistakes, raises less than one alert on 10,000 events."""

import random
from collections import Counter
from collections.abc import Iterator

from jwtrail.clock import iso
from jwtrail.config import DetectSettings
from jwtrail.detect import Detector
from jwtrail.detect.ruleset import configured
from jwtrail.ecs import Event, event_for

PEOPLE = 100
START_US = 1_767_225_600_000_000
DAY_S = 86_400
ROUTES = ("/products/{id}", "/orders/{id}", "/orders", "/me", "/search", "/reports/{id}")


class Person:
    """Somebody with habits: a home, an office, a browser, some objects of their own."""

    def __init__(self, number: int, chance: random.Random) -> None:
        self.number, self.chance = number, chance
        self.agent = f"Mozilla/5.0 (X11; Linux x86_64) Firefox/{130 + number % 12}"
        self.objects = [str(number * 50 + n) for n in range(20)]
        self.sessions = 0

    def places(self, day: int) -> dict[str, object]:
        """Home, or one of three offices behind one address each; in the second half of the week some travel."""
        travels = self.number % 50 == 0 and day >= 4
        office = self.chance.random() < 0.5
        return {
            "source_ip": f"192.0.2.{self.number % 3}"
            if office
            else f"198.51.{self.number // 250}.{self.number % 250}",
            "source_as_number": 64500 + (3 if travels else 0 if office else 1 + self.number % 2),
            "source_geo_city_name": "Lisbon" if travels else "Seoul",
            "source_geo_country_iso_code": "PT" if travels else "KR",
        }

    def day(self, day: int) -> Iterator[tuple[float, str, dict[str, object]]]:
        """Two sign-ins and what follows them."""
        chance = self.chance
        for begin in (9 * 3600, 14 * 3600):
            at = day * DAY_S + begin + chance.uniform(0, 5400)
            self.sessions += 1
            where = self.places(day) | {"user_agent_original": self.agent, "user_agent_name": "Firefox"}
            who = {"user_id": f"u{self.number}", "jwt_family": f"f{self.number}-{self.sessions}"}
            for _ in range(chance.choices((0, 1, 2), (85, 12, 3))[0]):  # mistyped passwords
                yield at, "login", where | _failed("bad_credentials", None) | {"user_name": f"p{self.number}"}
                at += chance.uniform(3, 20)
            yield at, "login", where | who | {"user_name": f"p{self.number}"}
            yield at, "token-issued", where | who | {"jwt_ttl": 900, "jwt_scope": ("orders:read",)}
            token = 0
            for _ in range(chance.randint(5, 25)):
                at += chance.expovariate(1 / 40)
                if chance.random() < 0.05:
                    token += 1
                    yield at, "token-refreshed", where | who
                jti = f"t{self.number}-{self.sessions}-{token}"
                yield at, "http-request", where | who | {"jwt_jti": jti} | self.request()
            if chance.random() < 0.3:
                yield at + 5, "logout", where | who

    def request(self) -> dict[str, object]:
        chance = self.chance
        route = chance.choice(ROUTES)
        one = chance.choice(self.objects)
        path = route.replace("{id}", one)
        query = "q=…&page=1" if route == "/search" else None
        made: dict[str, object] = {
            "http_route": route,
            "url_path": path,
            "url_original": f"{path}?{query}" if query else path,
            "url_query": query,
            "http_request_method": "GET",
            "http_response_status_code": 200,
            "http_response_bytes": int(chance.lognormvariate(8, 1.5)),
            "event_duration": int(chance.lognormvariate(17, 1)),
            "jwtrail_policy": "required",
            "jwtrail_object_id": one if "{" in route else None,
        }
        mistake = chance.random()
        if mistake < 0.02:
            made |= {"http_route": None, "url_path": "/old/link", "jwtrail_object_id": None} | _failed(
                None, 404
            )
        elif mistake < 0.025:
            made |= {"jwtrail_object_id": "1"} | _failed("object_denied", 403)
        elif mistake < 0.035:
            made |= _failed("expired", 401)
        elif mistake < 0.037:
            made |= _failed(None, 500)
        return made


def _failed(reason: str | None, status: int | None) -> dict[str, object]:
    return {"event_outcome": "failure", "event_reason": reason, "http_response_status_code": status}


def week(seed: int) -> list[Event]:
    chance = random.Random(seed)
    people = [Person(number, random.Random(chance.random())) for number in range(PEOPLE)]
    deeds = [deed for day in range(7) for person in people for deed in person.day(day)]
    deeds.sort(key=lambda deed: deed[0])
    made = []
    for number, (at, action, fields) in enumerate(deeds):
        more = {"event_sequence": number, "jwtrail_writer": "w", "jwtrail_writer_seq": number + 1}
        event = event_for(
            action, at_us=START_US + round(at * 1e6), service_name="shop", host_name="h1", **fields
        )
        made.append(event_with(event, **more))
    return made


def event_with(event: Event, **fields: object) -> Event:
    from msgspec.structs import replace

    return replace(event, **fields)


def test_a_week_of_normal_life_is_quiet():
    events = week(11)
    assert len(events) > 20_000
    assert iso(START_US) <= events[0].timestamp
    alerts = Detector(configured(DetectSettings())).feed(events)
    loud = Counter(f"{alert.code} {alert.level}" for alert in alerts)
    serious = [alert for alert in alerts if alert.level in ("medium", "high", "critical")]
    assert len(serious) * 10_000 < len(events), loud
    travellers = PEOPLE // 50
    assert loud["B8 low"] <= travellers, loud
    assert len(alerts) - loud["B8 low"] <= len(events) / 10_000, loud
