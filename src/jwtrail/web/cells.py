"""Events as CSV that a spreadsheet can be trusted with."""

import csv
import io
import re
import unicodedata
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

_TRIGGERS = frozenset("=+-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u2212")
"""What begins a formula: the signs themselves, full width and small (East Asian versions take them), and the minus sign."""

_SEPARATORS = re.compile("([;\t\r\n])")
"""Where a spreadsheet set to another separator than the comma begins a new cell, quoted or not."""

_UNSEEN = frozenset(("Cc", "Cf", "Mn"))
"""Unicode's control, format and combining characters: a byte order mark or a zero-width space hides a formula from us, and
not from everybody."""


def harmless_cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula (OWASP, CSV injection): a quote mark goes in front.

    Where a part of it would be a cell of its own, with `;` or a tab as the separator, each such part gets one too.
    """
    if text[:1].isalnum() and not _SEPARATORS.search(text):  # most cells
        return text
    parts = _SEPARATORS.split(text)
    marked = [f"'{part}" if _is_formula(part) else part for part in parts]
    if marked == parts:
        return f"'{text}" if text[:1] in "\t\r\n" and text else text
    return "".join(marked) if _is_formula(parts[0]) else f"'{''.join(marked)}"


def _is_formula(text: str) -> bool:
    for char in text:
        if char in _TRIGGERS:
            return True
        if not (char.isspace() or char == '"' or unicodedata.category(char) in _UNSEEN):
            return False
    return False


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
