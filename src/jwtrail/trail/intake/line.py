"""Lines of files, plain or gzip, each with its place; and what every format makes of one."""

import gzip
import ipaddress
import zlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from jwtrail import clock
from jwtrail.ecs import IMPORTED, Event
from jwtrail.ecs.clean import redact_query
from jwtrail.errors import ConfigError

__all__ = ["MAX_LINE", "Line", "Parser", "Unreadable", "is_ip", "lines_of", "provenance", "redacted_url"]

MAX_LINE = 256 * 1024
"""Bytes of a line; an event of ours has some hundreds, and a file without line ends must not fill the memory."""

MAX_ADDRESSES = 4096
"""Addresses that were looked at last and need no second look: the same come again and again."""

_GZIP = b"\x1f\x8b"


class Unreadable(ValueError):  # noqa: N818  # reads as a sentence where it is raised
    """A line that its format does not allow; the message says why."""


class Line(Struct, frozen=True):
    """One line.

    Args:
        file: name of the file, without its directory.
        number: from 1.
        text: without its end; bytes that are no UTF-8 are replaced.
    """

    file: str
    number: int
    text: str


Parser = Callable[[Line], Event]
"""Makes an event of a line; raises `Unreadable`."""


def lines_of(path: Path, tell: Callable[[int], None] | None = None) -> Iterator[Line]:
    """The lines of a file. Empty ones are passed over; one that is too long is cut, which no format allows.

    Args:
        tell: called now and then with the bytes of the file that are read.

    Raises:
        ConfigError: the file cannot be read, or is gzip and cut off.
    """
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == _GZIP
            raw.seek(0)
            source: BinaryIO = gzip.GzipFile(fileobj=raw) if packed else raw  # type: ignore[assignment]
            for number, line in enumerate(_bounded(source), 1):
                if tell and number % 1024 == 0:
                    tell(raw.tell())
                if text := line.decode("utf-8", "replace").strip("\r\n"):
                    yield Line(path.name, number, text)
    except (OSError, EOFError, zlib.error) as error:
        raise ConfigError(f"cannot read: {error}", where=str(path)) from error


def _bounded(source: BinaryIO) -> Iterator[bytes]:
    """Lines; the rest of one that is too long is left out."""
    while line := source.readline(MAX_LINE):
        rest = line
        while len(rest) == MAX_LINE and not rest.endswith(b"\n"):
            rest = source.readline(MAX_LINE)
        yield line


def provenance(line: Line, kind: str, labels: dict[str, str] | None = None) -> dict[str, object]:
    """Fields that say where an event comes from, for `event_for`."""
    origin = {"import.file": line.file, "import.line": str(line.number)}
    return {
        "tags": (IMPORTED, f"imported_{kind}"),
        "labels": origin | (labels or {}),
        "event_created": clock.iso(clock.now_us()),
    }


@lru_cache(maxsize=MAX_ADDRESSES)
def is_ip(text: str) -> bool:
    """Whether this is an IP address, as a field of type `ip` wants it."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def redacted_url(url: str, flags: set[str]) -> str:
    """A URL whose query has no values, as the middleware records it."""
    path, mark, query = url.partition("?")
    return f"{path}?{redact_query(query, frozenset(), flags)}" if mark else url
