"""What has an index and is not sealed: bytes, of which records are made only for who asks."""

from collections.abc import Sequence
from threading import Lock

from msgspec import Struct

from jwtrail.ecs.event import Event
from jwtrail.trail.row import Row

__all__ = ["Head"]


class _Part(Struct, frozen=True):
    """Rows, and the events of the first of them."""

    rows: list[Row]
    events: list[Event]


class Head:
    """The unsealed events. One thread adds and drops; any number of threads may ask for `events` and hold nobody up.

    Args:
        rows: what is there to begin with.
    """

    def __init__(self, rows: Sequence[Row] = ()) -> None:
        self._part = _Part(list(rows), [])
        self._asking = Lock()

    @property
    def rows(self) -> list[Row]:
        """All of them, in order."""
        return self._part.rows

    @property
    def events(self) -> list[Event]:
        """All of them as records, in order. The list may grow meanwhile; nothing is ever taken out of it."""
        part = self._part
        with self._asking:
            part.events.extend(row.event for row in part.rows[len(part.events) :])
        return part.events

    def add(self, rows: Sequence[Row]) -> None:
        """Append these."""
        self._part.rows.extend(rows)

    def drop(self, count: int) -> None:
        """Forget the first ones. Who reads the old list keeps a whole one."""
        part = self._part
        self._part = _Part(part.rows[count:], part.events[count:])
