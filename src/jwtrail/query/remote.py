"""Search over the data streams that `jwtrail ship` fills: the same questions as `local.LocalStore`, the same answers.

Pages follow `event.sequence`, which is unique and only grows, so a page goes on behind the last index with no point in time
kept open in the engine: a cursor stays good for ever and fits both stores. What an engine cannot answer exactly it refuses
(`remotevalues`), and the hint says so.
"""

import time
from typing import Any

import msgspec
from msgspec import Struct

from jwtrail import clock
from jwtrail.clock import Clock
from jwtrail.ecs import Event, field_hint
from jwtrail.ecs.catalogue import Field, resolve
from jwtrail.elastic.client import Engine
from jwtrail.elastic.streams import pattern_of
from jwtrail.errors import EngineAway, EngineError, QueryError
from jwtrail.kql import compile_kql
from jwtrail.predicate.dsl import to_dsl
from jwtrail.predicate.ir import And, Anything, Equals, Predicate, Range
from jwtrail.query.cursors import beyond, place_behind, read_cursor, write_cursor
from jwtrail.query.hidden import Hidden
from jwtrail.query.intervals import MAX_BUCKETS, offset_of
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
from jwtrail.query.remotevalues import entities_of, stats_of, top_of
from jwtrail.query.running import current
from jwtrail.query.tally import Bars, bounded

__all__ = ["MAX_AROUND", "MAX_TOP", "RemoteStore"]

MAX_TOP = 1000
"""Values of one list of top values, as in `local`."""

MAX_AROUND = 500
"""Events on each side of one event, as in `local`."""

PAUSES_S = (0.1, 0.4)
"""Before a search is repeated whose shards were not all there."""

_TIME = "@timestamp"
_SEQUENCE = "event.sequence"


class _Hit(Struct, frozen=True):
    event: Event = msgspec.field(name="_source")


class _Hits(Struct, frozen=True):
    hits: list[_Hit] = []


class _Answer(Struct, frozen=True):
    hits: _Hits = _Hits()


class RemoteStore:
    """Searches the data streams of one namespace. Safe to use from several threads.

    Args:
        engine: closed with the store.
        namespace: last part of the streams' names.
        now: what `now` means in a query.
        hidden: what is shown to nobody, if this machine knows of such.
    """

    def __init__(
        self, engine: Engine, namespace: str, *, now: Clock = clock.now_us, hidden: Hidden | None = None
    ) -> None:
        self._engine = engine
        self._hidden = hidden
        self._path = f"/{pattern_of(namespace)}"
        self._now = now

    def search(self, request: SearchRequest) -> Page:
        """One page of events.

        Raises:
            KqlError: the query does not parse or names what does not exist.
            QueryError: a bad limit or cursor, a backwards time range, or the engine cannot answer.
        """
        began = clock.monotonic_ns()
        bounded(request.limit, 1, MAX_LIMIT, "events of a page")
        place = read_cursor(request)
        predicate = self._predicate(request)
        if place is not None:
            predicate = And(items=(predicate, beyond(place, ascending=request.ascending)))
        found = self._events(
            _filtered(request, predicate), request.limit + 1, ascending=request.ascending
        )  # one more tells whether there is another page
        events = tuple(found[: request.limit])
        size = self.size()
        return Page(
            events=events,
            next=write_cursor(place_behind(request, events[-1], size, place))
            if len(found) > request.limit
            else None,
            took_ms=(clock.monotonic_ns() - began) // 1_000_000,
            position=size,
        )

    def size(self) -> int:
        """How many events there are."""
        return int(self._asked("/_count", {"query": {"match_all": {}}})["count"])

    def count(self, request: SearchRequest) -> int:
        """How many events fit; limit and cursor play no part. Raises as `search`."""
        query = _filtered(request, self._predicate(request))
        return int(self._asked("/_count", {"query": query})["count"])

    def histogram(self, request: SearchRequest, buckets: int = 60) -> Histogram:
        """Events over time, as `LocalStore.histogram`. Raises as `search`."""
        bounded(buckets, 1, MAX_BUCKETS, "buckets")
        query = _filtered(request, self._predicate(request))
        bars = Bars(*self._span(request), buckets)
        outcomes = {
            name: {"filter": {"term": {"event.outcome": {"value": name}}}} for name in ("success", "failure")
        }
        over_time = {
            "field": _TIME,
            "fixed_interval": f"{bars.interval_us // 1000}ms",
            "offset": f"{offset_of(bars.interval_us) // 1000}ms",
            "min_doc_count": 1,
        }
        found = self.aggregated(query, {"t": {"date_histogram": over_time, "aggs": outcomes}})
        for bucket in found["t"]["buckets"]:
            start, count = int(bucket["key"]) * 1000, int(bucket["doc_count"])
            for name in outcomes:
                bars.add(start, name, int(bucket[name]["doc_count"]))
                count -= int(bucket[name]["doc_count"])
            bars.add(start, None, count)
        return bars.result()

    def top(self, field: str, request: SearchRequest, size: int = 10) -> TopValues:
        """The most frequent values of a field, as `LocalStore.top`.

        Raises:
            KqlError: as `search`.
            QueryError: as `search`; no such field; one whose values an engine does not count; `size` out of bounds.
        """
        bounded(size, 1, MAX_TOP, "values")
        return top_of(self.aggregated, _filtered(request, self._predicate(request)), _field(field), size)

    def stats(self, field: str, request: SearchRequest) -> FieldStats:
        """What the values of a field look like, as `LocalStore.stats`; `exact` up to some 10,000 different ones.

        Raises:
            KqlError, QueryError: as `top`.
        """
        return stats_of(self.aggregated, _filtered(request, self._predicate(request)), _field(field))

    def entities(
        self, kind: EntityKind, request: SearchRequest, size: int = 10, *, by_failures: bool = False
    ) -> tuple[Entity, ...]:
        """The busiest users, addresses, tokens or clients, as `LocalStore.entities`. Raises as `top`."""
        bounded(size, 1, MAX_TOP, "entities")
        query = _filtered(request, self._predicate(request))
        return entities_of(self.aggregated, query, kind, size, by_failures=by_failures)

    def get(self, event_id: str) -> Event | None:
        """The event with this id."""
        found = self._events(
            to_dsl(self._shown(Equals(field="event.id", value=event_id))), 1, ascending=False
        )
        return found[0] if found else None

    def around(self, event_id: str, n: int = 10) -> tuple[Event, ...]:
        """An event with up to `n` before it and `n` after it in the trail, newest first; empty when there is none.

        Raises:
            QueryError: `n` out of bounds.
        """
        bounded(n, 0, MAX_AROUND, "events on each side")
        event = self.get(event_id)
        if event is None or event.event_sequence is None:
            return ()
        at = event.event_sequence
        near = And(
            items=(
                Range(field=_SEQUENCE, op="gte", value=at - n),
                Range(field=_SEQUENCE, op="lte", value=at + n),
            )
        )
        return tuple(self._events(to_dsl(self._shown(near)), 2 * n + 1, ascending=False))

    def behind(self, sequence: int, limit: int, predicate: Predicate | None = None) -> list[Event]:
        """Events from an index on, in order; what a detector reads.

        Args:
            limit: 10,000 at most.
        """
        begin = Range(field=_SEQUENCE, op="gte", value=sequence)
        return self._events(to_dsl(And(items=(predicate or Anything(), begin))), limit, ascending=True)

    def within(
        self, predicate: Predicate, from_us: int | None, to_us: int | None, first: int, limit: int
    ) -> list[Event]:
        """Events that fit, of a stretch of time, from an index on, in order."""
        begin = And(items=(predicate, Range(field=_SEQUENCE, op="gte", value=first)))
        query = _filtered(SearchRequest(from_us=from_us, to_us=to_us), begin)
        return self._events(query, limit, ascending=True)

    def last_us(self) -> int:
        """Time of the newest event, µs since the epoch; 0 when there is none."""
        return self._edge("desc") or 0

    def close(self) -> None:
        """Close the connections."""
        self._engine.close()

    def aggregated(self, query: dict[str, Any], aggregations: dict[str, Any]) -> dict[str, Any]:
        """What the engine counts over a query."""
        body = {"size": 0, "track_total_hits": False, "query": query, "aggs": aggregations}
        found: dict[str, Any] = self._asked("/_search", body).get("aggregations", {})
        if not found:  # no data stream yet: the engine counts nothing, not even zero
            raise QueryError("nothing was shipped there yet", hint="jwtrail ship with this address")
        return found

    def _predicate(self, request: SearchRequest) -> Predicate:
        if request.from_us is not None and request.to_us is not None and request.from_us > request.to_us:
            raise QueryError("the time range ends before it begins", hint="exchange from and to")
        asked = compile_kql(request.query, self._now()) if isinstance(request.query, str) else request.query
        return self._shown(asked)

    def _shown(self, predicate: Predicate) -> Predicate:
        return predicate if self._hidden is None else And(items=(predicate, self._hidden.shown()))

    def _events(self, query: dict[str, Any], limit: int, *, ascending: bool) -> list[Event]:
        body = {
            "size": limit,
            "query": query,
            "sort": [{_SEQUENCE: {"order": "asc" if ascending else "desc", "unmapped_type": "long"}}],
            "track_total_hits": False,
        }
        answer = self._request("/_search?filter_path=hits.hits._source,timed_out", body)
        return [hit.event for hit in answer.read(_Answer).hits.hits]

    def _span(self, request: SearchRequest) -> tuple[int, int]:
        """The time that a histogram shows: as asked for, an open end where the events end."""
        first = request.from_us if request.from_us is not None else self._edge("asc") or 0
        last = self._edge("desc") if request.to_us is None else None
        to_us = request.to_us if request.to_us is not None else (first if last is None else last) + 1
        return first, max(to_us, first + 1)

    def _edge(self, order: str) -> int | None:
        """Time of the oldest or newest event, exact to the microsecond: an engine's own minimum has milliseconds."""
        body = {
            "size": 1, "_source": [_TIME], "track_total_hits": False,
            "sort": [{_TIME: {"order": order, "unmapped_type": "date_nanos"}}],
        }  # fmt: skip
        hits = self._asked("/_search", body)["hits"]["hits"]
        return clock.parse_iso(hits[0]["_source"][_TIME]) if hits else None

    def _asked(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self._request(what, body).json
        return found

    def _request(self, what: str, body: dict[str, Any]) -> Any:
        run = current()
        run.check()
        mark = "&" if "?" in what else "?"
        path = f"{self._path}{what}{mark}ignore_unavailable=true&allow_no_indices=true"
        if "_search" in what:
            path += "&allow_partial_search_results=false"  # an answer of some shards is a wrong answer
        for pause_s in (*PAUSES_S, None):
            try:
                return self._engine.request("POST", path, body=body, timeout_s=run.left_s, safe=True)
            except EngineAway as away:
                if away.timed_out:
                    run.check()
                raise
            except EngineError as error:
                if pause_s is None or not _passes(error):
                    raise QueryError(error.message, where=error.where, hint=error.hint) from error
            time.sleep(pause_s)
            run.check()
        raise AssertionError


def _passes(error: EngineError) -> bool:
    """Whether only some shards could not answer: a query that is wrong fails on all of them, an index that is being made or
    moved has a shard that is not there for a moment."""
    return error.kind == "search_phase_execution_exception" and (
        error.status == 503 or "partial shards failure" in error.message.lower()
    )


def _filtered(request: SearchRequest, predicate: Predicate) -> dict[str, Any]:
    items = [predicate]
    if request.from_us is not None:
        items.append(Range(field=_TIME, op="gte", value=request.from_us))
    if request.to_us is not None:
        items.append(Range(field=_TIME, op="lt", value=request.to_us))
    return to_dsl(And(items=tuple(items)))


def _field(name: str) -> tuple[Field, str]:
    found = resolve(name)
    if found is None:
        raise QueryError(f"no field {name}", hint=field_hint(name))
    return found
