"""A trail on disk for tests: segments written by DuckDB as docs/formats/segment.md says, and events outside of them."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from jwtrail.clock import parse_iso
from jwtrail.ecs import CATALOGUE, Event, document


@dataclass(frozen=True)
class FileSegment:
    path: Path
    first: int
    last: int
    min_us: int
    max_us: int
    rows: int
    columns: frozenset[str]


@dataclass
class Trail:
    """Events with an index are sealed by `seal`; `loose` are those outside of segments."""

    directory: Path
    sealed: list[FileSegment] = field(default_factory=list)
    loose: list[Event] = field(default_factory=list)

    def segments(self) -> tuple[FileSegment, ...]:
        return tuple(self.sealed)

    def unsealed(self) -> list[Event]:
        return list(self.loose)

    @property
    def size(self) -> int:
        known = [event.event_sequence + 1 for event in self.loose if event.event_sequence is not None]
        return max([0, *known, *(segment.last + 1 for segment in self.sealed)])

    def seal(self, events: Sequence[Event]) -> FileSegment:
        first, last = events[0].event_sequence, events[-1].event_sequence
        assert first is not None
        assert last is not None
        documents = [document(event) for event in events]
        columns = [name for name in CATALOGUE if any(name in one for one in documents)]
        path = self.directory / f"{first}-{last}.parquet"
        described = ", ".join(f'"{name}" {CATALOGUE[name].sql_type}' for name in columns)
        with duckdb.connect() as connection:
            connection.execute(f"CREATE TABLE rows ({described})")
            marks = ", ".join("?" for _ in columns)
            connection.executemany(
                f"INSERT INTO rows VALUES ({marks})",
                [[_cell(one.get(name)) for name in columns] for one in documents],
            )
            connection.execute(f"COPY rows TO '{path}' (FORMAT parquet, COMPRESSION zstd)")
        times = [parse_iso(event.timestamp) for event in events]
        made = FileSegment(path, first, last, min(times), max(times), len(events), frozenset(columns))
        self.sealed.append(made)
        return made


def _cell(value: Any) -> Any:
    return msgspec.json.encode(value).decode() if isinstance(value, dict) else value


def numbered(events: Sequence[Event], first: int = 0) -> list[Event]:
    """The events with an index."""
    return [
        msgspec.structs.replace(event, event_sequence=number)
        for number, event in zip(itertools.count(first), events, strict=False)
    ]
