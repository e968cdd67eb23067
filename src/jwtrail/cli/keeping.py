"""`jwtrail trail prune`, `hold` and `release`: what is removed, and what stops it."""

import getpass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jwtrail.cli.common import counted, data_option, json_line, layout_of, note, settings_of

if TYPE_CHECKING:
    from jwtrail.runtime.pruning import Pruned

__all__ = ["hold", "prune", "release"]


@click.command()
@click.option(
    "--keep", metavar="PROFILE", default="", help="kr-1y, pci-12m, days-90, … [default: trail.retention]"
)
@click.option("--yes", is_flag=True, help="Remove. Without it only what would go is shown.")
@click.option("--reason", default="", help="Ticket or words for the record.")
@click.option(
    "--trust-clock",
    is_flag=True,
    help="Count time that the trail did not see pass: a week or more without an event, or a clock that was set ahead.",
)
@click.option("--json", "as_json", is_flag=True, help="What goes as one JSON document.")
@data_option
def prune(
    *,
    keep: str,
    yes: bool,
    reason: str,
    trust_clock: bool,
    as_json: bool,
    data: Path | None,
) -> None:
    """Remove the oldest segments, those with nothing that must still be kept. Shows what would go, until --yes.

    Indexes, checkpoints and proofs stay as they are, and an event says how many are gone. The daemon must be stopped
    meanwhile, the application may go on; with `trail.prune_after` the daemon does it by itself. Nothing is removed under a
    legal hold, and of a stretch in which the trail was silent only a week counts, unless you trust the clock.
    """
    from jwtrail.runtime import pruning  # noqa: PLC0415

    layout_of(data)
    settings = settings_of(data)
    if yes:
        by = getpass.getuser()
        done = pruning.prune(settings, keep, by=by, reason=reason, trust_clock=trust_clock)
    else:
        done = pruning.overdue(settings, keep, trust_clock=trust_clock)
    if as_json:
        json_line(done)
    else:
        _tell(done, "removed" if yes else "would go", "begins" if yes else "would begin")


def _tell(done: "Pruned", go: str, begin: str) -> None:
    if done.events:
        click.echo(f"{counted(done.events, 'event')} {go}, {done.bytes / 1e6:,.1f} MB")
        note(f"from {done.oldest} to {done.newest}; the trail {begin} with number {done.begin:,}")
    else:
        click.echo(f"nothing is older than {done.kept_since}")
    if done.held_back:
        note(
            f"The clock says that {counted(done.held_back, 'further event')} may go, but {counted(done.uncounted_days, 'day')}"
            " of that the trail did not see pass: it was silent, or the clock was set ahead. --trust-clock counts them"
        )


@click.command()
@click.option("--reason", required=True, help="Why: the case, the court, the ticket.")
@data_option
def hold(reason: str, data: Path | None) -> None:
    """Legal hold: let nothing be erased or removed until it is released."""
    from jwtrail.cli.recorded import put  # noqa: PLC0415
    from jwtrail.runtime.holds import BEGUN, hold_event  # noqa: PLC0415
    from jwtrail.trail import retention  # noqa: PLC0415

    retention.hold(layout_of(data).hold, reason)
    put(data, [hold_event(BEGUN, getpass.getuser(), reason)])
    note("Nothing is erased or removed until: jwtrail trail release")


@click.command()
@click.option("--reason", default="", help="Why: the case is closed, the ticket.")
@data_option
def release(reason: str, data: Path | None) -> None:
    """End a legal hold, also one whose file somebody removed by hand."""
    from jwtrail.cli.recorded import put  # noqa: PLC0415
    from jwtrail.runtime.holds import ENDED, announced, hold_event  # noqa: PLC0415
    from jwtrail.trail import retention  # noqa: PLC0415

    layout = layout_of(data)
    if retention.hold_reason(layout.hold) is None and announced(layout) is None:
        note("There was no hold.")
        return
    # Said first: a file that is still there holds, an announcement without its file does too.
    put(data, [hold_event(ENDED, getpass.getuser(), reason)])
    retention.release(layout.hold)
    note("The hold is over.")
