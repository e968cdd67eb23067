"""`jwtrail config`: settings, and where each comes from."""

import re
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click
import msgspec

from jwtrail.cli.common import config_option, draw, is_terminal, json_line, note, settings_file
from jwtrail.cli.exits import USAGE, one_line
from jwtrail.errors import ConfigError, JwtrailError, ServeError

if TYPE_CHECKING:
    from jwtrail.config import Settings

__all__ = ["config"]

HIDDEN = "(set)"
"""Shown instead of a secret."""


@click.group(short_help="Settings and where they come from.")
def config() -> None:
    """Settings: flags, then JWTRAIL_* variables, then ./jwtrail.toml or [tool.jwtrail], then your own file, then defaults."""


@config.command()
@click.option("--changed", is_flag=True, help="Only what is not the default.")
@click.option("--json", "as_json", is_flag=True, help="As one JSON document.")
@config_option
def show(changed: bool, as_json: bool) -> None:
    """Every setting, its value, and where it comes from. Secrets are not shown."""
    from jwtrail import config as settings  # noqa: PLC0415

    loaded = settings.load(file=settings_file())
    rows = []
    for row in settings.table():
        value: Any = loaded.settings
        for part in row.name.split("."):
            value = getattr(value, part)
        if row.name in settings.SECRETS and value:
            value = HIDDEN
        if row.name in _SHOWN and value:
            value = _SHOWN[row.name](value)
        elif isinstance(value, str):
            value = _USER.sub("", value)
        origin = loaded.origin.get(row.name, "default")
        if not changed or origin != "default":
            rows.append((row.name, value, origin, row.doc))
    if as_json or not is_terminal():
        json_line(
            {
                name: {"value": msgspec.to_builtins(value, enc_hook=str), "origin": origin}
                for name, value, origin, _ in rows
            }
        )
        return
    if not rows:
        note("Every setting has its default.")
        return
    shown = [(name, _text(value), origin, meaning) for name, value, origin, meaning in rows]
    draw(("setting", "value", "from", "meaning"), shown, flexible=("value", "meaning"), wrap=True)


@config.command()
@config_option
def check() -> None:
    """Read the settings and say whether they are good; exit code 2 when not.

    Rules and databases of addresses are loaded, secrets of channels are read from where they are said to be, by you as this
    user, and hooks and channels of other packages are looked for. Nobody is told anything.
    """
    from jwtrail import config as settings  # noqa: PLC0415
    from jwtrail.runtime.channels import problems_of  # noqa: PLC0415

    loaded = settings.load(file=settings_file())
    problems = [*_refused(loaded.settings), *problems_of(loaded.settings)]
    for problem in problems:
        note(one_line(problem))
    if not loaded.settings.http.public_url:
        note(
            "jwtrail: note: http.public_url is not set: DPoP proofs count only when they name the address the server listens at\n"
            "  hint: name the URL where clients reach the API, if you bind tokens to keys"
        )
    if problems:
        sys.exit(USAGE)
    changed = len(loaded.origin)
    note(f"The settings are good; {changed} {'differs' if changed == 1 else 'differ'} from the defaults.")


def _refused(settings: "Settings") -> Iterator[JwtrailError]:
    """What of these settings the daemon or the application would refuse when it starts."""
    from jwtrail.detect.ruleset import configured  # noqa: PLC0415
    from jwtrail.enrich.addresses import Addresses  # noqa: PLC0415
    from jwtrail.web.serve import loopback  # noqa: PLC0415

    try:
        yield from configured(settings.detect).refused
    except ConfigError as error:
        yield error
    try:
        Addresses(settings.enrich.databases)
    except ConfigError as error:
        yield error
    if settings.serve.console:
        try:
            loopback(settings.serve.host)
        except ServeError as error:
            yield error


def _channels(channels: Any) -> dict[str, Any]:
    """Channels without what may be a secret itself: whoever knows an address may post there, and options are a plugin's own."""
    shown: dict[str, Any] = msgspec.to_builtins(channels)
    for channel in shown.values():
        channel.update({name: HIDDEN for name in ("url", "options") if channel.get(name)})
    return shown


def _targets(addresses: tuple[str, ...]) -> tuple[str, ...]:
    """Addresses of sinks without path and query: of a webhook they are what only the receiver knows."""
    from jwtrail.ship.sink import shown_address  # noqa: PLC0415

    return tuple(map(shown_address, addresses))


_SHOWN = {"notify": _channels, "ship.to": _targets}
"""Settings that hold more than may be shown."""


_USER = re.compile(r"(?<=://)\S*@")
"""Who signs in, and with what, in front of the host of an address. None belongs there, and what is refused is not shown either."""


def _text(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return "-" if value is None or not text else text
