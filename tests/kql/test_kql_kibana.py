"""The real parser of Kibana 8.12.2 answered these inputs; ours must say the same."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jwtrail.errors import KqlError
from jwtrail.kql import compile_kql, parse
from jwtrail.kql.ast import to_json
from jwtrail.kql.kibana import kibana_dsl
from jwtrail.kql.lucene import looks_like_lucene
from jwtrail.kql.printer import escape, has_bare_words, quote, to_kql
from jwtrail.predicate.text import to_text

CASES = json.loads((Path(__file__).parents[1] / "vectors" / "kql_kibana.json").read_text())["cases"]
OTHER: dict[str, Callable[[str], Any]] = {
    "escapeQuotes": lambda text: quote(text)[1:-1],
    "escapeKuery": escape,
    "to_kql": lambda text: to_kql(parse(text)),
    "has_free_text": lambda text: has_bare_words(parse(text)),
    "lucene_syntax_detector": looks_like_lucene,
}
MUST_CLAUSE = "kql-098"
"""Asked of Kibana with an option that puts `and` in `must` where we have `filter`; the tree is the same."""


def ids(cases: list[dict[str, Any]]) -> list[str]:
    return [case["id"] for case in cases]


PARSED = [case for case in CASES if "ast" in case]
REFUSED = [case for case in CASES if "error_at" in case]
TOLD = [case for case in CASES if "expected" in case]


def test_none_is_forgotten() -> None:
    assert len(CASES) == len(PARSED) + len(REFUSED) + len(TOLD) == 280


@pytest.mark.parametrize("case", PARSED, ids=ids(PARSED))
def test_tree_and_dsl(case: dict[str, Any]) -> None:
    tree = parse(case["input"])
    shown = to_json(tree)
    assert (shown["arguments"][1] if case["kind"] == "literal" else shown) == case["ast"]
    if "dsl" in case and case["id"] != MUST_CLAUSE:
        assert kibana_dsl(tree) == case["dsl"]


@pytest.mark.parametrize("case", REFUSED, ids=ids(REFUSED))
def test_refused_at_the_same_character(case: dict[str, Any]) -> None:
    with pytest.raises(KqlError) as caught:
        parse(case["input"])
    assert caught.value.start == case["error_at"]


@pytest.mark.parametrize("case", TOLD, ids=ids(TOLD))
def test_other_functions(case: dict[str, Any]) -> None:
    assert OTHER[case["kind"]](case["input"]) == case["expected"]


@pytest.mark.parametrize("case", PARSED, ids=ids(PARSED))
def test_written_out_it_is_the_same_query(case: dict[str, Any]) -> None:
    written = to_kql(parse(case["input"]))
    assert to_json(parse(written)) == to_json(parse(case["input"]))


def test_an_unquoted_null_is_no_field() -> None:
    """As Kibana's `is` function has it: a field that is the literal null asks every field."""
    assert kibana_dsl(parse("null: foo")) == kibana_dsl(parse("foo"))
    assert kibana_dsl(parse("null: *")) == {"query_string": {"query": "*"}}
    assert kibana_dsl(parse('"null": foo')) != kibana_dsl(parse("foo"))
    assert kibana_dsl(parse("a: { null: foo }"))["nested"]["query"] == {
        "bool": {"should": [{"match": {"a.null": "foo"}}], "minimum_should_match": 1}
    }


def test_a_star_in_a_range_is_a_wildcard_in_the_tree_and_a_character_in_the_query() -> None:
    """Kibana's grammar takes any literal behind `>`, and its range function writes a wildcard as `*`."""
    tree = parse("foo > ba*")
    assert to_json(tree)["arguments"][2] == {"type": "wildcard", "value": "ba@kuery-wildcard@"}
    assert kibana_dsl(tree)["bool"]["should"] == [{"range": {"foo": {"gt": "ba*"}}}]
    assert to_text(compile_kql("user.id > ba*", 0)) == 'user.id > "ba*"'
