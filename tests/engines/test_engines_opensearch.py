"""One query, one answer: generated Python, DuckDB SQL and a real OpenSearch find the same events."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import duckdb
import msgspec
import pytest
from engine_worlds import NOW, QUERIES, WORLD_COLUMNS, worlds
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kql_cases import read_cases
from opensearch_server import Client, Unavailable, running
from predicate_worlds import PREDICATES, fill

from jwtrail import config
from jwtrail.ecs import Event, document
from jwtrail.elastic import index_body, index_template
from jwtrail.errors import KqlError, PredicateError
from jwtrail.kql import compile_kql
from jwtrail.predicate.dsl import MAX_CLAUSES, MAX_LEVELS, to_dsl
from jwtrail.predicate.ir import And, Equals, Exists, Or, Predicate
from jwtrail.predicate.python import compile_predicate
from jwtrail.predicate.sql import to_sql

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

INDEX = "logs-jwtrail.access-test"
EXAMPLES = 80
TOGETHER = 32
"""Queries on each world: EXAMPLES x TOGETHER is what CI runs, over 2,500 with the two kinds."""

_world = itertools.count()
asked = {"queries": 0, "refused": 0}


@pytest.fixture(scope="module")
def engine() -> Iterator[Client]:
    try:
        with running() as client:
            client.call("PUT", "/_index_template/jwtrail", index_template(index_body("opensearch")))
            client.call("PUT", f"/_data_stream/{INDEX}")
            client.call("PUT", "/one", index_body("opensearch"))
            yield client
    except Unavailable as missing:
        if config.is_ci():
            raise
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as made:
        made.execute("SET threads = 1")
        yield made


def load(engine: Client, events: list[Event]) -> str:
    """Events of a world of their own, marked by a field that no query names."""
    world = f"w{next(_world)}"
    marked = [msgspec.structs.replace(event, service_name=world) for event in events]
    engine.bulk(
        "one", [(f"{world}-{event.event_id}", msgspec.json.encode(document(event))) for event in marked]
    )
    return world


def found(engine: Client, world: str, queries: list[dict]) -> list[list[str]]:
    bodies = [
        {
            "size": 1000,
            "_source": False,
            "query": {"bool": {"filter": [{"term": {"service.name": world}}, query]}},
        }
        for query in queries
    ]
    answers = engine.msearch("one", bodies)
    assert [answer["error"] for answer in answers if "error" in answer] == []
    return [sorted(hit["_id"].partition("-")[2] for hit in answer["hits"]["hits"]) for answer in answers]


def agree(
    engine: Client, connection: duckdb.DuckDBPyConnection, events: list[Event], predicates: list[Predicate]
) -> None:
    """All three answer alike; what the DSL refuses is left out, and counted."""
    kept: list[tuple[Predicate, dict]] = []
    for predicate in predicates:
        try:
            kept.append((predicate, to_dsl(predicate)))
        except PredicateError:
            asked["refused"] += 1
    asked["queries"] += len(kept)
    if not kept:
        return
    fill(connection, events, WORLD_COLUMNS)
    answers = found(engine, load(engine, events), [query for _, query in kept])
    for (predicate, query), there in zip(kept, answers, strict=True):
        match = compile_predicate(predicate)
        here = sorted(event.event_id for event in events if match(event))
        condition, parameters = to_sql(predicate, frozenset(WORLD_COLUMNS))
        rows = connection.execute(f'SELECT "event.id" FROM events WHERE {condition}', parameters).fetchall()
        assert sorted(event_id for (event_id,) in rows) == here, predicate
        assert there == here, (predicate, query)


SETTINGS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


@SETTINGS
@given(queries=st.lists(QUERIES, min_size=TOGETHER, max_size=TOGETHER), events=worlds())
def test_kql(engine: Client, connection, queries: list[str], events: list[Event]) -> None:
    predicates = []
    for query in queries:
        try:
            predicates.append(compile_kql(query, NOW))
        except KqlError:
            continue
    agree(engine, connection, events, predicates)


@SETTINGS
@given(predicates=st.lists(PREDICATES, min_size=TOGETHER, max_size=TOGETHER), events=worlds())
def test_predicates(engine: Client, connection, predicates: list[Predicate], events: list[Event]) -> None:
    agree(engine, connection, events, predicates)


def test_enough_was_asked() -> None:
    """Runs last; what is drawn varies, what CI promises does not."""
    if not asked["queries"]:
        pytest.skip("counts what the two tests before it asked")
    assert asked["queries"] >= 2_000, asked
    print(
        f"\n{asked['queries']:,} queries on three engines, {asked['refused']:,} refused by the DSL, 0 differences"
    )


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parents[1] / "kql").glob("*.test")), ids=lambda path: path.stem
)
def test_text_cases(engine: Client, path: Path) -> None:
    """Whatever the text files say of a query holds in the engine too."""
    cases = [case for case in read_cases(path) if "!" not in case.expected and case.events]
    if not cases:
        return
    world = load(engine, cases[0].events)
    kept = []
    for case in cases:
        try:
            kept.append((case, to_dsl(compile_kql(case.query, case.now_us))))
        except PredicateError:
            assert ":" not in case.expected or "no-dsl" in case.expected, case
    for (case, query), there in zip(kept, found(engine, world, [query for _, query in kept]), strict=True):
        if ":" in case.expected:
            assert there == case.expected[":"].split(), (case.name, case.query, query)


def test_the_data_stream_takes_events(engine: Client) -> None:
    event = Event(
        timestamp="2026-11-23T10:00:00.123456Z", event_id="1", user_id="alice", source_ip="testclient"
    )
    body = b'{"create":{"_id":"1"}}\n' + msgspec.json.encode(document(event)) + b"\n"
    assert not engine.call("POST", f"/{INDEX}/_bulk?refresh=true", body)["errors"]
    stored = engine.call("GET", f"/{INDEX}/_search")["hits"]["hits"][0]["_source"]
    assert stored == document(event)


def test_the_largest_queries_are_taken(engine: Client) -> None:
    deep: Predicate = Exists(field="user.id")
    for level in range(MAX_LEVELS - 1):
        other = Equals(field="user.id", value=str(level))
        deep = Or(items=(deep, other)) if level % 2 else And(items=(deep, other))
    wide = Or(items=tuple(Equals(field="user.id", value=str(number)) for number in range(MAX_CLAUSES)))
    assert found(engine, "nowhere", [to_dsl(deep), to_dsl(wide)]) == [[], []]
