"""Telling others, against real servers of this machine: what arrives, what is tried again, what is given up."""

import base64
import hmac
import json
import re
import threading
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import msgspec
import pytest
from respond_kit import NOW_US, alert

from jwtrail.errors import ConfigError, NotifyError
from jwtrail.respond.action import Action
from jwtrail.respond.notify import mail, slack, webhook
from jwtrail.respond.notify.notice import HOOK, deliveries_of, notice_of
from jwtrail.respond.notify.post import MAX_RETRY_AFTER_S, checked_url
from jwtrail.respond.notify.settings import Email, Secret, Slack, Webhook
from jwtrail.state.outbox import KEPT_US, Delivery, Outbox

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
HOSTILE = "<!channel> \u202egnp.exe\r\nBcc: all@example.org *bold*"


class Receiver:
    """A real HTTP server; `answers` are given one after the other, then 200."""

    def __init__(self):
        self.got, self.answers = [], []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.got.append(
                    (self.path, {key.lower(): value for key, value in self.headers.items()}, body)
                )
                status, headers, said = receiver.answers.pop(0) if receiver.answers else (200, {}, b"ok")
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(60)


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.close()


def notice(**changes):
    return notice_of("ops", alert("B2", **changes), (), console="https://console.example")


def test_a_webhook_is_signed_as_its_receiver_checks_it(receiver):
    sent = notice()
    webhook.sender(receiver.url, SECRET, timeout_s=30, where="notify.ops", now_us=lambda: NOW_US)(sent)
    [(path, headers, body)] = receiver.got
    assert (path, headers["content-type"], headers["webhook-id"]) == ("/hook", "application/json", sent.id)
    # Computed here from the specification's words, not with the code that signed.
    signed = b".".join([sent.id.encode(), str(NOW_US // 1_000_000).encode(), body])
    digest = base64.b64encode(hmac.new(b"k" * 32, signed, sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{digest}"
    told = json.loads(body)
    assert told["type"] == "alert.raised"
    assert told["data"]["alert"] == alert("B2").id
    assert told["data"]["event"]["rule.name"] == "B2 A rule"
    assert told["data"]["link"] == f"https://console.example/alerts/{alert('B2').id}"


def test_a_receiver_refuses_what_is_forged_changed_or_old():
    body, seconds = b"{}", NOW_US // 1_000_000
    headers = {
        "webhook-id": "m",
        "webhook-timestamp": str(seconds),
        "webhook-signature": webhook.signature(b"k" * 32, "m", seconds, body),
    }
    assert webhook.verify(SECRET, headers, body, now_us=NOW_US)
    assert not webhook.verify(SECRET, headers, b"{ }", now_us=NOW_US)
    assert not webhook.verify("another secret of 24 bytes", headers, body, now_us=NOW_US)
    assert not webhook.verify(SECRET, headers | {"webhook-id": "n"}, body, now_us=NOW_US)
    late = NOW_US + (webhook.TOLERANCE_S + 1) * 1_000_000
    assert not webhook.verify(SECRET, headers, body, now_us=late)
    assert not webhook.verify(SECRET, {}, body, now_us=NOW_US)
    assert not webhook.verify(SECRET, headers | {"webhook-signature": "v1,\ud800"}, body, now_us=NOW_US)


def test_the_receiver_of_the_how_to_takes_what_we_send_and_nothing_else(receiver):
    page = (Path(__file__).parents[2] / "docs/how-to/work-with-alerts.md").read_text()
    found = re.search(r"<!-- snippet: receiver -->\n```python\n(.*?)```", page, re.DOTALL)
    assert found is not None
    module: dict = {}
    exec(found[1], module)
    for secret in (SECRET, "a secret of twenty-four or more"):
        webhook.sender(receiver.url, secret, timeout_s=30, where="notify.ops")(notice())
        _, headers, body = receiver.got.pop()
        assert module["genuine"](secret, headers, body)
        assert not module["genuine"](secret, headers, body + b" ")
        assert not module["genuine"](secret, headers | {"webhook-timestamp": "1"}, body)


@pytest.mark.parametrize(
    ("status", "final"), [(400, True), (410, True), (302, True), (429, False), (500, False), (503, False)]
)
def test_what_can_pass_is_told_from_what_cannot(receiver, status, final):
    receiver.answers.append((status, {"Location": "/elsewhere", "Retry-After": "7"}, b"no\nway"))
    with pytest.raises(NotifyError, match=f"status {status}: no way") as caught:
        slack.sender(receiver.url, timeout_s=30, where="notify.chat")(notice())
    assert (caught.value.final, caught.value.retry_after_s) == (final, 7)
    assert len(receiver.got) == 1  # no redirect is followed


def test_a_receiver_cannot_ask_for_endless_patience(receiver):
    receiver.answers.append((503, {"Retry-After": "999999"}, b""))
    with pytest.raises(NotifyError) as caught:
        slack.sender(receiver.url, timeout_s=30, where="notify.chat")(notice())
    assert caught.value.retry_after_s == MAX_RETRY_AFTER_S


def test_nobody_there_passes_and_says_nothing_of_the_address():
    with pytest.raises(NotifyError) as caught:
        slack.sender("http://127.0.0.1:9/T000/SECRETPATH", timeout_s=1, where="notify.chat")(notice())
    assert not caught.value.final
    assert "SECRETPATH" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/x",
        "http://10.0.0.1/x",
        "ftp://example.org/x",
        "https://user:pw@example.org/x",
        "https:///x",
        "https://exa mple.org/",
        "https://example.org/\r\nX: y",
        "https://example.org:99999/",
        "https://example.org/#part",
        "https://" + "a" * 3000,
    ],
)
def test_addresses_that_are_refused_are_not_repeated(url):
    with pytest.raises(ConfigError) as caught:
        checked_url(url, "notify.ops")
    assert url not in str(caught.value)


def test_a_short_secret_is_refused():
    for secret in ("short", "whsec_AAAA", "whsec_!!!!"):
        with pytest.raises(ConfigError):
            webhook.key_of(secret, "notify.ops")


def test_a_chat_message_mentions_and_links_nothing_that_an_attacker_wrote(receiver):
    told = notice(name=HOSTILE, group={"user.name": HOSTILE})
    slack.sender(receiver.url, timeout_s=30, where="notify.chat")(told)
    message = json.loads(receiver.got[0][2])
    assert "<!channel>" not in message["text"]
    [attachment] = message["attachments"]
    kinds = {block["text"]["type"] for block in attachment["blocks"] if "text" in block}
    assert kinds == {"plain_text"}
    assert message["unfurl_links"] is False


def test_a_mail_keeps_to_its_headers():
    settings = Email(host="localhost", sender="jwtrail@example.org", to=("ops@example.org",))
    made = mail.mail_of(settings, notice(name=HOSTILE))
    assert made["Bcc"] is None
    assert made["To"] == "ops@example.org"
    assert made["Message-ID"] == f"<{notice().id}@jwtrail.invalid>"
    raw = bytes(made)
    assert b"\r\nBcc" not in raw
    assert "level   high" in made.get_content()


def test_mail_settings_that_would_leak_or_go_nowhere_are_refused():
    with pytest.raises(ConfigError, match="without TLS"):
        mail.sender(Email(host="mx.example.org", sender="a@b.c", to=("d@e.f",), tls="none"), "", where="x")
    for wrong in ({"to": ()}, {"to": ("x\r\nBcc: y@z",)}, {"user": "me"}):
        with pytest.raises(ValueError):
            Email(**({"host": "localhost", "sender": "a@b.c", "to": ("d@e.f",)} | wrong))


def test_levels_rules_and_health_choose_the_channel():
    url = {"url_from": Secret(env="X")}
    channels = {
        "all": Slack(**url, min_level="informational"),
        "high": Slack(**url, min_level="high"),
        "critical": Slack(**url, min_level="critical"),
        "mine": Webhook(**url, secret=Secret(env="Y"), rules=("B2",), min_level="critical"),
        "held": Slack(**url, held=True, min_level="informational"),
    }

    def names(one):
        return [row.channel for row in deliveries_of(channels, one, (), now_us=NOW_US)]

    assert names(alert("B2")) == ["all", "high", "mine", "held"]
    assert names(alert("A3", level="low")) == ["all", "held"]
    assert names(alert("B2", held="I1")) == ["held"]


def test_the_same_alert_has_the_same_id_on_each_channel_forever():
    url = {"url_from": Secret(env="X")}
    first, second = (
        deliveries_of({"a": Slack(**url), "b": Slack(**url)}, alert("B2"), (), now_us=now)
        for now in (NOW_US, NOW_US + 5)
    )
    assert [row.id for row in first] == [row.id for row in second]
    assert len({row.id for row in first}) == 2


def test_a_hook_runs_for_what_is_done_and_not_for_what_is_only_said():
    asked = Action(
        alert=alert().id, rule="r", rule_name="A rule", kind="exec", at_us=NOW_US, until_us=NOW_US + 60,
        field="source.ip", value="203.0.113.7", hook="firewall",
    )  # fmt: skip
    [row] = deliveries_of({}, alert(), (asked,), now_us=NOW_US)
    assert row.channel == HOOK + "firewall"
    assert json.loads(row.doc)["action"]["target"] == "source.ip=203.0.113.7"
    assert deliveries_of({}, alert(), (msgspec.structs.replace(asked, dry_run=True),), now_us=NOW_US) == []


def test_the_outbox_bounds_what_waits_and_forgets_what_is_settled(tmp_path, monkeypatch):
    monkeypatch.setattr("jwtrail.state.outbox.MAX_WAITING", 3)
    with Outbox(tmp_path / "state.db") as outbox:
        rows = [
            Delivery(id=f"{n}", channel="ops", alert="a", doc="{}", at_us=NOW_US + n, due_us=NOW_US)
            for n in range(5)
        ]
        outbox.add(*rows)
        outbox.add(*rows)
        assert [row.state for row in outbox.listed()] == ["dead", "dead", "waiting", "waiting", "waiting"]
        assert [row.id for row in outbox.due("ops", NOW_US, 10)] == ["0", "1", "2"]
        assert outbox.due("other", NOW_US, 10) == []
        assert outbox.prune(NOW_US + KEPT_US + 10) == 2
        assert len(outbox.listed()) == 3


def test_levels_are_the_words_of_the_rules():
    from jwtrail.respond.notify import settings
    from jwtrail.sigma import Level

    assert settings.Level == Level
