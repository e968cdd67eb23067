"""Search results in files, statistics and roll-ups on the command line."""

import csv
import json

import duckdb
import pytest

from jwtrail.cli.exits import OK, USAGE
from jwtrail.cli.stats import MAX_FIELDS


def test_parquet_holds_the_same_events(run, data, tmp_path):
    path = tmp_path / "it's.parquet"
    answer = run("search", "url.path: /orders/*", "--format", "parquet", "-o", str(path), "--data", data)
    assert (answer.exit_code, answer.stdout) == (OK, "")
    found = duckdb.read_parquet(str(path)).order('"event.sequence"')
    assert len(found) == 10
    types = dict(zip(found.columns, map(str, found.types), strict=True))
    assert types["@timestamp"] == "TIMESTAMP"
    assert types["http.response.status_code"] == "BIGINT"
    assert [path for (path,) in found.select('"url.path"').fetchall()] == [f"/orders/{n}" for n in range(10)]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["it's.parquet"]
    assert path.stat().st_mode & 0o077 == 0


def test_parquet_of_nothing_is_a_file_too(run, data, tmp_path):
    path = tmp_path / "none.parquet"
    assert (
        run("search", "user.id: nobody", "--format", "parquet", "-o", str(path), "--data", data).exit_code
        == OK
    )
    assert len(duckdb.read_parquet(str(path))) == 0


@pytest.mark.parametrize("form", ["csv", "ndjson", "json"])
def test_other_formats_go_to_a_file_as_they_go_to_stdout(run, data, tmp_path, form):
    path = tmp_path / "events"
    shown = run("search", "url.path: /orders/*", "--format", form, "--data", data).stdout
    assert (
        run("search", "url.path: /orders/*", "--format", form, "-o", str(path), "--data", data).stdout == ""
    )
    assert path.read_bytes().decode().replace("\r\n", "\n") == shown
    if form == "csv":
        assert len(list(csv.DictReader(path.read_text().splitlines()))) == 10


@pytest.mark.parametrize(
    "arguments",
    [
        ("--format", "parquet"),
        ("--format", "table", "-o", "x"),
        ("--format", "csv", "-o", "no/such/x"),
        ("--format", "parquet", "-o", "no/such/x"),
        ("--timeout", "0"),
    ],
)
def test_what_cannot_be_written_is_a_usage_error(run, data, arguments):
    assert run("search", "user.id: alice", *arguments, "--data", data).exit_code == USAGE


def test_the_name_of_the_file_tells_the_format(run, data, tmp_path):
    for name, begins in (
        ("a.csv", b"@timestamp,"),
        ("a.parquet", b"PAR1"),
        ("a.JSON", b"{\n"),
        ("a.txt", b'{"@'),
    ):
        path = tmp_path / name
        assert run("search", "url.path: /orders/*", "-o", str(path), "--data", data).exit_code == OK
        assert path.read_bytes().startswith(begins)
        assert path.stat().st_mode & 0o077 == 0


def test_events_over_time(run, shown, data):
    asked = ("stats", "time", "--where", "url.path: /orders/*", "--data", data)
    (line,) = run(*asked).stdout.splitlines()
    found = json.loads(line)
    assert found["interval_s"] == 3600
    assert sum(one["events"] for one in found["buckets"]) == 10
    assert sum(one["failures"] for one in found["buckets"]) == 5
    text, code = shown(*asked, NO_COLOR="1")
    assert code == OK
    assert "█" * 10 in text


def test_nothing_to_count_is_said(shown, data):
    text, code = shown("stats", "url.path", "user", "--where", "user.id: nobody", "--data", data)
    assert code == OK
    assert "url.path: no value in 0 events" in text
    assert "user: none in these events" in text


def test_statistics_of_fields(run, data):
    answer = run(
        "stats", "http.response.status_code", "user.id", "--where", "url.path: /orders/*", "--data", data
    )
    assert answer.exit_code == OK
    codes, users = map(json.loads, answer.stdout.splitlines())
    assert (codes["count"], codes["distinct"], codes["low"], codes["high"]) == (10, 2, 200, 401)
    assert codes["top"] == [[200, 5], [401, 5]]
    assert (users["count"], users["distinct"], users["mean"]) == (10, 2, None)


def test_roll_ups(run, data):
    (line,) = run("stats", "address", "--where", "url.path: /orders/*", "--data", data).stdout.splitlines()
    (entity,) = json.loads(line)["entities"]
    assert (entity["key"], entity["events"], entity["failures"], entity["paths"]) == (
        "198.51.100.7",
        10,
        5,
        10,
    )


def test_statistics_for_people_are_harmless(shown, data):
    text, code = shown("stats", "user.id", "http.response.status_code", "user", "--data", data, NO_COLOR="1")
    assert code == OK
    assert "p50" in text
    assert "\\u200bali\\u202ece" in text
    assert "\u202e" not in text


def test_a_measured_value_has_its_unit_for_people_and_is_as_recorded_for_programs(run, shown, data):
    text, _ = shown("stats", "event.duration", "http.response.bytes", "--data", data, NO_COLOR="1")
    assert "p50 1.50 ms" in text
    assert "to 1,200 bytes" in text
    duration, _ = map(
        json.loads, run("stats", "event.duration", "user.id", "--data", data).stdout.splitlines()
    )
    assert (duration["field"], duration["low"]) == ("event.duration", 1_500_000)


def test_too_many_fields_and_unknown_ones(run, data):
    assert run("stats", *["user.id"] * (MAX_FIELDS + 1), "--data", data).exit_code == USAGE
    answer = run("stats", "user.idd", "--data", data)
    assert answer.exit_code == USAGE
    assert "did you mean user.id?" in answer.stderr
