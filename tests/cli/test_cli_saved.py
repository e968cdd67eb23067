"""Searches kept under a name."""

import json

import pytest

from jwtrail.cli.exits import OK, USAGE
from jwtrail.errors import QueryError
from jwtrail.state.saved import MAX_NAME, MAX_SAVED, SavedSearch, SavedSearches


def _lines(answer):
    return [json.loads(line) for line in answer.stdout.splitlines()]


def test_a_search_is_kept_run_again_and_forgotten(run, data):
    first = run("search", "event.reason: expired", "--from", "now-2h", "--save", "late", "--data", data)
    assert len(_lines(first)) == 5
    assert run("search", "--saved", "late", "--data", data).stdout == first.stdout
    assert run("search", "--saved", "late", "--to", "now-1h", "--data", data).stdout == ""
    (listed,) = _lines(run("saved", "list", "--data", data))
    assert (listed["name"], listed["query"], listed["from"], listed["to"]) == (
        "late",
        "event.reason: expired",
        "now-2h",
        "now",
    )
    assert run("saved", "remove", "late", "--data", data).exit_code == OK
    assert run("saved", "remove", "late", "--data", data).exit_code == USAGE
    assert run("search", "--saved", "late", "--data", data).exit_code == USAGE


def test_what_does_not_parse_is_not_kept(run, data):
    assert run("search", "user.id: (", "--save", "bad", "--data", data).exit_code == USAGE
    assert run("search", "user.id: a", "--save", "a\x1b", "--data", data).exit_code == USAGE
    assert run("search", "user.id: a", "--saved", "x", "--data", data).exit_code == USAGE
    assert _lines(run("saved", "list", "--data", data)) == []


def test_names_and_number_are_limited(tmp_path):
    with SavedSearches(tmp_path / "state.db") as searches:
        for number in range(MAX_SAVED):
            searches.put(SavedSearch(name=f"{number:04}", query=""))
        searches.put(SavedSearch(name="0000", query="user.id: a"))
        assert searches.get("0000").query == "user.id: a"
        assert [one.name for one in searches.all()][:2] == ["0000", "0001"]
        for bad in ("", " ", "n" * (MAX_NAME + 1), "a\nb", "one more"):
            with pytest.raises(QueryError):
                searches.put(SavedSearch(name=bad, query=""))
