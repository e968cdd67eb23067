"""The same answers from a minimal Elasticsearch, whose words, wildcard fields and data streams are not those of OpenSearch."""

import json
from collections.abc import Iterator

import duckdb
import pytest
from elasticsearch_server import Client, Unavailable, running
from engine_worlds import NOW, QUERIES, worlds
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from test_engines_opensearch import agree

from jwtrail import config
from jwtrail.ecs import Event
from jwtrail.elastic import index_body
from jwtrail.errors import KqlError, PredicateError
from jwtrail.kql import compile_kql
from jwtrail.predicate.dsl import to_dsl
from jwtrail.predicate.ir import Predicate

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

EXAMPLES = 30
TOGETHER = 32
"""Queries on each world: about 900 in a run."""


@pytest.fixture(scope="module")
def engine() -> Iterator[Client]:
    try:
        with running() as client:
            client.call("PUT", "/one", index_body("elasticsearch", wildcard=False, words=False))
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


def answered_alike(query: str) -> Predicate | None:
    """The predicate; None for what does not parse, is refused, or asks for words, which this build cuts in its own way."""
    try:
        predicate = compile_kql(query, NOW)
        return None if '"message"' in json.dumps(to_dsl(predicate)) else predicate
    except (KqlError, PredicateError):
        return None


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=(
        Phase.generate,
    ),  # making a failure smaller would take minutes, each step a question to the server
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(queries=st.lists(QUERIES, min_size=TOGETHER, max_size=TOGETHER), events=worlds())
def test_kql(engine: Client, connection, queries: list[str], events: list[Event]) -> None:
    predicates = [predicate for query in queries if (predicate := answered_alike(query)) is not None]
    agree(engine, connection, events, predicates)
