"""`jwtrail trail verify --remote`: what an engine holds against the trail, a copy of its log, or a signed checkpoint alone."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from jwtrail.cli.common import json_line, note
from jwtrail.cli.exits import BROKEN
from jwtrail.cli.plain import visible
from jwtrail.cli.progress import progress
from jwtrail.errors import NoteError

if TYPE_CHECKING:
    from jwtrail.config import Settings
    from jwtrail.ship.compare import Compared, Finding
    from jwtrail.tlog.checkpoint import Checkpoint

__all__ = ["compared", "compared_with_log", "rebuilt"]


def compared(settings: "Settings", url: str, first: int, last: int | None, *, as_json: bool) -> None:
    """Compare and say what is not as it should be; exit code 5 when something is not."""
    from jwtrail.runtime.shipping import compare  # noqa: PLC0415

    with progress("comparing") as tell:
        found = compare(settings, url, first=first, last=last, tell=tell)
    _end(found, as_json=as_json)


def compared_with_log(
    settings: "Settings", url: str, log: Path, vkey: str, *, first: int, last: int | None, as_json: bool
) -> None:
    """The same with a copy of the log in the place of the trail."""
    from jwtrail.runtime.shipping import compare_with_log  # noqa: PLC0415
    from jwtrail.ship.logcopy import LogCopy  # noqa: PLC0415
    from jwtrail.tlog.note import Verifier  # noqa: PLC0415

    copy = LogCopy.open(log, Verifier.parse(vkey))
    with progress("comparing") as tell:
        found = compare_with_log(settings, url, copy, first=first, last=last, tell=tell)
    _end(found, as_json=as_json)


def _end(found: "Compared", *, as_json: bool) -> None:
    if as_json:
        json_line({"ok": found.ok, **msgspec.to_builtins(found)})
    else:
        said = _told(found.findings, found.counts)
        refused = f"; {found.refused:,} were refused when shipped" if found.refused else ""
        note(
            f"indexes {found.first:,} to {found.last:,}: {found.good:,} documents are as the trail says; {said}{refused}"
        )
    if not found.ok:
        sys.exit(BROKEN)


def rebuilt(settings: "Settings", url: str, checkpoint: Path, vkey: str, *, as_json: bool) -> None:
    """Recompute the signed root from the engine's documents alone; exit code 5 when that does not give it."""
    from jwtrail.runtime.shipping import rebuild  # noqa: PLC0415

    signed = _opened(checkpoint, vkey)
    with progress("reading") as tell:
        found = rebuild(settings, url, signed, tell)
    if as_json:
        json_line({"ok": found.ok, **msgspec.to_builtins(found)})
    else:
        said = _told(found.findings, found.counts)
        root = {
            True: "their root is the signed one",
            False: "their root is NOT the signed one: a document was altered together with its hash, or stands elsewhere",
            None: "there is no root to compare",
        }[found.signed]
        note(
            f"{signed.origin}, {found.size:,} events: {found.good:,} documents agree with themselves; {root}; {said}"
        )
    if not found.ok:
        sys.exit(BROKEN)


def _opened(file: Path, vkey: str) -> "Checkpoint":
    from jwtrail.tlog.checkpoint import open_checkpoint  # noqa: PLC0415
    from jwtrail.tlog.note import MAX_NOTE, Verifier  # noqa: PLC0415

    with file.open("rb") as opened:
        text = opened.read(MAX_NOTE + 1)
    try:
        return open_checkpoint(text, Verifier.parse(vkey))
    except NoteError as error:
        error.where = error.where or str(file)
        raise


def _told(findings: "Sequence[Finding]", counts: dict[str, int]) -> str:
    """Each finding on a line of its own; the sum of all is returned."""
    for one in findings:
        where = f" in {visible(one.where)}" if one.where else ""
        which = f", document {visible(one.id)}" if one.id else ""
        click.echo(f"{one.kind}: index {one.sequence}{which}{where}: {visible(one.what)}")
    more = sum(counts.values()) - len(findings)
    if more:
        click.echo(f"and {more:,} more")
    return ", ".join(f"{count:,} {kind}" for kind, count in sorted(counts.items())) or "nothing is wrong"
