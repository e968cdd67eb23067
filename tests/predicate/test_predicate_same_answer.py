"""One predicate, one answer: the generated Python and the SQL hold for the same events."""

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from predicate_worlds import COLUMNS, PREDICATES, event_lists, fill

from jwtrail.ecs import Event
from jwtrail.predicate.ir import Predicate
from jwtrail.predicate.python import compile_many, compile_predicate
from jwtrail.predicate.sql import to_sql


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as made:
        made.execute("SET threads = 1")
        yield made


@settings(max_examples=320, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(predicate=PREDICATES, events=event_lists())
def test_python_and_sql_agree(connection, predicate: Predicate, events: list[Event]) -> None:
    fill(connection, events)
    condition, parameters = to_sql(predicate, frozenset(COLUMNS))
    rows = connection.execute(f'SELECT "event.id", {condition} FROM events', parameters).fetchall()
    match = compile_predicate(predicate)
    assert [(event.event_id, match(event)) for event in events] == rows


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(first=PREDICATES, second=PREDICATES, events=event_lists())
def test_a_rule_set_is_its_rules(first: Predicate, second: Predicate, events: list[Event]) -> None:
    rules = {"b": first, "a": second}
    together = compile_many(rules)
    each = {name: compile_predicate(rule) for name, rule in rules.items()}
    for event in events:
        assert together(event) == [name for name, match in each.items() if match(event)]
