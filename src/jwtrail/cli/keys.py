"""`jwtrail keys`: the keys that sign tokens."""

from pathlib import Path

import click
import msgspec

from jwtrail import clock
from jwtrail.cli.common import config_option, data_option, draw, is_terminal, json_line, settings_of
from jwtrail.cli.look import ago

__all__ = ["keys"]

_STYLES = {"active": "green", "next": "cyan", "retiring": "yellow", "retired": "dim"}


@click.group(short_help="The keys that sign tokens.")
def keys() -> None:
    """The keys that sign tokens. A key goes next, active, retiring, retired, so that nobody is logged out."""


@keys.command("list")
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON document a line. [default when not a terminal]"
)
@data_option
@config_option
def list_(as_json: bool, data: Path | None, config_file: Path | None) -> None:
    """Every key: its id, algorithm and state. Never the key."""
    from jwtrail.cli.verifying import ring_of  # noqa: PLC0415

    entries = ring_of(settings_of(data, config_file)).entries()
    if as_json or not is_terminal():
        for entry in entries:
            json_line(msgspec.structs.asdict(entry))
        return
    from rich.text import Text  # noqa: PLC0415

    now = clock.now_us()
    rows = [
        (
            entry.kid,
            entry.alg,
            Text(entry.state, _STYLES[entry.state]),
            ago(entry.created_us, now),
            ago(entry.changed_us, now),
        )
        for entry in entries
    ]
    draw(("kid", "algorithm", "state", "made", "since"), rows, flexible=("kid",))
