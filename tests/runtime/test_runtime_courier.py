"""From the decisive event to the receiver, with real servers; and what a receiver that is away costs nobody else."""

import contextlib
import itertools
import json
import random
import smtplib
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from jwtrail import clock, config
from jwtrail.ecs import event_for
from jwtrail.errors import ConfigError, NotifyError
from jwtrail.respond.notify.notice import Notice
from jwtrail.respond.notify.webhook import verify
from jwtrail.runtime.channels import senders_of
from jwtrail.runtime.courier import LONGEST_PAUSE_S, MAX_TRIES, Courier, pause_s
from jwtrail.runtime.daemon import Daemon
from jwtrail.state.outbox import Delivery, Outbox
from jwtrail.trail.writer import TrailWriter
from waiting import LONG_S, until

NOW = 1_767_225_600_000_000
SECRET = "a secret of more than twenty-four bytes"


def waiting(number=1, channel="ops"):
    import msgspec

    notice = Notice(
        id=f"id-{number}", alert="a", code="B2", rule="r", title="t", level="high", at=clock.iso(NOW)
    )
    return Delivery(
        id=notice.id, channel=channel, alert="a", doc=msgspec.json.encode(notice).decode(), at_us=NOW + number,
        due_us=NOW,
    )  # fmt: skip


@pytest.fixture
def outbox(tmp_path):
    with Outbox(tmp_path / "state.db") as made:
        yield made


def test_a_channel_that_fails_is_tried_again_later_and_given_up_in_the_end(outbox):
    now, trail, seen = [NOW], [], []

    def send(notice):
        seen.append(notice.id)
        raise NotifyError("away", retry_after_s=50 if len(seen) == 1 else 0)

    courier = Courier(outbox, {"ops": send}, trail.append, now_us=lambda: now[0])
    outbox.add(waiting())
    assert courier.step("ops") == 1
    assert courier.step("ops") == 0  # not due yet
    [row] = outbox.listed()
    assert (row.state, row.tries, row.error) == ("waiting", 1, "away")
    assert row.due_us == NOW + 50_000_000
    while outbox.listed(state="waiting"):
        now[0] += 3_600_000_000
        courier.step("ops")
    assert seen == ["id-1"] * MAX_TRIES
    assert [event.event_action for event in trail] == ["notification-failed"]
    assert "away" in trail[0].message
    again = outbox.resend("id-1", now[0])
    assert (again.state, again.tries, again.id) == ("waiting", 0, "id-1")


def test_what_cannot_succeed_is_not_tried_again(outbox):
    def send(_):
        raise NotifyError("status 410", final=True)

    courier = Courier(outbox, {"ops": send}, lambda _: None, now_us=lambda: NOW)
    outbox.add(waiting())
    courier.step("ops")
    assert outbox.listed()[0].state == "dead"


def test_pauses_double_vary_and_end():
    chance = random.Random(7)
    spans = [[pause_s(tries, chance.random()) for _ in range(50)] for tries in range(1, MAX_TRIES + 1)]
    assert all(1.0 <= pause <= 2.0 for pause in spans[0])
    assert all(max(later) <= LONGEST_PAUSE_S for later in spans)
    assert all(max(spans[n]) <= min(spans[n + 2]) for n in range(8))
    assert 5 * 3600 < sum(map(min, spans)) < sum(map(max, spans)) < 12 * 3600


def flood(outbox, numbers, level="high"):
    import msgspec

    for n in numbers:
        one = waiting(n)
        doc = one.doc.replace('"level":"high"', f'"level":"{level}"')
        outbox.add(msgspec.structs.replace(one, alert=f"alert-{n}", doc=doc))


def test_a_flood_of_alerts_is_a_few_messages_and_a_summary(outbox):
    now, told = [NOW], []
    courier = Courier(
        outbox, {"ops": told.append}, lambda _: None,
        limits={"ops": 5}, console="https://c.example", now_us=lambda: now[0],
    )  # fmt: skip

    def work():
        while courier.step("ops"):
            pass

    flood(outbox, range(100))
    work()
    assert [notice.id for notice in told] == [f"id-{n}" for n in range(5)]
    assert len(outbox.listed(state="held")) == 95
    flood(outbox, range(200, 203), "critical")  # have room of their own
    work()
    assert [notice.level for notice in told[5:]] == ["critical"] * 3
    flood(outbox, range(300, 310))
    work()
    now[0] += 600_000_000
    work()
    (summary,) = told[8:]
    assert (summary.held, summary.level, summary.alert) == (105, "high", "")
    assert "t (105)" in summary.description
    assert "deliveries --state held" in summary.description
    assert summary.link == "https://c.example/alerts"
    now[0] += 3_600_000_000  # the hour is over
    flood(outbox, range(400, 402))
    work()
    assert [notice.id for notice in told[9:]] == ["id-400", "id-401"]
    assert outbox.listed(state="waiting") == []


def test_a_summary_is_repeated_as_it_was_and_what_comes_meanwhile_is_in_the_next(outbox):
    now, told, away = [NOW], [], [True]

    def send(notice):
        told.append(notice)
        if notice.held and away[0]:
            raise NotifyError("away")

    def restarted():
        return Courier(outbox, {"ops": send}, lambda _: None, limits={"ops": 1}, now_us=lambda: now[0])

    def work():
        courier = restarted()  # every time anew, as after a kill: all that counts lies in the outbox
        while courier.step("ops"):
            pass

    flood(outbox, range(10))
    work()
    now[0] += 600_000_000
    work()
    flood(outbox, range(20, 23))
    work()
    away[0] = False
    now[0] += 600_000_000
    work()
    first, again, later = [notice for notice in told if notice.held]
    assert first == again
    assert (first.held, later.held) == (9, 3)
    assert first.id != later.id


def test_a_channel_that_hangs_holds_up_no_other(outbox):
    hanging, told = threading.Event(), threading.Event()
    senders = {"slow": lambda _: hanging.wait(LONG_S), "ops": lambda _: told.set()}
    courier = Courier(outbox, senders, lambda _: None, now_us=lambda: NOW)
    outbox.add(waiting(1, "slow"), waiting(2, "ops"))
    courier.start()
    assert told.wait(LONG_S)
    until(lambda: [row.channel for row in outbox.listed(state="waiting")] == ["slow"])
    hanging.set()
    courier.close()


class Http(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        status = 503 if self.server.failing else 200
        self.server.got.append((status, {k.lower(): v for k, v in self.headers.items()}, body))
        self.server.failing = max(0, self.server.failing - 1)
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def http():
    server = HTTPServer(("127.0.0.1", 0), Http)
    server.got, server.failing = [], 0
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(60)


def test_a_reused_refresh_token_is_told_once_with_what_was_done(tmp_path, http, monkeypatch):
    http.failing = 1
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    url = f"http://127.0.0.1:{http.server_port}/alerts"
    channel = {"kind": "webhook", "url": url, "secret": {"env": "HOOK_SECRET"}}
    settings = config.load(
        {"data": str(tmp_path / "data"), "notify": {"ops": channel}, "serve.public_url": "https://c.example"}
    ).settings
    daemon = Daemon(settings)
    daemon.start()
    writer = TrailWriter(daemon.layout, settings.trail)
    event = event_for(
        "refresh-reused", event_outcome="failure", event_reason="refresh_reused", jwt_family="fam-1",
        user_id="alice", source_ip="203.0.113.7",
    )  # fmt: skip
    writer.put(event, "sync").result(60)
    until(lambda: [status for status, _, _ in http.got] == [503, 200])
    until(lambda: daemon.outbox.listed(state="sent"))
    writer.close()
    daemon.close()
    (_, first, one), (_, second, two) = http.got
    assert one == two
    assert first["webhook-id"] == second["webhook-id"]
    assert verify(SECRET, second, two, now_us=clock.now_us())
    told = json.loads(two)["data"]
    assert told["code"] == "B2"
    assert "revoke jwt.family=fam-1" in told["actions"][0]
    assert told["link"].startswith("https://c.example/alerts/")
    daemon = Daemon(settings)  # a restart tells nothing again
    daemon.start()
    daemon.close()
    assert len(http.got) == 2


def _smtp(listening, got):
    """As much of RFC 5321 as a submission needs."""
    peer, _ = listening.accept()
    with peer, peer.makefile("rb") as lines, contextlib.suppress(OSError):  # the client may just go
        peer.sendall(b"220 here\r\n")
        for raw in lines:
            word = raw.split(b" ")[0].strip().upper()
            got.append(raw.decode().strip())
            if word == b"DATA":
                peer.sendall(b"354 go on\r\n")
                while (part := lines.readline()) != b".\r\n":
                    got.append(part.decode().rstrip("\r\n"))
            peer.sendall(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")
            if word == b"QUIT":
                return


def test_a_mail_goes_to_a_real_server(tmp_path):
    got = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=_smtp, args=(listening, got), daemon=True)
        thread.start()
        channel = {
            "kind": "email", "host": "127.0.0.1", "port": listening.getsockname()[1], "tls": "none",
            "sender": "jwtrail@example.org", "to": ["ops@example.org", "boss@example.org"],
        }  # fmt: skip
        settings = config.load({"data": str(tmp_path), "notify": {"post": channel}}).settings
        notice = Notice(
            id="n1",
            alert="a" * 32,
            code="B2",
            rule="r",
            title="B2 Reused",
            level="critical",
            at=clock.iso(NOW),
        )
        senders_of(settings)["post"](notice)
        thread.join(60)
    assert "rcpt TO:<ops@example.org>" in got
    assert "rcpt TO:<boss@example.org>" in got
    assert "Subject: [critical] B2 Reused" in got


@pytest.mark.parametrize("kind", ["email", "slack"])
def test_a_receiver_that_drips_is_hung_up_on(tmp_path, kind):
    def drip(listening):
        peer, _ = listening.accept()
        endless = itertools.repeat("2") if kind == "email" else itertools.cycle("X-A: b\r\n")
        with peer, contextlib.suppress(OSError):
            for letter in itertools.chain("" if kind == "email" else "HTTP/1.1 200 OK\r\n", endless):
                peer.sendall(letter.encode())
                clock.sleep(0.02)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=drip, args=(listening,), daemon=True)
        thread.start()
        channel = {
            "kind": "email", "host": "127.0.0.1", "port": listening.getsockname()[1], "tls": "none",
            "sender": "jwtrail@example.org", "to": ["ops@example.org"], "timeout_s": 0.5,
        }  # fmt: skip
        if kind == "slack":
            url = f"http://127.0.0.1:{listening.getsockname()[1]}/hook"
            channel = {"kind": "slack", "url": url, "timeout_s": 0.5}
        settings = config.load({"data": str(tmp_path), "notify": {"post": channel}}).settings
        notice = Notice(id="n", alert="a", code="", rule="", title="t", level="low", at=clock.iso(NOW))
        with pytest.raises(NotifyError):
            senders_of(settings)["post"](notice)
        thread.join(60)
        assert not thread.is_alive()


def test_mail_to_a_server_that_offers_no_tls_is_not_sent_in_the_clear(tmp_path, monkeypatch):
    got = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=_smtp, args=(listening, got), daemon=True)
        thread.start()
        channel = {
            "kind": "email", "host": "127.0.0.1", "port": listening.getsockname()[1], "timeout_s": 30,
            "sender": "jwtrail@example.org", "to": ["ops@example.org"],
        }  # fmt: skip
        settings = config.load({"data": str(tmp_path), "notify": {"post": channel}}).settings
        with pytest.raises(NotifyError, match=smtplib.SMTPNotSupportedError.__name__):
            senders_of(settings)["post"](
                Notice(id="n", alert="a", code="", rule="", title="t", level="low", at=clock.iso(NOW))
            )
        thread.join(60)
    assert not [line for line in got if line.startswith("mail")]


def test_channels_that_cannot_run_are_refused_at_start(tmp_path, monkeypatch):
    base = {"kind": "slack", "url_from": {"env": "NOT_SET_ANYWHERE"}}
    for wrong in (
        base,
        {"kind": "slack", "url": "http://example.org/x"},
        {"kind": "plugin", "name": "no-such-entry-point"},
        {"kind": "webhook", "url": "https://example.org/", "secret": {"file": str(tmp_path / "missing")}},
    ):
        settings = config.load({"data": str(tmp_path), "notify": {"ops": wrong}}).settings
        with pytest.raises(ConfigError):
            senders_of(settings)
    for wrong in (
        {"Bad Name": base},
        {"ops": {"kind": "pager"}},
        {"ops": {"kind": "slack"}},
        {"ops": {"kind": "slack", "url": "https://x.example/", "url_from": {"env": "X"}}},
        {f"c{n}": base for n in range(17)},
    ):
        with pytest.raises(ConfigError):
            config.load({"data": str(tmp_path), "notify": wrong})


def test_channels_and_hooks_of_other_packages(tmp_path, monkeypatch):
    """An installed package with both entry points, found the way any other is."""
    package = tmp_path / "site"
    (package / "acme-1.dist-info").mkdir(parents=True)
    (package / "acme-1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1\n")
    (package / "acme-1.dist-info/entry_points.txt").write_text(
        "[jwtrail.notifiers]\nacme = acme:channel\n[jwtrail.responses]\nfirewall = acme:firewall\n"
    )
    (package / "acme.py").write_text(
        "got = []\n"
        "def channel(options, secret):\n"
        "    return lambda notice: got.append((options, secret, notice.id))\n"
        "def firewall(notice):\n"
        "    raise RuntimeError(notice.action['target'])\n"
    )
    monkeypatch.syspath_prepend(str(package))
    monkeypatch.setenv("ACME", "s3cret")
    settings = config.load(
        {
            "data": str(tmp_path),
            "notify": {
                "own": {"kind": "plugin", "name": "acme", "options": {"a": "b"}, "secret": {"env": "ACME"}}
            },
            "respond.answers": {"A1": {"kind": "exec", "hook": "firewall"}},
        }
    ).settings
    senders = senders_of(settings)
    notice = Notice(
        id="n", alert="a", code="A1", rule="r", title="t", level="high", at=clock.iso(NOW),
        action={"target": "source.ip=192.0.2.1"},
    )  # fmt: skip
    senders["own"](notice)
    import acme

    assert acme.got == [({"a": "b"}, "s3cret", "n")]
    with pytest.raises(NotifyError, match=r"RuntimeError: source\.ip=192\.0\.2\.1"):
        senders["hook:firewall"](notice)
