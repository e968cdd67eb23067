"""`jwtrail kql` as people and scripts call it: the real parser's answers, on stdout, with the exit code of a refusal."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from jwtrail.cli.exits import OK, USAGE
from jwtrail.cli.main import cli

CASES = json.loads((Path(__file__).parents[1] / "vectors" / "kql_kibana.json").read_text())["cases"]
WHOLE = [case for case in CASES if "ast" in case and case["kind"] != "literal" and case["id"] != "kql-098"]
REFUSED = [case for case in CASES if "error_at" in case]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["kql", *arguments], prog_name="jwtrail")


@pytest.mark.parametrize("case", WHOLE, ids=lambda case: case["id"])
def test_tree_and_dsl_are_those_of_kibana(case: dict[str, Any]) -> None:
    for form in ("ast", "dsl"):
        if form in case:
            answer = run(case["input"], "--to", form)
            assert answer.exit_code == OK
            assert json.loads(answer.stdout) == case[form]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case["id"])
def test_a_refusal_points_at_the_place(case: dict[str, Any]) -> None:
    for form in ("ast", "dsl", "sql"):
        answer = run(case["input"], "--to", form)
        assert (answer.exit_code, answer.stdout) == (USAGE, "")
        lines = answer.stderr.splitlines()
        before = case["input"][: case["error_at"]]
        column = len(before) - before.rfind("\n") - 1
        assert lines[2].index("^") == 2 + column


@pytest.mark.parametrize("query", ["-user.id: a", "--x", "-", "", "  "])
def test_what_looks_like_an_option_or_nothing_is_a_query(query: str) -> None:
    assert run(query).exit_code == OK


def test_grammar_forms_take_any_field_and_the_others_ours() -> None:
    assert run("nobody.knows: 1", "--to", "ast").exit_code == OK
    assert run("nobody.knows: 1", "--to", "dsl").exit_code == OK
    answer = run("user.idd: 1", "--to", "engine")
    assert answer.exit_code == USAGE
    assert "did you mean user.id?" in answer.stderr


def test_bytes_that_are_no_text_are_refused() -> None:
    answer = run("user.id: \udcff", "--to", "ast")
    assert answer.exit_code == USAGE
    assert "half of a surrogate pair" in answer.stderr
