"""Answers about events: search, histogram, top values, one event and what stands around it."""

from jwtrail.ecs import Event, document
from jwtrail.errors import EventNotFound
from jwtrail.query.page import SearchRequest
from jwtrail.query.times import parse_time
from jwtrail.web import questions, shapes
from jwtrail.web.audit import Searches
from jwtrail.web.call import Call

__all__ = ["around", "get", "histogram", "prove", "request_of", "search", "top"]

_searches = Searches()


def request_of(call: Call, limit: int = 1, cursor: str = "") -> SearchRequest:
    """The request of a `Window`.

    Raises:
        QueryError: a time that is none, or an end before its beginning.
    """
    window: questions.Window = call.query
    now = call.services.now_us()
    return SearchRequest(
        query=window.q,
        from_us=parse_time(window.from_, now),
        to_us=parse_time(window.to, now),
        limit=limit,
        cursor=cursor or None,
    )


def search(call: Call) -> shapes.EventsPage:
    query: questions.EventsQuery = call.query
    request = request_of(call, query.limit, query.cursor)
    page = call.services.store.search(request)
    if not query.cursor:
        _searches.record(call, query.q, f"{query.from_} to {query.to}", len(page.events))
    return shapes.EventsPage(
        events=tuple(document(event) for event in page.events),
        next=page.next,
        took_ms=page.took_ms,
        opened=page.opened,
        position=page.position,
        from_us=request.from_us,
        to_us=request.to_us,
    )


def histogram(call: Call) -> shapes.Histogram:
    request = request_of(call)
    made = call.services.store.histogram(request, buckets=call.query.buckets)
    return shapes.Histogram(
        interval_us=made.interval_us,
        from_us=request.from_us or 0,
        to_us=request.to_us or call.services.now_us(),
        buckets=tuple(
            shapes.Bucket(
                start_us=bar.start_us, success=bar.success, failure=bar.failure, unknown=bar.unknown
            )
            for bar in made.buckets
        ),
    )


def top(call: Call) -> shapes.TopValues:
    query: questions.TopQuery = call.query
    made = call.services.store.top(query.field_, request_of(call), size=query.size)
    return shapes.TopValues(
        field_=made.field,
        values=tuple(shapes.TopValue(value=str(value), count=count) for value, count in made.values),
        other=made.other,
        missing=made.missing,
    )


def get(call: Call) -> shapes.Document:
    return document(_found(call))


def around(call: Call) -> shapes.EventsPage:
    _found(call)
    events = call.services.store.around(call.path["id"], call.query.n)
    return shapes.EventsPage(events=tuple(document(event) for event in reversed(events)))


def prove(call: Call) -> shapes.Proof:
    return call.services.prove(call.path["id"])


def _found(call: Call) -> Event:
    event = call.services.store.get(call.path["id"])
    if event is None:
        raise EventNotFound(f"no event {call.path['id']!r}")
    return event
