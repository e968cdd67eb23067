"""What people get wrong: an empty id, a token for its id, a mistyped directory, key or address, a place that cannot be written.

Nothing is changed by it, and nothing ends in a traceback.
"""

import json
import shutil
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from jwtrail import clock
from jwtrail.cli.exits import BROKEN, ERROR, FOUND, OK, USAGE
from jwtrail.ecs import event_for
from jwtrail.state import StateStore
from jwtrail.trail.layout import Layout
from jwtrail.trail.settings import TrailSettings
from jwtrail.trail.writer import TrailWriter


@pytest.fixture
def copied(data, tmp_path):
    """A copy that a test may change."""
    shutil.copytree(data, tmp_path / "copy")
    return str(tmp_path / "copy")


def test_a_simulated_month_is_not_overwritten_unasked(run, tmp_path):
    (tmp_path / "jwtrail.toml").write_text("# mine\n")
    write = ("simulate", "write", str(tmp_path), "--days", "1", "--people", "100", "--rounds", "0")
    answer = run(*write)
    assert (answer.exit_code, "jwtrail.toml would be lost" in answer.stderr) == (USAGE, True)
    assert (tmp_path / "jwtrail.toml").read_text() == "# mine\n"
    assert not (tmp_path / "events.ndjson").exists()
    assert run(*write, "--overwrite").exit_code == OK
    assert "[detect]" in (tmp_path / "jwtrail.toml").read_text()


def test_secrets_that_cannot_be_read_are_said_all_at_once(run, tmp_path, monkeypatch):
    settings = tmp_path / "jwtrail.toml"
    settings.write_text(
        '[notify.a]\nkind = "slack"\nurl_from = {env = "NOT_SET_ANYWHERE"}\n'
        '[notify.b]\nkind = "webhook"\nurl = "https://h.example/x"\nsecret = {file = "/no/such/file"}\n'
        '[notify.c]\nkind = "slack"\nurl_from = {env = "SET_HERE"}\n'
        '[respond.answers.A1]\nkind = "exec"\nhook = "nobody-has-it"\n'
    )
    monkeypatch.setenv("SET_HERE", "https://hooks.example/T000/secret-of-c")
    answer = run("config", "check", "--config", str(settings))
    assert answer.exit_code == USAGE
    assert "notify.a: no secret: the environment variable NOT_SET_ANYWHERE is not set" in answer.stderr
    assert "notify.b: cannot read the secret" in answer.stderr
    assert "respond.answers.A1" in answer.stderr
    assert "notify.c" not in answer.stderr
    assert "secret-of-c" not in answer.output


ASKING = (
    ("search",), ("stats", "user"), ("tail", "--no-follow"), ("alerts", "list"), ("alerts", "risk"), ("explain", "3"),
    ("detect",), ("trail", "verify"), ("trail", "prove", "3"), ("trail", "vkey"), ("token", "sessions", "alice"),
    ("subject", "list"), ("saved", "list"), ("ship", "status"),
)  # fmt: skip


def test_every_command_finds_the_data_directory_by_the_settings_that_are_named(run, data, tmp_path):
    settings = tmp_path / "elsewhere.toml"
    settings.write_text(f'data = "{data}"\n')
    for command in ASKING:
        answer = run(*command, "--config", str(settings))
        assert answer.exit_code == OK, (command, answer.output)


def test_a_directory_that_is_none_is_not_called_intact_nor_made_one(run, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    for command in ASKING:
        answer = run(*command, "--data", str(empty))
        assert (answer.exit_code, "no data directory" in answer.stderr) == (USAGE, True), (
            command,
            answer.output,
        )
    assert not [*empty.iterdir()]


def test_a_trail_that_was_wiped_is_broken_to_whoever_kept_its_key_or_a_checkpoint(
    run, copied, tmp_path, monkeypatch
):
    root, mirror = Path(copied), tmp_path / "mirror"
    vkey = run("trail", "vkey", "--data", copied).stdout.strip()
    shutil.copy(Layout(root).checkpoint, mirror)
    shutil.rmtree(root)
    root.mkdir()
    verify = ("trail", "verify", "--data", copied)
    key_alone = run(*verify, "--vkey", vkey)
    assert (key_alone.exit_code, "there is no checkpoint" in key_alone.stdout) == (BROKEN, True)
    monkeypatch.setenv("JWTRAIL_TRAIL__MIRROR", str(mirror))
    mirror_alone = run(*verify)
    assert (mirror_alone.exit_code, "the verifier key is gone" in mirror_alone.stdout) == (BROKEN, True)
    both = run(*verify, "--vkey", vkey)
    assert (both.exit_code, "rolled_back" in both.stdout) == (BROKEN, True)


def test_events_that_no_daemon_has_taken_in_are_said(run, shown, tmp_path):
    layout = Layout(tmp_path / "data")
    layout.create()
    writer = TrailWriter(layout, TrailSettings())
    writer.put(event_for("login", user_id="kim"), "sync").result(60)
    writer.close()
    answer = run("trail", "verify", "--data", str(layout.root))
    assert (answer.exit_code, answer.stdout) == (OK, "intact: 0 events\n")
    assert "waiting for jwtrail serve to take them in: 3" in answer.stderr  # with its log's begin and end
    assert "rules run in jwtrail serve" in shown("alerts", "list", "--data", str(layout.root))[0]
    assert "\n3 events · " in shown("search", "--data", str(layout.root))[0]


def test_an_equals_sign_is_said_to_be_no_comparison(run, data):
    for command in (
        ("search", "event.outcome = failure"),
        ("tail", "--no-follow", "event.outcome==failure"),
        ("stats", "user", "--where", "event.outcome=failure"),
    ):
        answer = run(*command, "--data", data)
        assert answer.exit_code == OK
        assert "event.outcome = … is looked for as words" in answer.stderr, command
    for query in ("http.response.status_code >= 400", 'message: "event.outcome = failure"', "a = b"):
        assert "note" not in run("search", query, "--data", data).stderr, query


def test_a_search_that_finds_nothing_says_since_when_it_looked(shown, data):
    text, code = shown("search", "user.id: nobody", "--from", "2026-01-02", "--data", data)
    assert code == OK
    assert "Nothing found since 2026-01-02 00:00 UTC" in text


def test_an_import_whose_refused_lines_cannot_be_kept_takes_nothing(run, tmp_path):
    log = tmp_path / "access.log"
    log.write_text('192.0.2.1 - - [23/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 1\nbroken\n')
    take = ("import", "--format", "combined", str(log), "--data", "past")
    answer = run(*take, "--rejects", str(tmp_path / "nowhere/x"))
    assert (answer.exit_code, "--rejects FILE" in answer.stderr) == (ERROR, True)
    assert not (tmp_path / "past").exists()
    assert run(*take).exit_code == FOUND
    assert (tmp_path / "access.log.rejects.ndjson").stat().st_mode & 0o777 == 0o600


def test_a_field_that_nobody_knows_is_told_where_to_look(run, data):
    for command in (("search", "nosuch: x"), ("stats", "nosuch")):
        assert "`jwtrail fields` lists them all" in run(*command, "--data", data).stderr
    assert "did you mean event.outcome?" in run("stats", "event.outcom", "--data", data).stderr


def test_the_beginning_of_an_id_that_is_too_short_or_common_is_said_so(run, copied):
    assert "from 4 characters on" in run("alerts", "show", "abc", "--data", copied).stderr
    with StateStore(Layout(Path(copied)).state) as state:
        [row] = state.alerts()
        state.add_alert(replace(row, id="abcd" + "1" * 28))
    assert "2 alerts begin with 'abcd'" in run("alerts", "show", "abcd", "--data", copied).stderr
    assert run("alerts", "show", row.id[:5], "--data", copied).exit_code == OK


def test_settings_that_the_daemon_would_refuse_are_not_called_good(run, tmp_path):
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/bad.yml").write_text("title: x\nlevel: nosuch\n")
    for text, said in (
        ('[serve]\nhost = "0.0.0.0"\n', "not a loopback address"),
        ('[detect]\nrules = ["nowhere"]\n', "no such directory of rules"),
        (f'[detect]\nrules = ["{tmp_path}/rules"]\n', "bad.yml"),
        ("[detect.tune.ZZ]\nthreshold = 3\n", "no rule 'ZZ'"),
        ('[enrich]\ndatabases = ["nowhere.mmdb"]\n', "nowhere.mmdb"),
    ):
        (tmp_path / "jwtrail.toml").write_text(text)
        answer = run("config", "check")
        assert (answer.exit_code, said in answer.stderr) == (USAGE, True), (text, answer.stderr)
    (tmp_path / "jwtrail.toml").write_text('[http]\nbad_token = "nope"\n')
    assert "`reject` or `pass` or `observe`" in run("config", "check").stderr
    (tmp_path / "jwtrail.toml").write_text('[service]\nname = "shop"\n')
    assert "1 differs from the defaults" in run("config", "check").stderr


RULE = """
title: Export
id: 5a2f6c0e-4f0e-4d7e-9b0f-3f5f5a1c2d10
logsource: {product: jwtrail}
detection: {selection: {event.action: data-exported}, condition: selection}
level: LEVEL
jwtrail:
  examples:
    - {name: one, events: [{set: {event.action: data-exported, user.id: u1}}]}
"""


def test_the_rules_of_a_directory_are_tested_without_all_others(run, data, tmp_path):
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "export.yml").write_text(RULE.replace("LEVEL", "medium"))
    answer = run("rules", "test", str(rules))
    assert (answer.exit_code, len(answer.stdout.splitlines())) == (OK, 1)
    assert "1 of 1 examples pass" in answer.stderr
    (rules / "export.yml").write_text(RULE.replace("LEVEL", "mediun"))
    refused = run("rules", "backtest", str(rules / "export.yml"), "--data", data)
    assert (refused.exit_code, refused.stdout) == (ERROR, "")
    assert "informational, low, medium, high, critical" in refused.stderr


def test_rules_are_in_the_order_of_their_numbers(run):
    codes = [json.loads(line)["code"] for line in run("rules", "list").stdout.splitlines()]
    assert codes[:3] == ["A1", "A2", "A3"]
    assert codes.index("B3") + 1 == codes.index("B3b")


def test_an_alert_without_a_group_says_whom_it_is_about(shown, copied):
    with StateStore(Layout(Path(copied)).state) as state:
        [row] = state.alerts()
        state.add_alert(replace(row, id="f" * 32, group=""))
    assert shown("alerts", "list", "--data", copied)[0].count("user.id=alice") == 2


def test_what_may_be_of_another_day_is_shown_with_its_day(shown, filled):
    day = clock.iso(int(filled[1][0].replace("-", "")[:12], 16) * 1000)[:10]  # an id begins with its time
    data = ("--data", str(filled[0]))
    assert f"{day} " in shown("alerts", "show", "abcd", *data)[0].split("events")[1]
    assert f"{day} " in shown("explain", "3", *data)[0].splitlines()[0]
    lines = shown("tail", "--no-follow", *data)[0].splitlines()
    assert f"{day} UTC" in lines[0]
    assert not any(day in line for line in lines[1:])


def test_one_of_a_kind_is_not_many(run, copied):
    from jwtrail.cli.common import counted

    assert (counted(1, "record"), counted(0, "record"), counted(2000, "alert")) == (
        "1 record", "0 records", "2,000 alerts",
    )  # fmt: skip
    assert "1 record\n" in run("subject", "export", "\u200bali\u202ece", "--data", copied).stderr


@pytest.mark.parametrize("person", ["", " "])
def test_nobody_is_not_everybody(run, copied, person):
    with StateStore(Layout(Path(copied)).state) as state:
        before = state.alerts(limit=10)
    erased = run("subject", "erase", person, "--yes", "--data", copied)
    assert (erased.exit_code, "no person is named" in erased.stderr) == (USAGE, True)
    exported = run("subject", "export", person, "--data", copied)
    assert (exported.exit_code, exported.stdout) == (USAGE, "")
    with StateStore(Layout(Path(copied)).state) as state:
        assert state.alerts(limit=10) == before != []


def test_a_token_is_not_taken_for_its_id(run, copied, filled):
    whole = filled[2].access_token
    for command in (("trace",), ("revoke", "--yes", "jti"), ("revoke", "--yes", "family")):
        answer = run("token", *command, whole, "--data", copied)
        assert answer.exit_code == USAGE
        assert "token inspect" in answer.stderr
        assert whole not in answer.output
    assert run("search", "event.action: *-revoked", "--data", copied).stdout == ""


@pytest.mark.parametrize(
    "command",
    [
        ("token", "trace", "x"),
        ("token", "sessions", "alice"),
        ("token", "revoke", "jti", "x", "--yes"),
        ("ship", "status"),
    ],
)
def test_a_mistyped_directory_is_said_and_not_made(run, tmp_path, command):
    answer = run(*command, "--data", str(tmp_path / "typo"))
    assert (answer.exit_code, "no such data directory" in answer.stderr) == (USAGE, True)
    assert not (tmp_path / "typo").exists()


def test_a_mistyped_key_says_nothing_about_the_trail(run, data):
    for command in (("verify", "--vkey", "x"), ("witness", "--url", "http://127.0.0.1:9", "--key", "x")):
        answer = run("trail", *command, "--data", data)
        assert (answer.exit_code, "name+01234567+base64" in answer.stderr) == (USAGE, True)


def test_what_is_not_signed_yet_is_not_broken(run, tmp_path):
    Layout(tmp_path / "new").create()
    answer = run("export", "tlog", str(tmp_path / "out"), "--data", str(tmp_path / "new"))
    assert (answer.exit_code, "nothing was signed yet" in answer.stderr) == (ERROR, True)


def test_a_target_that_cannot_be_is_not_listed(run, copied, tmp_path):
    assert run("ship", f"file://{tmp_path}/none/x", "--once", "--data", copied).exit_code == USAGE
    assert run("ship", "status", "--data", copied).stdout == ""
    assert run("ship", f"file://{tmp_path}/events", "--once", "--data", copied).exit_code == OK
    assert len(run("ship", "status", "--data", copied).stdout.splitlines()) == 1


def test_alerts_of_the_past_as_json_like_everywhere(run, data):
    assert run("detect", "--json", "--data", data).stdout == run("detect", "--ndjson", "--data", data).stdout


@pytest.mark.parametrize(
    ("text", "said"), [("x = [\n", "at end of document"), (None, "cannot read settings: No such file")]
)
def test_settings_that_cannot_be_read(run, tmp_path, text, said):
    if text is not None:
        (tmp_path / "bad.toml").write_text(text)
    answer = run("config", "check", "--config", "bad.toml")
    assert (answer.exit_code, said in answer.stderr, "Errno" in answer.stderr) == (USAGE, True, False)


@pytest.mark.parametrize(
    "command",
    [
        ("trail", "prove", "3", "--out", "none/there/x"),
        ("simulate", "write", "file/x", "--days", "1"),
        ("simulate", "score", ".", "file"),
    ],
)
def test_a_place_that_is_not_there_is_one_line(run, data, tmp_path, command):
    (tmp_path / "file").write_text("{}")
    answer = run(*command, *(("--data", data) if command[0] == "trail" else ()))
    assert answer.exit_code in (ERROR, USAGE)
    assert isinstance(answer.exception, SystemExit)
    assert answer.stderr.startswith("jwtrail: error: ")


def test_the_demo_says_what_it_lacks(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "httpx2", None)
    for name in [name for name in sys.modules if name.startswith("jwtrail.demo")]:
        monkeypatch.delitem(sys.modules, name)
    answer = run("demo", "--headless", "--duration", "1")
    assert (answer.exit_code, "jwtrail[demo]" in answer.stderr) == (USAGE, True)
