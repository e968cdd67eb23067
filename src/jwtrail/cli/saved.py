"""`jwtrail saved`: searches kept under a name."""

from pathlib import Path

import click

from jwtrail import clock
from jwtrail.cli.common import data_option, draw, is_terminal, json_line, layout_of, note
from jwtrail.cli.plain import visible
from jwtrail.errors import QueryError
from jwtrail.state.saved import SavedSearch, SavedSearches

__all__ = ["open_saved", "saved"]


def open_saved(data: Path | None) -> SavedSearches:
    """The saved searches of the data directory."""
    return SavedSearches(layout_of(data).state)


@click.group(short_help="Searches kept under a name.")
def saved() -> None:
    """Searches kept under a name, for everybody who uses this data directory.

    \b
    jwtrail search 'event.outcome: failure' --from now-7d --save failures
    jwtrail search --saved failures
    """


@saved.command("list", short_help="All of them.")
@data_option
def list_(data: Path | None) -> None:
    """List the saved searches by name."""
    with open_saved(data) as searches:
        found = searches.all()
    if not is_terminal():
        for one in found:
            json_line(_document(one))
        return
    rows = [(visible(one.name), visible(one.query), f"{one.start} to {one.end}") for one in found]
    if rows:
        draw(("name", "query", "time"), rows, flexible=("name", "query"))
    else:
        note("No search is saved; keep one with: jwtrail search KQL --save NAME")


@saved.command("remove", short_help="Forget one.")
@click.argument("name")
@data_option
def remove(name: str, data: Path | None) -> None:
    """Forget the saved search NAME."""
    with open_saved(data) as searches:
        if not searches.remove(name):
            raise QueryError(f"no saved search {name!r}", hint="jwtrail saved list shows all")
    note(f"{visible(name)} is forgotten.")


def _document(one: SavedSearch) -> dict[str, str]:
    return {
        "name": one.name,
        "query": one.query,
        "from": one.start,
        "to": one.end,
        "saved": clock.iso(one.at_us),
    }
