"""Following one writer's log: each good line once, in order, whatever became of its files (docs/formats/wal.md, section 4)."""

import fcntl
import os
from contextlib import ExitStack, suppress
from itertools import pairwise
from pathlib import Path

from msgspec import Struct

from jwtrail.errors import CorruptionError
from jwtrail.trail.layout import Layout, WalFileName
from jwtrail.trail.wal import (
    CHAIN_START,
    MAX_LINE,
    LineError,
    WalLine,
    next_chain,
    split_close,
    split_line,
)

__all__ = ["Tail", "TailLine", "writer_is_gone"]

READ_BYTES = 256 * 1024
"""Taken from a file at once: what stays in a core's cache while it is cut apart and hashed."""

LONG_READ = 2 * MAX_LINE
"""Taken when that much has no LF: room for the longest line, so a chunk without one is damage or the end."""

MAX_FINDINGS = 100
"""Kept for one writer: a file of noise would otherwise fill the memory."""


class TailLine(Struct, frozen=True, gc=False):
    """A good line and its entry."""

    line: WalLine
    entry: bytes


class Tail:
    """A position in the log of one writer.

    Args:
        layout: where.
        writer: its id.
        number: the last number that is already known; 0 to begin.
        chain: chain value behind that number.
    """

    def __init__(self, layout: Layout, writer: str, number: int = 0, chain: bytes = CHAIN_START) -> None:
        self.writer = writer
        self.number = number
        self.chain: bytes | None = chain  # None behind damage: the next good line says where the chain stands
        self.closed = False
        self.torn = False
        self.findings: list[CorruptionError] = []
        self._layout = layout
        self._name: WalFileName | None = None
        self._fd = -1
        self._offset = 0
        self._dirty = False
        self._left: list[int] = []  # files that were read to their end and not synced

    def read(self, limit: int) -> list[TailLine]:
        """Further lines, `limit` or somewhat more at most; empty when there are none now.

        Damage goes to `findings` and reading goes on behind it. `torn` says whether the end lacks its LF,
        `closed` whether the writer ended in order.

        Raises:
            OSError: a file cannot be read. What was read before it is given first: the next call meets the error again.
        """
        found: list[TailLine] = []
        try:
            self._fill(found, limit)
        except OSError:
            if not found:
                raise
        return found

    def _fill(self, found: list[TailLine], limit: int) -> None:
        while not self.closed:
            # Listed before reading: a file that has a successor does not grow any more.
            names = self._layout.wal_files(self.writer)
            while len(found) < limit and self._read_chunk(found):
                pass
            if len(found) >= limit or self.closed or not self._move_on(names):
                break

    def sync(self) -> None:
        """Make every line that `read` gave durable.

        Apart from `read`, which has to hand over what it took: a sync that failed inside would lose it.

        Raises:
            OSError: a line may not be. Another call tries no second time: its writer got the same error, and writes again
                whatever it had not synced itself.
        """
        waiting, dirty = [*self._left, self._fd], self._dirty
        self._left, self._dirty = [], False
        with ExitStack() as after:
            for fd in waiting[:-1]:
                after.callback(os.close, fd)
            for fd in waiting if dirty else ():
                after.callback(os.fdatasync, fd)  # each is tried; the first failure is told

    def close(self) -> None:
        """Let go of the open files."""
        for fd in (*self._left, self._fd):
            if fd >= 0:
                os.close(fd)
        self._left, self._fd = [], -1

    def drop_sealed(self, number: int) -> bool:
        """Remove the files that hold no line beyond `number`; True when the writer is gone and its directory with it.

        A log with damage in it is evidence and stays.

        Raises:
            OSError: a file cannot be removed.
        """
        if self._name is None or self.findings:
            return False
        names = self._layout.wal_files(self.writer)
        for name, following in pairwise(names):
            if name < self._name and following.first <= number + 1:
                self._path(name).unlink(missing_ok=True)
        over = self.closed or (writer_is_gone(self._path(self._name)) and self._at_end())
        if not over or names[-1] != self._name or self.number != number:
            return False
        self.close()
        directory = self._layout.wal / self.writer
        for path in [self._path(self._name), *directory.glob("*.tmp")]:
            with suppress(IsADirectoryError):
                path.unlink()
        if not any(directory.iterdir()):  # what others put there stays, and the audit names it
            directory.rmdir()
        return True

    def _at_end(self) -> bool:
        return b"\n" not in os.pread(self._fd, LONG_READ, self._offset)

    def _read_chunk(self, found: list[TailLine]) -> bool:
        """Take the whole lines of the next chunk; False at the end of the file."""
        if self._fd < 0:
            return False
        data = os.pread(self._fd, READ_BYTES, self._offset)
        end = data.rfind(b"\n") + 1
        if not end and len(data) == READ_BYTES:
            data = os.pread(self._fd, LONG_READ, self._offset)
            end = data.rfind(b"\n") + 1
        if not end:
            self.torn = bool(data)
            if len(data) < LONG_READ:
                return False
            self._damage("a line without end")
            self._offset += len(data)
            return True
        for line in data[:end].splitlines(keepends=True):
            self._take(line, found)
            self._offset += len(line)
        self.torn = False
        self._dirty = True
        return True

    def _take(self, raw: bytes, found: list[TailLine]) -> None:
        try:
            line = split_line(raw)
            entry = line.entry
        except LineError as error:
            self._end_or_damage(raw, error)
            return
        except ValueError:
            self._damage("event.id is not a UUID")
            return
        if line.writer != self.writer:
            self._damage(f"a line of writer {line.writer}")
        elif line.number > self.number:
            self._follow(line, entry, found)

    def _end_or_damage(self, raw: bytes, error: LineError) -> None:
        mark = split_close(raw)
        if mark is None:
            self._damage(str(error))
        elif (mark.writer, mark.number, mark.chain) == (self.writer, self.number, self.chain or mark.chain):
            self.closed = True
        else:
            self._damage("a clean-close mark that does not fit")

    def _follow(self, line: WalLine, entry: bytes, found: list[TailLine]) -> None:
        if line.number > self.number + 1:
            if self.chain is not None:
                self._damage(f"number {line.number} follows; the lines between are missing")
        elif self.chain is not None and next_chain(self.chain, entry) != line.chain:
            self._damage("the chain value does not follow: this line was altered")
            return
        self.number, self.chain = line.number, line.chain
        found.append(TailLine(line, entry))

    def _move_on(self, names: list[WalFileName]) -> bool:
        """Open the next file; False when there is none."""
        if self._name is None:
            # Files that end before the expected number were sealed long ago.
            behind = [name for name in names if name.first <= self.number + 1]
            names = ([max(behind)] if self.number and behind else []) or names
        else:
            names = [name for name in names if name > self._name]
        if not names:
            return False
        if self.torn and names[0].first > self.number + 1:
            self._damage("the last line is cut off, and no later file repeats it")
        fd = os.open(self._path(names[0]), os.O_RDONLY | os.O_CLOEXEC)
        if self._dirty:
            self._left.append(self._fd)
        elif self._fd >= 0:
            os.close(self._fd)
        self._name, self._fd, self._offset, self.torn = names[0], fd, 0, False
        return True

    def _damage(self, what: str) -> None:
        self.chain = None
        if len(self.findings) < MAX_FINDINGS:
            where = f"{self._path(self._name) if self._name else self.writer}:offset {self._offset}"
            self.findings.append(
                CorruptionError(
                    f"expected number {self.number + 1}: {what}", where=where, hint="the file is kept"
                )
            )

    def _path(self, name: WalFileName) -> Path:
        return self._layout.wal / self.writer / str(name)


def writer_is_gone(path: Path) -> bool:
    """True when no living process appends to this log file (a living one holds a lock on it)."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True
