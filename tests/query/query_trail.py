"""A trail on disk for tests: segments written by DuckDB as docs/formats/segment.md says, and events outside of them."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

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
        described = ", ".join(f"'{name}': '{_json_type(name)}'" for name in columns)
        lines = path.with_suffix(".ndjson")
        lines.write_bytes(b"\n".join(map(msgspec.json.encode, documents)))
        chosen = ", ".join(
            f'"{name}"::VARCHAR AS "{name}"' if _json_type(name) == "JSON" else f'"{name}"'
            for name in columns
        )
        with duckdb.connect() as connection:
            connection.execute(
                f"COPY (SELECT {chosen} FROM read_json('{lines}', format = 'newline_delimited', columns = {{{described}}}))"
                f" TO '{path}' (FORMAT parquet, COMPRESSION zstd)"
            )
        lines.unlink()
        times = [parse_iso(event.timestamp) for event in events]
        made = FileSegment(path, first, last, min(times), max(times), len(events), frozenset(columns))
        self.sealed.append(made)
        return made


def _json_type(name: str) -> str:
    return "JSON" if CATALOGUE[name].type == "flattened" else CATALOGUE[name].sql_type


def numbered(events: Sequence[Event], first: int = 0) -> list[Event]:
    """The events with an index."""
    return [
        msgspec.structs.replace(event, event_sequence=number)
        for number, event in zip(itertools.count(first), events, strict=False)
    ]
