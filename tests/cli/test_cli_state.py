"""alerts, rules, trail, proofs, tokens, keys and settings on a real data directory."""

import base64
import json

import pytest

from jwtrail.cli.exits import BROKEN, ERROR, FOUND, OK, USAGE
from jwtrail.cli.token import CHECKS
from jwtrail.ecs import REASONS
from jwtrail.web.prooftext import split_entry, with_entry

ALERT = "abcd" + "0" * 28


def _lines(answer):
    return [json.loads(line) for line in answer.stdout.splitlines()]


def test_alerts_are_listed(run, data):
    (alert,) = _lines(run("alerts", "list", "--data", data))
    assert (alert["id"], alert["name"], alert["group"]) == (ALERT, "Object walk", {"user.id": "alice"})
    assert run("alerts", "list", "--exit-code", "--data", data).exit_code == FOUND


def test_an_alert_by_the_beginning_of_its_id(run, data, filled):
    (shown,) = _lines(run("alerts", "show", "abcd", "--data", data))
    assert [event["event.id"] for event in shown["events"]] == [filled[1][0], filled[1][3]]
    for wrong in ("abc", "zzzz"):
        assert run("alerts", "show", wrong, "--data", data).exit_code == USAGE


def test_an_alert_for_people(shown, data):
    text, code = shown("alerts", "show", "abcd", "--data", data, NO_COLOR="1")
    assert code == OK
    assert "D1 Object walk" in text
    assert "401 GET /orders/3" in text
    assert "No answer was given." in text
    assert "\u202e" not in text


def test_triage_changes_the_alert_and_is_an_event(run, data):
    assert run("alerts", "ack", "abcd", "--note", "looking", "--data", data).exit_code == OK
    assert run("alerts", "close", "abcd", "--data", data).exit_code == USAGE
    assert run("alerts", "close", "abcd", "--reason", "testing", "--data", data).exit_code == OK
    (alert,) = _lines(run("alerts", "list", "--status", "closed", "--data", data))
    assert (alert["reason"], alert["note"]) == ("testing", "looking")
    found = _lines(run("search", "event.action: alert-changed", "--data", data))
    assert [event["jwtrail.alert.id"] for event in found] == [ALERT, ALERT]


def test_rules_pass_their_own_tests(run):
    answer = run("rules", "test")
    assert answer.exit_code == OK, answer.stderr
    assert all(result["passed"] for result in _lines(answer))
    assert run("rules", "lint").exit_code == OK
    assert {"B2", "D1"} <= {rule["code"] for rule in _lines(run("rules", "list"))}


def test_a_bad_rule_is_named_with_its_place(run, tmp_path):
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "bad.yml").write_text(
        "title: x\nid: 7\ndetection:\n  sel:\n    no.such.field: 1\n  condition: sel\n"
    )
    answer = run("rules", "lint", str(folder))
    assert answer.exit_code == FOUND
    assert "bad.yml:" in answer.stderr
    assert run("rules", "test", str(folder)).exit_code == ERROR


def test_an_intact_trail(run, data):
    answer = run("trail", "verify", "--data", data)
    assert answer.exit_code == OK, answer.output
    assert answer.stdout.startswith("intact: ")


def test_a_changed_log_is_found(run, filled, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(filled[0], copy)
    file = next(path for path in copy.glob("wal/*/*.ndjson") if b"/orders/4" in path.read_bytes())
    file.write_bytes(file.read_bytes().replace(b"/orders/4", b"/orders/5", 1))
    answer = run("trail", "verify", "--data", str(copy))
    assert answer.exit_code == BROKEN
    assert "BROKEN" in answer.stdout
    report = json.loads(run("trail", "verify", "--json", "--data", str(copy)).stdout)
    assert not report["ok"]


def test_a_proof_travels(run, data, tmp_path):
    vkey = run("trail", "vkey", "--data", data).stdout.strip()
    file = tmp_path / "proof.json"
    assert run("trail", "prove", "4", "--out", str(file), "--data", data).exit_code == OK
    answer = run("verify-proof", str(file), "--key", vkey)
    assert answer.exit_code == OK
    assert json.loads(answer.stdout)["index"] == 4


def test_a_proof_of_an_event_by_its_id_goes_to_stdout(run, data, filled):
    bundle = json.loads(run("trail", "prove", filled[1][2], "--data", data).stdout)
    assert bundle["event"]["event.id"] == filled[1][2]
    assert bundle["proof"].startswith("c2sp.org/tlog-proof@v1\n")
    assert run("trail", "prove", "no-such-id", "--data", data).exit_code == USAGE


def test_a_file_that_the_console_saved_is_a_proof_too(run, data, tmp_path):
    vkey = run("trail", "vkey", "--data", data).stdout.strip()
    bundle = json.loads(run("trail", "prove", "4", "--data", data).stdout)
    entry = base64.b64decode(bundle["entry"])
    file = tmp_path / "event.tlog-proof"

    def code(text):
        file.write_text(text)
        return run("verify-proof", str(file), "--key", vkey).exit_code

    whole = with_entry(bundle["proof"], entry)
    assert split_entry(whole) == (bundle["proof"], entry)
    assert code(whole) == OK
    assert code(bundle["proof"]) == BROKEN
    assert code(with_entry(bundle["proof"], entry[:-1] + b"x")) == BROKEN
    assert code(with_entry(bundle["proof"], entry[:-1])) == BROKEN
    assert code(whole.replace("extra ", "extra !", 1)) == BROKEN
    file.write_bytes(b"\xff\xfe")
    assert run("verify-proof", str(file), "--key", vkey).exit_code == BROKEN


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace('"event.outcome": "', '"event.outcome": "not '),
        lambda text: text.replace("index 4", "index 3"),
        lambda text: text.replace('"entry": "A', '"entry": "B'),
        lambda text: "{}",
        lambda text: text[:-20],
        lambda text: text + " " * (1 << 20),
        lambda text: text.replace('"event.id": "0', '"event.id": "zz'),
    ],
)
def test_a_changed_proof_fails(run, data, tmp_path, change):
    vkey = run("trail", "vkey", "--data", data).stdout.strip()
    text = run("trail", "prove", "4", "--data", data).stdout
    assert change(text) != text
    file = tmp_path / "changed.json"
    file.write_text(change(text))
    assert run("verify-proof", str(file), "--key", vkey).exit_code == BROKEN


def test_a_token_that_counts(run, data, filled):
    for token in (filled[2].access_token, filled[2].refresh_token):
        answer = run("token", "inspect", "--data", data, stdin=f"Bearer {token}\n")
        assert answer.exit_code == OK, answer.output
        seen = json.loads(answer.stdout)
        assert seen["verdict"] == "accepted"
        assert {check["result"] for check in seen["checks"]} == {"passed"}
        assert seen["payload"]["sub"] == "alice"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda t: "eyJhbGciOiJub25lIn0.e30.", "alg_none"),
        (lambda t: t[:-4] + "AAAA", "signature_invalid"),
        (lambda t: t.rsplit(".", 1)[0] + ".", "signature_missing"),
        (lambda t: "garbage", "malformed_segments"),
        (lambda t: "a" * 9000, "token_too_large"),
    ],
)
def test_a_token_that_does_not_count(run, data, filled, change, reason):
    answer = run("token", "inspect", "--data", data, stdin=change(filled[2].access_token))
    assert answer.exit_code == FOUND
    seen = json.loads(answer.stdout)
    results = [check["result"] for check in seen["checks"]]
    assert seen["reason"] == reason
    assert results.count("failed") == 1
    failed = results.index("failed")
    assert set(results[:failed]) <= {"passed"}
    assert set(results[failed + 1 :]) <= {"not reached"}


def test_no_token_is_a_usage_error(run, data):
    assert run("token", "inspect", "--data", data, stdin="\n").exit_code == USAGE


def test_checks_name_only_reasons_that_exist_and_each_once():
    named = [reason for check in CHECKS for reason in check.reasons]
    assert set(named) <= set(REASONS)
    assert len(named) == len(set(named))


def test_keys_are_listed_without_the_key(run, data):
    (key,) = _lines(run("keys", "list", "--data", data))
    assert (key["alg"], key["state"]) == ("EdDSA", "active")
    assert set(key) == {"kid", "alg", "state", "created_us", "changed_us", "until_us", "thumbprint"}


def test_settings_show_where_they_come_from(run, tmp_path):
    (tmp_path / "jwtrail.toml").write_text('keys_passphrase = "very secret"\n[serve]\nport = 7171\n')
    answer = run("config", "show", "--changed")
    seen = json.loads(answer.stdout)
    assert seen["serve.port"]["value"] == 7171
    assert seen["serve.port"]["origin"].endswith("jwtrail.toml:3:1")
    assert "very secret" not in answer.output
    checked = run("config", "check")
    assert checked.exit_code == OK
    assert "http.public_url is not set" in checked.stderr
    (tmp_path / "jwtrail.toml").write_text('[http]\npublic_url = "https://api.example"\n')
    assert "public_url" not in run("config", "check").stderr


def test_channels_are_shown_without_what_lets_others_post(run, tmp_path):
    (tmp_path / "jwtrail.toml").write_text(
        '[notify.chat]\nkind = "slack"\nurl = "https://hooks.example/T0/very-secret"\n'
        '[notify.own]\nkind = "plugin"\nname = "p"\noptions = {key = "very-secret"}\n'
    )
    answer = run("config", "show", "--changed")
    assert json.loads(answer.stdout)["notify"]["value"]["chat"]["kind"] == "slack"
    assert "very-secret" not in answer.output


def test_a_bad_setting_is_named_with_its_place(run, tmp_path):
    (tmp_path / "jwtrail.toml").write_text("[serve]\nprot = 7171\n")
    answer = run("config", "check")
    assert answer.exit_code == USAGE
    assert "jwtrail.toml:2:1" in answer.stderr
    assert "serve.port" in answer.stderr
