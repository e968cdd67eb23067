"""`jwtrail trail verify --remote`: what an engine holds against the trail."""

import sys
from typing import TYPE_CHECKING

import click
import msgspec

from jwtrail.cli.common import json_line, note
from jwtrail.cli.exits import BROKEN
from jwtrail.cli.plain import visible
from jwtrail.cli.progress import progress

if TYPE_CHECKING:
    from jwtrail.config import Settings

__all__ = ["compared"]


def compared(settings: "Settings", url: str, first: int, last: int | None, *, as_json: bool) -> None:
    """Compare and say what is not as it should be; exit code 5 when something is not."""
    from jwtrail.runtime.shipping import compare  # noqa: PLC0415

    with progress("comparing") as tell:
        found = compare(settings, url, first=first, last=last, tell=tell)
    if as_json:
        json_line({"ok": found.ok, **msgspec.to_builtins(found)})
    else:
        for one in found.findings:
            where = f" in {visible(one.where)}" if one.where else ""
            click.echo(
                f"{one.kind}: index {one.sequence}, document {visible(one.id)}{where}: {visible(one.what)}"
            )
        more = sum(found.counts.values()) - len(found.findings)
        if more:
            click.echo(f"and {more:,} more")
        said = (
            ", ".join(f"{count:,} {kind}" for kind, count in sorted(found.counts.items()))
            or "nothing is wrong"
        )
        refused = f"; {found.refused:,} were refused when shipped" if found.refused else ""
        note(
            f"indexes {found.first:,} to {found.last:,}: {found.good:,} documents are as the trail says; {said}{refused}"
        )
    if not found.ok:
        sys.exit(BROKEN)
