"""Keeps the membership filters up with the segments, in a thread of its own: making one takes a tenth of a second."""

import logging
import threading

from jwtrail.errors import JwtrailError
from jwtrail.query.filters import IdFilters
from jwtrail.query.source import TrailSource

__all__ = ["Indexer"]

_log = logging.getLogger("jwtrail.indexer")

PAUSE_S = 2.0
"""Between two looks at the list of segments; a new one comes every few minutes."""

AT_ONCE = 4
"""Segments between two looks at whether to stop."""


class Indexer:
    """Makes filters for segments that have none. Searches do without until then, so nothing waits for it.

    Args:
        source: lists the segments.
        filters: what is kept up.
    """

    def __init__(self, source: TrailSource, filters: IdFilters) -> None:
        self._source = source
        self._filters = filters
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="jwtrail-indexer", daemon=True)
        self._failed = False

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stop after the segment at hand. Idempotent, and right also when it was never started."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=30)

    def _run(self) -> None:
        while not self._stop.is_set():
            if not self._look():
                self._stop.wait(PAUSE_S)

    def _look(self) -> bool:
        """One look; whether there was something to do."""
        try:
            made = self._filters.add(self._source.segments(), AT_ONCE)
        except JwtrailError as error:  # a full disk: searches go on without
            if not self._failed:
                _log.warning("the search index cannot be kept up: %s", error)
            self._failed = True
            return False
        self._failed = False
        return made > 0
