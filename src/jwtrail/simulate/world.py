"""Who lives in the simulated service: people with habits, the places they call from, the programs that work at night."""

import random

from msgspec import Struct

__all__ = ["MAX_PEOPLE", "Agent", "Person", "Place", "World", "make_world"]

MAX_PEOPLE = 20_000
"""People of a world; each has addresses of their own."""

TENANTS = ("acme", "birch", "cedar", "delta")
OBJECTS_EACH = 24


LOCATIONS = {
    "Amsterdam": "52.37,4.90",
    "Berlin": "52.52,13.41",
    "Busan": "35.18,129.08",
    "Daejeon": "36.35,127.38",
    "Dublin": "53.35,-6.26",
    "Frankfurt": "50.11,8.68",
    "Incheon": "37.46,126.71",
    "Lisbon": "38.72,-9.14",
    "Osaka": "34.69,135.50",
    "Seoul": "37.57,126.98",
    "Tokyo": "35.68,139.69",
    "Warsaw": "52.23,21.01",
    "Zurich": "47.38,8.54",
}
"""Where the cities are, `lat,lon`."""


class Place(Struct, frozen=True):
    """Where a request comes from, as the tables of addresses know it."""

    address: str
    system: int
    organization: str
    city: str
    country: str
    network: str = "residential"

    def fields(self) -> dict[str, object]:
        """Its fields of an event."""
        return {
            "source_ip": self.address,
            "source_as_number": self.system,
            "source_as_organization_name": self.organization,
            "source_geo_city_name": self.city,
            "source_geo_country_iso_code": self.country,
            "source_geo_location": LOCATIONS.get(self.city),
            "jwtrail_network": self.network,
        }


class Agent(Struct, frozen=True):
    """A browser or an app."""

    name: str
    original: str
    system: str

    def fields(self) -> dict[str, object]:
        """Its fields of an event."""
        return {
            "user_agent_original": self.original,
            "user_agent_name": self.name,
            "user_agent_os_name": self.system,
        }


class Person(Struct, frozen=True):
    """Somebody with an account.

    Args:
        home, mobile: where they are; `office` is shared with colleagues and empty for customers.
        objects: ids of what is theirs.
        role: `customer`, `clerk`, `accountant`, `support` or `admin`.
        diligence: 0 to 1, how much they do in a day.
    """

    id: str
    name: str
    tenant: str
    role: str
    home: Place
    mobile: Place
    office: Place | None
    browser: Agent
    phone: Agent
    objects: tuple[str, ...]
    diligence: float


class World(Struct, frozen=True):
    """Everybody, and what the operator of the service would have told the settings about."""

    people: tuple[Person, ...]
    probe: Place
    batch: Place
    scanner: Place
    campus: Place
    crawler: Place

    def of(self, role: str) -> tuple[Person, ...]:
        """Everybody with this role."""
        return tuple(person for person in self.people if person.role == role)


CITIES = (("Seoul", "KR"), ("Busan", "KR"), ("Incheon", "KR"), ("Daejeon", "KR"))
CARRIERS = ((64601, "Blue Mobile"), (64602, "Green Mobile"), (64603, "Red Mobile"))
HOME_NETWORKS = ((64501, "Blue Fibre"), (64502, "Green Cable"), (64503, "City Net"))
BROWSERS = (
    ("Firefox", "Mozilla/5.0 ({os}; rv:{v}.0) Gecko/20100101 Firefox/{v}.0"),
    ("Chrome", "Mozilla/5.0 ({os}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{v}.0.0.0 Safari/537.36"),
    ("Edge", "Mozilla/5.0 ({os}) AppleWebKit/537.36 Chrome/{v}.0.0.0 Safari/537.36 Edg/{v}.0.0.0"),
)
SYSTEMS = (
    ("Windows", "Windows NT 10.0; Win64; x64"),
    ("Mac OS X", "Macintosh; Intel Mac OS X 10_15_7"),
    ("Linux", "X11; Linux x86_64"),
)
PHONES = (("iOS", "ShopApp/5.{v} (iPhone; iOS 19.1)"), ("Android", "ShopApp/5.{v} (Android 16)"))
ROLES = ("admin", "admin", "support", "support", "support", "accountant", "accountant")


def make_world(people: int, chance: random.Random) -> World:
    """A world of so many people; the same seed gives the same world.

    Args:
        people: 20 to `MAX_PEOPLE`. The first seven are staff with special duties, a fifth of the others are clerks.
    """
    offices = [
        Place(f"192.0.2.{number + 1}", 64520, "Own Office", city, country, "business")
        for number, (city, country) in enumerate(CITIES[:3])
    ]
    return World(
        people=tuple(_person(number, offices, chance) for number in range(people)),
        probe=Place("192.0.2.250", 64520, "Own Office", "Seoul", "KR", "business"),
        batch=Place("192.0.2.240", 64520, "Own Office", "Seoul", "KR", "business"),
        scanner=Place("192.0.2.230", 64520, "Own Office", "Seoul", "KR", "business"),
        campus=Place("192.0.2.129", 64530, "University", "Seoul", "KR", "business"),
        crawler=Place("100.64.10.10", 64540, "Search Engine", "Dublin", "IE", "hosting"),
    )


def _person(number: int, offices: list[Place], chance: random.Random) -> Person:
    role = ROLES[number] if number < len(ROLES) else "clerk" if number % 5 == 0 else "customer"
    city, country = chance.choice(CITIES)
    network, owner = chance.choice(HOME_NETWORKS)
    carrier, carrier_name = chance.choice(CARRIERS)
    version = chance.randint(128, 143)
    os_name, os_text = chance.choice(SYSTEMS)
    browser, template = chance.choice(BROWSERS)
    phone_os, phone = chance.choice(PHONES)
    high, low = divmod(number, 250)
    return Person(
        id=f"u{number:05d}",
        name=f"person{number:05d}",
        tenant=TENANTS[number % len(TENANTS)],
        role=role,
        home=Place(f"10.{100 + high}.{low}.17", network, owner, city, country),
        mobile=Place(
            f"10.{200 + high % 50}.{low}.{chance.randint(1, 250)}",
            carrier,
            carrier_name,
            city,
            country,
            "mobile",
        ),
        office=None if role == "customer" else offices[number % len(offices)],
        browser=Agent(browser, template.format(os=os_text, v=version), os_name),
        phone=Agent("ShopApp", phone.format(v=chance.randint(0, 9)), phone_os),
        objects=tuple(str(10_000 + number * OBJECTS_EACH + each) for each in range(OBJECTS_EACH)),
        diligence=chance.betavariate(2, 3) + 0.2,
    )
