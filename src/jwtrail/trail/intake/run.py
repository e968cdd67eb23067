"""Files in, events in the trail, what could not be read kept with its cause."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct

from jwtrail.ecs import Event, event_for
from jwtrail.errors import WriteError
from jwtrail.trail.durable import storage_errors
from jwtrail.trail.intake.line import Line, Parser, lines_of
from jwtrail.trail.journal import Journal
from jwtrail.trail.layout import Layout
from jwtrail.trail.storable import storable_parts

__all__ = ["Taken", "take"]

BATCH = 512
"""Events of one write."""

FILE_MODE = 0o600
"""Of the refused lines: what could not be read may still hold tokens and names."""

SYNC_EVERY = 16_384
"""Events between two syncs: an import that is cut off has lost at most these, and they are in the files still."""

Tell = Callable[[int, int], None]


class Taken(Struct, frozen=True):
    """What came of an import.

    Args:
        events: in the trail now.
        rejected: lines that could not be read.
        writer: the log they are in.
        rejects: the file that holds the rejected lines; empty when there are none.
    """

    events: int
    rejected: int
    writer: str
    rejects: str


class _Rejected(Struct, frozen=True):
    file: str
    line: int
    cause: str
    text: str


def take(
    layout: Layout,
    files: Iterable[Path],
    parse: Parser,
    rejects: Path,
    *,
    by: str,
    file_bytes: int,
    tell: Tell | None = None,
) -> Taken:
    """Read files and write their events to a log of their own, in the order of the lines; durable when it returns.

    Args:
        parse: makes an event of a line.
        rejects: where lines that are refused go, one JSON object each; made only when there is one.
        by: who imports, for the record.
        file_bytes: size of a file of the log.
        tell: called with (bytes read, bytes in all).

    Raises:
        ConfigError: a file cannot be read.
        WriteError: the log cannot be written; or the file of rejects, and then nothing was taken.
    """
    paths = list(files)
    refused = _Rejects(rejects)
    layout.create()
    log = _Log(Journal(layout, file_bytes))
    try:
        for event in _events(paths, parse, refused, tell):
            log.add(event)
    finally:
        events = log.count
        names = ", ".join(path.name for path in paths)[:500]
        log.close(_note(events, refused.count, names, by))
        refused.close()
    return Taken(events, refused.count, log.writer, str(rejects) if refused.count else "")


def _events(paths: list[Path], parse: Parser, refused: "_Rejects", tell: Tell | None) -> Iterator[Event]:
    """What can be read, file by file, line by line."""
    total = sum(path.stat().st_size for path in paths if path.is_file())
    done = 0
    for path in paths:

        def told(count: int, before: int = done) -> None:
            if tell:
                tell(before + count, total)

        for line in lines_of(path, told):
            try:
                event = parse(line)
                storable_parts(event)
            except (ValueError, TypeError, OverflowError) as error:  # `Unreadable` among them
                refused.add(line, str(error))
            else:
                yield event
        done += path.stat().st_size


def _note(events: int, rejected: int, names: str, by: str) -> Event:
    return event_for(
        "trail-imported",
        user_id=by,
        service_name="jwtrail",
        jwtrail_records=events,
        message=f"{events} events imported from {names}, {rejected} lines refused",
    )


class _Log:
    """A journal written in batches."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._waiting: list[Event] = []
        self.writer = journal.writer
        self.count = 0

    def add(self, event: Event) -> None:
        self._waiting.append(event)
        self.count += 1
        if len(self._waiting) >= BATCH:
            self._flush()

    def close(self, last: Event) -> None:
        self._waiting.append(last)
        self._flush()
        self._journal.close()

    def _flush(self) -> None:
        self._journal.append(self._waiting)
        self._waiting = []
        if self._journal.unsynced >= SYNC_EVERY:
            self._journal.sync()


class _Rejects:
    """The file of refused lines."""

    def __init__(self, path: Path) -> None:
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise WriteError(
                "refused lines cannot be kept there",
                where=str(path),
                hint="name another file: --rejects FILE",
            )
        self._path = path
        self._file: BinaryIO | None = None
        self.count = 0

    def add(self, line: Line, cause: str) -> None:
        self.count += 1
        with storage_errors("keep refused lines in", self._path):
            if self._file is None:
                if self._path.is_file():  # and no device
                    self._path.unlink()  # an older one may be for everybody to read
                fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
                self._file = os.fdopen(fd, "wb")
            entry = _Rejected(line.file, line.number, cause, line.text)
            self._file.write(msgspec.json.encode(entry) + b"\n")

    def close(self) -> None:
        if self._file is not None:
            with storage_errors("keep refused lines in", self._path):
                self._file.close()
