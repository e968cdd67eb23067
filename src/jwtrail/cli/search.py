"""`jwtrail search`: one query over everything recorded."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec
from click.core import ParameterSource

from jwtrail import clock
from jwtrail.cli.common import counted, data_option, is_terminal, note, open_store, store_option
from jwtrail.cli.exits import FOUND
from jwtrail.cli.kql import note_equals
from jwtrail.cli.look import moment
from jwtrail.cli.results import FORMATS, format_of, written
from jwtrail.errors import QueryError

if TYPE_CHECKING:
    from jwtrail.ecs import Event
    from jwtrail.query.page import Page, SearchRequest
    from jwtrail.query.store import Store

__all__ = ["MAX_ROWS", "search", "timeout_option"]

MAX_ROWS = 1_000_000
"""Events of one search; a file of them has about a gigabyte."""

MAX_PAGE = 500
"""Events fetched at a time; the store's own limit."""

MAX_TIMEOUT_S = 3_600
"""An export of a million events takes minutes."""

timeout_option = click.option(
    "--timeout",
    metavar="SECONDS",
    default=60.0,
    show_default=True,
    type=click.FloatRange(0.1, MAX_TIMEOUT_S),
    help="Give up after so long.",
)
"""`--timeout`, for commands that ask the store."""


@click.command(short_help="Search everything recorded, with KQL.")
@click.argument("query", metavar="[KQL]", default="")
@click.option(
    "--from", "start", default="now-24h", show_default=True, help="Begin: RFC 3339, or now-15m, now-1d/d …"
)
@click.option("--to", "end", default="now", show_default=True, help="End, not included.")
@click.option(
    "--limit",
    default=50,
    show_default=True,
    type=click.IntRange(1, MAX_ROWS),
    help="At most so many events, the newest first.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="[default: as the name of --output ends, else table on a terminal, ndjson elsewhere]",
)
@click.option("--json", "as_json", is_flag=True, help="Same as --format json.")
@click.option(
    "--output",
    "-o",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Into a file; Parquet needs one.",
)
@click.option("--save", metavar="NAME", help="Keep query and time under a name.")
@click.option("--saved", metavar="NAME", help="The query of this name; its time too, unless one is given.")
@click.option("--around", metavar="ID", help="The event with this id, and --limit events on each side of it.")
@timeout_option
@click.option(
    "--explain", is_flag=True, help="Show how the query is understood, and what its first page read."
)
@click.option("--exit-code", is_flag=True, help="Exit with 3 when something was found.")
@store_option
@data_option
def search(
    *,
    query: str,
    start: str,
    end: str,
    limit: int,
    form: str | None,
    as_json: bool,
    output: Path | None,
    save: str | None,
    saved: str | None,
    around: str | None,
    timeout: float,
    explain: bool,
    exit_code: bool,
    store: str | None,
    data: Path | None,
) -> None:
    """Search everything recorded, newest first.

    \b
    jwtrail search 'event.outcome: failure and not user.id: alice'
    jwtrail search 'url.path: /orders/* and http.response.status_code >= 400' --from now-1h
    jwtrail search 'source.ip: 10.0.0.0/8' --format csv > visits.csv
    jwtrail search --from now-7d --limit 1000000 -o week.parquet
    jwtrail search --around 01a20ad0-222b-7cb8-910c-35f78cdefde7 --limit 5
    """
    from jwtrail.query.page import SearchRequest  # noqa: PLC0415
    from jwtrail.query.running import Run, running  # noqa: PLC0415
    from jwtrail.query.times import parse_time  # noqa: PLC0415

    if saved is not None:
        query, start, end = _recalled(saved, query, start, end, data)
    now = clock.now_us()
    request = SearchRequest(
        query=query,
        from_us=parse_time(start, now),
        to_us=parse_time(end, now),
        limit=min(limit, MAX_PAGE),
    )
    note_equals(query)
    if save is not None:
        _keep(save, request, start, end, data)
    form = form or _form(output, as_json=as_json)
    with running(Run(timeout)):
        if around is not None:
            written(_around(open_store(data, store), around, limit, request), form, output)
            return
        if explain:
            _explain(open_store(data, store), request, now)
            return
        found = _Found(open_store(data, store), request, limit)
        written(found, form, output)
    if is_terminal():
        note(found.summary() + (f" · in {output}" if output is not None else ""))
    if exit_code and found.count:
        sys.exit(FOUND)


def _form(output: Path | None, *, as_json: bool) -> str:
    if as_json:
        return "json"
    if output is not None:
        return format_of(output)
    return "table" if is_terminal() else "ndjson"


def _around(store: "Store", event_id: str, limit: int, request: "SearchRequest") -> "Sequence[Event]":
    if request.query:
        raise click.UsageError("a query, or --around and none")
    found = store.around(event_id, min(limit, MAX_PAGE))
    if not found:
        raise QueryError(f"no event {event_id}", hint="--json shows the event.id of what is found")
    return found


def _recalled(name: str, query: str, start: str, end: str, data: Path | None) -> tuple[str, str, str]:
    """Query and time of a saved search; what was said on the command line counts more."""
    from jwtrail.cli.saved import open_saved  # noqa: PLC0415

    if query:
        raise click.UsageError("a query, or --saved and none")
    with open_saved(data) as searches:
        found = searches.get(name)
    given = click.get_current_context().get_parameter_source
    return (
        found.query,
        found.start if given("start") is ParameterSource.DEFAULT else start,
        found.end if given("end") is ParameterSource.DEFAULT else end,
    )


def _keep(name: str, request: "SearchRequest", start: str, end: str, data: Path | None) -> None:
    """Save a search that parses."""
    from jwtrail.cli.saved import open_saved  # noqa: PLC0415
    from jwtrail.kql import compile_kql  # noqa: PLC0415
    from jwtrail.state.saved import SavedSearch  # noqa: PLC0415

    assert isinstance(request.query, str)
    now = clock.now_us()
    compile_kql(request.query, now)
    with open_saved(data) as searches:
        searches.put(SavedSearch(name=name, query=request.query, start=start, end=end, at_us=now))


def _explain(store: "Store", request: "SearchRequest", now_us: int) -> None:
    from jwtrail.cli.kql import explained  # noqa: PLC0415

    assert isinstance(request.query, str)
    click.echo(explained(request.query, now_us))
    page = store.search(request)
    more = ", and there are more" if page.next else ""
    click.echo(
        f"\n── run: its first page\n{counted(len(page.events), 'event')}{more} in {page.took_ms} ms;"
        f" parts of the index and segments opened: {page.opened:,}; rows in them and unsealed: {page.rows:,}"
        f" of {page.position:,} in the trail"
    )


class _Found:
    """The events of all pages, fetched as they are needed."""

    def __init__(self, store: "Store", request: "SearchRequest", limit: int) -> None:
        self._store = store
        self._request = request
        self._limit = limit
        self.count = 0
        self.page: Page = store.search(request)  # now, so that a bad query is told before anything is written

    def __iter__(self) -> "Iterator[Event]":
        while True:
            for event in self.page.events:
                if self.count == self._limit:
                    return
                self.count += 1
                yield event
            if self.page.next is None or self.count == self._limit:
                return
            self.page = self._store.search(msgspec.structs.replace(self._request, cursor=self.page.next))

    def summary(self) -> str:
        if not self.count:
            since = self._request.from_us
            begin = (
                f" since {moment(clock.iso(since))[:16]} UTC; to look further back: --from 2020"
                if since
                else ""
            )
            return f"Nothing found{begin}"
        more = " · more with --limit" if self.page.next or self.count == self._limit else ""
        numbered = self.page.position  # what no daemon has taken in yet has no number, and may be more
        of = f" of {numbered:,}" if numbered >= self.count else ""
        return f"{counted(self.count, 'event')}{of} · {self.page.took_ms} ms{more}"
