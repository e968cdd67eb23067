"""What every attack is given, and what it yields."""

import random
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

from jwtrail.simulate.deed import Deed, Session, failed, request
from jwtrail.simulate.world import Agent, Person, Place, World

__all__ = ["HEADLESS", "Attack", "Scene", "anonymous", "refused"]

HEADLESS = Agent("python-requests", "python-requests/2.32.5", "Linux")

LAIRS = (
    (64801, "Cheap Hosting", "Amsterdam", "NL", "hosting"),
    (64802, "Bulk Servers", "Frankfurt", "DE", "hosting"),
    (64803, "Some Cable", "Warsaw", "PL", "residential"),
    (64804, "Exit Relay", "Zurich", "CH", "tor"),
)


class Scene(Struct, frozen=True):
    """When and among whom an attack happens.

    Args:
        at: seconds after the beginning of the month.
        number: tells its addresses from those of every other attack.
    """

    world: World
    chance: random.Random
    at: float
    number: int

    def lair(self, which: int = 0) -> Place:
        """An address of the attacker; `which` gives further ones of the same network."""
        system, owner, city, country, network = LAIRS[self.number % len(LAIRS)]
        return Place(
            f"100.{70 + self.number // 200}.{self.number % 200}.{which % 250 + 1}",
            system,
            owner,
            city,
            country,
            network,
        )

    def victim(self) -> Person:
        """A customer."""
        return self.chance.choice(self.world.of("customer"))

    def session(self, person: Person, place: Place | None = None, agent: Agent | None = None) -> Session:
        """A sign-in of this person; at home when no place is given."""
        return Session(person, place or person.home, agent or person.browser, self.chance)

    def times(self, count: int, over_s: float) -> list[float]:
        """So many moments within `over_s` seconds, in order."""
        return sorted(self.at + self.chance.uniform(0, over_s) for _ in range(count))


class Attack(Struct, frozen=True):
    """One kind of attack.

    Args:
        code: the rule of the catalogue that is made for it.
        found_by: codes of rules that count as having found it.
        play: yields what the attacker does, and what victims do in between.
    """

    code: str
    title: str
    found_by: tuple[str, ...]
    play: Callable[[Scene], Iterator[Deed]]


def anonymous(place: Place, agent: Agent, fields: dict[str, Any], at: float) -> Deed:
    """A request without a verified identity."""
    return Deed(at, "http-request", {**place.fields(), **agent.fields(), **fields})


def refused(scene: Scene, reason: str, at: float, *, place: Place | None = None, **unverified: Any) -> Deed:
    """A request whose token was refused for this reason."""
    chance = scene.chance
    path = chance.choice(("/orders", "/me", "/admin/users"))
    token = {"jwt_fingerprint": f"{chance.getrandbits(120):x}", **unverified}
    return anonymous(
        place or scene.lair(), HEADLESS, {**request(chance, path, path), **failed(401, reason), **token}, at
    )
