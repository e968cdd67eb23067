"""`jwtrail ship`: the trail into engines, files and other receivers."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jwtrail.cli.common import (
    counted,
    data_option,
    draw,
    is_terminal,
    json_line,
    layout_of,
    note,
    settings_of,
)
from jwtrail.cli.plain import visible
from jwtrail.cli.progress import progress

if TYPE_CHECKING:
    from jwtrail.ship.home import Home
    from jwtrail.ship.shipper import Progress, Shipper

__all__ = ["ship"]


class _Ship(click.Group):
    """What is no subcommand is the address to ship to."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.commands:
            return "to", self.commands["to"], args
        return super().resolve_command(ctx, args)


name_option = click.option(
    "--name", metavar="NAME", help="Under which the position is kept. [default: made from the address]"
)


@click.group(
    cls=_Ship,
    short_help="Ship the trail to an engine, a file or another receiver.",
    context_settings={"ignore_unknown_options": True},  # they are those of `to`
)
def ship() -> None:
    """Hand every event on, in order, and go on where the last run ended.

    \b
    jwtrail ship opensearch://search.example:9200
    jwtrail ship file:///var/log/jwtrail/events.ndjson --once
    jwtrail ship status

    An address without one of the words below is the one to ship to (see `jwtrail ship to --help`).
    """


@ship.command(short_help="Ship to a URL; the word may be left out.")
@click.argument("url")
@click.option("--once", is_flag=True, help="End when everything is there; otherwise go on until Ctrl+C.")
@name_option
@data_option
def to(url: str, *, once: bool, name: str | None, data: Path | None) -> None:
    """Ship to URL: elasticsearch://, opensearch:// (with +http for plain HTTP), file:///PATH, syslog://, syslog+tls://,
    cef://, webhook+https:// …

    Run it again at any time, after any crash: nothing is lost, and an engine gets nothing twice. What a receiver refuses
    for good is listed by `jwtrail ship status --dead`.
    """
    from jwtrail.runtime.shipping import ship_to  # noqa: PLC0415

    ship_to(url, _settings(data), name=name, work=lambda shipper: _run(shipper, once=once))


@ship.command()
@click.option("--dead", is_flag=True, help="List what was refused, with the cause.")
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON document a target. [default when not a terminal]"
)
@data_option
def status(*, dead: bool, as_json: bool, data: Path | None) -> None:
    """How far each target is, what it refused, and which erasures it has yet to follow."""
    from jwtrail.ship.home import homes  # noqa: PLC0415
    from jwtrail.trail.follow import TrailFollower  # noqa: PLC0415
    from jwtrail.trail.layout import Layout  # noqa: PLC0415

    layout = Layout(_settings(data).root)
    size = TrailFollower(layout).size()
    rows = [_status(home, size, dead=dead) for home in homes(layout.ship)]
    rows = [row for row in rows if row["target"] or row["running"]]  # others never got as far as an answer
    if as_json or not is_terminal():
        for row in rows:
            json_line(row)
        return
    if not rows:
        note("Nothing was shipped yet: jwtrail ship URL")
        return
    columns = ("name", "target", "shipped", "behind", "refused", "to forget", "last", "running")
    draw(columns, [_cells(row) for row in rows], flexible=("name", "target"))
    for row in rows:
        for one in row.get("dead", ()):
            click.echo(f"{row['name']} index {one.sequence}: {visible(one.cause)} (event.hash {one.id})")


@ship.command()
@click.argument("url")
@name_option
@data_option
def retry(url: str, *, name: str | None, data: Path | None) -> None:
    """Send once more what URL refused, after its cause was mended there. Exit code 1 when something is refused again."""
    from jwtrail.runtime.shipping import ship_to  # noqa: PLC0415

    found: list[tuple[int, int]] = []
    ship_to(url, _settings(data), name=name, work=lambda shipper: found.append(shipper.retry()))
    taken, left = found[0]
    note(f"{taken:,} documents were taken; {left:,} are still refused.")
    if left:
        click.get_current_context().exit(1)


def _settings(data: Path | None) -> Any:
    layout_of(data)  # refuses a directory that is none
    return settings_of(data)


def _run(shipper: "Shipper", *, once: bool) -> None:
    def end(number: int, _: object) -> None:
        shipper.stop()
        signal.signal(number, signal.SIG_DFL)  # the second time nobody wants to wait for an answer

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with progress("Shipping") as bar:
            shipper.run(until_empty=once, tell=_teller(bar))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    done = shipper.progress()
    note(
        f"Shipped {counted(done.sent, 'event')}; {done.there:,} were there; {done.refused:,} refused; {done.lag:,} left."
    )
    if done.failure:
        note(f"not done: {visible(done.failure)}")


def _teller(bar: Callable[[int, int], None] | None) -> "Callable[[Progress], None]":
    """Shows how far it is, and each new failure once."""
    said = ""

    def tell(now: "Progress") -> None:
        nonlocal said
        if bar is not None:
            bar(now.next, now.size)
        if now.failure and now.failure != said:
            note(f"waiting: {visible(now.failure)}")
        said = now.failure

    return tell


def _status(home: "Home", size: int, *, dead: bool) -> dict[str, Any]:
    cursor, refused = home.cursor(), home.dead()
    row = {
        "name": home.name,
        "target": cursor.target if cursor else "",
        "next": cursor.next if cursor else 0,
        "size": size,
        "behind": max(0, size - (cursor.next if cursor else 0)),
        "refused": len(refused),
        "to_forget": len(home.forgetting()),
        "at": cursor.at if cursor else "",
        "running": home.is_locked(),
    }
    return {**row, "dead": refused} if dead else row


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    counts = (f"{row[name]:,}" for name in ("next", "behind", "refused", "to_forget"))
    return (
        row["name"], visible(row["target"]), *counts, row["at"][:19].replace("T", " "),
        "yes" if row["running"] else "no",
    )  # fmt: skip
