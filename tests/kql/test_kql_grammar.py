"""Corners of the grammar: escapes, words inside words, white space, nesting, odd names. The answers are Kibana 8.12's.

Each line of the file has an input and either its tree and query DSL, or the character at which it is refused. In trees
a function is a list, a literal is itself, and a phrase and a wildcard are objects with one member.
"""

import json
from pathlib import Path
from typing import Any

from jwtrail.errors import KqlError
from jwtrail.kql import parse
from jwtrail.kql.ast import to_json
from jwtrail.kql.kibana import kibana_dsl

FILE = Path(__file__).parents[1] / "vectors" / "kql_grammar.ndjson"
CASES = [json.loads(line) for line in FILE.read_text().splitlines()]


def test_every_corner_is_read_as_kibana_reads_it() -> None:
    assert len(CASES) > 1000
    assert {case["input"]: answer(case["input"]) for case in CASES} == {case["input"]: case for case in CASES}


def answer(query: str) -> dict[str, Any]:
    try:
        tree = parse(query)
    except KqlError as refused:
        return {"input": query, "error_at": refused.start}
    return {"input": query, "tree": short(to_json(tree)), "dsl": kibana_dsl(tree)}


def short(node: Any) -> Any:
    if isinstance(node, str):
        return node
    if node["type"] == "function":
        return [node["function"], *map(short, node["arguments"])]
    if node["type"] == "wildcard":
        return {"wild": node["value"]}
    return {"quoted": node["value"]} if node["isQuoted"] else node["value"]


def test_two_stars_are_a_pattern_and_not_the_question_whether_a_field_exists() -> None:
    assert kibana_dsl(parse("a: **"))["bool"]["should"] == [
        {"query_string": {"fields": ["a"], "query": "**"}}
    ]


def test_a_field_or_path_that_is_a_constant_stays_one() -> None:
    """As in Kibana: the paths null and false prefix nothing, and true is `true` where a name is put together."""
    assert kibana_dsl(parse("false: *"))["bool"]["should"] == [{"exists": {"field": False}}]
    assert kibana_dsl(parse("null: {a: b}")) == {
        "nested": {"path": None, "query": kibana_dsl(parse("a: b")), "score_mode": "none"}
    }
    assert kibana_dsl(parse("true: {a: b}")) == {
        "nested": {"path": True, "query": kibana_dsl(parse("true.a: b")), "score_mode": "none"}
    }
