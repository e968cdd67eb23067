"""The detector: events in the order of the trail in, alerts out. It knows no clock and no disk.

The same events give the same alerts with the same ids, whatever the batches and wherever it was stopped and resumed.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from operator import itemgetter
from typing import cast

import msgspec

from jwtrail.clock import iso, parse_iso
from jwtrail.detect.alert import Alert
from jwtrail.detect.digests import shapes_of
from jwtrail.detect.endings import Timed
from jwtrail.detect.factory import machine_of
from jwtrail.detect.groups import MAX_BYTES, Budget
from jwtrail.detect.health import Health
from jwtrail.detect.machines import Saved
from jwtrail.detect.rounds import Rounds
from jwtrail.detect.ruleset import RuleSet, asks_for_alerts
from jwtrail.ecs import Event
from jwtrail.errors import StateError
from jwtrail.predicate.python import compile_many
from jwtrail.sigma import Correlation, Rule, Step

__all__ = ["SELF_INFLICTED", "Detector", "Stats", "sees_everything"]

SELF_INFLICTED = "self_inflicted"
"""Flag of an event that our own answer caused; it never counts, or a ban would feed the ban."""

ROUND = 128
"""Events that are taken together at the most. How much memory is used is seen after each so many, not in between, so that
batches and restarts change nothing."""

_VERSION = 1

_FIRST_OF = itemgetter(0)

_BEFORE = -(2**62)
"""In front of every index, also of what a replay gets to know before the trail begins."""

_NEVER = "~"
"""Behind every time an event can have."""


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """Where a detector stands.

    Args:
        rules: rules that can raise alerts.
        sequence: index in the trail of the last event taken; -1 before the first.
        events: taken so far; `matched` of them fitted a rule; `ignored` were our own doing.
        unreadable: events whose time is no time; skipped.
        alerts: raised so far.
        groups: remembered now, in some `bytes` of memory; `evicted` had to go while they still counted.
    """

    rules: int
    sequence: int
    events: int
    matched: int
    ignored: int
    unreadable: int
    alerts: int
    groups: int
    bytes: int
    evicted: int


class _Counts(msgspec.Struct, array_like=True):
    events: int = 0
    matched: int = 0
    ignored: int = 0
    unreadable: int = 0
    alerts: int = 0


class _Snapshot(msgspec.Struct):
    version: int
    sequence: int
    counts: _Counts
    machines: dict[str, Saved]
    held: dict[str, tuple[int, str]] = {}


class Detector:
    """Runs a rule set.

    Args:
        ruleset: the rules.
        only: for some rules (by id) the only indexes of events that they look at: a replay leaves out what tells them
            nothing new.
        memory: bytes that the groups of all rules may take; the least recently touched of large rules go first.
        snapshot: what an earlier detector's `snapshot` gave; a rule that has changed since starts with empty state, the
            others go on.

    Raises:
        StateError: the snapshot is damaged or of another version.
        PredicateError: a rule cannot be compiled; its id is in `where`.
    """

    def __init__(
        self,
        ruleset: RuleSet,
        snapshot: bytes | None = None,
        *,
        only: Mapping[str, AbstractSet[int]] | None = None,
        memory: int = MAX_BYTES,
    ) -> None:
        self.ruleset = ruleset
        active = ruleset.active()
        self._match = compile_many({rule.meta.id: rule.predicate for rule in active.rules})
        shapes = shapes_of(active.rules, active.correlations)
        self._machines = [
            machine_of(rule, alerts=rule.meta.id in active.alerting, shape=shapes[rule.meta.id])
            for rule in active.everything()
            if isinstance(rule, Correlation) or rule.watch is not None or rule.meta.id in active.alerting
        ]
        self._budget = Budget(memory)
        for machine in self._machines:
            self._budget.join(machine.groups)
        self._timed = [machine for machine in self._machines if isinstance(machine, Timed)]
        watched = frozenset(rule.meta.id for rule in active.rules if rule.watch is not None)
        self._rounds = Rounds([rule.meta.id for rule in active.rules], watched, self._machines)
        self._steps = {rule.meta.id: rule.predicate for rule in active.rules if sees_everything(rule)}
        self._step = compile_many(self._steps)
        self._due = _NEVER
        self._health = Health(rule.meta for rule in active.everything())
        self._rules = len(active.alerting)
        self._counts = _Counts()
        self._only = only or {}
        self._sequence = _BEFORE
        if snapshot is not None:
            self._restore(snapshot)

    def feed(self, events: Iterable[Event]) -> list[Alert]:
        """Take events that have their place in the trail; those taken before are passed over.

        Raises:
            ValueError: an event has no `event.sequence` yet.
        """
        alerts: list[Alert] = []
        counts = self._counts
        for sequence, event in _in_order(events):
            if sequence <= self._sequence:
                continue
            self._sequence = sequence
            if not counts.events % ROUND:
                self._end_round(alerts)
                self._budget.look()
            counts.events += 1
            if event.timestamp > self._due:
                self._close(event, alerts)
            flags = event.jwtrail_flags
            if event.event_kind == "alert" or (flags is not None and SELF_INFLICTED in flags):
                counts.ignored += 1
                ids = self._step(event) if self._steps else ()
            else:
                ids = self._match(event)
            if ids:
                self._add(event, ids, alerts)
        self._end_round(alerts)
        counts.alerts += len(alerts)
        return alerts

    def advance(self, to_us: int) -> list[Alert]:
        """Close the windows that are over at this event time, as an event of that time would.

        A replay that reads only what fits its rules tells so how far the whole trail goes.
        """
        alerts = self._closed(to_us)
        self._counts.alerts += len(alerts)
        return alerts

    def snapshot(self) -> bytes:
        """Everything needed to go on after the last event taken."""
        return msgspec.msgpack.encode(
            _Snapshot(
                version=_VERSION,
                sequence=self._sequence,
                counts=self._counts,
                machines={machine.id: machine.save() for machine in self._machines},
                held=self._health.held,
            )
        )

    def stats(self) -> Stats:
        """Where it stands."""
        return Stats(
            rules=self._rules,
            sequence=max(self._sequence, -1),
            events=self._counts.events,
            matched=self._counts.matched,
            ignored=self._counts.ignored,
            unreadable=self._counts.unreadable,
            alerts=self._counts.alerts,
            groups=sum(len(machine.groups) for machine in self._machines),
            bytes=sum(machine.groups.used for machine in self._machines),
            evicted=sum(machine.groups.evicted for machine in self._machines),
        )

    def _add(self, event: Event, ids: tuple[str, ...], alerts: list[Alert]) -> None:
        if self._only:
            only, number = self._only, self._sequence
            ids = tuple(rule for rule in ids if rule not in only or number in only[rule])
        try:
            at_us = parse_iso(event.timestamp)
        except ValueError:
            self._counts.unreadable += 1
            return
        self._counts.matched += 1
        if self._rounds.add(event, at_us, ids):
            self._end_round(alerts)
            self._due = self._next_due()

    def _end_round(self, alerts: list[Alert]) -> None:
        alerts += [self._health.judged(one.alert) for one in self._rounds.run() if one.alert is not None]

    def _close(self, event: Event, alerts: list[Alert]) -> None:
        """Close the windows that are over at the time of this event, before the event itself counts."""
        try:
            now_us = parse_iso(event.timestamp)
        except ValueError:
            return  # `_add` counts it, if it matters to any rule
        self._end_round(alerts)
        alerts += self._closed(now_us)

    def _closed(self, now_us: int) -> list[Alert]:
        found = [alert for machine in self._timed for alert in machine.close(now_us)]
        found.sort(key=lambda alert: (alert.at_us, alert.id))
        self._due = self._next_due()
        return [self._health.judged(alert) for alert in found]

    def _next_due(self) -> str:
        """The time after which a window can be closed, in the form that events have it: comparing texts is enough."""
        ends = [end for machine in self._timed if (end := machine.due_us()) is not None]
        return iso(min(ends)) if ends else _NEVER

    def _restore(self, snapshot: bytes) -> None:
        try:
            saved = msgspec.msgpack.decode(snapshot, type=_Snapshot)
        except msgspec.DecodeError as error:
            raise StateError(f"the detector's snapshot is damaged: {error}", hint=_START_OVER) from None
        if saved.version != _VERSION:
            raise StateError(f"the detector's snapshot is of version {saved.version}", hint=_START_OVER)
        self._sequence = saved.sequence
        self._counts = saved.counts
        for machine in self._machines:
            if (state := saved.machines.get(machine.id)) is not None:
                machine.restore(state)
        self._health.held = saved.held
        self._due = self._next_due()


def sees_everything(rule: Rule) -> bool:
    """Whether a rule looks at alerts and at what we caused ourselves.

    That never counts, but a gap in numbers is only seen by whoever sees every number, and a rule on alerts asks for nothing
    else.
    """
    return isinstance(rule.watch, Step) or asks_for_alerts(rule.predicate)


_START_OVER = "without it the detector starts over from the trail; alerts keep their ids, so none is doubled"


def _in_order(events: Iterable[Event]) -> list[tuple[int, Event]]:
    found = list(events)
    numbers = [event.event_sequence for event in found]
    if None in numbers:
        msg = f"event {found[numbers.index(None)].event_id} has no place in the trail yet"
        raise ValueError(msg)
    return sorted(zip(cast("list[int]", numbers), found, strict=True), key=_FIRST_OF)
