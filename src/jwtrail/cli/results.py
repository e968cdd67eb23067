"""Found events in every format: a table for people, NDJSON, JSON and CSV for programs, Parquet for notebooks."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click
import msgspec

from jwtrail.cli.common import draw
from jwtrail.cli.look import glance
from jwtrail.errors import QueryError

if TYPE_CHECKING:
    from jwtrail.ecs import Event

__all__ = ["FILE_MODE", "FORMATS", "format_of", "written"]

FORMATS = ("table", "ndjson", "json", "csv", "parquet")

FILE_MODE = 0o600
"""As the trail itself: the rows tell who did what."""


def format_of(output: Path) -> str:
    """The format that the name of a file ends in; NDJSON where it says none."""
    ending = output.suffix.removeprefix(".").lower()
    return ending if ending in FORMATS and ending != "table" else "ndjson"


def written(events: "Iterable[Event]", form: str, output: Path | None) -> None:
    """The events on stdout, or in a file.

    Raises:
        QueryError: a table or JSON cannot go there, or the file cannot be written.
    """
    if form == "parquet":
        _parquet(events, output)
        return
    if form == "table":
        if output is not None:
            raise QueryError(
                "a table is for the terminal", hint="--format ndjson, csv or parquet with --output"
            )
        _table(events)
        return
    writers: dict[str, Callable[[Iterable[Event], IO[str]], None]] = {
        "ndjson": _ndjson,
        "json": _json,
        "csv": _csv,
    }
    with _opened(output) as file:
        writers[form](events, file)


@contextmanager
def _opened(output: Path | None) -> Iterator[IO[str]]:
    if output is None:
        yield sys.stdout
        return
    try:
        opened = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
        with os.fdopen(opened, "w", encoding="utf-8", newline="") as file:
            yield file
    except OSError as wrong:
        raise QueryError(f"cannot write the file: {wrong.strerror}", where=str(output)) from wrong


def _table(events: "Iterable[Event]") -> None:
    from rich.text import Text  # noqa: PLC0415

    seen = [(event.event_sequence, glance(event)) for event in events]
    if not seen:
        return
    days = {one.when[:10] for _, one in seen}
    start, when = (
        (11, f"{days.pop()} UTC") if len(days) == 1 else (0, "time (UTC)")
    )  # a date only where it tells
    rows = [
        (
            Text("-" if number is None else str(number), "dim", justify="right"),
            one.when[start:],
            Text(one.mark, one.style),
            one.what,
            Text(one.who, "cyan"),
            one.source,
            one.why,
        )
        for number, one in seen
    ]
    draw(("#", when, "", "what", "who", "from", "why"), rows, flexible=("what", "who"))


def _ndjson(events: "Iterable[Event]", file: IO[str]) -> None:
    from jwtrail.ecs import document  # noqa: PLC0415

    for event in events:
        click.echo(msgspec.json.encode(document(event)).decode(), file=file)


def _json(events: "Iterable[Event]", file: IO[str]) -> None:
    from jwtrail.ecs import document  # noqa: PLC0415

    documents = [document(event) for event in events]
    click.echo(msgspec.json.format(msgspec.json.encode({"events": documents}), indent=2).decode(), file=file)


def _csv(events: "Iterable[Event]", file: IO[str]) -> None:
    from jwtrail.web.cells import csv_lines  # noqa: PLC0415

    for lines in csv_lines(events):
        click.echo(lines, nl=False, file=file)


def _parquet(events: "Iterable[Event]", output: Path | None) -> None:
    from jwtrail.query.parquet import write_parquet  # noqa: PLC0415

    if output is None:
        raise QueryError("a Parquet file needs a name", hint="--output events.parquet")
    write_parquet(events, output)
