"""`jwtrail import`: access records from elsewhere."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from jwtrail.cli.common import counted, data_option, json_line, note, settings_of
from jwtrail.cli.exits import FOUND
from jwtrail.cli.progress import progress

if TYPE_CHECKING:
    from jwtrail.config import Settings
    from jwtrail.trail.intake import Parser

__all__ = ["import_"]

AHEAD = 2
"""Segments' worth of events that are ordered before they are waited for: they are in memory, and nobody else is in a hurry."""


@click.command("import", short_help="Take access records from elsewhere into the trail.")
@click.argument(
    "files",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["combined", "ecs", "logging"]),
    required=True,
    help="combined: nginx, Apache. ecs: one JSON document a line, as Filebeat or jwtrail writes it. logging: plain lines.",
)
@click.option("--timezone", default="UTC", show_default=True, help="Of times that name none (logging).")
@click.option(
    "--rejects",
    metavar="FILE",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Where refused lines go, with their cause. [default: ./FILE.rejects.ndjson]",
)
@click.option("--json", "as_json", is_flag=True, help="What came of it as one JSON document.")
@data_option
def import_(
    files: tuple[Path, ...],
    *,
    kind: str,
    timezone: str,
    rejects: Path | None,
    as_json: bool,
    data: Path | None,
) -> None:
    """Read files, plain or gzip, into the trail; each event says its file and line. Exit code 3 when a line was refused.

    They are sequenced like any other: by a running daemon, or at once when there is none. They are the past: the daemon
    raises no alert and revokes nothing because of them; `jwtrail detect` looks into them.
    """
    import getpass  # noqa: PLC0415

    from jwtrail import clock  # noqa: PLC0415
    from jwtrail.enrich.enricher import Enricher  # noqa: PLC0415
    from jwtrail.trail.intake import take  # noqa: PLC0415
    from jwtrail.trail.layout import Layout  # noqa: PLC0415

    settings = settings_of(data)
    refused = rejects or Path(f"{files[0].name}.rejects.ndjson")
    parse, enrich = _parser(kind, timezone, frozenset(settings.http.query_allow)), Enricher(settings.enrich)
    began = clock.monotonic_ns()
    with progress("reading") as tell:
        taken = take(
            Layout(settings.root), files, lambda line: enrich(parse(line)), refused, by=getpass.getuser(),
            file_bytes=settings.trail.wal_file_bytes, tell=tell,
        )  # fmt: skip
    seconds = (clock.monotonic_ns() - began) / 1e9
    _sequence(settings)
    if as_json:
        json_line(taken)
    else:
        rate = f" in {seconds:,.1f} s ({taken.events / seconds:,.0f} a second)" if seconds else ""
        click.echo(
            f"{counted(taken.events, 'event')} imported{rate}, {counted(taken.rejected, 'line')} refused"
        )
        if taken.rejects:
            note(f"Refused lines and why: {taken.rejects}")
    if taken.rejected:
        sys.exit(FOUND)


def _parser(kind: str, timezone: str, query_allow: frozenset[str]) -> "Parser":
    from jwtrail.trail.intake import combined, ecsdoc, plain  # noqa: PLC0415

    if kind == "combined":
        return combined.parse
    if kind == "ecs":
        return partial(ecsdoc.parse, query_allow=query_allow)
    try:
        return plain.parser(ZoneInfo(timezone))
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise click.BadParameter(f"no time zone {timezone!r}", param_hint="--timezone") from error


def _sequence(settings: "Settings") -> None:
    """Give the events their place, unless a daemon does."""
    from jwtrail import clock  # noqa: PLC0415
    from jwtrail.errors import LockedError  # noqa: PLC0415
    from jwtrail.trail.keeper import Keeper  # noqa: PLC0415
    from jwtrail.trail.layout import Layout  # noqa: PLC0415

    try:
        with Keeper(Layout(settings.root), settings.trail) as keeper:
            waiting = 0
            while events := keeper.step(clock.now_us()):
                waiting += len(events)
                if waiting >= settings.trail.seal_events * AHEAD:
                    keeper.seal(clock.now_us())
                    waiting = 0
    except LockedError:
        note("The running daemon gives them their place.")
