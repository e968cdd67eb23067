"""A sequenced event: its index, and the one JSON object that both `Event` and the columns are read from."""

from binascii import hexlify
from hashlib import sha256

from msgspec import Struct

from jwtrail.ecs.codec import decode_line
from jwtrail.ecs.event import Event
from jwtrail.trail.tail import TailLine
from jwtrail.trail.wal import TIMESTAMP, b64

__all__ = ["Row", "document_of", "event_of", "make_row"]


class Row(Struct, frozen=True, gc=False):
    """One event with its index. Held until it is sealed, so as bytes: as a record it is three times as large.

    Args:
        index: `event.sequence`.
        writer: who wrote it.
        number: its number within the writer.
        chain: chain value behind it.
        entry: its 81 bytes.
        doc: flat JSON: all fields, the derived ones, and `jwtrail.salt` in hexadecimal.
    """

    index: int
    writer: str
    number: int
    chain: bytes
    entry: bytes
    doc: bytes

    @property
    def event(self) -> Event:
        """The same as a record.

        Raises:
            msgspec.DecodeError, UnicodeDecodeError: the line is not an event.
        """
        return decode_line(self.doc)

    @property
    def timestamp(self) -> str:
        """`@timestamp`."""
        return self.doc[TIMESTAMP].decode()


_HEAD = b'%b%b%b,"event.hash":"%b"'
_TAIL = b',"jwtrail.writer":"%b","jwtrail.writer_seq":%d'
_INDEXED = _HEAD + b',"event.ingested":"%b","event.sequence":%d' + _TAIL + b',"jwtrail.salt":"%b"}'
_LOOSE = _HEAD + _TAIL + b"}"
"""A line as a document, with what is derived from it: of an event with an index, and of one without."""


def make_row(tailed: TailLine, index: int, ingested: str) -> Row:
    """Give a line its index, without encoding a field again; whether it is an event is not looked at.

    Args:
        ingested: `event.ingested`.
    """
    line = tailed.line
    doc = document_of(tailed, index, ingested)
    return Row(index, line.writer, line.number, line.chain, tailed.entry, doc)


def document_of(tailed: TailLine, index: int, ingested: str) -> bytes:
    """The document of a line that has an index, see `Row.doc`; whether it is an event is not looked at."""
    line, entry = tailed.line, tailed.entry
    return _INDEXED % (
        line.public[:-1], b"" if line.personal == b"{}" else b",", line.personal[1:-1], b64(sha256(entry).digest()),
        ingested.encode(), index, line.writer.encode(), line.number, hexlify(line.salt),
    )  # fmt: skip


def event_of(tailed: TailLine) -> Event:
    """The event of a line that has no index yet.

    Raises:
        msgspec.DecodeError: the line is not an event.
    """
    line, entry = tailed.line, tailed.entry
    return decode_line(
        _LOOSE
        % (
            line.public[:-1], b"" if line.personal == b"{}" else b",", line.personal[1:-1], b64(sha256(entry).digest()),
            line.writer.encode(), line.number,
        )
    )  # fmt: skip
