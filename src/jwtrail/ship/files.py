"""A file of one JSON document a line, for Filebeat, Vector, Fluent Bit and whatever else follows files.

A full file is renamed, with the first index after its name, and a new one begun: followers keep their place by the inode.
The file tells itself how far it is, so a crash neither loses nor doubles a line.
"""

import glob
import os
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from jwtrail.errors import ConfigError
from jwtrail.ship.sink import Receipt, SinkAway
from jwtrail.trail.documents import Document
from jwtrail.trail.durable import FILE_MODE, sync_directory, write_all

__all__ = ["MAX_BYTES", "FileSink", "file_sink"]

MAX_BYTES = 100_000_000
"""Bytes from which a file is renamed, unless the address says otherwise (`?max_bytes=`)."""

TAIL_BYTES = 4 << 20
"""What is read of a file's end to find its last line; a document has 2 MiB at most."""

_SEQUENCE = re.compile(rb',"event\.sequence":([0-9]{1,16})[,}]')


def file_sink(url: str, secret: str) -> "FileSink":  # noqa: ARG001  # every factory takes both
    """`file:///PATH[?max_bytes=N]`.

    Raises:
        ConfigError: the address is not of that form.
    """
    parts = urlsplit(url)
    options = parse_qs(parts.query)
    limit = options.pop("max_bytes", [str(MAX_BYTES)])[0]
    if parts.netloc or not parts.path.startswith("/") or options or not limit.isdigit() or int(limit) < 1:
        raise ConfigError(
            "not the address of a file",
            where=url,
            hint="file:///var/log/jwtrail/events.ndjson?max_bytes=100000000",
        )
    return FileSink(Path(unquote(parts.path)), int(limit))


class FileSink:
    """Appends to one file.

    Args:
        path: its directory must exist.
        max_bytes: a file of so many bytes is renamed.
    """

    parallel = 1

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self.name = f"file://{path}"
        self._path = path
        self._max_bytes = max_bytes
        self._fd = -1
        self._last = -1

    def open(self) -> int:
        """See `Sink.open`.

        Raises:
            ConfigError: there is no such directory.
        """
        if not self._path.parent.is_dir():
            raise ConfigError(
                "there is no such directory", where=str(self._path.parent), hint="make it first"
            )
        try:
            self._reopen()
            self._last = max(self._last, self._last_line(self._path), self._last_renamed())
        except OSError as error:
            raise ConfigError(f"cannot be written: {error.strerror}", where=str(self._path)) from error
        return self._last + 1

    def send(self, documents: Sequence[Document], *, again: bool) -> Receipt:  # noqa: ARG002  # the file knows by itself
        """See `Sink.send`; when it returns, the lines are on disk."""
        new = [one for one in documents if one.sequence > self._last]
        try:
            if self._fd < 0 or self._was_renamed():
                self._reopen()
            size = os.fstat(self._fd).st_size
            if size and size + sum(len(one.body) + 1 for one in new) > self._max_bytes:
                self._rename()
            write_all(self._fd, b"".join(one.body + b"\n" for one in new))
            os.fdatasync(self._fd)
        except OSError as error:
            self.close()  # opening it again cuts off the part of a line that may be there now
            raise SinkAway(f"cannot be written: {error.strerror}", where=str(self._path)) from error
        if new:
            self._last = new[-1].sequence
        return Receipt(there=len(documents) - len(new))

    def close(self) -> None:
        """See `Sink.close`."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _was_renamed(self) -> bool:
        """Somebody else (logrotate) may rename the file too."""
        try:
            return self._path.stat().st_ino != os.fstat(self._fd).st_ino
        except FileNotFoundError:
            return True

    def _rename(self) -> None:
        first = self._first_line()
        self._path.rename(self._path.with_name(f"{self._path.name}.{first:012d}"))
        self._reopen()
        sync_directory(self._path.parent)

    def _reopen(self) -> None:
        self.close()
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, FILE_MODE)
        self._cut()

    def _cut(self) -> None:
        """Take away the part of a line that an interrupted write left."""
        size = os.fstat(self._fd).st_size
        tail = os.pread(self._fd, min(size, TAIL_BYTES), max(0, size - TAIL_BYTES))
        keep = tail.rfind(b"\n") + 1
        if keep < len(tail):
            os.ftruncate(self._fd, size - len(tail) + keep)

    def _first_line(self) -> int:
        found = _SEQUENCE.search(os.pread(self._fd, TAIL_BYTES, 0))
        return int(found[1]) if found else 0

    def _last_line(self, path: Path) -> int:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL_BYTES))
            found = _SEQUENCE.findall(file.read())
        return int(found[-1]) if found else -1

    def _last_renamed(self) -> int:
        """The last index in what was renamed last, by us or by others."""
        others = [one for one in self._path.parent.glob(f"{glob.escape(self._path.name)}?*") if one.is_file()]
        for path in sorted(others, key=lambda one: one.stat().st_mtime_ns, reverse=True):
            if (last := self._last_line(path)) >= 0:
                return last
        return -1
