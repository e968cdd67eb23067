"""Files that another one has replaced: kept until nobody can still be reading them."""

import fcntl
import os
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from jwtrail.trail.durable import storage_errors

__all__ = ["GRACE_SECONDS", "Retired", "is_read", "reading"]

GRACE_SECONDS = 60
"""A search lists the files, then opens them one after the other; it may take 30 s."""

_MICROS = 1_000_000


@contextmanager
def reading(directory: Path) -> Iterator[None]:
    """Within it no file of the directory is removed that was merged into another; an erasure removes files all the same."""
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:  # none yet, or not ours to read: whoever reads will say so
        yield
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_SH)
        yield
    finally:
        os.close(fd)


def is_read(directory: Path) -> bool:
    """Whether somebody is `reading` now."""
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


class Retired:
    """Replaced files of one directory. Used by the one keeper.

    Args:
        directory: where they lie.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._waiting: deque[tuple[int, str]] = deque()

    def add(self, names: Iterable[str], now_us: int) -> None:
        """These files were replaced just now."""
        self._waiting += ((now_us + GRACE_SECONDS * _MICROS, name) for name in names)

    def remove_due(self, now_us: int) -> None:
        """Remove those whose time is over, unless somebody is `reading`.

        Raises:
            WriteError: one cannot be removed; the next call tries again.
        """
        if not self._waiting or self._waiting[0][0] > now_us:
            return
        with storage_errors("tidy", self._directory):
            fd = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                with suppress(BlockingIOError):
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    self._remove(now_us)
            finally:
                os.close(fd)

    def remove_all(self) -> None:
        """Remove them now, whoever reads: nothing of an erased person may stay.

        Raises:
            WriteError: one cannot be removed; the next start of the keeper does it.
        """
        with storage_errors("tidy", self._directory):
            self._remove(None)

    def _remove(self, now_us: int | None) -> None:
        while self._waiting and (now_us is None or self._waiting[0][0] <= now_us):
            (self._directory / self._waiting[0][1]).unlink(missing_ok=True)
            self._waiting.popleft()
