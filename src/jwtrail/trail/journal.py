"""What a writer has appended and what of it is known to be durable; survives failed writes by starting a new file."""

import os
import secrets
from collections.abc import Sequence
from contextlib import AbstractContextManager

from jwtrail.ecs.entry import SALT_SIZE, entry_of
from jwtrail.ecs.event import Event
from jwtrail.ecs.vocabulary import event_for
from jwtrail.trail.durable import storage_errors
from jwtrail.trail.layout import Layout
from jwtrail.trail.storable import storable_parts
from jwtrail.trail.wal import CHAIN_START, build_close, build_line, next_chain
from jwtrail.trail.walfile import WalFile

__all__ = ["Journal"]


def _parts(event: Event, salt: bytes) -> tuple[bytes, bytes, bytes]:
    """Public part, personal part and entry; of a note in its place when the event cannot be kept."""
    try:
        public, personal = storable_parts(event)
        return public, personal, entry_of(event.event_id, public, personal, salt)
    except (ValueError, TypeError, OverflowError) as error:
        note = event_for(
            "logging-gap",
            event_outcome="failure",
            jwtrail_records=1,
            process_pid=os.getpid(),
            message=f"an event was not recorded: {error}",
        )
        public, personal = storable_parts(note)
        return public, personal, entry_of(note.event_id, public, personal, salt)


class Journal:
    """The log of one writer. Used by one thread.

    Args:
        layout: where.
        file_bytes: size beyond which a new file is begun.
    """

    def __init__(self, layout: Layout, file_bytes: int) -> None:
        self.writer = secrets.token_hex(8)
        self.written = 0
        self.durable = 0
        self.syncs = 0
        self._layout = layout
        self._file_bytes = file_bytes
        self._chain = CHAIN_START
        self._file: WalFile | None = None
        self._unsynced: list[bytes] = []  # lines that no sync has covered: written again after an error
        self._owed = False  # the unsynced lines are not all in the file

    @property
    def unsynced(self) -> int:
        """Lines not known to be durable."""
        return len(self._unsynced)

    def append(self, events: Sequence[Event]) -> None:
        """Write these events with one `write`; they can be followed from then on.

        Raises:
            WriteError: the disk refused. The events are kept: the next `append` or `sync` writes them to a new file.
        """
        lines = self._lines(events)
        self._unsynced += lines
        if self._owed:
            self._rewrite()
        elif lines:
            self._write(b"".join(lines))

    def _lines(self, events: Sequence[Event]) -> list[bytes]:
        salts = os.urandom(SALT_SIZE * len(events))
        lines = []
        for at, event in enumerate(events):
            salt = salts[at * SALT_SIZE : (at + 1) * SALT_SIZE]
            public, personal, entry = _parts(event, salt)
            self._chain = next_chain(self._chain, entry)
            self.written += 1
            lines.append(
                build_line(
                    public, personal, writer=self.writer, number=self.written, salt=salt, chain=self._chain
                )
            )
        return lines

    def _write(self, data: bytes) -> None:
        self._owed = True  # until proven otherwise
        if self._file is None:
            self._open()
        assert self._file is not None
        with self._naming("append to"):
            self._file.append(data)
        self._owed = False

    def _open(self) -> None:
        path = self._layout.wal / self.writer
        with storage_errors("begin a log in", path):
            self._file = WalFile(self._layout, self.writer, self.durable + 1)

    def _rewrite(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        self._write(b"".join(self._unsynced))

    def sync(self) -> None:
        """Make everything appended durable with one fdatasync.

        Raises:
            WriteError: it may not be durable. The file is given up; the next call writes to a new one and syncs that.
        """
        if self._owed:
            self._rewrite()
        if not self._unsynced or self._file is None:
            return
        self._owed = True
        with self._naming("sync"):
            self._file.sync()
            self.syncs += 1
        self._owed = False
        self.durable += len(self._unsynced)
        self._unsynced.clear()
        if self._file.size >= self._file_bytes:
            self._file.close()
            self._file = None

    def close(self) -> None:
        """Sync, add the clean-close mark, and let the file go.

        Raises:
            WriteError: the mark may not be durable; the events before it are.
        """
        self.sync()
        if not self.written:
            return
        self._write(build_close(self.writer, self.written, self._chain))
        assert self._file is not None
        with self._naming("sync"):
            self._file.sync()
        self._file.close()
        self._file = None

    def forget(self) -> None:
        """In a forked child: close the inherited descriptor. The parent's own keeps the lock."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _naming(self, doing: str) -> AbstractContextManager[None]:
        assert self._file is not None
        return storage_errors(f"{doing} the log", self._file.path)
