"""Search results as a file: NDJSON with every field, or CSV with the fields people put into a sheet."""

from collections.abc import Iterator

import msgspec
from starlette.responses import Response, StreamingResponse

from jwtrail.ecs import Event, document
from jwtrail.web.audit import record
from jwtrail.web.call import Call
from jwtrail.web.cells import csv_lines
from jwtrail.web.events import request_of
from jwtrail.web.questions import MAX_PAGE

__all__ = ["MAX_EXPORT", "answer"]

MAX_EXPORT = 100_000
"""Events of one file; a sheet opens a million rows, a person none of them."""

_encode = msgspec.json.Encoder().encode


def answer(call: Call) -> Response:
    """The file, streamed. The first page is read before the answer begins, so that a bad query is a 400."""
    request = request_of(call, MAX_PAGE)
    first = call.services.store.search(request)
    made = call.query.format
    record(
        call,
        "console-export",
        f"exported as {made}: {call.query.q or '(everything)'}",
        labels={"query": call.query.q, "range": f"{call.query.from_} to {call.query.to}", "format": made},
    )

    def events() -> Iterator[Event]:
        page, sent = first, 0
        while True:
            yield from page.events[: MAX_EXPORT - sent]
            sent += len(page.events)
            if page.next is None or sent >= MAX_EXPORT:
                return
            page = call.services.store.search(msgspec.structs.replace(request, cursor=page.next))

    if made == "csv":
        body: Iterator[bytes] = (line.encode() for line in csv_lines(events()))
        media = "text/csv; charset=utf-8"
    else:
        body = (_encode(document(event)) + b"\n" for event in events())
        media = "application/x-ndjson"
    headers = {"content-disposition": f'attachment; filename="jwtrail-events.{made}"'}
    return StreamingResponse(body, media_type=media, headers=headers)
