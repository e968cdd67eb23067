"""Cursors: where a page ended, as an opaque text that fits only the query it came from."""

import binascii
import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode

import msgspec
from msgspec import Struct

from jwtrail.ecs import Event
from jwtrail.errors import QueryError
from jwtrail.predicate.ir import And, Not, Or, Predicate, Range
from jwtrail.query.page import SearchRequest

__all__ = ["MAX_CURSOR", "Place", "beyond", "place_behind", "read_cursor", "write_cursor"]

MAX_CURSOR = 512
"""Characters of a cursor; ours have under 150."""


class Place(Struct, frozen=True, array_like=True):
    """Where a page ended.

    An event without an index is newer than all that have one, and such events are in the order of their ids. When a page
    ends among them they may have an index by the next one; the id and the size of then tell which were shown.

    Args:
        query: digest of query and direction.
        sequence: index of the last event; -1 when it had none.
        event_id: id of the last event shown without an index; empty when all had one.
        size: size of the trail then: what had no index got one not below it.
    """

    query: str
    sequence: int
    event_id: str = ""
    size: int = 0


_INDEX = "event.sequence"
_decoder = msgspec.msgpack.Decoder(Place)


def write_cursor(place: Place) -> str:
    return urlsafe_b64encode(msgspec.msgpack.encode(place)).rstrip(b"=").decode()


def read_cursor(request: SearchRequest) -> Place | None:
    """The place that a request goes on from; None for a first page.

    Raises:
        QueryError: not a cursor, or one of another query.
    """
    text = request.cursor
    if text is None:
        return None
    try:
        place = _decoder.decode(urlsafe_b64decode(text[:MAX_CURSOR] + "=" * (-len(text) % 4)))
    except (ValueError, binascii.Error, msgspec.DecodeError) as wrong:
        raise QueryError("not a cursor", hint="pass `next` of the page before as it is") from wrong
    if place.query != digest(request):
        raise QueryError("this cursor belongs to another query", hint="begin again without it")
    return place


def digest(request: SearchRequest) -> str:
    """Of what must not change between pages. The times may: `now` moves on."""
    text = f"{request.ascending} {request.query!r}"
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


def place_behind(request: SearchRequest, last: Event, size: int, before: Place | None) -> Place:
    """The place behind the last event of a page.

    Args:
        size: of the trail that was searched.
        before: where the page began.
    """
    if last.event_sequence is None:
        return Place(digest(request), -1, last.event_id, size)
    if before is None:
        return Place(digest(request), last.event_sequence)
    return Place(before.query, last.event_sequence, before.event_id, before.size)


def beyond(place: Place, *, ascending: bool) -> Predicate:
    """What has not been shown yet. A missing index counts as one above all others."""
    at = Range(field=_INDEX, op="lte" if ascending else "lt", value=place.sequence)
    items: list[Predicate] = []
    if place.sequence >= 0:
        items.append(Not(item=at) if ascending else at)
    if place.event_id:
        older = Range(field=_INDEX, op="lt", value=place.size)
        further = Range(field="event.id", op="gt" if ascending else "lt", value=place.event_id)
        items.append(And(items=(Not(item=older), further)) if ascending else Or(items=(older, further)))
    return And(items=tuple(items))
