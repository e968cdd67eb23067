"""What else happens in a service without anybody attacking it: programs, staff with special duties, incidents, searches."""

import random
from collections.abc import Iterator

from jwtrail.simulate.deed import DAY_S, Deed, Session, failed, request, uuid_of
from jwtrail.simulate.world import Agent, Person, Place, World

__all__ = ["BATCH_CLIENT", "service_day"]

BATCH_CLIENT = "nightly-sync"
PROBE_EVERY_S = 300
HOST = {"service_name": "shop", "host_name": "api-1"}

CURL = Agent("curl", "curl/8.14.1", "Linux")
SYNC = Agent("python-httpx", "python-httpx/0.28", "Linux")
BOT = Agent("SearchBot", "Mozilla/5.0 (compatible; SearchBot/2.1)", "Other")


def service_day(world: World, day: int, chance: random.Random) -> Iterator[Deed]:
    """Everything of this day that no customer does."""
    start = day * DAY_S
    yield from _probe(world.probe, start, chance)
    yield from _crawler(world.crawler, start + chance.uniform(0, 60_000), chance)
    yield from _night_run(world, start + 2 * 3600, chance)
    if day == 0:
        yield from _quarterly_run(world, start + 11 * 3600, chance)
    if day % 7 < 5:
        yield from _support(world, start + 10 * 3600, chance)
        yield from _admin(world, start + 11 * 3600, day, chance)
        yield from _partner(start + chance.uniform(30_000, 70_000), chance)
    if day % 7 == 3:
        yield from _release(start + 14 * 3600, chance)
    if day % 30 in (27, 28):
        yield from _month_end(world, start + 15 * 3600, chance)
    if day % 7 == 1:
        yield from _campus(world, start + 13 * 3600, chance)
    if day % 14 == 6:
        yield from _own_scan(world.scanner, start + 4 * 3600, chance)
    if day == 10:
        yield from _issuer_away(start + 9 * 3600)
    if day == 20:
        yield Deed(
            start + 3600,
            "key-rotated",
            {**HOST, "jwtrail_ticket": "CHG-2041", "user_id": world.of("admin")[0].id},
        )


def _probe(place: Place, start: float, chance: random.Random) -> Iterator[Deed]:
    for number in range(DAY_S // PROBE_EVERY_S):
        fields = request(chance, "/health", "/health", jwtrail_policy="public")
        yield Deed(
            start + number * PROBE_EVERY_S, "http-request", {**place.fields(), **CURL.fields(), **fields}
        )


def _crawler(place: Place, at: float, chance: random.Random) -> Iterator[Deed]:
    """A search engine reads what is public, and a few pages that are gone."""
    for number in range(40):
        at += chance.uniform(4, 20)
        gone = number % 8 == 7
        path = f"/gone/{number}" if gone else f"/products/{chance.randint(1, 400)}"
        fields = request(chance, None if gone else "/products/{id}", path, jwtrail_policy="public")
        yield Deed(
            at, "http-request", {**place.fields(), **BOT.fields(), **fields, **(failed(404) if gone else {})}
        )


def _night_run(world: World, at: float, chance: random.Random) -> Iterator[Deed]:
    """The nightly copy into the accounts: far more than any person reads, by a client that the settings name."""
    who = {**world.batch.fields(), **SYNC.fields(), "user_id": "svc-sync", "jwt_client_id": BATCH_CLIENT}
    token = {"jwt_jti": uuid_of(chance), "jwt_known": True}
    yield Deed(
        at,
        "token-issued",
        {**who, **token, "jwt_ttl": 3600, "jwt_kind": "access", "jwt_scope": ("orders:read",)},
    )
    for number in range(300):
        at += chance.uniform(0.1, 0.6)
        fields = request(
            chance,
            "/orders/{id}",
            f"/orders/{20_000 + number}",
            jwtrail_object_id=str(20_000 + number),
            jwtrail_records=50,
        )
        yield Deed(at, "http-request", {**who, **token, **fields})


def _quarterly_run(world: World, at: float, chance: random.Random) -> Iterator[Deed]:
    """A program that sleeps for weeks, and then does everything at once with the session it has."""
    who = {**world.batch.fields(), **SYNC.fields(), "user_id": "svc-quarter", "jwt_client_id": BATCH_CLIENT}
    token = {"jwt_jti": uuid_of(chance), "jwt_family": uuid_of(chance), "jwt_known": True}
    for when in (at - 20 * DAY_S, *(at + number for number in range(60))):
        yield Deed(when, "http-request", {**who, **token, **request(chance, "/orders", "/orders")})


def _support(world: World, at: float, chance: random.Random) -> Iterator[Deed]:
    """Support looks at the accounts of those who wrote, each with a ticket; their tenant is not that of support."""
    for person in world.of("support"):
        if person.office is None:
            continue
        session = Session(person, person.office, person.browser, chance)
        now = at + chance.uniform(0, 7200)
        yield from session.begin(now)
        for customer in chance.sample(world.of("customer"), 5):
            now += chance.uniform(60, 150)
            acting = {"user_effective_id": customer.id, "jwtrail_ticket": f"T-{chance.randint(1000, 9999)}"}
            yield Deed(now, "impersonation-started", {**session.who(), **acting})
            one = chance.choice(customer.objects)
            fields = request(
                chance,
                "/orders/{id}",
                f"/orders/{one}",
                jwtrail_object_id=one,
                jwtrail_object_tenant=customer.tenant,
            )
            yield session.call(now + 5, {**fields, **acting})


def _admin(world: World, at: float, day: int, chance: random.Random) -> Iterator[Deed]:
    person = world.of("admin")[day % 2]
    if person.office is None:
        return
    session = Session(person, person.office, person.browser, chance)
    yield from session.begin(at)
    for _ in range(6):
        at += chance.uniform(20, 90)
        yield session.call(at, request(chance, "/admin/users", "/admin/users"))
    if day % 9 == 2:
        target = chance.choice(world.of("clerk")).id
        grant = {"user_target_id": target, "jwtrail_ticket": "HR-77"}
        yield Deed(at + 5, "role-granted", {**session.who(), **grant})
    if day % 7 == 0:
        yield Deed(at + 60, "config-changed", {**session.who(), **HOST, "jwtrail_ticket": "CHG-11"})


def _partner(at: float, chance: random.Random) -> Iterator[Deed]:
    """A partner's program that somebody pointed at the wrong environment, and noticed."""
    place = Place("100.66.1.7", 64550, "Partner", "Osaka", "JP", "business")
    if chance.random() < 0.2:
        for wait in (0, 60, 400):
            fields = {**request(chance, "/orders", "/orders"), **failed(401, "audience_mismatch")}
            yield Deed(at + wait, "http-request", {**place.fields(), **SYNC.fields(), **fields})


def _release(at: float, chance: random.Random) -> Iterator[Deed]:
    """A new version: the workers restart, some requests die, a page misses three files for those who have it open."""
    yield Deed(at, "logging-stopped", {**HOST})
    yield Deed(at + 8, "logging-started", {**HOST})
    for number in range(40):
        place = Place(f"10.150.{number}.9", 64501, "Blue Fibre", "Seoul", "KR")
        seen = at + 10 + chance.uniform(0, 120)
        for missing in range(3):
            fields = {
                **request(chance, None, f"/assets/app-{missing}.js", jwtrail_policy="public"),
                **failed(404),
            }
            yield Deed(seen + missing * 0.1, "http-request", {**place.fields(), **fields})
        fields = {**request(chance, "/products", "/products", jwtrail_policy="public"), **failed(502)}
        yield Deed(seen + 4, "http-request", {**place.fields(), **fields})
        for again in range(3):  # the new version is slower
            fields = request(chance, "/products", "/products", jwtrail_policy="public")
            fields["event_duration"] *= 2
            yield Deed(seen + 10 + again, "http-request", {**place.fields(), **fields})


def _month_end(world: World, at: float, chance: random.Random) -> Iterator[Deed]:
    """The accountants export what they export every month."""
    for person in world.of("accountant"):
        if person.office is None:
            continue
        session = Session(person, person.office, person.browser, chance)
        yield from session.begin(at)
        for name in ("invoices", "payments"):
            at += 300
            fields = request(chance, f"/{name}/export", f"/{name}/export", jwtrail_records=2000)
            yield session.call(at, {**fields, "http_response_bytes": chance.randint(20_000_000, 45_000_000)})


def _campus(world: World, at: float, chance: random.Random) -> Iterator[Deed]:
    """A lecture ends and sixty people open the shop behind one address; a fifth mistype."""
    people: list[Person] = chance.sample(world.of("customer"), min(60, len(world.of("customer"))))
    for person in people:
        now = at + chance.uniform(0, 900)
        session = Session(person, world.campus, person.phone, chance)
        if chance.random() < 0.2:
            bad = {**world.campus.fields(), **person.phone.fields(), "user_name": person.name}
            yield Deed(
                now - 5, "login", {**bad, "event_outcome": "failure", "event_reason": "bad_credentials"}
            )
        yield from session.begin(now)
        for _ in range(4):
            now += chance.uniform(5, 40)
            yield session.call(now, request(chance, "/me", "/me"))


def _own_scan(place: Place, at: float, chance: random.Random) -> Iterator[Deed]:
    """The operator's own scanner, which the settings name."""
    nikto = Agent("Nikto", "Mozilla/5.00 (Nikto/2.5.0)", "Other")
    for number in range(120):
        path = f"/{chance.choice(('backup', 'test', '.env', '.git/config', 'cgi-bin'))}/{number}"
        fields = {**request(chance, None, path, jwtrail_policy="public"), **failed(404)}
        yield Deed(at + number * 0.3, "http-request", {**place.fields(), **nikto.fields(), **fields})


def _issuer_away(at: float) -> Iterator[Deed]:
    """The identity provider misses two fetches; the keys in memory are still good."""
    for wait in (0, 60):
        yield Deed(
            at + wait,
            "jwks-failed",
            {**HOST, "jwt_iss": "https://shop.example", "event_outcome": "failure", "error_type": "Timeout"},
        )
    yield Deed(at + 130, "jwks-fetched", {**HOST, "jwt_iss": "https://shop.example"})
