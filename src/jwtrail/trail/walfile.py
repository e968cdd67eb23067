"""The file a writer appends to: locked while it lives, given up after the first error."""

import fcntl
import os

from jwtrail.trail.durable import FILE_MODE, make_directory, sync_directory, write_all
from jwtrail.trail.layout import Layout, WalFileName

__all__ = ["WalFile"]


class WalFile:
    """A new, empty log file, open for appending.

    It gets its name only once it is locked, so that a reader that can lock a named file knows its writer is gone.

    Args:
        first: number of the line that will be written first.

    Raises:
        OSError: it cannot be made.
        WriteError: its directory cannot be made.
    """

    def __init__(self, layout: Layout, writer: str, first: int) -> None:
        directory = layout.wal / writer
        make_directory(directory)
        taken = [name.attempt for name in layout.wal_files(writer) if name.first == first]
        self.path = directory / str(WalFileName(first, max(taken) + 1 if taken else 0))
        self.size = 0
        temporary = self.path.with_name(self.path.name + ".tmp")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
        self._fd = os.open(temporary, flags, FILE_MODE)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX)
            temporary.rename(self.path)
            sync_directory(directory)
        except OSError:
            os.close(self._fd)
            raise

    def append(self, data: bytes) -> None:
        """Write at once, so that followers see it; not durable before `sync`."""
        write_all(self._fd, data)
        self.size += len(data)

    def sync(self) -> None:
        """Make everything appended durable. After an error the file must not be used again.

        The kernel reports a failed write-back once and then calls the pages clean, so a second call could
        return success for bytes that never reached the disk.
        """
        os.fdatasync(self._fd)

    def close(self) -> None:
        """Close the descriptor and with it the lock. Never raises: nothing is lost that `sync` has not reported."""
        try:
            os.close(self._fd)
        except OSError:
            return
