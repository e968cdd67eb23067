"""Keeps the query index up with the segments, in a thread of its own: a million events take some seconds."""

import logging
import os
import threading
from contextlib import suppress

from jwtrail.errors import JwtrailError
from jwtrail.query.index import QueryIndex
from jwtrail.query.source import TrailSource

__all__ = ["Indexer"]

_log = logging.getLogger("jwtrail.indexer")

PAUSE_S = 2.0
"""Between two looks at the list of segments; a new one comes every few minutes."""

_NICE = 10
"""Detection and searches come first."""


class Indexer:
    """Makes parts of the index for segments that have none. Searches do without until then, so nothing waits for it.

    Args:
        source: lists the segments.
        index: what is kept up.
    """

    def __init__(self, source: TrailSource, index: QueryIndex) -> None:
        self._source = source
        self._index = index
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="jwtrail-indexer", daemon=True)
        self._told = ""

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stop at once; a part that is not whole is made again the next time. Idempotent, and right also when it was never started."""
        self._stop.set()
        self._index.stop()
        if self._thread.is_alive():
            self._thread.join(timeout=30)

    def _run(self) -> None:
        with suppress(
            OSError, AttributeError
        ):  # where threads have no priority of their own it works as well
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        while not self._stop.is_set():
            if not self._look():
                self._stop.wait(PAUSE_S)

    def _look(self) -> bool:
        """One look; whether there was something to do."""
        try:
            made = self._index.keep_up(self._source.segments())
        except JwtrailError as error:  # a full disk, a torn segment: searches go on without
            if str(error) != self._told:
                _log.warning("search index: %s", error)
            self._told = str(error)
            return False
        self._told = ""
        return made
