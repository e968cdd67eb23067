"""The text cases: predicate, answers in Python and SQL, DSL, refusals."""

import json
from pathlib import Path

import duckdb
import pytest
from kql_cases import Case, read_cases

from jwtrail.ecs import CATALOGUE, document
from jwtrail.errors import KqlError, PredicateError
from jwtrail.kql import compile_kql
from jwtrail.predicate.dsl import to_dsl
from jwtrail.predicate.python import compile_predicate
from jwtrail.predicate.sql import to_sql
from jwtrail.predicate.text import to_text

HERE = Path(__file__).parent
CASES = [case for path in sorted(HERE.glob("*.test")) for case in read_cases(path)]


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as made:
        yield made


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_case(case: Case, connection) -> None:
    if "!" in case.expected:
        _refused(case)
        return
    predicate = compile_kql(case.query, case.now_us)
    if "=" in case.expected:
        assert to_text(predicate) == case.expected["="]
    if ":" in case.expected:
        wanted = case.expected[":"].split()
        match = compile_predicate(predicate)
        assert [event.event_id for event in case.events if match(event)] == wanted
        condition, parameters = to_sql(predicate)
        table = _table(connection, case)
        rows = connection.execute(
            f'SELECT "event.id" FROM {table} WHERE {condition} ORDER BY rowid', parameters
        )
        assert [event_id for (event_id,) in rows.fetchall()] == wanted
    if "dsl" in case.expected:
        assert to_dsl(predicate) == json.loads(case.expected["dsl"])
    if "no-dsl" in case.expected:
        with pytest.raises(PredicateError) as caught:
            to_dsl(predicate)
        assert caught.value.message.startswith(case.expected["no-dsl"])
        assert caught.value.where


def _refused(case: Case) -> None:
    place, _, message = case.expected["!"].partition(" ")
    with pytest.raises(KqlError) as caught:
        compile_kql(case.query, case.now_us)
    wrong = caught.value
    assert f"{wrong.start + 1}-{wrong.end}" == place
    assert wrong.message.startswith(message)
    assert case.expected.get("?", "") in wrong.hint
    assert wrong.text == case.query


def _table(connection, case: Case) -> str:
    """The events of the case's file as a table; made once for each file."""
    name = f"events_{case.name.partition(':')[0]}"
    if not connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = ?", [name]).fetchall():
        described = ", ".join(f'"{field.name}" {field.sql_type}' for field in CATALOGUE.values())
        connection.execute(f"CREATE TABLE {name} ({described})")
        for event in case.events:
            made = document(event)
            columns = ", ".join(f'"{key}"' for key in made)
            marks = ", ".join("?" for _ in made)
            values = [json.dumps(value) if isinstance(value, dict) else value for value in made.values()]
            connection.execute(f"INSERT INTO {name} ({columns}) VALUES ({marks})", values)
    return name


def test_every_case_expects_something() -> None:
    assert all(case.expected for case in CASES)
    assert len(CASES) > 100
