"""Events to bytes and back (docs/formats/entry.md)."""

from typing import Any

import msgspec

from jwtrail.ecs.event import Event

__all__ = ["decode_document", "decode_line", "document", "encode", "encode_parts"]

_MARK = b',"jwtrail.wal":null'
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Event)


def encode_parts(event: Event) -> tuple[bytes, bytes]:
    """The public and the personal part of an event as RFC 8785 canonical JSON objects; the second may be `{}`.

    The event must be one that has not been in a log yet: no `wal`, no derived field.
    """
    # Inside a text every quote is escaped, so the mark can only be the boundary that `Event.wal` makes.
    public, mark, personal = _encoder.encode(event).partition(_MARK)
    assert mark, "an event that is encoded for the log carries no wal yet"
    return public + b"}", b"{" + personal.removeprefix(b",")


def encode(event: Event) -> bytes:
    """An event as one JSON object."""
    return _encoder.encode(event)


def decode_line(line: bytes | memoryview) -> Event:
    """An event from a line of a log, with its `wal`.

    Raises:
        msgspec.DecodeError: not JSON, or (as its child `ValidationError`) a field of the wrong type.
    """
    return _decoder.decode(line)


def document(event: Event) -> dict[str, Any]:
    """The event as one flat JSON object with dotted ECS names, without the log's own `jwtrail.wal`."""
    made: dict[str, Any] = msgspec.to_builtins(event)
    made.pop("jwtrail.wal", None)
    return made


def decode_document(doc: dict[str, Any]) -> Event:
    """The inverse of `document`.

    Raises:
        msgspec.ValidationError: a field of the wrong type, named with its path.
    """
    return msgspec.convert(doc, Event)
