"""Rules as pySigma's SQLite backend runs them, beside ours: one `SELECT` each, on the same events."""

import json
import sqlite3
import time
from typing import Any

import duckdb
import yaml
from msgspec import Struct
from sigma.backends.sqlite import sqliteBackend
from sigma.collection import SigmaCollection
from sigma.exceptions import SigmaError

from bench.query_trail import BenchTrail
from jwtrail.config import DetectSettings
from jwtrail.detect.ruleset import configured, packaged_texts
from jwtrail.predicate.python import compile_many
from jwtrail.predicate.sql import to_sql
from jwtrail.predicate.sql_text import quoted
from jwtrail.query.rows import events_of, selected
from jwtrail.query.tables import columns_of, files_sql

__all__ = ["Counted", "counted"]


class Counted(Struct, frozen=True):
    """How long each took for all rules, seconds of CPU, and for how many the counts are the same."""

    rules: int
    hits: int
    equal: int
    sqlite_s: float
    duckdb_s: float
    function_s: float


def counted(trail: BenchTrail) -> Counted:
    """Run what both can run."""
    names, columns = selected(columns_of(trail.parts))
    with duckdb.connect() as connection:
        rows = connection.execute(f"SELECT {columns} FROM {files_sql(trail.parts)}").fetchall()
        queries = _converted(frozenset(names))
        ours = {rule.meta.id: rule.predicate for rule in configured(DetectSettings()).rules}
        database = _sqlite(names, rows)
        rules = [rule for rule in queries if rule in ours and _runs(database, queries[rule])]
        began = time.process_time()
        theirs = [len(database.execute(queries[rule]).fetchall()) for rule in rules]
        sqlite_s = time.process_time() - began
        parts, parameters = [], list[Any]()
        for rule in rules:
            condition, more = to_sql(ours[rule], frozenset(names))
            parts.append(f"count(*) FILTER (WHERE {condition})")
            parameters += more
        began = time.process_time()
        [found] = connection.execute(
            f"SELECT {', '.join(parts)} FROM {files_sql(trail.parts)}", parameters
        ).fetchall()
        duckdb_s = time.process_time() - began
    match = compile_many({rule: ours[rule] for rule in rules})
    events = events_of(names, rows)
    began = time.process_time()
    fitting = [match(event) for event in events]
    function_s = time.process_time() - began
    single = [sum(rule in each for each in fitting) for rule in rules]
    equal = sum(one == other == third for one, other, third in zip(theirs, found, single, strict=True))
    return Counted(len(rules), sum(single), equal, sqlite_s, duckdb_s, function_s)


def _converted(columns: frozenset[str]) -> dict[str, str]:
    """The SQL of every packaged rule on single events that the backend converts and whose fields are there, by id."""
    made = {}
    for _, text in packaged_texts():
        for document in yaml.safe_load_all(text):
            if "detection" not in document or not _fields(document["detection"]) <= columns:
                continue
            document.pop("jwtrail", None)
            try:
                [query] = sqliteBackend().convert(SigmaCollection.from_dicts([document]))
            except (SigmaError, ValueError, NotImplementedError):
                continue
            made[document["id"]] = str(query)
    return made


def _runs(database: sqlite3.Connection, query: str) -> bool:
    """False for what compares with a field that no event has."""
    try:
        database.execute(f"EXPLAIN {query}")
    except sqlite3.OperationalError:
        return False
    return True


def _fields(node: Any) -> set[str]:
    if isinstance(node, list):
        return set().union(*map(_fields, node)) if node else set()
    if not isinstance(node, dict):
        return set()
    named = {key.partition("|")[0] for key in node if "." in key}
    return named.union(*(_fields(value) for key, value in node.items() if "." not in key))


def _sqlite(names: list[str], rows: list[tuple[Any, ...]]) -> sqlite3.Connection:
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE logs (" + ", ".join(map(quoted, names)) + ")")
    marks = ", ".join("?" * len(names))
    plain = [tuple(json.dumps(cell) if isinstance(cell, list) else cell for cell in row) for row in rows]
    database.executemany(f"INSERT INTO logs VALUES ({marks})", plain)
    return database
