"""Rows of a segment as events."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from jwtrail.ecs import CATALOGUE, Event, decode_document
from jwtrail.predicate.sql_text import quoted

__all__ = ["ISO_FORMAT", "events_of", "selected"]

ISO_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"
"""DuckDB's `strftime` format of `clock.iso`."""


def selected(columns: frozenset[str]) -> tuple[list[str], str]:
    """The fields that a segment has, and the SQL that fetches them: dates as text, everything else as it is."""
    names = [name for name in CATALOGUE if name in columns]
    parts = [
        f"strftime({quoted(name)}, '{ISO_FORMAT}')" if CATALOGUE[name].type == "date" else quoted(name)
        for name in names
    ]
    return names, ", ".join(parts)


def events_of(names: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> list[Event]:
    """The events of rows that `selected` fetched."""
    flattened = [at for at, name in enumerate(names) if CATALOGUE[name].type == "flattened"]
    return [_event(names, list(row), flattened) for row in rows]


def _event(names: Sequence[str], row: list[Any], flattened: Sequence[int]) -> Event:
    for at in flattened:
        if row[at] is not None:
            row[at] = msgspec.json.decode(row[at])
    return decode_document({name: value for name, value in zip(names, row, strict=True) if value is not None})
