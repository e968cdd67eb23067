"""Days of a service in order of time, with every attack labelled."""

import random
from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from jwtrail.ecs import Event, event_for
from jwtrail.errors import ConfigError
from jwtrail.simulate.attacks import ATTACKS, Attack, Scene
from jwtrail.simulate.business import BATCH_CLIENT, service_day
from jwtrail.simulate.deed import DAY_S, Deed, uuid_of
from jwtrail.simulate.life import person_day
from jwtrail.simulate.world import MAX_PEOPLE, World, make_world

__all__ = ["KNOWN", "MAX_DAYS", "Label", "Month", "Plan", "simulated"]

MAX_DAYS = 400
MIN_PEOPLE = 100
"""Fewer do not fill the parts that some attacks need: sixteen customers to act as, thirty accounts to spray."""

QUIET_DAYS = 7
"""Attacks begin after a week, when rules that compare with the past know one."""

START_US = 1_767_571_200_000_000
"""A Monday, 2026-01-05."""

KNOWN = {
    "batch_clients": (BATCH_CLIENT,),
    "scanners": ("192.0.2.230/32",),
    "health_probes": ("192.0.2.250/32",),
    "egress_networks": ("192.0.2.0/28",),
    "shared_networks": ("192.0.2.128/25",),
    "public_routes": ("/health", "/products", "/products/{id}", "/help/{page}"),
}
"""What the operator of the simulated service would have said under `[detect]`."""


class Plan(Struct, frozen=True):
    """What is simulated.

    Args:
        days: 1 to `MAX_DAYS`.
        people: `MIN_PEOPLE` to `world.MAX_PEOPLE`.
        seed: the same plan gives the same events.
        rounds: how often each attack happens; 0 for a peaceful time.
    """

    days: int = 30
    people: int = 300
    seed: int = 1
    rounds: int = 1


class Label(Struct, frozen=True):
    """One attack that happened.

    Args:
        code, title, found_by: see `attacks.Attack`.
        events: ids of the events it consists of, in order.
    """

    code: str
    title: str
    found_by: tuple[str, ...]
    events: list[str]


class Month:
    """The events of a plan, day by day.

    Args:
        day: the day that is being told, from 0.
        labels: grows with the events.
    """

    def __init__(self, plan: Plan) -> None:
        """Check the plan.

        Raises:
            ConfigError: a number of the plan is out of its bounds.
        """
        _checked("days", plan.days, 1, MAX_DAYS)
        _checked("people", plan.people, MIN_PEOPLE, MAX_PEOPLE)
        self._plan = plan
        self._chance = random.Random(plan.seed)  # noqa: S311  # reproducible, not secret
        self._world = make_world(plan.people, self._chance)
        self._written = dict.fromkeys(WRITERS, 0)
        self._sequence = 0
        self.day = 0
        self.labels: list[Label] = []

    def __iter__(self) -> Iterator[Event]:
        """Every event, in order of time; `labels` is complete when it ends."""
        waiting: list[tuple[Deed, Label | None]] = []
        raids = self._raids()
        for day in range(self._plan.days):
            self.day = day
            waiting += [(deed, None) for deed in self._peace(day)]
            for label, deeds in raids.pop(day, ()):
                self.labels.append(label)
                waiting += [(deed, label) for deed in deeds]
            waiting.sort(key=_moment)
            end = len(waiting) if day == self._plan.days - 1 else _until(waiting, (day + 1) * DAY_S)
            yield from map(self._event, waiting[:end])
            del waiting[:end]

    def _peace(self, day: int) -> Iterator[Deed]:
        yield from service_day(self._world, day, self._chance)
        for person in self._world.people:
            yield from person_day(person, day, self._chance)

    def _raids(self) -> dict[int, list[tuple[Label, list[Deed]]]]:
        """Every attack, each at a random time of a random day after the quiet ones, when there are that many."""
        first = min(QUIET_DAYS, self._plan.days - 1)
        days: dict[int, list[tuple[Label, list[Deed]]]] = {}
        for number, attack in enumerate(ATTACKS * self._plan.rounds):
            day = self._chance.randint(first, self._plan.days - 1)
            label, deeds = _raid(attack, self._world, self._chance, day, number)
            begins = int(min(deed.at for deed in deeds) // DAY_S)  # some begin long before anybody looks
            days.setdefault(max(0, begins), []).append((label, deeds))
        return days

    def _event(self, pair: tuple[Deed, Label | None]) -> Event:
        deed, label = pair
        host, writer = WRITERS_OF[self._sequence % len(WRITERS)]
        fields = {"service_name": "shop", "host_name": host, **deed.fields}
        at_us = START_US + round(deed.at * 1_000_000)
        made = event_for(deed.action, at_us=at_us, **fields)
        self._written[writer] += 1
        event = replace(
            made,
            event_id=_id(at_us, self._chance),
            event_sequence=self._sequence,
            jwtrail_writer=writer,
            jwtrail_writer_seq=self._written[writer],
        )
        self._sequence += 1
        if label is not None:
            label.events.append(event.event_id)
        return event


WRITERS_OF = (("api-1", "sim-api-1"), ("api-2", "sim-api-2"))
WRITERS = tuple(writer for _, writer in WRITERS_OF)


def simulated(plan: Plan) -> tuple[list[Event], list[Label]]:
    """All events of a plan and its labels.

    Raises:
        ConfigError: a number of the plan is out of its bounds.
    """
    month = Month(plan)
    return list(month), month.labels


def _raid(
    attack: Attack, world: World, chance: random.Random, day: int, number: int
) -> tuple[Label, list[Deed]]:
    scene = Scene(world, chance, day * DAY_S + chance.uniform(300, 40_000), number)
    label = Label(attack.code, attack.title, attack.found_by, [])
    return label, list(attack.play(scene))


def _checked(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ConfigError(f"{value} {name} cannot be simulated", hint=f"{least} to {most}")


def _moment(pair: tuple[Deed, Label | None]) -> float:
    return pair[0].at


def _until(waiting: list[tuple[Deed, Label | None]], end: float) -> int:
    return next((number for number, pair in enumerate(waiting) if pair[0].at >= end), len(waiting))


def _id(at_us: int, chance: random.Random) -> str:
    """A UUIDv7 (RFC 9562 section 5.7) that the seed decides."""
    text = uuid_of(chance).replace("-", "")
    stamp = f"{at_us // 1000:012x}"
    return f"{stamp[:8]}-{stamp[8:]}-7{text[:3]}-8{text[3:6]}-{text[6:18]}"
