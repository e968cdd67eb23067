"""Events as CSV that a spreadsheet can be trusted with."""

import csv
import io
from collections.abc import Iterable, Iterator

import msgspec

from jwtrail.ecs import Event, document

__all__ = ["COLUMNS", "csv_lines", "harmless_cell"]

COLUMNS = (
    "@timestamp",
    "event.sequence",
    "event.action",
    "event.outcome",
    "event.reason",
    "user.id",
    "user.name",
    "source.ip",
    "http.request.method",
    "url.path",
    "http.response.status_code",
    "http.route",
    "jwt.jti",
    "jwt.family",
    "jwt.client_id",
    "jwtrail.object.id",
    "rule.name",
    "message",
    "user_agent.original",
    "service.name",
    "event.id",
)
"""Columns of a CSV file."""

_TRIGGERS = frozenset("=+-@\t\r\n")


def harmless_cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula (OWASP, CSV injection): a quote mark goes in front."""
    return f"'{text}" if text[:1] in _TRIGGERS or text.lstrip()[:1] in _TRIGGERS else text


def csv_lines(events: Iterable[Event], columns: tuple[str, ...] = COLUMNS) -> Iterator[str]:
    """A header and one line an event; lists joined by spaces."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")  # RFC 4180 section 2
    writer.writerow(columns)
    for event in events:
        doc = document(event)
        writer.writerow([_cell(doc.get(column)) for column in columns])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return harmless_cell(" ".join(map(str, value)))
    if isinstance(value, dict):
        return harmless_cell(msgspec.json.encode(value).decode())
    return harmless_cell(str(value)) if isinstance(value, str) else str(value)
