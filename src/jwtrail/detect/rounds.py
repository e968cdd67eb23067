"""Events in a row, sorted by the rules they fit, and then taken by one machine after the other."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from operator import attrgetter

from jwtrail.detect.endings import Timed
from jwtrail.detect.machines import NOBODY, Fired, Machine, Row
from jwtrail.ecs import Event
from jwtrail.predicate.memo import MAX_REMEMBERED

__all__ = ["Rounds"]

_PLACE = attrgetter("event.event_sequence")


class Rounds:
    """Collects events that fit, and lets each machine take all of its own in one go.

    No machine looks at what another one remembers, and what one says about an event comes to those above it before they
    take theirs: so it is as if one event came after the other, and costs much less.

    Args:
        rules: ids of the rules on single events; of the `watched` ones not the event is a hit, but what their machine says.
        machines: each after those it refers to.
    """

    def __init__(self, rules: Iterable[str], watched: AbstractSet[str], machines: Sequence[Machine]) -> None:
        self._fitting: dict[str, list[Row]] = {rule: [] for rule in rules}
        self._said: dict[str, list[Row]] = {machine.id: [] for machine in machines}
        self._lists = (*self._fitting.values(), *self._said.values())
        hits = self._said | {rule: rows for rule, rows in self._fitting.items() if rule not in watched}
        self._tasks = [(machine, *self._sources(machine, hits)) for machine in machines]
        self._told = _Told(self._fitting, _closing(machines))

    def add(self, event: Event, at_us: int, rules: tuple[str, ...]) -> bool:
        """Take in an event that fits these rules; true when the round has to end with it: a window may end sooner now."""
        row = (event, at_us, NOBODY)
        adders, ends = self._told[rules]
        for add in adders:
            add(row)
        return ends

    def run(self) -> list[Fired]:
        """End the round: what fired, in the order of the events, and for each in that of the machines."""
        found: list[Fired] = []
        for machine, own, below in self._tasks:
            if below:
                fired = machine.observe(below) if any(below.values()) else None
            elif rows := own[0] if len(own) == 1 else _merged(own):
                fired = machine.take(rows)
            else:
                continue
            if fired:
                found += fired
                self._said[machine.id] += [(one.event, one.at_us, one.group) for one in fired]
        for rows in self._lists:
            if rows:
                rows.clear()
        found.sort(key=_PLACE)
        return found

    def _sources(
        self, machine: Machine, hits: Mapping[str, list[Row]]
    ) -> tuple[list[list[Row]], dict[str, list[Row]]]:
        """What the machine takes, or else what it observes."""
        if machine.id in self._fitting:
            return [self._fitting[machine.id]], {}
        below = {source: hits[source] for source in machine.sources}
        if machine.takes and all(rows is self._fitting.get(rule) for rule, rows in below.items()):
            return list(below.values()), {}
        return [], below


class _Told(dict[tuple[str, ...], tuple[tuple[Callable[[Row], None], ...], bool]]):
    """For rules that come together, what tells each of them, and whether one is `closing`; few combinations ever do."""

    def __init__(self, fitting: Mapping[str, list[Row]], closing: AbstractSet[str]) -> None:
        self._fitting = fitting
        self._closing = closing

    def __missing__(self, rules: tuple[str, ...]) -> tuple[tuple[Callable[[Row], None], ...], bool]:
        if len(self) >= MAX_REMEMBERED:
            self.clear()
        adders = tuple(self._fitting[rule].append for rule in rules)
        self[rules] = made = (adders, not self._closing.isdisjoint(rules))
        return made


def _merged(lists: Sequence[list[Row]]) -> list[Row]:
    """Each event once, in the order of the trail."""
    found = {row[0].event_sequence or 0: row for rows in lists for row in rows}
    return [found[place] for place in sorted(found)]


def _closing(machines: Sequence[Machine]) -> frozenset[str]:
    """Rules below machines whose windows end by themselves."""
    found = {machine.id for machine in machines if isinstance(machine, Timed)}
    for machine in reversed(machines):
        if machine.id in found:
            found.update(machine.sources)
    return frozenset(found)
