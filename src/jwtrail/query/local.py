"""Search over segments, the head and lines that have no index yet, as one: the same query, the same order, one answer."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import copy
from typing import TypeVar

from jwtrail import clock
from jwtrail.clock import Clock
from jwtrail.ecs import Event, Field, field_hint
from jwtrail.ecs.catalogue import resolve
from jwtrail.errors import QueryError
from jwtrail.kql import compile_kql
from jwtrail.predicate.ir import And, Anything, Equals, Predicate
from jwtrail.query.cursors import Place, beyond, place_behind, read_cursor, write_cursor
from jwtrail.query.engine import SegmentGone
from jwtrail.query.hidden import Hidden
from jwtrail.query.index import QueryIndex
from jwtrail.query.intervals import MAX_BUCKETS
from jwtrail.query.measures import entities_of, stats_of, top_of
from jwtrail.query.page import (
    MAX_LIMIT,
    Entity,
    EntityKind,
    FieldStats,
    Histogram,
    Page,
    SearchRequest,
    TopValues,
)
from jwtrail.query.reading import Reading
from jwtrail.query.scan import Scan, View, view_of
from jwtrail.query.source import TrailSource
from jwtrail.query.tally import Bars, bounded, span

__all__ = ["MAX_AROUND", "MAX_TOP", "LocalStore"]

MAX_TOP = 1000
"""Values of one list of top values."""

MAX_AROUND = 500
"""Events on each side of one event."""

_TRIES = 2
"""A file may vanish once while a query runs: merging, erasing and the index replace them seldom."""

T = TypeVar("T")


class LocalStore:
    """Searches a trail on this machine. Safe to use from several threads.

    Args:
        source: where segments and unsealed events come from.
        head: the unsealed events, when this process has them in memory; read from the source otherwise.
        now: what `now` means in a query.
        index: what makes searches fast; without it they read the segments themselves.
        hidden: what is shown to nobody; everything is shown without it.
    """

    def __init__(
        self,
        source: TrailSource,
        *,
        head: Callable[[], Sequence[Event]] | None = None,
        now: Clock = clock.now_us,
        index: QueryIndex | None = None,
        hidden: Hidden | None = None,
    ) -> None:
        self._source = source
        self._hidden = hidden
        self._head = head
        self._now = now
        self._reading = Reading(index)

    def search(self, request: SearchRequest) -> Page:
        """One page of events.

        Raises:
            KqlError: the query does not parse or names what does not exist.
            QueryError: a bad limit or cursor, a backwards time range, or a query that needs too much memory.
        """
        began = clock.monotonic_ns()
        bounded(request.limit, 1, MAX_LIMIT, "events of a page")
        place = read_cursor(request)
        predicate = self._predicate(request)
        return self._steadily(lambda view: self._search(view, request, predicate, place, began))

    def count(self, request: SearchRequest) -> int:
        """How many events fit; limit and cursor play no part.

        Raises:
            KqlError, QueryError: as `search`.
        """
        scan = _scan(request, self._predicate(request))

        def counted(view: View) -> int:
            sealed = sum(int(count) for (count,) in self._reading.grouped(view.segments, scan, {}))
            return sealed + sum(1 for one in view.loose if scan.fits(one.event))

        return self._steadily(counted)

    def histogram(self, request: SearchRequest, buckets: int = 60) -> Histogram:
        """Events over time, in about `buckets` bars of a round interval; over the whole trail where a time is open.

        Raises:
            KqlError, QueryError: as `search`.
        """
        bounded(buckets, 1, MAX_BUCKETS, "buckets")
        scan = _scan(request, self._predicate(request))

        def made(view: View) -> Histogram:
            bars = Bars(*span(view, request), buckets)
            for start, outcome, count in self._reading.grouped(view.segments, scan, bars.columns, bars.by):
                bars.add(start, outcome, count)
            for one in view.loose:
                if scan.fits(one.event):
                    bars.add_event(one.event)
            return bars.result()

        return self._steadily(made)

    def top(self, field: str, request: SearchRequest, size: int = 10) -> TopValues:
        """The most frequent values of a field; on a list every item counts once an event.

        Raises:
            KqlError: as `search`.
            QueryError: as `search`; no such field; `size` out of bounds.
        """
        bounded(size, 1, MAX_TOP, "values")
        found = _field(field)
        scan = _scan(request, self._predicate(request))
        return self._steadily(lambda view: top_of(self._reading, view, scan, found, size))

    def stats(self, field: str, request: SearchRequest) -> FieldStats:
        """How many values a field has, how many different ones, the range, and percentiles of a number.

        Raises:
            KqlError: as `search`.
            QueryError: as `search`; no such field.
        """
        found = _field(field)
        scan = _scan(request, self._predicate(request))
        return self._steadily(lambda view: stats_of(self._reading, view, scan, found))

    def entities(
        self, kind: EntityKind, request: SearchRequest, size: int = 10, *, by_failures: bool = False
    ) -> tuple[Entity, ...]:
        """The busiest users, addresses, tokens or clients, and what they did.

        Args:
            by_failures: those with the most failures instead.

        Raises:
            KqlError: as `search`.
            QueryError: as `search`; `size` out of bounds.
        """
        bounded(size, 1, MAX_TOP, "entities")
        scan = _scan(request, self._predicate(request))
        return self._steadily(
            lambda view: entities_of(self._reading, view, scan, kind, size, by_failures=by_failures)
        )

    def get(self, event_id: str) -> Event | None:
        """The event with this id."""
        page = self.search(SearchRequest(_with_id(event_id), limit=1))
        return page.events[0] if page.events else None

    def around(self, event_id: str, n: int = 10) -> tuple[Event, ...]:
        """An event with up to `n` before it and `n` after it in the trail, newest first; empty when there is none.

        Raises:
            QueryError: `n` out of bounds.
        """
        bounded(n, 0, MAX_AROUND, "events on each side")

        def made(view: View) -> tuple[Event, ...]:
            at = self._place_of(view, event_id)
            if at is None:
                return ()
            scan = Scan(self._shown(Anything()), first=at - n, last=at + n)
            sealed, _ = self._reading.fetch(view.segments, scan, 2 * n + 1, ascending=False)
            near = [
                one.event
                for one in reversed(view.loose)
                if at - n <= one.place <= at + n and scan.fits(one.event)
            ]
            return (*near, *sealed)

        return self._steadily(made)

    def unhidden(self) -> "LocalStore":
        """The same store that shows everything: for what judges, and for nobody's eyes. Closed with this one."""
        other = copy(self)
        other._hidden = None  # noqa: SLF001  # its own kind
        return other

    def close(self) -> None:
        """Give the memory back; the next query takes it again."""
        self._reading.close()

    def _predicate(self, request: SearchRequest) -> Predicate:
        if request.from_us is not None and request.to_us is not None and request.from_us > request.to_us:
            raise QueryError("the time range ends before it begins", hint="exchange from and to")
        asked = compile_kql(request.query, self._now()) if isinstance(request.query, str) else request.query
        return self._shown(asked)

    def _shown(self, predicate: Predicate) -> Predicate:
        return predicate if self._hidden is None else And(items=(predicate, self._hidden.shown()))

    def _steadily(self, work: Callable[[View], T]) -> T:
        """Do it on a view of the trail, again on a newer one when a file vanished meanwhile, and then without the index."""
        for _ in range(_TRIES):
            with suppress(SegmentGone):
                return work(view_of(self._source, self._head))
        try:
            with self._reading.without_index():
                return work(view_of(self._source, self._head))
        except SegmentGone as gone:
            raise QueryError(f"a segment cannot be read: {gone}", hint="run jwtrail trail verify") from gone

    def _search(
        self, view: View, request: SearchRequest, predicate: Predicate, place: Place | None, began: int
    ) -> Page:
        scan = _scan(request, predicate, place)
        wanted = request.limit + 1  # one more tells whether there is another page
        loose = [one.event for one in view.loose if scan.fits(one.event)]
        ahead = [] if request.ascending else loose[: -wanted - 1 : -1]
        sealed, opened = self._reading.fetch(
            view.segments, scan, wanted - len(ahead), ascending=request.ascending
        )
        found = [*sealed, *loose][:wanted] if request.ascending else [*ahead, *sealed]
        events = tuple(found[: request.limit])
        more = len(found) == wanted
        return Page(
            events=events,
            next=write_cursor(place_behind(request, events[-1], view.size, place)) if more else None,
            took_ms=(clock.monotonic_ns() - began) // 1_000_000,
            opened=len(opened),
            rows=sum(segment.rows for segment in opened) + len(view.loose),
            position=view.size,
        )

    def _place_of(self, view: View, event_id: str) -> int | None:
        scan = Scan(self._shown(_with_id(event_id)))
        for one in view.loose:
            if scan.fits(one.event):
                return one.place
        found, _ = self._reading.fetch(view.segments, scan, 1, ascending=False)
        return found[0].event_sequence if found else None


def _field(name: str) -> tuple[Field, str]:
    found = resolve(name)
    if found is None:
        raise QueryError(f"no field {name}", hint=field_hint(name))
    return found


def _with_id(event_id: str) -> Predicate:
    return Equals(field="event.id", value=event_id)


def _scan(request: SearchRequest, predicate: Predicate, place: Place | None = None) -> Scan:
    """The request as a scan, from where the page before ended."""
    first = 0
    if place is not None:
        predicate = And(items=(predicate, beyond(place, ascending=request.ascending)))
        first = place.sequence + 1 if request.ascending else 0
    return Scan(predicate, from_us=request.from_us, to_us=request.to_us, first=first)
