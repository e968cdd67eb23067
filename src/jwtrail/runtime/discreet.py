"""Alerts of a replay as they may be shown: none that names a restricted person, as no search shows their records."""

from collections.abc import Iterable
from pathlib import Path

from jwtrail.detect import Alert, event_of
from jwtrail.ecs import document
from jwtrail.query.store import Store
from jwtrail.trail.person import Finder, Person
from jwtrail.trail.restriction import Restriction, read_restrictions

__all__ = ["shown_of"]


def shown_of(alerts: Iterable[Alert], restricted: Path, store: Store) -> tuple[Alert, ...]:
    """Those that tell of nobody who is restricted, and were not completed by an event that tells of them.

    Args:
        restricted: the data directory's `restricted.json`.
        store: of the same events; shows what may be shown.

    Raises:
        CorruptionError: it cannot be read; then nothing is shown.
    """
    hidden = [
        (one, Finder(Person(one.person, frozenset(one.names)))) for one in read_restrictions(restricted)
    ]
    if not hidden:
        return tuple(alerts)
    return tuple(
        alert
        for alert in alerts
        if not any(_tells_of(alert, one, finder) for one, finder in hidden)
        and store.get(alert.events[-1]) is not None
    )


def _tells_of(alert: Alert, one: Restriction, finder: Finder) -> bool:
    """By whom it is about, by its group, and by the number of the event that completed it."""
    return (
        finder.in_event(document(event_of(alert)))
        or any(finder.in_field(field, value) for field, value in alert.group.items())
        or any(first <= alert.sequence <= last for first, last in one.others)
    )
