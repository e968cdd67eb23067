"""The daemon erases restricted people by itself when their retention period is over."""

import logging
from collections.abc import Callable

from jwtrail import clock
from jwtrail.config import Settings
from jwtrail.runtime.holds import refuse_held
from jwtrail.runtime.restricting import restrict
from jwtrail.runtime.subjects import Found, search
from jwtrail.runtime.ticking import Ticker
from jwtrail.trail.layout import Layout
from jwtrail.trail.manifest import read_manifest
from jwtrail.trail.restriction import Restriction, read_restrictions
from jwtrail.trail.retired import reading

__all__ = ["DueErasures"]

EVERY_S = 60.0
FIRST_S = 10.0
"""After the start, when what was left is in order."""

_log = logging.getLogger("jwtrail.daemon")

Take = Callable[[Restriction, Found], None]


class DueErasures:
    """Looks once a minute for restrictions that are over; searches in its own thread, as that may take minutes.

    Args:
        settings: which trail, and its retention profile.
        take: erases what was found; returns when that is done.
    """

    def __init__(self, settings: Settings, take: Take) -> None:
        self._settings = settings
        self._layout = Layout(settings.root)
        self._take = take
        self._failure = ""
        self._ticker = Ticker("jwtrail-erasures", self.look, EVERY_S, FIRST_S)

    def start(self) -> None:
        """Begin to look."""
        self._ticker.start()

    def close(self) -> None:
        """Stop."""
        self._ticker.close()

    def look(self) -> None:
        """Look once. What fails, under a legal hold for one, is tried at the next look."""
        try:
            now = clock.now_us()
            for one in read_restrictions(self._layout.restricted):
                if one.until_us < now:
                    self._end(one)
            self._failure = ""
        except Exception as error:  # noqa: BLE001  # looking must not end in silence
            if str(error) != self._failure:
                _log.warning("a scheduled erasure waits: %s", error)
            self._failure = str(error)

    def _end(self, one: Restriction) -> None:
        refuse_held(self._layout)
        with reading(self._layout.segments):
            found = search(
                self._layout, self._settings, read_manifest(self._layout.manifest).segments, one.person
            )
            if one not in read_restrictions(self._layout.restricted):  # cancelled meanwhile
                return
            if found.free or not found.waiting:  # else the clock went ahead of what the trail saw pass
                self._take(one, found)
        # What came since and must be kept waits for its own end; nobody is left in the file otherwise.
        restrict(
            self._layout.restricted, found.person, found.waiting, found.until_us, by=one.by, ticket=one.ticket
        )
