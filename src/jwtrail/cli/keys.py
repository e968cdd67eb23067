"""`jwtrail keys`: the keys that sign tokens."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from jwtrail import clock
from jwtrail.cli.common import data_option, draw, is_terminal, json_line, note, settings_of
from jwtrail.cli.look import ago
from jwtrail.cli.recorded import record
from jwtrail.tokens.settings import ALGORITHMS_ISSUED

if TYPE_CHECKING:
    from jwtrail.config import Settings
    from jwtrail.tokens.keyentry import KeyEntry

__all__ = ["keys"]

_STYLES = {"active": "green", "next": "cyan", "retiring": "yellow", "retired": "dim"}

MAX_PEM = 16_384
"""Bytes of a key on stdin."""

MAX_PASSPHRASE = 1024
"""Bytes of a passphrase that are read; OpenSSL takes no more."""


@click.group(short_help="The keys that sign tokens.")
def keys() -> None:
    """The keys that sign tokens. A key goes next, active, retiring, retired, so that nobody is logged out."""


@keys.command("list")
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON document a line. [default when not a terminal]"
)
@data_option
def list_(as_json: bool, data: Path | None) -> None:
    """Every key: its id, algorithm and state. Never the key."""
    from jwtrail.cli.verifying import ring_of  # noqa: PLC0415

    entries = ring_of(settings_of(data)).entries()
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


@keys.command()
@click.option(
    "--alg", type=click.Choice(ALGORITHMS_ISSUED), help="[default: the active key's, else the setting]"
)
@data_option
def new(alg: str | None, data: Path | None) -> None:
    """Make a key. It signs at once when it is the first; otherwise keys wait in the order they were made, one rotation each.

    Until then it is published, so that everybody who fetches the keys has it in time.
    """
    from jwtrail.cli.verifying import new_ring_of  # noqa: PLC0415

    settings = settings_of(data)
    _tell(settings, "key-created", new_ring_of(settings).create(alg))


@keys.command()
@click.option(
    "--overlap",
    metavar="SECONDS",
    type=click.IntRange(0, 366 * 86_400),
    help="How long the old key still verifies. [default: as long as a sign-in may go unused, and the leeway]",
)
@click.option(
    "--now",
    "at_once",
    is_flag=True,
    help="Do not wait until others have had the time to fetch the next key; whoever has not refuses new tokens.",
)
@data_option
def rotate(overlap: int | None, at_once: bool, data: Path | None) -> None:
    """Let the next key sign from now on. Nobody is logged out: the old one verifies until what it signed has expired.

    The next key must have been published for five minutes, as long as others may keep the published keys. Running workers
    follow within moments.
    """
    from jwtrail.cli.verifying import ring_of  # noqa: PLC0415

    settings = settings_of(data)
    if overlap is None:
        overlap = settings.tokens.refresh_idle_s + settings.tokens.leeway_s
    active = ring_of(settings).rotate(overlap, at_once=at_once)
    _tell(settings, "key-rotated", active, " at once, whether others know it or not" if at_once else "")


@keys.command()
@click.argument("kid", metavar="KID")
@click.option("--yes", is_flag=True, help="Do not ask.")
@data_option
def retire(kid: str, yes: bool, data: Path | None) -> None:
    """Stop trusting a key at once, and delete its private half. What it signed counts no more."""
    from jwtrail.cli.verifying import ring_of  # noqa: PLC0415

    settings = settings_of(data)
    ring = ring_of(settings)
    ring.retirable(kid)
    if not yes:
        click.confirm(f"Every token signed by {kid} stops counting. Retire it?", abort=True, err=True)
    _tell(settings, "key-retired", ring.retire(kid))


@keys.command("import")
@click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Holds the passphrase of an encrypted key. [default: keys_passphrase, or ask]",
)
@click.option(
    "--kid", default="", help="The id that its tokens name, so that those count here. [default: a new one]"
)
@data_option
def import_(passphrase_file: Path | None, kid: str, data: Path | None) -> None:
    """Take over the private key on stdin: PKCS#8 as PEM. It signs at once when it is the first, otherwise in its turn, as one
    that was made here. A key that is there already stays as it is.

    \b
    jwtrail keys import < signing-key.pem
    jwtrail keys import --passphrase-file pass.txt < encrypted-key.pem
    """
    from jwtrail.cli.verifying import new_ring_of  # noqa: PLC0415

    settings = settings_of(data)
    pem = sys.stdin.buffer.read(MAX_PEM + 1)
    if not pem.strip() or len(pem) > MAX_PEM:
        raise click.UsageError("no PEM key on stdin")
    entry, is_new = new_ring_of(settings).adopt(pem, _passphrase_of(pem, passphrase_file, settings), kid=kid)
    if is_new:
        _tell(settings, "key-created", entry)
    else:
        _show(entry, " already")


def _passphrase_of(pem: bytes, file: Path | None, settings: "Settings") -> bytes | None:
    """Of an encrypted key: never from the command line, where every user of the machine could see it."""
    from jwtrail.tokens.keyfile import is_encrypted  # noqa: PLC0415

    if not is_encrypted(pem):
        return None
    if file is not None:
        with file.open("rb") as opened:
            return opened.read(MAX_PASSPHRASE).strip() or None
    if settings.passphrase is not None:
        return settings.passphrase
    if not sys.stderr.isatty():
        raise click.UsageError("the key is encrypted: name a --passphrase-file, or set keys_passphrase")
    asked: str = click.prompt("Passphrase of the key", hide_input=True, err=True)
    return asked.encode()


def _tell(settings: "Settings", action: str, entry: "KeyEntry", how: str = "") -> None:
    """Record what was done, and print the entry."""
    record(
        settings.root, action, f"key {entry.kid} is {entry.state}{how}", jwt_kid=entry.kid, jwt_alg=entry.alg
    )
    _show(entry, how)


def _show(entry: "KeyEntry", how: str = "") -> None:
    json_line(msgspec.structs.asdict(entry))
    note(f"{entry.kid} ({entry.alg}) is {entry.state}{how}")
