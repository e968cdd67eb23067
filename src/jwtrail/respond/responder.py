"""Answers to alerts: planned, committed in one transaction with the detector's progress, then told to the trail."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec

from jwtrail import clock
from jwtrail.detect import Alert, event_of, group_text
from jwtrail.ecs import Event
from jwtrail.respond.action import Action, restraint_of, revocation_of
from jwtrail.respond.events import response_event
from jwtrail.respond.outbox import seal, unseal
from jwtrail.respond.policy import plan
from jwtrail.respond.settings import RespondSettings
from jwtrail.state.records import AlertRow, Restraint, Revocation

__all__ = ["CURSOR", "Commit", "Responder"]

CURSOR = "detect"
"""Name of the cursor in `state.db` that holds the detector's snapshot and the events still to be written."""


class Commit(Protocol):
    """What is asked of the state store; `state.StateStore` has it."""

    def commit(
        self,
        *,
        cursor: tuple[str, bytes] | None = None,
        alerts: Sequence[AlertRow] = (),
        revocations: Sequence[Revocation] = (),
        restraints: Sequence[Restraint] = (),
    ) -> list[str]:
        """All of it in one transaction; the ids of the alerts that were new. Answers to other alerts are not taken again."""


class Responder:
    """Carries out the policy.

    Args:
        commit: the state store.
        record: puts an event into the trail.
        shared_sources: how many users were lately seen behind an address: `Detector.users_behind`.
        now: the wall clock; only for when events of the trail say they were written.
    """

    def __init__(
        self,
        settings: RespondSettings,
        *,
        commit: Commit,
        record: Callable[[Event], None],
        shared_sources: Callable[[str], int] = lambda _: 0,
        now: clock.Clock = clock.now_us,
    ) -> None:
        self._settings = settings
        self._commit = commit
        self._record = record
        self._shared_sources = shared_sources
        self._now = now

    def plan(
        self, alerts: Iterable[Alert], shared_sources: Callable[[str], int] | None = None
    ) -> tuple[Action, ...]:
        """What would be done about these alerts; nothing happens."""
        return plan(self._settings, alerts, shared_sources or self._shared_sources)

    def answer(self, alerts: Sequence[Alert], snapshot: bytes) -> tuple[Action, ...]:
        """Do what the policy says about new alerts, and keep the detector's progress.

        Snapshot, alerts and answers are committed together: after a crash all of it is there or none, and an alert that was
        answered before is not answered again. The events about it are part of the commit and written after it; what a
        crash keeps from being written `resume` writes.

        Args:
            snapshot: `Detector.snapshot()` after the events that gave these alerts.

        Returns:
            The actions for alerts that were new.
        """
        now_us = self._now()
        actions = self.plan(alerts)
        by_id = {alert.id: alert for alert in alerts}
        told = [(alert.id, event_of(alert, now_us=now_us)) for alert in by_id.values()]
        told += [(one.alert, response_event(one, by_id[one.alert], now_us=now_us)) for one in actions]
        new = set(
            self._commit.commit(
                cursor=(CURSOR, seal(snapshot, [event for _, event in told])),
                alerts=[_row(alert) for alert in by_id.values()],
                revocations=[row for one in actions if (row := revocation_of(one)) is not None],
                restraints=[held for one in actions if (held := restraint_of(one)) is not None],
            )
        )
        for alert, event in told:
            if alert in new:
                self._record(event)
        return tuple(one for one in actions if one.alert in new)

    def resume(self, stored: bytes | None, recorded: Callable[[str], bool]) -> bytes | None:
        """At start: write the events that a crash kept from the trail.

        Args:
            stored: value of the cursor `CURSOR`, None at the very first start.
            recorded: whether the trail holds an event of this id.

        Returns:
            The snapshot to make the `Detector` with.

        Raises:
            StateError: the value is damaged.
        """
        if stored is None:
            return None
        snapshot, events = unseal(stored)
        for event in events:
            if not recorded(event.event_id):
                self._record(event)
        return snapshot


def _row(alert: Alert) -> AlertRow:
    return AlertRow(
        id=alert.id,
        rule=alert.rule,
        severity=alert.level,
        group=group_text(alert.group),
        at_us=alert.at_us,
        doc=msgspec.json.encode(alert).decode(),
    )
