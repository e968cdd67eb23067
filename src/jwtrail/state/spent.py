"""What counts once, such as the id of a DPoP proof: one SQLite file beside `state.db`, shared by all processes of a host."""

import threading
from pathlib import Path

from jwtrail import clock
from jwtrail.state.database import Database
from jwtrail.state.schema import SPENT_MIGRATIONS

__all__ = ["PRUNE_US", "SpentStore"]

PRUNE_US = 10_000_000
"""Between two clean-ups. Rows live some ninety seconds, so the file holds at most a hundred seconds of proofs."""


class SpentStore:
    """Remembers ids until a moment.

    Args:
        path: the file; opened at first use.
        clock: source of the time, for forgetting.

    Raises:
        StateError: (any method) the file is closed, locked, damaged, or the disk failed.
    """

    def __init__(self, path: Path | str, *, clock: clock.Clock = clock.now_us) -> None:
        self._db = Database(path, SPENT_MIGRATIONS)
        self._now_us = clock
        self._pruned_us = 0
        self._lock = threading.Lock()

    def spend(self, spent_id: str, until_us: int) -> bool:
        """True for the first of any number of callers with this id, across threads and processes.

        Not waited for on the disk: after a power cut, what was spent in the last moments may count once more.

        Args:
            until_us: how long it is remembered; after that the caller must refuse it for its age.
        """
        with self._db.write(durable=False) as connection:
            if self._due():
                connection.execute("DELETE FROM spent WHERE until_us <= ?", (self._now_us(),))
            done = connection.execute(
                "INSERT OR IGNORE INTO spent (id, until_us) VALUES (?, ?)", (spent_id, until_us)
            )
            return done.rowcount == 1

    def close(self) -> None:
        """Close the file; any use afterwards raises `StateError`."""
        self._db.close()

    def _due(self) -> bool:
        with self._lock:
            now_us = self._now_us()
            if now_us < self._pruned_us + PRUNE_US:
                return False
            self._pruned_us = now_us
            return True
