"""What a search costs, and with `--opensearch` what OpenSearch takes for the same, on the same events and machine."""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
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
        days: back from the newest event; everything for 0.
        ours: asks the embedded store.
        body: what OpenSearch is asked beside the query.
    """

    name: str
    query: str
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


def _questions(event: Event) -> list[Question]:
    """Args: event: one in the middle, whose token and trace are looked for."""
    by_address = {"field": "source.ip", "size": 10}
    users = {"users": {"cardinality": {"field": "user.id"}}}
    hourly = {"date_histogram": {"field": "@timestamp", "fixed_interval": "1h"}}
    page = LocalStore.search
    return [
        Question("one user, 2 days, newest 50", "user.id: u42", 2, page, _PAGE),
        Question(
            "4xx an hour, 7 days",
            "http.response.status_code >= 400 and http.response.status_code < 500",
            7,
            _hourly,
            {"size": 0, "aggs": {"a": hourly}},
        ),
        Question(
            "top 10 addresses, failed auth",
            "http.response.status_code: 401",
            7,
            _addresses,
            {"size": 0, "aggs": {"a": {"terms": by_address}}},
        ),
        Question(
            "users of the top 10 addresses",
            "",
            7,
            _users,
            {"size": 0, "aggs": {"a": {"terms": by_address, "aggs": users}}},
        ),
        Question("wildcard on path, newest 50", "url.path: *ders/12*4", 7, page, _PAGE),
        Question("newest 50", "", 0, page, _PAGE),
        Question("one jti", f"jwt.jti: {event.jwt_jti}", 0, page, _PAGE),
        Question("one trace id", f"trace.id: {event.trace_id}", 0, page, _PAGE),
        Question("one event id", f"event.id: {event.event_id}", 0, page, _PAGE),
        Question("an id that is not there", "trace.id: 0123456789abcdef", 0, page, _PAGE),
    ]


def _timed(call: Callable[[], object]) -> tuple[float, float]:
    """p50 and p95, ms."""
    call()
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        call()
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times), statistics.quantiles(times, n=20)[-1]


def _ask(store: LocalStore, trail: BenchTrail, question: Question) -> Callable[[], object]:
    start = trail.end_us - question.days * DAY if question.days else None
    request = SearchRequest(question.query, from_us=start, limit=50)
    return lambda: question.ours(store, request)


def _loaded(client: "Client", trail: BenchTrail) -> None:
    body = index_body("opensearch")
    body["settings"] |= {"number_of_replicas": 0, "refresh_interval": "-1", "index.codec": "default"}
    client.call("PUT", "/bench", body)
    for portion in documents(trail):
        client.bulk("bench", portion, refresh=False)
    client.call("POST", "/bench/_refresh")


def _theirs(client: "Client", trail: BenchTrail, question: Question) -> Callable[[], object]:
    filters = [to_dsl(compile_kql(question.query, trail.end_us))] if question.query else []
    if question.days:
        start = clock.iso(trail.end_us - question.days * DAY)
        filters.append({"range": {"@timestamp": {"gte": start}}})
    body = {**question.body, "query": {"bool": {"filter": filters}}}
    path = "/bench/_search?request_cache=false"
    return lambda: client.call("POST", path, body)


def _compared(store: LocalStore, trail: BenchTrail, client: "Client | None") -> None:
    middle = store.search(SearchRequest(f"event.sequence: {trail.size // 2}")).events[0]
    print(f"  {'':<32}{'p50 ms':>9}{'p95 ms':>9}" + ("   OpenSearch p50      p95" if client else ""))
    for question in _questions(middle):
        p50, p95 = _timed(_ask(store, trail, question))
        line = f"  {question.name:<32}{p50:9.1f}{p95:9.1f}"
        if client:
            their50, their95 = _timed(_theirs(client, trail, question))
            line += f"{their50:17.1f}{their95:9.1f}"
        print(line, flush=True)


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
