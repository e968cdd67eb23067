"""The daemon removes what is old by itself when `trail.prune_after` says how old, and watches over legal holds."""

import logging
from collections.abc import Callable

from jwtrail.config import Settings
from jwtrail.ecs import Event
from jwtrail.errors import HoldError
from jwtrail.query.store import Store
from jwtrail.runtime.holds import HoldWatch, refuse_held
from jwtrail.runtime.pruning import Pruned, overdue, refused_event
from jwtrail.runtime.ticking import Ticker
from jwtrail.trail.layout import Layout
from jwtrail.trail.retired import is_read

__all__ = ["ScheduledPruning"]

EVERY_S = 60.0
"""Between two looks at the legal hold."""

FIRST_S = 30.0
"""After the start, when what was left is in order."""

LOOKS = 60
"""Looks at the hold for one at what is old: once an hour, as it reads a column of every segment."""

_log = logging.getLogger("jwtrail.daemon")


class ScheduledPruning:
    """Looks in its own thread, as that may take a while.

    Args:
        settings: which trail, and `trail.prune_after`.
        take: announces and removes what was found; returns when that is done.
        record: puts an event into the trail.
        store, size: see `HoldWatch`.
    """

    def __init__(
        self,
        settings: Settings,
        take: Callable[[Pruned], None],
        record: Callable[[Event], None],
        store: Store,
        size: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._layout = Layout(settings.root)
        self._take = take
        self._record = record
        self._holds = HoldWatch(self._layout, record, store, size)
        self._looks = 0
        self._failure = ""
        self._ticker = Ticker("jwtrail-pruning", self.look, EVERY_S, FIRST_S)

    def start(self) -> None:
        """Begin to look."""
        self._ticker.start()

    def close(self) -> None:
        """Stop."""
        self._ticker.close()

    def look(self) -> None:
        """Look once. What fails is said once, by an event, and tried again at the next look."""
        try:
            self._holds.look()
            if self._settings.trail.prune_after and self._looks % LOOKS == 0:
                self._prune()
            self._looks += 1
            self._failure = ""
        except Exception as error:  # noqa: BLE001  # looking must not end in silence
            self._tell(error)

    def _prune(self) -> None:
        found = overdue(self._settings, self._settings.trail.prune_after)
        if not found.segments or is_read(self._layout.segments):  # an audit or a backup: at the next look
            return
        refuse_held(self._layout)
        self._take(found)

    def _tell(self, error: Exception) -> None:
        failure = f"nothing is removed: {error}"
        if failure == self._failure:
            return
        self._failure = failure
        _log.warning("%s", failure)
        if not isinstance(error, HoldError):  # a hold is known: its beginning is an event
            self._record(refused_event(failure, "jwtrail"))
