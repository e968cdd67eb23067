"""search, tail, kql and fields: forms, limits, order, and harmless text."""

import csv
import io
import json
import signal
import subprocess
import sys

import pytest

from jwtrail import clock
from jwtrail.cli.exits import FOUND, INTERRUPTED, OK, USAGE
from jwtrail.cli.plain import visible
from jwtrail.ecs import event_for
from jwtrail.trail.layout import Layout
from jwtrail.trail.settings import TrailSettings
from jwtrail.trail.writer import TrailWriter
from waiting import LONG_S

PATHS = 'url.path: "/orders/*"'


def _lines(answer):
    return [json.loads(line) for line in answer.stdout.splitlines()]


def test_ndjson_newest_first(run, data):
    answer = run("search", "url.path: /orders/*", "--data", data)
    assert [event["url.path"] for event in _lines(answer)] == [f"/orders/{n}" for n in range(9, -1, -1)]
    assert answer.stderr == ""


def test_json_is_one_document(run, data):
    document = json.loads(
        run("search", "event.reason: expired", "--json", "--limit", "2", "--data", data).stdout
    )
    assert [event["url.path"] for event in document["events"]] == ["/orders/9", "/orders/7"]


def test_more_than_a_page_is_fetched(run, data, monkeypatch):
    monkeypatch.setattr("jwtrail.cli.search.MAX_PAGE", 3)
    assert len(_lines(run("search", "url.path: /orders/*", "--limit", "7", "--data", data))) == 7
    assert len(_lines(run("search", "url.path: /orders/*", "--limit", "100", "--data", data))) == 10


def test_csv_is_safe_to_open(run, data):
    answer = run("search", "url.path: /orders/*", "--format", "csv", "--data", data)
    rows = list(csv.DictReader(io.StringIO(answer.stdout)))
    assert len(rows) == 10
    assert "'=1+1" in {row["user_agent.original"] for row in rows}


def test_time_bounds(run, data):
    assert run("search", "--to", "now-1h", "--data", data).stdout == ""
    assert run("search", "--from", "someday", "--data", data).exit_code == USAGE
    assert run("search", "--from", "now", "--to", "now-1h", "--data", data).exit_code == USAGE


def test_a_bad_query_points_at_the_place(run, data):
    answer = run("search", "user.id: x and nope: 1", "--data", data)
    assert answer.exit_code == USAGE
    assert answer.stdout == ""
    error, query, marks, *_ = answer.stderr.splitlines()
    assert error.startswith("jwtrail: error: query:1:16:")
    assert query[marks.index("^") :].startswith("nope")


def test_found_something_as_exit_code(run, data):
    assert run("search", "event.reason: expired", "--exit-code", "--data", data).exit_code == FOUND
    assert run("search", "event.reason: alg_none", "--exit-code", "--data", data).exit_code == OK


def test_a_table_is_drawn_for_people_and_harmless(shown, data):
    text, code = shown("search", "url.path: /orders/*", "--data", data, NO_COLOR="1")
    assert code == OK
    assert "401 GET /orders/3" in text
    assert "\\u200bali\\u202ece" in text
    assert "\u202e" not in text
    assert "10 events of" in text
    assert "\x1b[3" not in text


@pytest.mark.parametrize("columns", [72, 200])
def test_a_table_keeps_its_columns_on_any_terminal(shown, data, columns):
    text, _ = shown("search", "url.path: /orders/3", "--data", data, columns=columns, NO_COLOR="1")
    assert all(word in text for word in ("what", "who", "from", "why", "198.51.100.7", "expired"))


def test_nothing_found_says_what_to_try(shown, data):
    text, code = shown("search", "event.reason: alg_none", "--data", data)
    assert code == OK
    assert "--from 2020" in text


def test_what_stood_around_an_event(run, data):
    found = _lines(run("search", 'url.path: "/orders/5"', "--data", data))[0]
    near = _lines(run("search", "--around", found["event.id"], "--limit", "2", "--data", data))
    numbers = [event["event.sequence"] for event in near]
    at = found["event.sequence"]
    assert numbers == [at + 2, at + 1, at, at - 1, at - 2]
    answer = run("search", "--around", "nobody", "--data", data)
    assert answer.exit_code == USAGE
    assert "no event nobody" in answer.stderr
    assert run("search", "user.id: a", "--around", "nobody", "--data", data).exit_code == USAGE


def test_tail_begins_with_the_last_lines(run, data):
    answer = run("tail", "url.path: /orders/*", "-n", "3", "--no-follow", "--data", data)
    assert [event["url.path"] for event in _lines(answer)] == ["/orders/7", "/orders/8", "/orders/9"]


def test_tail_follows_without_a_daemon(tmp_path):
    layout = Layout(tmp_path / "data")
    layout.create()
    command = [sys.executable, "-m", "jwtrail", "tail", "user.id: bob", "--data", str(layout.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            writer = TrailWriter(layout, TrailSettings())
            for user in ("alice", "bob") * 2:
                writer.put(event_for("login", user_id=user), "sync").result(60)
            seen = [json.loads(process.stdout.readline())["user.id"] for _ in range(2)]
            process.send_signal(signal.SIGINT)
            assert process.wait(LONG_S) == INTERRUPTED
            assert "Traceback" not in process.stderr.read()
        finally:
            process.kill()
    writer.close()
    assert seen == ["bob", "bob"]


def test_ctrl_c_within_a_statement_is_no_traceback():
    slow = "SELECT count(*) FROM range(1000000000) a, range(100) b WHERE a.range % 7 = b.range"
    program = (
        "import duckdb\nfrom jwtrail.cli.exits import orderly\n"
        "with orderly():\n"
        "    print('ready', flush=True)\n"
        f"    duckdb.connect(config={{'threads': 1}}).execute({slow!r}).fetchall()\n"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            clock.sleep(0.5)
            process.send_signal(signal.SIGINT)
            assert process.wait(LONG_S) == INTERRUPTED
            assert "Traceback" not in process.stderr.read()
        finally:
            process.kill()


def test_tail_shows_all_of_a_burst_and_nothing_twice(tmp_path):
    layout = Layout(tmp_path / "data")
    layout.create()
    writer = TrailWriter(layout, TrailSettings())
    writer.put(event_for("login", user_id="before"), "sync").result(60)
    command = [sys.executable, "-m", "jwtrail", "tail", "user.id: *", "-n", "1", "--data", str(layout.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert json.loads(process.stdout.readline())["user.id"] == "before"
            process.send_signal(signal.SIGSTOP)  # more than a page comes between two looks
            for number in range(1200):
                writer.put(event_for("login", user_id=f"u{number}"), "batch")
            writer.put(event_for("login", user_id="last"), "sync").result(60)
            process.send_signal(signal.SIGCONT)
            seen = [json.loads(process.stdout.readline())["user.id"] for _ in range(1201)]
            writer.put(event_for("login", user_id="after"), "sync").result(60)
            assert json.loads(process.stdout.readline())["user.id"] == "after"
        finally:
            process.kill()
    writer.close()
    assert seen == [*(f"u{number}" for number in range(1200)), "last"]


@pytest.mark.parametrize(
    ("form", "wanted"),
    [
        ("text", "user.id"),
        ("ast", '"function": "and"'),
        ("dsl", '"query_string"'),
        ("predicate", '"type": "glob"'),
        ("sql", '"user.id"'),
        ("engine", '"wildcard"'),
        ("python", "def match(e)"),
    ],
)
def test_a_query_in_every_form(run, form, wanted):
    answer = run("kql", "user.id: a* and http.response.status_code >= 400", "--to", form)
    assert answer.exit_code == OK
    assert wanted in answer.stdout


def test_explain_shows_the_forms_and_what_a_page_read(run, data):
    answer = run("search", "user.id: a*", "--explain", "--data", data)
    assert answer.exit_code == OK
    assert all(f"── {name}" in answer.stdout for name in ("text", "sql", "engine", "python", "run"))
    assert "9 events in" in answer.stdout
    assert "segments opened:" in answer.stdout


def test_explain_says_what_an_engine_cannot_do(run, data):
    answer = run("search", 'url.path > "/a"', "--explain", "--data", data)
    assert answer.exit_code == OK
    assert "not possible:" in answer.stdout


def test_fields_by_word(run):
    names = [field["name"] for field in _lines(run("fields", "family"))]
    assert "jwt.family" in names
    assert run("fields", "no-such-word").exit_code == OK


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain", "plain"),
        ("한국어 é ✓", "한국어 é ✓"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\u202eb\u2066c", "a\\u202eb\\u2066c"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("line\nbreak\r\x85", "line\\x0abreak\\x0d\\x85"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_could_hide_or_command_is_made_visible(text, seen):
    assert visible(text) == seen
