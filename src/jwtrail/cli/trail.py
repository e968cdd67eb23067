"""`jwtrail trail` and `jwtrail verify-proof`: whether the trail is whole, and proof of single events."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jwtrail.cli.common import (
    console,
    counted,
    data_option,
    is_terminal,
    json_line,
    layout_of,
    note,
    open_store,
    settings_of,
)
from jwtrail.cli.exits import BROKEN
from jwtrail.cli.keeping import hold, prune, release
from jwtrail.cli.plain import visible
from jwtrail.cli.progress import progress
from jwtrail.errors import EventNotFound, NoteError

if TYPE_CHECKING:
    from jwtrail.trail.fsck import Report

__all__ = ["trail", "verify_proof"]


def _refuse_no_key(vkey: str, option: str) -> None:
    """A key that is mistyped is wrong usage, and says nothing about the trail."""
    from jwtrail.tlog.note import Verifier  # noqa: PLC0415

    try:
        Verifier.parse(vkey)
    except NoteError as error:
        raise click.BadParameter(_said(error), param_hint=option) from None


def _said(error: NoteError) -> str:
    return "; ".join(filter(None, (error.message, error.hint)))


@click.group(short_help="Verify the trail, prove an event.")
def trail() -> None:
    """Whether the trail is whole, and proof of single events for people who trust nobody."""


@trail.command()
@click.option(
    "--vkey",
    help="Verifier key from elsewhere. [default: the one in the data directory]",
)
@click.option(
    "--remote",
    metavar="URL",
    help="Compare what was shipped to this engine with the trail instead: documents altered, missing, doubled.",
)
@click.option(
    "--checkpoint",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="With --remote and --vkey: recompute the root that this checkpoint signs from the engine's documents alone,"
    " without a data directory.",
)
@click.option(
    "--log",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="With --remote and --vkey: compare with this copy of the log (jwtrail export tlog), without a data directory.",
)
@click.option("--first", type=click.IntRange(0), default=0, help="With --remote: from this index on.")
@click.option(
    "--last", type=click.IntRange(0), help="With --remote: up to this index. [default: all that was shipped]"
)
@click.option("--json", "as_json", is_flag=True, help="The report as one JSON document.")
@data_option
def verify(
    *,
    vkey: str | None,
    remote: str | None,
    checkpoint: Path | None,
    log: Path | None,
    first: int,
    last: int | None,
    as_json: bool,
    data: Path | None,
) -> None:
    """Recompute everything from what is stored and compare it with what was signed.

    Exit code 5 when anything was altered, dropped or reordered; every finding names its place. A key from the data
    directory proves nothing against whoever owns the machine: keep one elsewhere and give it with --vkey.
    """
    from jwtrail.trail import fsck  # noqa: PLC0415

    if vkey is not None:
        _refuse_no_key(vkey, "'--vkey'")
    if checkpoint is not None or log is not None:
        from jwtrail.cli.comparing import compared_with_log, rebuilt  # noqa: PLC0415

        if remote is None or vkey is None or (checkpoint is not None and log is not None):
            raise click.UsageError("--checkpoint or --log, with --remote and --vkey")
        if log is not None:
            compared_with_log(settings_of(data), remote, log, vkey, first=first, last=last, as_json=as_json)
        elif checkpoint is not None:
            rebuilt(settings_of(data), remote, checkpoint, vkey, as_json=as_json)
        return
    mirror = settings_of(data).trail.mirror
    # With a key or checkpoint from elsewhere also nothing can be judged: there ought to be something.
    layout = layout_of(data, begun=vkey is None and mirror is None)
    if remote is not None:
        from jwtrail.cli.comparing import compared  # noqa: PLC0415

        compared(settings_of(data), remote, first, last, as_json=as_json)
        return
    with progress("verifying") as tell:
        report = fsck.verify(layout.root, vkey=vkey, mirror=mirror, progress=tell)
    if as_json:
        json_line(report)
    else:
        _tell(report)
    if not report.ok:
        sys.exit(BROKEN)


@trail.command()
@data_option
def vkey(data: Path | None) -> None:
    """Print the key with which anybody can check proofs and checkpoints."""
    from jwtrail.trail.reader import TrailReader  # noqa: PLC0415

    click.echo(str(TrailReader(layout_of(data)).vkey()))


@trail.command()
@click.argument("event", metavar="ID")
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the proof there. [default: stdout]",
)
@data_option
def prove(event: str, out: Path | None, data: Path | None) -> None:
    """Prove that an event is in the trail. ID is its event.id or its number (event.sequence).

    The file holds the event, its entry and the proof; `jwtrail verify-proof FILE --key VKEY` checks it anywhere.
    """
    from jwtrail.cli.proving import bundle_of  # noqa: PLC0415
    from jwtrail.query.page import SearchRequest  # noqa: PLC0415
    from jwtrail.trail.leaves import removed  # noqa: PLC0415
    from jwtrail.trail.reader import TrailReader  # noqa: PLC0415

    reader = TrailReader(layout_of(data))
    store = open_store(data)
    if event.isdecimal():
        found = next(
            iter(store.search(SearchRequest(query=f"event.sequence: {event}", limit=1)).events), None
        )
    else:
        found = store.get(event)
    if found is None and event.isdecimal() and int(event) < reader.begin:
        raise EventNotFound(
            removed(int(event), reader.begin).message, hint="a proof that was made before still holds"
        )
    if found is None:
        raise EventNotFound(f"no event {event!r}", hint="jwtrail search shows numbers and, with --json, ids")
    text = bundle_of(reader, found)
    if out is None:
        click.echo(text, nl=False)
        return
    out.write_text(text, encoding="utf-8")
    note(f"Wrote {out}; check it with: jwtrail verify-proof {out} --key '{reader.vkey()}'")


@trail.command()
@click.option("--url", required=True, help="The witness: the part before /add-checkpoint.")
@click.option("--key", "vkey", required=True, metavar="VKEY", help="Its key, as it publishes it.")
@click.option("--json", "as_json", is_flag=True, help="What it confirmed as one JSON document.")
@data_option
def witness(url: str, vkey: str, as_json: bool, data: Path | None) -> None:
    """Have the last checkpoint cosigned by a C2SP witness; call it from a timer.

    It remembers what it has seen: once it has cosigned, the log cannot go back or fork without its refusal, which is
    exit code 5. The cosigned checkpoint is kept in tlog/witnessed.
    """
    from jwtrail.tlog.witness import WitnessKey  # noqa: PLC0415
    from jwtrail.trail.reader import TrailReader  # noqa: PLC0415
    from jwtrail.trail.witnessing import post_to  # noqa: PLC0415
    from jwtrail.trail.witnessing import witness as ask  # noqa: PLC0415

    layout = layout_of(data)
    try:
        key = WitnessKey.parse(vkey)
    except NoteError as error:
        raise click.BadParameter(_said(error), param_hint="'--key'") from None
    done = ask(layout, TrailReader(layout), key, post_to(url))
    if as_json:
        json_line(done)
        return
    click.echo(f"{visible(done.witness)} has seen {counted(done.size, 'event')}")


@trail.command(short_help="Copy the data directory while everything goes on; verify the copy.")
@click.argument("directory", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="What was copied as one JSON document.")
@data_option
def backup(directory: Path, as_json: bool, data: Path | None) -> None:
    """Copy the data directory to DIR, which must be new, while everything goes on; then verify the copy.

    It holds the keys and everything about people: guard it as the original. A restored copy is older than what was
    signed since; with `trail.mirror` set the daemon refuses to go on from it, because that would fork the log.
    """
    from jwtrail.trail.backup import back_up  # noqa: PLC0415

    with progress("copying") as tell:
        made = back_up(layout_of(data), directory, tell=tell)
    if as_json:
        json_line(made)
        return
    click.echo(
        f"{counted(made.size, 'event')} in {counted(made.files, 'file')}, {made.bytes / 1e6:,.1f} MB: the copy is intact"
    )


@trail.command(short_help="Make manifest, tiles and search index again from the events.")
@click.option("--json", "as_json", is_flag=True, help="What was done as one JSON document.")
@data_option
def rebuild(*, as_json: bool, data: Path | None) -> None:
    """Make again what follows from the events: the manifest if it is gone or damaged, the tiles, the search index.

    Held against what was signed before anything is written: exit code 5 when it does not fit. The daemon must be stopped
    meanwhile; it fills the search index when it runs again.
    """
    from jwtrail.query.index import QueryIndex  # noqa: PLC0415
    from jwtrail.trail.rebuild import rebuild as run  # noqa: PLC0415

    layout = layout_of(data)
    with progress("reading"):
        done = run(layout)
    QueryIndex(layout.index).forget()
    if as_json:
        json_line(done)
        return
    manifest = "the manifest made again" if done.manifest else "the manifest was whole"
    click.echo(f"{manifest}; {done.tiles:,} tiles over {done.events:,} events; the search index is made anew")


@trail.command("accept-loss", short_help="Sign what is left after a checkpoint or list was lost.")
@click.option("--reason", required=True, help="What happened, for the record: the disk, the ticket.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@data_option
def accept_loss(*, reason: str, yes: bool, data: Path | None) -> None:
    """Sign what is left after tlog/checkpoint or tlog/segments was lost, when no mirror and no backup has it.

    The daemon does not do that by itself: it would put its name to whatever it finds. An event says that you did. What
    contradicts a signature that is still there is never signed over, which is exit code 5. When nothing is lost, a line says
    so and nothing is signed or recorded; exit code 0.
    """
    from jwtrail.cli.recorded import record  # noqa: PLC0415
    from jwtrail.trail.accepting import accept_loss as run  # noqa: PLC0415
    from jwtrail.trail.accepting import lost  # noqa: PLC0415

    layout, settings = layout_of(data), settings_of(data)
    gone = lost(layout, settings.trail)
    if not gone:
        run(layout, settings.trail)
        click.echo("nothing is lost: checkpoint and list of segments are there, signed with this log's key")
        note("Whether what they cover is whole: jwtrail trail verify")
        return
    if not yes:
        click.confirm(
            f"Lost: {', '.join(gone)}. What was altered before now will not be noticed. Sign?",
            abort=True,
            err=True,
        )
    record(data, "trail-loss-accepted", f"signed anew: {', '.join(gone)}", jwtrail_ticket=reason)
    done = run(layout, settings.trail)
    click.echo(f"signed anew: {', '.join(done.lost)}" + (f" over {done.size:,} events" if done.size else ""))
    note("Compare with whatever copy of an older checkpoint you find: jwtrail trail verify")


for command in (prune, hold, release):
    trail.add_command(command)


@click.command("verify-proof", short_help="Check a proof offline.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--key",
    "vkey",
    required=True,
    metavar="VKEY",
    help="The log's verifier key, from somebody you trust.",
)
@click.option("--json", "as_json", is_flag=True, help="The answer as one JSON document.")
def verify_proof(file: Path, vkey: str, as_json: bool) -> None:
    """Check a file of `jwtrail trail prove` with nothing but the log's key. Exit code 5 when it does not hold."""
    from jwtrail.cli.proving import checked  # noqa: PLC0415

    _refuse_no_key(vkey, "'--key'")
    answer = checked(file, vkey)
    if as_json or not is_terminal():
        json_line(answer)
        return
    from rich.text import Text  # noqa: PLC0415

    out = console()
    out.print(Text.assemble(("✓ proved", "bold green"), f"  event {visible(answer.event_id)}"))
    out.print(f"  number {answer.index} of {answer.size} in the log {visible(answer.origin)}")
    out.print(f"  covered: {answer.covered}")


def _tell(report: "Report") -> None:
    if not report.ok:
        for finding in report.findings:
            click.echo(visible(str(finding)))
    word = "intact" if report.ok else "BROKEN"
    text = f"{word}: {counted(report.size, 'event')}"
    if is_terminal():
        from rich.text import Text  # noqa: PLC0415

        mark = ("✓ ", "bold green") if report.ok else ("✗ ", "bold red")
        console().print(Text.assemble(mark, (text, "bold")))
    else:
        click.echo(text)
    if report.ok:
        for finding in report.findings:
            note(visible(str(finding)))
