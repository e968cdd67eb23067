"""Lines of the write-ahead log, made and cut apart as bytes (docs/formats/wal.md). Nothing is parsed or encoded twice."""

import re
from binascii import a2b_base64, b2a_base64
from hashlib import sha256

from msgspec import Struct

from jwtrail.ecs.entry import entry_of

__all__ = [
    "CHAIN_START",
    "MAX_LINE",
    "TIMESTAMP",
    "CloseMark",
    "LineError",
    "WalLine",
    "b64",
    "build_close",
    "build_line",
    "next_chain",
    "split_close",
    "split_line",
]

MAX_LINE = 1024 * 1024
"""Bytes of a line with its LF. `ecs.clean` keeps an event far below; a reader needs a bound on what it buffers."""

CHAIN_START = bytes(32)
"""Chain value before a writer's first line."""

_MARK = b',"jwtrail.wal":{'
# Members in this order and spelling only: there is one way to write a line. The last character of base64url carries
# unused bits (4 of 22 characters, 2 of 43), which are zero.
_WAL = re.compile(
    rb',"jwtrail\.wal":\{"w":"([0-9a-f]{16})","n":([1-9][0-9]{0,11}),'
    rb'"s":"([A-Za-z0-9_-]{21}[AQgw])","h":"([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])"\}([,}])'
)
_LEAST_PERSONAL = 3
_CLOSE = re.compile(
    rb'\{"jwtrail\.close":\{"w":"([0-9a-f]{16})","n":(0|[1-9][0-9]{0,11}),"h":"([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])"\}\}\n?'
)
# `event.id` is a public field, so it stands before the mark; inside a text its quotes would be escaped.
_ID = b',"event.id":"'
_EVENT_ID = re.compile(_ID + rb'([0-9a-f-]{36})"')
_TIMESTAMP = re.compile(rb'\{"@timestamp":"([0-9T:.Z-]{27})"')

TIMESTAMP = slice(15, 42)
"""Where `@timestamp` stands in a line: it is the first field, and has one length."""


class LineError(ValueError):
    """A line that the format does not allow; the message says why."""


class WalLine(Struct, frozen=True, gc=False):
    """One line, cut apart.

    Args:
        timestamp: `@timestamp`, 27 characters; sorts by time.
        event_id: `event.id`.
        public: canonical JSON of the public fields.
        personal: canonical JSON of the personal fields.
        writer: writer id.
        number: number within the writer, from 1.
        salt: 16 bytes.
        chain: chain value behind this line, 32 bytes.
    """

    timestamp: bytes
    event_id: str
    public: bytes
    personal: bytes
    writer: str
    number: int
    salt: bytes
    chain: bytes

    @property
    def entry(self) -> bytes:
        """The 81 bytes of this event.

        Raises:
            ValueError: `event.id` is not a UUID.
        """
        return entry_of(self.event_id, self.public, self.personal, self.salt)


class CloseMark(Struct, frozen=True):
    """A writer's last line: it ended in order, after this number and chain value."""

    writer: str
    number: int
    chain: bytes


def next_chain(chain: bytes, entry: bytes) -> bytes:
    """Chain value behind an entry."""
    return sha256(chain + entry).digest()


def b64(value: bytes) -> bytes:
    """base64url without padding."""
    return b2a_base64(value, newline=False).translate(_URL_SAFE).rstrip(b"=")


def build_line(
    public: bytes, personal: bytes, *, writer: str, number: int, salt: bytes, chain: bytes
) -> bytes:
    """A line with its LF; the inverse of `split_line`."""
    comma = b"" if personal == b"{}" else b","
    return b'%b,"jwtrail.wal":{"w":"%b","n":%d,"s":"%b","h":"%b"}%b%b\n' % (
        public[:-1], writer.encode(), number, b64(salt), b64(chain), comma, personal[1:],
    )  # fmt: skip


def split_line(line: bytes) -> WalLine:
    """Cut a line apart, with or without its LF. What lies between the marks is not looked at: the commitments cover it.

    Raises:
        LineError: the line is not as the format wants it.
    """
    if len(line) > MAX_LINE:
        raise LineError(f"the line has {len(line)} bytes, more than {MAX_LINE}")
    at = line.find(_MARK)
    found = _WAL.match(line, at) if at >= 0 else None
    if found is None:
        raise LineError("the line has no jwtrail.wal member in its one form")
    identity, time = _EVENT_ID.match(line, line.find(_ID, 0, at)), _TIMESTAMP.match(line)
    if identity is None or time is None:
        raise LineError("the line lacks @timestamp or event.id")
    writer, number, salt, chain, then = found.groups()
    end = len(line) - 1 if line.endswith(b"\n") else len(line)
    if then == b",":
        personal = b"{" + line[found.end() : end]
        if not personal.endswith(b"}") or len(personal) < _LEAST_PERSONAL:
            raise LineError("the line is cut off")
    elif found.end() == end:
        personal = b"{}"
    else:
        raise LineError("something follows the end of the object")
    return WalLine(
        time[1], identity[1].decode(), line[:at] + b"}", personal,
        writer.decode(), int(number), _decode(salt), _decode(chain),
    )  # fmt: skip


def build_close(writer: str, number: int, chain: bytes) -> bytes:
    """The clean-close line, with its LF."""
    return b'{"jwtrail.close":{"w":"%b","n":%d,"h":"%b"}}\n' % (writer.encode(), number, b64(chain))


def split_close(line: bytes) -> CloseMark | None:
    """The clean-close mark of a line, or None when the line is something else."""
    found = _CLOSE.fullmatch(line)
    return CloseMark(found[1].decode(), int(found[2]), _decode(found[3])) if found else None


def _decode(text: bytes) -> bytes:
    return a2b_base64(text.translate(_STANDARD) + b"==")


_STANDARD = bytes.maketrans(b"-_", b"+/")
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
