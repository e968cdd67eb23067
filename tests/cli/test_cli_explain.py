"""`explain` and what is done with alerts, on a real data directory."""

import json
from pathlib import Path

import pytest

from jwtrail.cli.exits import ERROR, FOUND, OK, USAGE

ALERT = "abcd" + "0" * 28


def _lines(answer):
    return [json.loads(line) for line in answer.stdout.splitlines()]


def test_the_story_of_an_event_by_id_and_by_number(run, data, filled):
    (by_id,) = _lines(run("explain", filled[1][3], "--data", data))
    number = str(by_id["place"]["index"])
    (by_number,) = _lines(run("explain", number, "--json", "--data", data))
    assert by_id == by_number
    assert by_id["verdict"]["reason"] == "expired"
    assert by_id["place"]["signed"] is True
    assert by_id["trial"]["rules"] > 50
    assert run("explain", "no-such-event", "--data", data).exit_code == USAGE


def test_the_story_for_people_obeys_nobody(shown, data, filled):
    text, code = shown("explain", filled[1][3], "--data", data, TERM="dumb")
    assert code == OK
    for title in ("token", "verdict", "trail", "rules", "alerts", "afterwards"):
        assert any(line.startswith(title) for line in text.splitlines())
    assert "✗ rejected" in text
    assert "expired: " in text
    assert "\u202e" not in text
    assert "\u200b" not in text


def test_the_story_tells_no_more_than_there_is(shown, data, filled):
    """An everyday request without a token: nothing of it is nearly an attack, and no token is followed."""
    text, code = shown("explain", filled[1][2], "--data", data, TERM="dumb")
    assert code == OK
    assert "nearly" not in text
    assert "it has no token to follow" in text
    fits, compared = text.split("compared", 1)
    assert "H2 " not in fits
    assert "H2 " in compared
    assert "with earlier ones of the same jwtrail.writer" in " ".join(compared.split())


def test_a_long_title_stays_in_its_column(shown, data):
    from jwtrail.ecs import event_for
    from jwtrail.trail.layout import Layout
    from jwtrail.trail.writer import TrailWriter

    writer = TrailWriter(Layout(Path(data)))
    long = event_for(
        "alert-raised", rule_name="X1 " + "a title without end " * 9, user_id="bob", event_kind="alert"
    )
    writer.put(long, "sync").result(60)
    writer.put(event_for("login", user_id="bob"), "sync").result(60)
    writer.close()
    text, code = shown("tail", "-n", "5", "--no-follow", "--data", data, TERM="dumb")
    assert code == OK
    shortened, short = [line for line in text.splitlines() if "bob" in line]
    assert "…" in shortened
    assert shortened.index("bob") == short.index("bob")


@pytest.mark.parametrize("form", ["ecs", "ocsf", "ndjson"])
def test_alerts_are_exported_as_json(run, data, form):
    (made,) = _lines(run("alerts", "export", "--format", form, "--data", data))
    key = {"ecs": "jwtrail.alert.id", "ocsf": "metadata", "ndjson": "id"}[form]
    assert made[key] == ALERT or made[key]["uid"] == ALERT


def test_alerts_are_exported_as_cef_and_by_time(run, data):
    answer = run("alerts", "export", "--format", "cef", "--data", data)
    assert answer.stdout.startswith("CEF:0|jwtrail|jwtrail|")
    assert run("alerts", "export", "--to", "now-1d", "--data", data).stdout == ""


def test_groups_and_risk(run, data):
    (group,) = _lines(run("alerts", "groups", "--data", data))
    assert (group["group"], group["alerts"], group["title"]) == ("user.id=alice", 1, "D1 Object walk")
    (risk,) = _lines(run("alerts", "risk", "--by", "user", "--data", data))
    assert (risk["value"], risk["worst"]) == ("alice", "high")
    assert run("alerts", "risk", "--by", "token", "--data", data).stdout == ""


def test_undoing_what_nobody_did(run, data):
    answer = run("alerts", "undo", "abcd", "--data", data)
    assert answer.exit_code == OK
    assert "Nothing of it is in force." in answer.stderr


def test_work_on_an_alert_is_assigned_begun_and_reopened(run, data):
    assigned = run("alerts", "assign", "abcd", "kim", "--data", data)
    assert (assigned.exit_code, assigned.stderr) == (OK, "Alert abcd0000 is open, assigned to kim.\n")
    taken = run("alerts", "assign", "abcd", " ", "--data", data)
    assert taken.stderr == "Alert abcd0000 is open, nobody's.\n"
    assert run("alerts", "start", "abcd", "--note", "on it", "--data", data).exit_code == OK
    assert run("alerts", "close", "abcd", "--reason", "other", "--data", data).exit_code == OK
    assert run("alerts", "reopen", "abcd", "--data", data).exit_code == OK
    (alert,) = _lines(run("alerts", "list", "--data", data))
    assert (alert["status"], alert["reason"], alert["note"]) == ("open", "", "on it")
    assert alert["assignee"] not in ("", "kim")


def test_deliveries_can_be_looked_at_and_sent_again(run, data):
    from jwtrail.state.outbox import Delivery, Outbox
    from jwtrail.trail.layout import Layout

    with Outbox(Layout(Path(data)).state) as outbox:
        outbox.add(
            Delivery(
                id="d" * 32, channel="ops", alert=ALERT, doc="{}", at_us=1, due_us=1, state="dead", error="x"
            )
        )
    answer = run("alerts", "deliveries", "--state", "dead", "--exit-code", "--data", data)
    assert answer.exit_code == FOUND
    assert _lines(answer)[0]["error"] == "x"
    assert run("alerts", "resend", "--data", data).exit_code == USAGE
    assert run("alerts", "resend", "nothing", "--data", data).exit_code == USAGE
    assert run("alerts", "resend", "dddd", "--data", data).exit_code == OK
    assert _lines(run("alerts", "deliveries", "--data", data))[0]["state"] == "waiting"


def test_a_channel_is_tried_out(run, data, tmp_path):
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    got = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        settings = tmp_path / "jwtrail.toml"
        url = f"http://127.0.0.1:{server.server_port}/x"
        settings.write_text(
            f'[notify.chat]\nkind = "slack"\nurl = "{url}"\n[notify.gone]\nkind = "slack"\nurl = "http://127.0.0.1:9/"\n'
        )
        answer = run("alerts", "notify-test", "chat", "--data", data)
        assert answer.exit_code == OK, answer.output
        gone = run("alerts", "notify-test", "gone", "--data", data)
        assert gone.exit_code == ERROR
        assert "notify.gone: 127.0.0.1: " in gone.stderr
        assert "hint: is the address under [notify.gone] right" in gone.stderr
        assert run("alerts", "notify-test", "other", "--data", data).exit_code == USAGE
        server.shutdown()
        thread.join(60)
    assert got[0]["text"].startswith("Test: ")
