"""`jwtrail detect`: the detection rules over what was recorded."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jwtrail import clock
from jwtrail.cli.common import (
    LEVEL_STYLES,
    counted,
    data_option,
    draw,
    is_terminal,
    json_line,
    layout_of,
    note,
    open_store,
    settings_of,
    store_option,
)
from jwtrail.cli.exits import FOUND, one_line
from jwtrail.cli.plain import visible
from jwtrail.errors import ConfigError

if TYPE_CHECKING:
    from jwtrail.config import Settings
    from jwtrail.detect import Alert, RuleSet
    from jwtrail.ecs import Event
    from jwtrail.query.store import Store
    from jwtrail.runtime.history import Replay
    from jwtrail.trail.layout import Layout

__all__ = ["alert_document", "detect", "replay", "stretch"]

rules_option = click.option(
    "--rules",
    "directories",
    metavar="DIR",
    multiple=True,
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="A directory of further rules; may be given several times.",
)


def stretch(command: Any) -> Any:
    """`--from`, `--to` and `--warm-up`."""
    options = (
        click.option("--from", "start", metavar="TIME", help="Begin: RFC 3339, or now-7d … [default: all there is]"),
        click.option("--to", "end", metavar="TIME", help="End, not included. [default: all there is]"),
        click.option(
            "--warm-up",
            metavar="PERIOD|FILE",
            help="What rules get to know first, without alerts: 30d of the trail before --from, or a file of ECS documents, one a line.",
        ),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@click.command(short_help="Run the detection rules over the past.")
@stretch
@rules_option
@click.option(
    "--ndjson", "--json", "ndjson", is_flag=True, help="One alert a line. [default when not a terminal]"
)
@click.option("--exit-code", is_flag=True, help="Exit with 3 when something was found.")
@click.option("--follow", is_flag=True, help="With --store: go on with what comes, until Ctrl+C.")
@store_option
@data_option
def detect(
    *,
    start: str | None,
    end: str | None,
    warm_up: str | None,
    directories: tuple[Path, ...],
    ndjson: bool,
    exit_code: bool,
    follow: bool,
    store: str | None,
    data: Path | None,
) -> None:
    """What the rules say about everything recorded: the same alerts as live. Nothing is answered and nothing recorded.

    With --store the events are those in an engine. --follow remembers in the data directory how far it is, and says each
    alert once; `jwtrail serve --store` also answers.

    \b
    jwtrail detect --from now-30d --rules my-rules/
    jwtrail detect --from 2026-11-01 --warm-up 30d --ndjson > alerts.ndjson
    """
    from jwtrail.detect.ruleset import configured  # noqa: PLC0415

    ruleset = configured(settings_of(data).detect, directories)
    for error in ruleset.refused:
        note(one_line(error))
    if follow:
        from jwtrail.cli.following import followed  # noqa: PLC0415

        there = settings_of(data, store=store)
        followed(there, ruleset, lambda alert: json_line(alert_document(alert)))
        return
    found = replay(ruleset, start, end, warm_up, data, settings=settings_of(data, store=store))
    if ndjson or not is_terminal():
        for alert in found.alerts:
            json_line(alert_document(alert))
    else:
        _draw(found)
    note(
        f"{counted(len(found.alerts), 'alert')}; {counted(found.read, 'event')} looked at in {found.took_ms / 1000:,.1f} s."
    )
    if found.late:
        from jwtrail.detect.endings import LATENESS_US  # noqa: PLC0415

        note(
            f"{counted(found.late, 'event')} came later than {LATENESS_US // 1_000_000} s; live, windows may have been closed without them."
        )
    if exit_code and found.alerts:
        sys.exit(FOUND)


def replay(
    ruleset: "RuleSet",
    start: str | None,
    end: str | None,
    warm_up: str | None,
    data: Path | None,
    *,
    settings: "Settings | None" = None,
    quiet: bool = False,
) -> "Replay":
    """These rules over the stretch that the command line names; alerts about restricted people are left out, and said.

    Args:
        quiet: it is not said how many were left out.

    Raises:
        QueryError: a time that is none.
        ConfigError: a warm-up that is neither a period nor a file of events.
    """
    from jwtrail.query.files import TrailFiles  # noqa: PLC0415
    from jwtrail.query.times import parse_time  # noqa: PLC0415
    from jwtrail.runtime.history import replayed  # noqa: PLC0415
    from jwtrail.trail.layout import Layout  # noqa: PLC0415

    now = clock.now_us()
    from_us = parse_time(start, now) if start else None
    to_us = parse_time(end, now) if end else None
    file = Path(warm_up) if warm_up and Path(warm_up).is_file() else None
    warm_up_us = _period(warm_up) if warm_up and file is None else 0
    before = _documents(file, settings) if file else ()
    if settings is not None and settings.store:
        from jwtrail.runtime.remotefollow import remote_store, replayed_there  # noqa: PLC0415

        there = remote_store(settings)
        found = replayed_there(
            there, ruleset, from_us=from_us, to_us=to_us, warm_up_us=warm_up_us, before=before
        )
        return _discreet(found, Layout(settings.root), there, quiet=quiet)
    layout = layout_of(data)
    found = replayed(
        TrailFiles(layout), ruleset, from_us=from_us, to_us=to_us, warm_up_us=warm_up_us, before=before
    )
    return _discreet(found, layout, open_store(data), quiet=quiet)


def _discreet(found: "Replay", layout: "Layout", store: "Store", *, quiet: bool) -> "Replay":
    from msgspec.structs import replace  # noqa: PLC0415

    from jwtrail.runtime.discreet import shown_of  # noqa: PLC0415

    shown = shown_of(found.alerts, layout.restricted, store)
    if len(shown) < len(found.alerts) and not quiet:
        note(f"{len(found.alerts) - len(shown):,} more about restricted people are not shown.")
    return replace(found, alerts=shown)


def alert_document(alert: "Alert") -> dict[str, Any]:
    """An alert as one flat document for other programs."""
    from msgspec.structs import asdict  # noqa: PLC0415

    return {
        "id": alert.id,
        "code": alert.code,
        "rule": alert.rule,
        "name": alert.name,
        "level": alert.level,
        "at": clock.iso(alert.at_us),
        "first": clock.iso(alert.first_us),
        "group": alert.group,
        "count": alert.count,
        "sequence": alert.sequence,
        "first_event": alert.first_event,
        "events": alert.events,
        "targets": {name: value for name, value in asdict(alert.targets).items() if value},
        "techniques": alert.techniques,
        "tactics": alert.tactics,
        "tags": alert.tags,
        "held": alert.held,
    }


def _draw(found: "Replay") -> None:
    from rich.text import Text  # noqa: PLC0415

    from jwtrail.detect import group_text  # noqa: PLC0415

    rows = [
        (
            clock.iso(alert.at_us)[:19].replace("T", " "),
            alert.code,
            Text(alert.level, LEVEL_STYLES.get(alert.level, "")),
            visible(alert.name),
            visible(group_text(alert.group)),
            f"{alert.count:,}",
        )
        for alert in found.alerts
    ]
    draw(("time", "code", "level", "rule", "group", "count"), rows, flexible=("rule", "group"))


def _period(text: str) -> int:
    """`30d` in µs."""
    number, unit = text[:-1], text[-1:]
    seconds = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}.get(unit)
    if seconds is None or not (number.isascii() and number.isdigit()) or len(number) > 6:
        raise ConfigError(
            f"neither a file nor a period: {text!r}", where="--warm-up", hint="write 30d, or name a file"
        )
    return int(number) * seconds * 1_000_000


def _documents(file: Path, settings: "Settings | None") -> Iterator["Event"]:
    """The events of a file, read as `jwtrail import --format ecs` reads it."""
    from jwtrail.enrich.enricher import Enricher  # noqa: PLC0415
    from jwtrail.enrich.settings import EnrichSettings  # noqa: PLC0415
    from jwtrail.trail.intake import Unreadable, ecsdoc, lines_of  # noqa: PLC0415

    allowed = frozenset(settings.http.query_allow if settings else ())
    enrich = Enricher(settings.enrich if settings else EnrichSettings())
    for line in lines_of(file):
        try:
            yield enrich(ecsdoc.parse(line, allowed))
        except Unreadable as error:
            raise ConfigError(
                f"not an event: {error}", where=f"{file}:{line.number}", hint="one ECS document a line"
            ) from None
