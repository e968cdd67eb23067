"""A day of one person: signs in, reads, orders, mistypes, walks into the street, signs out or forgets to."""

import random
from collections.abc import Iterator

from jwtrail.simulate.deed import DAY_S, Deed, Session, failed, login_failed, request
from jwtrail.simulate.world import Person, Place

__all__ = ["person_day"]

ABROAD = (
    Place("100.65.0.0", 64701, "Lisbon Hotel Net", "Lisbon", "PT"),
    Place("100.65.1.0", 64702, "Tokyo Hotel Net", "Tokyo", "JP"),
    Place("100.65.2.0", 64703, "Berlin Hotel Net", "Berlin", "DE"),
)
EGRESS = Place("192.0.2.9", 64520, "Own Office", "Frankfurt", "DE", "business")
"""Where the traffic of the company's VPN comes out."""

DOCS = ("select-a-size", "drop-shipping", "union-rules", "script-for-support", "what-is-an-etc-order")


def person_day(person: Person, day: int, chance: random.Random) -> Iterator[Deed]:
    """Everything this person does on this day; `day` counts from 0, a Monday."""
    weekend = day % 7 >= 5
    if chance.random() > (0.25 if weekend else 0.75) * (0.5 + person.diligence):
        return
    place = _place(person, day, weekend, chance)
    begins = sorted(chance.gauss(hour, 1.2) for hour in ((20,) if person.role == "customer" else (9, 14)))
    for hour in begins:
        yield from _visit(person, place, day * DAY_S + min(max(hour, 0.2), 22.5) * 3600, chance)


def _place(person: Person, day: int, weekend: bool, chance: random.Random) -> Place:
    if _travels(person, day):
        hotel = ABROAD[int(person.id[1:]) % len(ABROAD)]
        base, _, _ = hotel.address.rpartition(".")
        return Place(
            f"{base}.{int(person.id[1:]) % 250}", hotel.system, hotel.organization, hotel.city, hotel.country
        )
    if person.office is not None and not weekend and chance.random() < 0.7:
        return person.office if chance.random() < 0.8 else EGRESS
    return person.home if chance.random() < 0.8 else person.mobile


def _travels(person: Person, day: int) -> bool:
    """One person of fifty is away for five days of each month."""
    return int(person.id[1:]) % 50 == 9 and 12 <= day % 30 < 17


def _visit(person: Person, place: Place, at: float, chance: random.Random) -> Iterator[Deed]:
    on_phone = place is person.mobile or (person.role == "customer" and chance.random() < 0.4)
    agent = person.phone if on_phone else person.browser
    session = Session(person, place, agent, chance)
    for _ in range(chance.choices((0, 1, 2, 4), (86, 10, 3, 1))[0]):
        yield Deed(at, "login", login_failed(person.name, place, agent))
        at += chance.uniform(3, 25)
    if chance.random() < 0.004:
        yield from _forgot(session, at)
        at += 120
    yield from session.begin(at)
    for _ in range(max(3, int(chance.gauss(22, 9) * person.diligence * 2))):
        at += chance.expovariate(1 / 45)
        if at - session.issued > 840:
            yield from _renewed(session, at)
            at += 0.1
        if on_phone and session.place is not person.mobile and chance.random() < 0.01:
            session.place = (
                person.mobile
            )  # out of the door: the same token from another network of the same city
        yield from _call(session, at)
    if chance.random() < 0.35:
        yield from _leave(session, at + 5)


def _forgot(session: Session, at: float) -> Iterator[Deed]:
    asked = {**session.place.fields(), **session.agent.fields(), "user_name": session.person.name}
    yield Deed(at, "reset-requested", asked)
    yield Deed(at + 40, "otp-sent", asked)
    yield Deed(at + 70, "mfa-verified", {**asked, "event_outcome": "failure", "event_reason": "mfa_failed"})
    yield Deed(at + 90, "mfa-verified", {**asked, "user_id": session.person.id})


def _renewed(session: Session, at: float) -> Iterator[Deed]:
    if session.chance.random() < 0.15:  # the app was asleep and learns it from the API
        yield session.call(at, {**request(session.chance, "/me", "/me"), **failed(401, "expired")})
    yield session.renew(at + 0.05)


def _leave(session: Session, at: float) -> Iterator[Deed]:
    yield Deed(at, "logout", session.who())
    if session.chance.random() < 0.2:  # a tab that polls on for some seconds
        for wait in (8, 16, 24):
            fields = {**request(session.chance, "/me", "/me"), **failed(401, "revoked_session")}
            yield session.call(at + wait, {**fields, "jwtrail_flags": ("revoked_grace",)})


def _call(session: Session, at: float) -> Iterator[Deed]:
    chance, person = session.chance, session.person
    mistake = chance.random()
    own = chance.choice(person.objects)
    if mistake < 0.012:
        path = f"/old/{chance.choice(('offers', 'news', 'app'))}/{chance.randint(1, 9)}"
        yield session.call(at, {**request(chance, None, path), **failed(404)})
    elif mistake < 0.015:  # a bookmark of something that is somebody else's now
        fields = request(
            chance,
            "/orders/{id}",
            f"/orders/{chance.randint(1, 90)}",
            jwtrail_object_id=str(chance.randint(1, 90)),
        )
        yield session.call(at, {**fields, **failed(403, "object_denied")})
    elif mistake < 0.017:
        yield session.call(at, {**request(chance, "/orders", "/orders"), **failed(500)})
    elif mistake < 0.019 and person.role != "admin":  # a page shows a link that is not for everybody
        yield session.call(
            at, {**request(chance, "/admin/users", "/admin/users"), **failed(403, "role_denied")}
        )
    elif mistake < 0.08:  # a list that fans out
        for number, one in enumerate(chance.sample(person.objects, chance.randint(4, 12))):
            yield session.call(at + number * 0.05, _order(session, one))
    else:
        yield session.call(at, _ordinary(session, own))


def _order(session: Session, one: str) -> dict[str, object]:
    return request(
        session.chance,
        "/orders/{id}",
        f"/orders/{one}",
        jwtrail_object_id=one,
        jwtrail_object_tenant=session.person.tenant,
        jwtrail_records=1,
    )


def _ordinary(session: Session, own: str) -> dict[str, object]:
    chance = session.chance
    kind = chance.randrange(7)
    if kind == 0:
        return request(chance, "/orders", "/orders", query=f"page={chance.randint(1, 4)}", jwtrail_records=20)
    if kind == 1:
        return request(chance, "/search", "/search", query="q=…")
    if kind == 2:
        return {
            **request(chance, "/orders", "/orders", jwtrail_records=1),
            "http_request_method": "POST",
            "http_response_status_code": 201,
        }
    if kind == 3:
        doc = chance.choice(DOCS)
        return request(chance, "/help/{page}", f"/help/{doc}", jwtrail_policy="public")
    if kind == 4:
        return request(
            chance, "/products/{id}", f"/products/{chance.randint(1, 400)}", jwtrail_policy="public"
        )
    if kind == 5:
        return request(chance, "/me", "/me")
    return _order(session, own)
