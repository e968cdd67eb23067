"""What a log line may hold so that typed columns give its bytes back; `ecs.event_for` makes nothing else."""

import re
from datetime import datetime
from functools import lru_cache
from operator import attrgetter, itemgetter

import msgspec

from jwtrail.ecs.catalogue import CATALOGUE, Field
from jwtrail.ecs.codec import encode, encode_parts
from jwtrail.ecs.event import Event
from jwtrail.trail.wal import MAX_LINE, WalLine

__all__ = ["storable_parts", "unknown_fields", "why_not_storable"]

_DATES = [field for field in CATALOGUE.values() if field.type == "date" and field.klass != "derived"]
_LONGS = [field for field in CATALOGUE.values() if field.type == "long" and field.klass != "derived"]
_DERIVED = [field for field in CATALOGUE.values() if field.klass == "derived"]
_dates = attrgetter(*(field.attribute for field in _DATES))
_longs = attrgetter(*(field.attribute for field in _LONGS))
_derived = attrgetter(*(field.attribute for field in _DERIVED))
_NOTHING = (None,) * len(_DERIVED)

_DATE_LENGTH = 27
# With these in place `datetime.fromisoformat` reads the one form and no other.
_MARKS = tuple("--T::.Z")
_marks = itemgetter(4, 7, 10, 13, 16, 19, 26)
_CONTROL = re.compile(rb'\\[^"\\]')  # a JSON writer escapes nothing but these two and control characters
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_MAX_LONG = 2**53 - 1
_MARK = b',"jwtrail.wal":null'  # where `encode` leaves room for what the log adds
_FRAME = 512  # more than the member `jwtrail.wal` and the LF take


def storable_parts(event: Event) -> tuple[bytes, bytes]:
    """The canonical public and personal part of an event.

    Raises:
        ValueError: they could not be had back from typed columns; the message names the field.
    """
    if _derived(event) != _NOTHING or event.wal is not None:
        raise ValueError("it has been in a trail before")
    # Every event passes here, so names are only looked for when something is wrong.
    for text in _dates(event):
        if text is not None and not _is_date(text):
            raise ValueError(f"{_name_of(event, _DATES, text)} is not a time in the one form")
    for number in filter(None, _longs(event)):
        if not -_MAX_LONG <= number <= _MAX_LONG:
            raise ValueError(f"{_name_of(event, _LONGS, number)} is beyond 2^53")
    public, personal = encode_parts(event)
    if len(public) + len(personal) > MAX_LINE - _FRAME:
        raise ValueError(f"it has more than {MAX_LINE - _FRAME} bytes")
    for part in (public, personal):
        if b"\\" in part and _control(part):
            raise ValueError("a text holds a control character")
    return public, personal


def why_not_storable(event: Event, public: bytes, personal: bytes) -> str:
    """Why a line would not come back from a segment as it was written, or an empty text.

    One such line with an index would keep everything behind it from being sealed, whoever wrote it.

    Args:
        event: as the line was read.
        public: its public part, as it stands in the line; `personal` the other.
    """
    # Written anew it must be the same bytes: then no field is unknown, in another place or spelling, or there twice.
    again, end = encode(event), len(public) - 1
    behind = end + len(_MARK)
    rest = b"," + personal[1:-1] if len(personal) > len(b"{}") else b""
    if again[:end] != public[:-1] or again[end:behind] != _MARK or not again.startswith(rest, behind):
        return "it is not in the one form of this version"
    if not all(map(_is_known_date, filter(None, _dates(event)))):
        return "a time is not in the one form"
    numbers = tuple(filter(None, _longs(event)))
    if numbers and (max(numbers) > _MAX_LONG or min(numbers) < -_MAX_LONG):
        return "a number is beyond 2^53"
    if b"\\" in again and (_control(public) or _control(personal)):
        return "a text holds a control character"
    return ""


def unknown_fields(line: WalLine) -> list[str]:
    """Fields of a line that the catalogue does not have: another version has written it. None of a line that is no object."""
    try:
        return [
            name for part in (line.public, line.personal) for name in _members(part) if name not in CATALOGUE
        ]
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []


@lru_cache(maxsize=8192)
def _is_known_date(text: str) -> bool:
    return _is_date(text)


def _is_date(text: str) -> bool:
    if len(text) != _DATE_LENGTH or _marks(text) != _MARKS:
        return False
    try:
        return datetime.fromisoformat(text).year >= 1970
    except ValueError:
        return False


def _name_of(event: Event, fields: list[Field], value: object) -> str:
    return next(field.name for field in fields if getattr(event, field.attribute) is value)


def _control(part: bytes) -> bool:
    return _CONTROL.search(part.replace(b"\\\\", b"")) is not None
