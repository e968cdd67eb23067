"""`jwtrail alerts notify-test|deliveries|resend`: who was told, and trying a channel out."""

import sys
from pathlib import Path
from typing import get_args

import click
import msgspec

from jwtrail import clock
from jwtrail.cli.common import (
    data_option,
    draw,
    is_terminal,
    json_line,
    layout_of,
    note,
    settings_of,
)
from jwtrail.cli.exits import FOUND
from jwtrail.cli.look import ago
from jwtrail.cli.plain import visible
from jwtrail.errors import ConfigError, NotifyError
from jwtrail.state.outbox import MAX_LISTED, Delivery, DeliveryState

__all__ = ["deliveries", "notify_test", "resend"]


@click.command("notify-test")
@click.argument("name", metavar="NAME")
@data_option
def notify_test(name: str, data: Path | None) -> None:
    """Send a test message to the channel NAME, now and once, and say what came of it.

    It is marked as a test, and nothing is written to the trail or the outbox.
    """
    from jwtrail.respond.notify.notice import Notice  # noqa: PLC0415
    from jwtrail.runtime.channels import sender_of  # noqa: PLC0415

    settings = settings_of(data)
    if name not in settings.notify:
        known = ", ".join(sorted(settings.notify)) or "none is set up"
        raise ConfigError(f"no channel {name!r}", where="notify", hint=f"channels: {known}")
    now = clock.now_us()
    notice = Notice(
        id=f"test-{now}",
        alert="0" * 32,
        code="",
        rule="",
        title="This channel works",
        level="informational",
        at=clock.iso(now),
        description="A test message from `jwtrail alerts notify-test`.",
        test=True,
    )
    try:
        sender_of(name, settings.notify[name])(notice)
    except NotifyError as error:
        raise NotifyError(
            error.message,
            where=f"notify.{name}: {error.where}" if error.where else f"notify.{name}",
            hint=error.hint or _hint(name, error),
            final=error.final,
        ) from error
    note(f"{name} has taken it.")


def _hint(name: str, error: NotifyError) -> str:
    if error.final:
        return f"it was reached and refuses: look at address, user and secret under [notify.{name}]"
    if error.retry_after_s:
        return f"it wants to be left alone for {error.retry_after_s} s"
    return f"is the address under [notify.{name}] right, and does this machine get there? jwtrail serve would try again"


@click.command(short_help="What was told to whom: sent, waiting, held, given up.")
@click.option("--state", type=click.Choice(get_args(DeliveryState)), help="Only these.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, MAX_LISTED))
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON document a line. [default when not a terminal]"
)
@click.option("--exit-code", is_flag=True, help="Exit with 3 when there is one.")
@data_option
def deliveries(
    *, state: DeliveryState | None, limit: int, as_json: bool, exit_code: bool, data: Path | None
) -> None:
    """What was told to whom, newest first: sent, waiting for another try, or given up (dead)."""
    from jwtrail.state.outbox import Outbox  # noqa: PLC0415

    with Outbox(layout_of(data).state) as outbox:
        rows = outbox.listed(state=state, limit=limit)
    if as_json or not is_terminal():
        for row in rows:
            json_line(_told(row))
    elif rows:
        now = clock.now_us()
        shown = [
            (row.id[:8], ago(row.at_us, now), row.state, row.channel, str(row.tries), visible(row.error))
            for row in rows
        ]
        draw(("id", "when", "state", "channel", "tries", "error"), shown, flexible=("error",))
    else:
        note("Nothing was told.")
    if exit_code and rows:
        sys.exit(FOUND)


@click.command()
@click.argument("delivery_id", metavar="ID", required=False)
@click.option("--all-dead", is_flag=True, help="Everything that was given up.")
@data_option
def resend(delivery_id: str | None, all_dead: bool, data: Path | None) -> None:
    """Tell it once more. A receiver that remembers ids takes it once. The beginning of an ID is enough."""
    from jwtrail.state.outbox import Outbox  # noqa: PLC0415

    if bool(delivery_id) == all_dead:
        raise click.UsageError("name a delivery, or say --all-dead")
    with Outbox(layout_of(data).state) as outbox:
        if all_dead:
            ids = [row.id for row in outbox.listed(state="dead", limit=MAX_LISTED)]
        else:
            fitting = [r.id for r in outbox.listed(limit=MAX_LISTED) if r.id.startswith(delivery_id or "")]
            ids = fitting if len(fitting) == 1 else [delivery_id or ""]
        for one in ids:
            outbox.resend(one, clock.now_us())
    note(f"{len(ids)} will be told again; jwtrail serve does it.")


def _told(row: Delivery) -> dict[str, object]:
    return {**msgspec.structs.asdict(row), "doc": msgspec.Raw(row.doc.encode())}
