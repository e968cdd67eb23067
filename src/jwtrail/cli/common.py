"""What several commands share: the data directory, settings, opening things, and the look of a table."""

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from jwtrail.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from jwtrail.config import Settings
    from jwtrail.query.store import Store
    from jwtrail.state import StateStore

__all__ = [
    "config_option",
    "console",
    "counted",
    "data_option",
    "draw",
    "is_terminal",
    "json_line",
    "layout_of",
    "note",
    "open_alerts",
    "open_state",
    "open_store",
    "require_data",
    "settings_file",
    "settings_of",
    "store_option",
]

MIN_CUT = 8
"""Characters that are left of a column that is cut."""

GAP = 3
"""Characters between two columns."""

_FILE = "jwtrail.config"
"""Where a command's context has the file of `--config`."""

_PARTS = ("wal", "segments", "tlog", "keys", "state.db", "manifest.json")
"""What a data directory has one of from its first moment on."""

F = TypeVar("F", bound=Callable[..., Any])

# Rich's names of the eight colours every terminal has; the user's theme says what they look like.
LEVEL_STYLES = {
    "critical": "bold white on red",
    "high": "bold red",
    "medium": "yellow",
    "low": "cyan",
    "informational": "dim",
}


def data_option(command: F) -> F:
    """`--data DIR`, the data directory, and `--config FILE`; the settings decide when it is not given."""
    return click.option(
        "--data",
        metavar="DIR",
        type=click.Path(file_okay=False, path_type=Path),
        help="Data directory. [default: from the settings, else ./jwtrail-data]",
    )(config_option(command))


def config_option(command: F) -> F:
    """`--config FILE`, a settings file instead of those that are looked for; `settings_of` reads it."""
    return click.option(
        "--config",
        metavar="FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Settings file. [default: ./jwtrail.toml]",
        expose_value=False,
        callback=_remember,
    )(command)


def _remember(context: click.Context, _: click.Parameter, file: Path | None) -> None:
    context.meta[_FILE] = file


def settings_file() -> Path | None:
    """The file that `--config` of the running command names."""
    context = click.get_current_context(silent=True)
    file: Path | None = context.meta.get(_FILE) if context else None
    return file


def settings_of(data: Path | None = None, **more: Any) -> "Settings":
    """The settings, with what the command line said on top.

    Raises:
        ConfigError: see `config.load`.
    """
    from jwtrail import config  # noqa: PLC0415

    return config.load({"data": str(data) if data else None, **more}, file=settings_file()).settings


def layout_of(data: Path | None, *, begun: bool = True) -> Any:
    """Paths of the data directory, which must exist: a command that only reads makes nothing.

    Args:
        begun: it must hold something of a trail, too.

    Raises:
        ConfigError: there is no such directory, or it is another one.
    """
    from jwtrail.trail.layout import Layout  # noqa: PLC0415

    root = settings_of(data).root
    require_data(root, begun=begun)
    return Layout(root)


def require_data(root: Path, *, begun: bool = True) -> None:
    """Refuse a directory that is mistyped, rather than say that nothing is in it.

    Raises:
        ConfigError: see `layout_of`.
    """
    hint = "name it with --data; your application makes it when it starts, or: jwtrail demo --data DIR"
    if not root.is_dir():
        raise ConfigError("there is no such data directory", where=str(root), hint=hint)
    if begun and not any((root / name).exists() for name in _PARTS):
        raise ConfigError("this is no data directory of jwtrail", where=str(root), hint=hint)


def store_option(command: F) -> F:
    """`--store URL`, an engine instead of the data directory."""
    return click.option(
        "--store",
        metavar="URL",
        help="Ask this engine, to which the trail was shipped: elasticsearch://… or opensearch://…"
        " [default: from the settings, else the data directory]",
    )(command)


def open_store(data: Path | None, store: str | None = None) -> "Store":
    """Everything recorded, with or without a daemon; or what an engine has of it."""
    from jwtrail.query.hidden import Hidden  # noqa: PLC0415

    settings = settings_of(data, store=store)
    if settings.store:
        from jwtrail.elastic.client import connect  # noqa: PLC0415
        from jwtrail.query.remote import RemoteStore  # noqa: PLC0415
        from jwtrail.trail.layout import Layout  # noqa: PLC0415

        hidden = Hidden(Layout(settings.root).restricted)
        return RemoteStore(connect(settings.store, settings.engine), settings.engine.namespace, hidden=hidden)
    from jwtrail.query.files import TrailFiles  # noqa: PLC0415
    from jwtrail.query.index import QueryIndex  # noqa: PLC0415
    from jwtrail.query.local import LocalStore  # noqa: PLC0415

    layout = layout_of(data)
    hidden = Hidden(layout.restricted)
    return LocalStore(TrailFiles(layout), index=QueryIndex(layout.index), hidden=hidden)


def open_state(data: Path | None) -> "StateStore":
    """Alerts and revocations."""
    from jwtrail.state import open_state  # noqa: PLC0415

    return open_state(layout_of(data).state, settings_of(data).state_url)


def open_alerts(data: Path | None) -> "StateStore":
    """Alerts, only to be read, so that the data directory may be one that cannot be written."""
    from jwtrail.errors import StateError  # noqa: PLC0415
    from jwtrail.state import StateStore  # noqa: PLC0415

    try:
        return StateStore(layout_of(data).state, read_only=True)
    except (
        StateError
    ):  # missing, or of an older version: opening it to write makes or changes it, or says what is wrong
        return open_state(data)


def is_terminal() -> bool:
    """Whether a person looks at stdout."""
    return sys.stdout.isatty()


def console(*, stderr: bool = False) -> "Console":
    """Where tables are drawn. Rich itself honours NO_COLOR and FORCE_COLOR."""
    from rich.console import Console  # noqa: PLC0415

    return Console(stderr=stderr, highlight=False, markup=False, emoji=False)


def draw(
    columns: Sequence[str],
    rows: Sequence[Sequence["str | Text"]],
    *,
    flexible: Iterable[str],
    wrap: bool = False,
) -> None:
    """A table on stdout, without a box.

    Args:
        flexible: columns that give way when the terminal is narrow; the others keep their width.
        wrap: what does not fit goes on below, instead of being cut with an ellipsis.
    """
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    out = console()
    widths = [max(map(_width, [name, *(row[n] for row in rows)])) for n, name in enumerate(columns)]
    giving = [number for number, name in enumerate(columns) if name in set(flexible)]
    _give_way(widths, giving, out.width - GAP * (len(columns) - 1))
    made = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold", show_edge=False)
    for number, name in enumerate(columns):
        cut = not wrap or number not in giving
        made.add_column(name, width=widths[number], no_wrap=cut, overflow="ellipsis" if cut else "fold")
    for row in rows:
        made.add_row(*row)
    out.print(made)


def _give_way(widths: list[int], giving: list[int], space: int) -> None:
    """Narrow some columns so that all fit into `space`: the widest gives most, none below `MIN_CUT`."""
    left = space - sum(width for number, width in enumerate(widths) if number not in giving)
    for done, number in enumerate(sorted(giving, key=lambda number: widths[number])):
        share = max(MIN_CUT, left // (len(giving) - done))
        widths[number] = min(widths[number], share)
        left -= widths[number]


def _width(cell: "str | Text") -> int:
    """Columns of a terminal that a cell takes; wide characters take two."""
    from rich.cells import cell_len  # noqa: PLC0415

    return cell_len(cell if isinstance(cell, str) else cell.plain)


def json_line(value: Any) -> None:
    """A value as one line of JSON on stdout."""
    import msgspec  # noqa: PLC0415

    click.echo(msgspec.json.encode(value))


def counted(count: int, noun: str) -> str:
    """`1 record`, `2,000 records`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def note(text: str) -> None:
    """A remark for people, on stderr."""
    click.echo(text, err=True)
