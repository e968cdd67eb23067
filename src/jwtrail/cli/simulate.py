"""`jwtrail simulate`: a month of a service with labelled attacks, and how well the rules do on it."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import click

from jwtrail.cli.common import counted, json_line, note
from jwtrail.cli.progress import progress
from jwtrail.errors import ConfigError

if TYPE_CHECKING:
    from jwtrail.simulate import Score

__all__ = ["simulate"]

EVENTS, LABELS, SETTINGS = "events.ndjson", "labels.ndjson", "jwtrail.toml"
MAX_LINE = 64 << 20
"""Bytes of one line: the label of the longest attack has 1,500 ids, an alert at most a hundred."""

T = TypeVar("T")


@click.group(short_help="A month of a service, with labelled attacks.")
def simulate() -> None:
    """A service over many days in seconds: everyday life, incidents, and attacks, each labelled.

    \b
    jwtrail simulate write month/
    jwtrail import --format ecs --data month/data month/events.ndjson
    jwtrail detect --config month/jwtrail.toml --data month/data --ndjson > alerts.ndjson
    jwtrail simulate score month/ alerts.ndjson
    """


@simulate.command(short_help="Write the events of a month, its labels and its settings.")
@click.argument("directory", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--days", default=30, show_default=True, help="How many, 1 to 400; attacks begin after a week.")
@click.option("--people", default=300, show_default=True, help="Users of the service, 100 to 20,000.")
@click.option("--seed", default=1, show_default=True, help="The same number gives the same month.")
@click.option(
    "--rounds",
    default=1,
    show_default=True,
    help="How often each attack happens; 0 for peace.",
    type=click.IntRange(0, 100),
)
@click.option("--overwrite", is_flag=True, help="In the place of what is there.")
def write(directory: Path, *, days: int, people: int, seed: int, rounds: int, overwrite: bool) -> None:
    """Write DIR/events.ndjson (ECS), DIR/labels.ndjson (the attacks) and DIR/jwtrail.toml (what its operator knows)."""
    import msgspec  # noqa: PLC0415

    from jwtrail.ecs import document  # noqa: PLC0415
    from jwtrail.simulate import Month, Plan  # noqa: PLC0415

    month = Month(Plan(days, people, seed, rounds))
    there = [name for name in (EVENTS, LABELS, SETTINGS) if (directory / name).exists()]
    if there and not overwrite:
        raise ConfigError(
            f"{', '.join(there)} would be lost", where=str(directory), hint="another DIR, or --overwrite"
        )
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    encoder, count = msgspec.json.Encoder(), 0
    with _new(directory / EVENTS) as out, progress("simulating") as report:
        for count, event in enumerate(month, 1):
            out.write(encoder.encode(document(event)) + b"\n")
            if report is not None and count % 5000 == 0:
                report(month.day, days)
    with _new(directory / LABELS) as out:
        for label in month.labels:
            out.write(encoder.encode(label) + b"\n")
    with _new(directory / SETTINGS) as out:
        out.write(_settings().encode())
    note(f"Wrote {counted(count, 'event')} and {counted(len(month.labels), 'attack')} to {directory}.")


@simulate.command(short_help="Hold alerts against the labels: found, missed, said in vain.")
@click.argument("directory", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("alerts", metavar="ALERTS", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="The result as one JSON document.")
def score(directory: Path, alerts: Path, *, as_json: bool) -> None:
    """Hold the alerts of `jwtrail detect --ndjson` against the labels in DIR: what was found, missed, and said in vain."""
    from msgspec.structs import asdict  # noqa: PLC0415

    from jwtrail.simulate import Found, Label, scored  # noqa: PLC0415

    labels = list(_read(directory / LABELS, Label))
    with (directory / EVENTS).open("rb") as lines:
        events = sum(1 for _ in lines)
    result = scored(labels, _read(alerts, Found), events)
    if as_json:
        json_line(asdict(result))
        return
    _show(result)


def _show(result: "Score") -> None:
    click.echo(f"attacks found   {result.found} of {result.attacks} (recall {result.recall:.3f})")
    for missed in result.missed:
        click.echo(f"  missed        {missed}")
    click.echo(f"alerts          {result.alerts}, {result.idle} in vain (precision {result.precision:.3f})")
    for code, count in result.idle_by.items():
        click.echo(f"  in vain       {count} of {code}")
    click.echo(f"in vain         {result.idle_per_10k:.2f} for 10,000 events of everyday life")


def _settings() -> str:
    import msgspec  # noqa: PLC0415

    from jwtrail.simulate import KNOWN  # noqa: PLC0415

    # A list of plain words is the same in JSON and in TOML.
    lists = (f"{name} = {msgspec.json.encode(values).decode()}\n" for name, values in KNOWN.items())
    return "# What the operator of the simulated service knows.\n[detect]\n" + "".join(lists)


def _new(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


_CALLED = {"Label": "a label", "Found": "an alert of `jwtrail detect --ndjson`"}


def _read(path: Path, kind: type[T]) -> Iterator[T]:
    import msgspec  # noqa: PLC0415

    decoder: Any = msgspec.json.Decoder(kind)
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(iter(lambda: lines.readline(MAX_LINE), b""), 1):
                try:
                    yield decoder.decode(line)
                except msgspec.DecodeError as error:
                    raise ConfigError(
                        f"not {_CALLED[kind.__name__]}: {error}", where=f"{path}:{number}"
                    ) from None
    except OSError as error:
        raise ConfigError(
            f"cannot be read: {error.strerror}", where=str(path), hint="jwtrail simulate write DIR makes it"
        ) from None
