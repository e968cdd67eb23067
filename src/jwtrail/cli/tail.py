"""`jwtrail tail`: events as they arrive, with or without a daemon."""

from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from jwtrail import clock
from jwtrail.cli.common import console, data_option, is_terminal, open_store
from jwtrail.cli.kql import note_equals
from jwtrail.cli.look import line, moment

if TYPE_CHECKING:
    from jwtrail.ecs import Event
    from jwtrail.query.page import Page
    from jwtrail.query.store import Store

__all__ = ["MAX_REMEMBERED", "tail"]

PAUSE_S = 0.25
"""Between two looks: below what a person notices, above what a disk notices."""

LATENESS_US = 10_000_000
"""An event may appear so long after its time, µs: a slow request has the time of its beginning."""

MAX_REMEMBERED = 50_000
"""Ids of events that were shown already; far more than come within `LATENESS_US`."""

MAX_PAGE = 500
_WEEK_US = 7 * 86_400_000_000


@click.command(short_help="Follow events as they arrive.")
@click.argument("query", metavar="[KQL]", default="")
@click.option(
    "--lines",
    "-n",
    default=10,
    show_default=True,
    type=click.IntRange(0, MAX_PAGE),
    help="Begin with so many events that are there already.",
)
@click.option("--no-follow", is_flag=True, help="Stop after them.")
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON document a line. [default when not a terminal]"
)
@data_option
def tail(query: str, lines: int, no_follow: bool, as_json: bool, data: Path | None) -> None:
    """Follow events as they arrive, newest last. Ctrl+C ends it.

    \b
    jwtrail tail
    jwtrail tail 'event.outcome: failure'
    """
    note_equals(query)
    follower = _Follower(open_store(data), query)
    show = _Shown() if is_terminal() and not as_json else _show_json
    for event in follower.last(lines):
        show(event)
    while not no_follow:
        for event in follower.new():
            show(event)
        clock.sleep(PAUSE_S)


class _Follower:
    """Looks again at the last seconds and knows what it has seen, so nothing is missed or doubled at a boundary."""

    def __init__(self, store: "Store", query: str) -> None:
        self._store = store
        self._query = query
        self._seen: OrderedDict[str, None] = OrderedDict()

    def last(self, count: int) -> "list[Event]":
        """The newest events, oldest first. What else is there counts as seen."""
        newest: list[Event] = []
        if count:
            newest = list(self._page(clock.now_us() - _WEEK_US, count).events)
        self._remember(newest)
        self._fresh(every=True)
        return newest[::-1]

    def new(self) -> "list[Event]":
        """What came since, oldest first."""
        return self._fresh(every=False)[::-1]

    def _fresh(self, *, every: bool) -> "list[Event]":
        """What was not seen: page by page until one has nothing new, or `every` page."""
        from_us, cursor = clock.now_us() - LATENESS_US, None
        found: list[Event] = []
        while True:
            page = self._page(from_us, MAX_PAGE, cursor)
            fresh = [event for event in page.events if event.event_id not in self._seen]
            self._remember(fresh)
            found += fresh
            cursor = page.next
            if cursor is None or not (fresh or every):
                return found

    def _page(self, from_us: int, limit: int, cursor: str | None = None) -> "Page":
        from jwtrail.query.page import SearchRequest  # noqa: PLC0415

        return self._store.search(
            SearchRequest(query=self._query, from_us=from_us, limit=limit, cursor=cursor)
        )

    def _remember(self, events: "list[Event]") -> None:
        self._seen.update(dict.fromkeys(event.event_id for event in events))
        while len(self._seen) > MAX_REMEMBERED:
            self._seen.popitem(last=False)


class _Shown:
    """Prints a line for each event, and the day before the first of it."""

    def __init__(self) -> None:
        self._day = ""

    def __call__(self, event: "Event") -> None:
        day = moment(event.timestamp)[:10]
        if day != self._day:
            self._day = day
            console().print(f"{day} UTC", style="bold")
        console().print(line(event), no_wrap=True, overflow="ellipsis")


def _show_json(event: "Event") -> None:
    from jwtrail.ecs import document  # noqa: PLC0415

    click.echo(msgspec.json.encode(document(event)))
