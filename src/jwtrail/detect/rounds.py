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
        self._tasks = [(machine, self._own(machine, watched), _below(machine, hits)) for machine in machines]
        self._adders = _Adders(self._fitting)
        self._closing = _closing(machines)

    def add(self, event: Event, at_us: int, rules: tuple[str, ...]) -> bool:
        """Take in an event that fits these rules; true when the round has to end with it: a window may end sooner now."""
        row = (event, at_us, NOBODY)
        for add in self._adders[rules]:
            add(row)
        return not self._closing.isdisjoint(rules)

    def run(self) -> list[Fired]:
        """End the round: what fired, in the order of the events, and for each in that of the machines."""
        found: list[Fired] = []
        for machine, own, below in self._tasks:
            if own is not None:
                fired = machine.take(own) if own else None
            else:
                fired = machine.observe(below) if any(below.values()) else None
            if fired:
                found += fired
                self._said[machine.id] += [(one.event, one.at_us, one.group) for one in fired]
        for rows in self._lists:
            if rows:
                rows.clear()
        found.sort(key=_PLACE)
        return found

    def _own(self, machine: Machine, watched: AbstractSet[str]) -> list[Row] | None:
        """What fits the one rule on single events that the machine takes; None for one that observes."""
        source = machine.sources[0]
        if machine.id in self._fitting or (machine.takes and source not in watched):
            return self._fitting.get(source)
        return None


class _Adders(dict[tuple[str, ...], tuple[Callable[[Row], None], ...]]):
    """For rules that come together, what tells each of them; few combinations ever do."""

    def __init__(self, fitting: Mapping[str, list[Row]]) -> None:
        self._fitting = fitting

    def __missing__(self, rules: tuple[str, ...]) -> tuple[Callable[[Row], None], ...]:
        if len(self) >= MAX_REMEMBERED:
            self.clear()
        self[rules] = made = tuple(self._fitting[rule].append for rule in rules)
        return made


def _below(machine: Machine, hits: Mapping[str, list[Row]]) -> dict[str, list[Row]]:
    """What the machine observes, by rule."""
    return {source: hits[source] for source in machine.sources if source in hits}


def _closing(machines: Sequence[Machine]) -> frozenset[str]:
    """Rules below machines whose windows end by themselves."""
    found = {machine.id for machine in machines if isinstance(machine, Timed)}
    for machine in reversed(machines):
        if machine.id in found:
            found.update(machine.sources)
    return frozenset(found)
