"""Answers to alerts: planned, committed in one transaction with the detector's progress, then told to the trail."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec
from msgspec.structs import asdict

from jwtrail.detect import Alert, group_text
from jwtrail.ecs import Event
from jwtrail.respond.action import Action, restraint_of, revocation_of
from jwtrail.respond.events import story
from jwtrail.respond.notify.notice import deliveries_of
from jwtrail.respond.notify.settings import Channel
from jwtrail.respond.policy import Ends, longest, plan, spared
from jwtrail.respond.settings import RespondSettings
from jwtrail.state.outbox import Delivery
from jwtrail.state.records import AlertRow, Restraint, Revocation

__all__ = ["REPAIR_ROWS", "REPAIR_WHOLE", "Commit", "Responder"]

REPAIR_ROWS = 500
"""Alerts that a start looks at, the newest: a crash can only have cut off the last transaction's events."""

REPAIR_WHOLE = 20
"""So many alerts in a row that are wholly told end the look: what is older was told long ago."""


class Commit(Protocol):
    """What is asked of the state store: `state.StateStore.commit`."""

    def __call__(
        self,
        *,
        cursor: tuple[str, bytes] | None = None,
        alerts: Sequence[AlertRow] = (),
        revocations: Sequence[Revocation] = (),
        restraints: Sequence[Restraint] = (),
        deliveries: Sequence[Delivery] = (),
    ) -> list[str]:
        """All of it in one transaction; ids of the alerts that were new. Answers to the others are not taken again."""


class AlertRows(Protocol):
    """Where alerts are read from: `state.StateStore`."""

    def alerts(self, *, limit: int) -> list[AlertRow]:
        """The newest alerts, newest first."""


class Answered(Alert, frozen=True, kw_only=True):
    """An alert as its row keeps it: with what was planned when it was new."""

    actions: tuple[Action, ...] = ()


class Responder:
    """Carries out the policy.

    Args:
        commit: `StateStore.commit`.
        record: puts an event into the trail.
        ends: when a revocation may be forgotten.
        channels: who is told.
        console: public address of the console, for links in what is told.
    """

    def __init__(
        self,
        settings: RespondSettings,
        *,
        commit: Commit,
        record: Callable[[Event], None],
        ends: Ends = longest,
        channels: Mapping[str, Channel] | None = None,
        console: str = "",
    ) -> None:
        self._channels = channels or {}
        self._console = console
        self._settings = settings
        self._ends = ends
        self._commit = commit
        self._record = record

    def plan(self, alerts: Iterable[Alert], shared_sources: Callable[[str], int]) -> tuple[Action, ...]:
        """What would be done about these alerts; nothing happens.

        Args:
            shared_sources: how many users were seen behind an address in the last day.
        """
        return plan(self._settings, alerts, shared_sources, self._ends)

    def answer(
        self,
        alerts: Sequence[Alert],
        *,
        cursor: tuple[str, bytes] | None,
        crowd: Callable[[str, int], int],
        now_us: int,
        since_us: int = 0,
    ) -> tuple[Alert, ...]:
        """Do what the policy says about new alerts, and keep the detector's progress.

        The detector's snapshot, the alerts and the answers are one transaction: after a crash all of it is there or none,
        and an alert that was there before is not answered again. The events are written after it; those that a crash cuts
        off `repair` writes at the next start.

        Args:
            cursor: name and value of the detector's snapshot, taken after the events that gave these alerts.
            crowd: how many users were seen behind an address in the day before a time.
            now_us: wall time, for the lag and the time of the events.
            since_us: since when the trail is followed; alerts about what was before it say that they were caught up with.

        Returns:
            The alerts that were new.
        """
        planned: dict[str, list[Action]] = {alert.id: [] for alert in alerts}
        by_id = {alert.id: alert for alert in alerts}
        for one in self.plan(by_id.values(), lambda address: crowd(address, now_us)):
            planned[one.alert].append(one)
        actions = [one for ones in planned.values() for one in ones]
        new = self._commit(
            cursor=cursor,
            alerts=[_row(alert, planned[alert.id]) for alert in by_id.values()],
            revocations=[row for one in actions if (row := revocation_of(one)) is not None],
            restraints=[held for one in actions if (held := restraint_of(one)) is not None],
            deliveries=[
                one for alert in by_id.values() for one in self._told(alert, planned[alert.id], now_us)
            ],
        )
        for alert_id in new:
            for event in story(by_id[alert_id], planned[alert_id], now_us=now_us, since_us=since_us):
                self._record(event)
        return tuple(by_id[alert_id] for alert_id in new)

    def _told(self, alert: Alert, actions: Sequence[Action], now_us: int) -> list[Delivery]:
        if spared(self._settings, alert):
            return []
        return deliveries_of(self._channels, alert, actions, now_us=now_us, console=self._console)

    def repair(self, rows: AlertRows, recorded: Callable[[str], bool], *, now_us: int) -> int:
        """At start: write the events about alerts that a crash kept from the trail.

        Their ids follow from the alert, so what is there is known by its id and never written twice.

        Args:
            recorded: whether the trail holds an event of this id, sequenced or not.

        Returns:
            How many events were missing.
        """
        missing = whole = 0
        for row in rows.alerts(limit=REPAIR_ROWS):
            alert = msgspec.json.decode(row.doc, type=Answered)
            told = story(alert, alert.actions, now_us=now_us, since_us=now_us)
            lost = [event for event in told if not recorded(event.event_id)]
            for event in lost:
                self._record(event)
            missing += len(lost)
            whole = 0 if lost else whole + 1
            if whole == REPAIR_WHOLE:
                break
        return missing


def _row(alert: Alert, actions: Sequence[Action]) -> AlertRow:
    return AlertRow(
        id=alert.id,
        rule=alert.rule,
        severity=alert.level,
        group=group_text(alert.group),
        at_us=alert.at_us,
        doc=msgspec.json.encode(Answered(**asdict(alert), actions=tuple(actions))).decode(),
    )
