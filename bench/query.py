"""What a search costs, and with `--opensearch` what OpenSearch takes for the same, on the same events and machine."""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from bench.query_trail import BenchTrail, documents, made
from jwtrail import clock
from jwtrail.ecs import Event
from jwtrail.elastic import index_body
from jwtrail.kql import compile_kql
from jwtrail.predicate.dsl import to_dsl
from jwtrail.query import LocalStore, SearchRequest
from jwtrail.query.index import QueryIndex

if TYPE_CHECKING:
    from opensearch_server import Client

DAY = 86_400_000_000
ROUNDS = 15


class Question(Struct, frozen=True):
    """One question, for both.

    Args:
        query: of one event, because nobody asks the same twice: the next round asks about another one.
        days: back from the end of the round; everything for 0.
        ours: asks the embedded store.
        body: what OpenSearch is asked beside the query.
    """

    name: str
    query: Callable[[Event], str]
    days: int
    ours: Callable[[LocalStore, SearchRequest], object]
    body: dict[str, Any]


_PAGE: dict[str, Any] = {"size": 50, "sort": [{"event.sequence": "desc"}], "track_total_hits": False}


def _hourly(store: LocalStore, request: SearchRequest) -> object:
    return store.histogram(request, 7 * 24)


def _addresses(store: LocalStore, request: SearchRequest) -> object:
    return store.top("source.ip", request, 10)


def _users(store: LocalStore, request: SearchRequest) -> object:
    return store.entities("address", request, 10)


def _questions() -> list[Question]:
    by_address = {"field": "source.ip", "size": 10}
    users = {"users": {"cardinality": {"field": "user.id"}}}
    hourly = {"date_histogram": {"field": "@timestamp", "fixed_interval": "1h"}}
    counted = {"size": 0, "aggs": {"a": hourly}}
    addresses = {"size": 0, "aggs": {"a": {"terms": by_address}}}
    rolled_up = {"size": 0, "aggs": {"a": {"terms": by_address, "aggs": users}}}
    page = LocalStore.search
    return [
        Question("one user, 2 days, newest 50", lambda one: f"user.id: {one.user_id}", 2, page, _PAGE),
        Question(
            "4xx an hour, 7 days",
            lambda _: "http.response.status_code >= 400 and http.response.status_code < 500",
            7,
            _hourly,
            counted,
        ),
        Question(
            "top 10 addresses, failed auth",
            lambda _: "http.response.status_code: 401",
            7,
            _addresses,
            addresses,
        ),
        Question("users of the top 10 addresses", lambda _: "", 7, _users, rolled_up),
        Question(
            "wildcard on path, newest 50",
            lambda one: f"url.path: *ders/{(one.url_path or '')[-2:]}*4",
            7,
            page,
            _PAGE,
        ),
        Question("newest 50", lambda _: "", 0, page, _PAGE),
        Question("one jti", lambda one: f"jwt.jti: {one.jwt_jti}", 0, page, _PAGE),
        Question("one trace id", lambda one: f"trace.id: {one.trace_id}", 0, page, _PAGE),
        Question("one event id", lambda one: f"event.id: {one.event_id}", 0, page, _PAGE),
        Question("an id that is not there", lambda one: f"trace.id: {one.event_id}", 0, page, _PAGE),
    ]


def _samples(store: LocalStore, trail: BenchTrail) -> list[Event]:
    """An event for each round and one to warm up, from all over the trail."""
    step = trail.size // (ROUNDS + 2)
    numbers = range(step, trail.size - step, step)
    return [store.search(SearchRequest(f"event.sequence: {number}")).events[0] for number in numbers]


def _ours(store: LocalStore, trail: BenchTrail, question: Question, number: int, event: Event) -> object:
    from_us, to_us = _times(trail, question, number)
    return question.ours(store, SearchRequest(question.query(event), from_us=from_us, to_us=to_us, limit=50))


def _theirs(client: "Client", trail: BenchTrail, question: Question, number: int, event: Event) -> object:
    from_us, to_us = _times(trail, question, number)
    query = question.query(event)
    filters = [to_dsl(compile_kql(query, trail.end_us))] if query else []
    if from_us is not None and to_us is not None:
        times = {"gte": clock.iso(from_us), "lt": clock.iso(to_us)}
        filters.append({"range": {"@timestamp": times}})
    body = {**question.body, "query": {"bool": {"filter": filters}}}
    return client.call("POST", "/bench/_search?request_cache=false", body)


def _times(trail: BenchTrail, question: Question, number: int) -> tuple[int | None, int | None]:
    """Now moves on between two rounds, so that neither side has the same range twice."""
    if not question.days:
        return None, None
    to_us = trail.end_us - (ROUNDS - number) * 1_000_000
    return to_us - question.days * DAY, to_us


def _loaded(client: "Client", trail: BenchTrail) -> None:
    body = index_body("opensearch")
    body["settings"] |= {"number_of_replicas": 0, "refresh_interval": "-1", "index.codec": "default"}
    client.call("PUT", "/bench", body)
    for portion in documents(trail):
        client.bulk("bench", portion, refresh=False)
    client.call("POST", "/bench/_refresh")


def _compared(store: LocalStore, trail: BenchTrail, client: "Client | None") -> None:
    """Both in every round, so that a slow moment of the machine hits both. What we use of the CPU is as good as free of it."""
    print(
        f"  {'':<32}{'CPU ms':>9}{'p50 ms':>9}{'p95 ms':>9}"
        + ("   OpenSearch p50      p95    times as fast" if client else "")
    )
    events = _samples(store, trail)
    for question in _questions():
        mine: list[float] = []
        used: list[float] = []
        other: list[float] = []
        for number, event in enumerate(events):
            began = time.process_time()
            mine.append(_timed(partial(_ours, store, trail, question, number, event)))
            used.append((time.process_time() - began) * 1000)
            if client:
                other.append(_timed(partial(_theirs, client, trail, question, number, event)))
        p50, p95 = _shown(mine)
        line = f"  {question.name:<32}{statistics.median(used[1:]):9.1f}{p50:9.1f}{p95:9.1f}"
        if client:
            their50, their95 = _shown(other)
            line += f"{their50:17.1f}{their95:9.1f}{their50 / p50:17.1f}"
        print(line, flush=True)


def _timed(call: Callable[[], object]) -> float:
    """ms."""
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def _shown(times: list[float]) -> tuple[float, float]:
    """p50 and p95 of all but the first, which warms up."""
    return statistics.median(times[1:]), statistics.quantiles(times[1:], n=20)[-1]


def run(calls: int, *, opensearch: bool = False) -> None:
    """`calls` times 5,000 events: a million in the quick form, ten millions otherwise."""
    count = calls * 5_000
    with tempfile.TemporaryDirectory(prefix="jwtrail-bench-") as folder, ExitStack() as stack:
        began = time.perf_counter()
        trail = made(Path(folder), count)
        size = sum(part.path.stat().st_size for part in trail.parts)
        print(
            f"\nquery, {count:,} events in {len(trail.parts):,} segments,"
            f" {size / count:.1f} bytes an event (made in {time.perf_counter() - began:.0f} s)"
        )
        client = None
        if opensearch:
            sys.path.append(str(Path(__file__).parents[1] / "tests/engines"))
            from opensearch_server import running

            client = stack.enter_context(running())
            began = time.perf_counter()
            _loaded(client, trail)
            print(f"  OpenSearch loaded in {time.perf_counter() - began:.0f} s")
        index = QueryIndex(Path(folder) / "index")
        began = time.process_time()
        while index.keep_up(trail.segments()):
            pass
        took = time.process_time() - began
        size = sum(path.stat().st_size for path in index.folder.iterdir())
        parts = len(index.cover(trail.segments()))
        print(
            f"  index: {parts} parts, {size / count:.1f} bytes and {took / count * 1e6:.1f} µs CPU an event"
        )
        store = LocalStore(trail, now=lambda: trail.end_us, index=index)
        _compared(store, trail, client)
        store.close()
