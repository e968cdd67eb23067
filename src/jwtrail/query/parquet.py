"""Events as a Parquet file with typed columns, for a notebook or another tool."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import duckdb
import msgspec

from jwtrail.ecs import CATALOGUE, Event, document
from jwtrail.errors import QueryError
from jwtrail.predicate.sql_text import quoted, text

__all__ = ["write_parquet"]

MEMORY_LIMIT = "256MB"
FILE_MODE = 0o600
"""As the trail itself: the rows tell who did what."""


def write_parquet(events: Iterable[Event], path: Path) -> int:
    """Write the file, with a column for each field that some event has; how many events it holds.

    Times are TIMESTAMP (UTC, µs), lists are lists, a flattened field is its JSON. The file appears when it is whole.

    Raises:
        QueryError: it cannot be written.
    """
    lines, made = path.with_name(path.name + ".ndjson.tmp"), path.with_name(path.name + ".tmp")
    try:
        count, used = _write_lines(events, lines)
        _convert(lines, made, used or ["event.id"])
        made.replace(path)
    except (OSError, duckdb.Error) as wrong:
        raise QueryError(f"cannot write the file: {str(wrong).splitlines()[0]}", where=str(path)) from wrong
    finally:
        for leftover in (lines, made):
            with suppress(OSError):
                leftover.unlink(missing_ok=True)
    return count


def _write_lines(events: Iterable[Event], path: Path) -> tuple[int, list[str]]:
    encode = msgspec.json.Encoder().encode
    used: set[str] = set()
    count = 0
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE), "wb") as file:
        for event in events:
            made = document(event)
            used.update(made)
            file.write(encode(made) + b"\n")
            count += 1
    return count, [name for name in CATALOGUE if name in used]


def _convert(lines: Path, made: Path, names: list[str]) -> None:
    kinds = {
        name: "JSON" if (field := CATALOGUE[name]).type == "flattened" else field.sql_type for name in names
    }
    declared = ", ".join(f"{text(name)}: {text(kind)}" for name, kind in kinds.items())
    chosen = ", ".join(
        f"CAST({quoted(name)} AS VARCHAR) AS {quoted(name)}" if kind == "JSON" else quoted(name)
        for name, kind in kinds.items()
    )
    made.touch(mode=FILE_MODE)
    with duckdb.connect(config={"memory_limit": MEMORY_LIMIT, "threads": 1}) as connection:
        connection.execute(
            f"COPY (SELECT {chosen} FROM read_json({text(str(lines))}, format = 'newline_delimited',"  # noqa: S608
            f" columns = {{{declared}}})) TO {text(str(made))} (FORMAT parquet, COMPRESSION zstd)"
        )
    made.chmod(FILE_MODE)
