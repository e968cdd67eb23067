"""Files, syslog and webhooks: each with a real receiver."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jwtrail import clock
from jwtrail.cli.main import cli
from jwtrail.config import load
from jwtrail.errors import ConfigError
from jwtrail.respond.notify.webhook import verify
from jwtrail.runtime import webhooksink
from jwtrail.runtime.shipping import Shipping, open_sink, ship_to
from jwtrail.ship.files import FileSink
from jwtrail.ship.sink import SinkAway, shown_address
from jwtrail.ship.syslog import cef_of, message_of
from jwtrail.trail.documents import Document
from jwtrail.trail.follow import TrailFollower
from waiting import until

SECRET = "a secret of the test, long enough"


class Documents(list[Document]):
    """Shown shortly where a test fails."""

    def __repr__(self) -> str:
        return f"{len(self)} documents"


@pytest.fixture(scope="module")
def documents(shared) -> Documents:
    follower = TrailFollower(shared)
    found = Documents()
    while more := follower.read(1_000):
        found += more
    follower.close()
    return found


def lines_of(path: Path) -> list[int]:
    """Indexes in all files, the renamed ones first."""
    files = [*sorted(path.parent.glob(path.name + ".*")), path]
    return [json.loads(line)["event.sequence"] for file in files for line in file.read_bytes().splitlines()]


def ship_once(layout, url: str, **more) -> None:
    made = load({"data": str(layout.root), "ship.secret": SECRET, **more}, environ={}).settings
    ship_to(url, made, work=lambda shipper: shipper.run(until_empty=True))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cuts=st.lists(st.sampled_from(["die", "torn", "logrotate", "restart", ""]), min_size=1, max_size=8),
    max_bytes=st.integers(2_000, 40_000),
)
def test_a_file_has_every_line_once(documents, tmp_path_factory, cuts, max_bytes) -> None:
    path = tmp_path_factory.mktemp("f") / "events.ndjson"
    sink = FileSink(path, max_bytes)
    position = max(0, sink.open() - 1)
    for number, cut in enumerate([*cuts, ""]):
        sink.send(documents[position : position + 40], again=True)
        if cut in ("die", "torn"):
            sink.close()
            if cut == "torn":  # killed in the middle of a write: the part of a line stays
                with path.open("ab") as file:
                    file.write(documents[-1].body[:100])
            sink = FileSink(path, max_bytes)
            position = sink.open()
        elif cut == "logrotate":
            if path.stat().st_size:
                first = json.loads(path.open().readline())["event.sequence"]
                path.rename(path.with_name(f"{path.name}.{first:012d}"))
            position += 40
        else:
            position += 0 if cut == "restart" and number else 40  # sends some twice
    sink.send(documents[position:], again=True)
    sink.close()
    assert lines_of(path) == [one.sequence for one in documents]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_by_its_address(shared, documents, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    path = tmp_path / "out/events.ndjson"
    for _ in range(2):
        ship_once(shared, f"file://{path}?max_bytes=50000")
        assert lines_of(path) == list(range(len(documents)))
    assert len(list(path.parent.iterdir())) == 2


@pytest.mark.parametrize(
    "url", ["file://host/x", "file:relative", "file:///x?keep=1", "file:///nowhere/x/y", "what://x", "x"]
)
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(ConfigError):
        open_sink(url, load({}, environ={}).settings).open()


def test_a_full_disk_waits(documents) -> None:
    sink = FileSink(Path("/dev/full"))
    with pytest.raises(SinkAway, match="No space left"):
        sink.send(documents[:1], again=False)
    sink.close()


@pytest.fixture
def receiver() -> Iterator[tuple[int, list[bytes]]]:
    """A TCP receiver that keeps what comes."""
    got: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take() -> None:
            connection, _ = server.accept()
            with connection:
                while data := connection.recv(65_536):
                    got.append(data)

        thread = threading.Thread(target=take)
        thread.start()
        yield server.getsockname()[1], got
        thread.join(60)


def unframed(data: bytes) -> list[bytes]:
    """RFC 6587 section 3.4.1."""
    found = []
    while data:
        length, _, data = data.partition(b" ")
        found.append(data[: int(length)])
        data = data[int(length) :]
    return found


def test_syslog_over_tcp(shared, documents, receiver) -> None:
    port, got = receiver
    ship_once(shared, f"syslog+tcp://127.0.0.1:{port}")
    until(lambda: len(unframed_all(got)) == len(documents))
    first = unframed_all(got)[1].decode()
    head, body = first[: first.index("{")], json.loads(first[first.index("{") :])
    assert head.startswith("<110>1 20")
    assert head.split(" ")[2:] == [
        body.get("host.name", "-"),
        body.get("service.name", "-"),
        "-",
        "http-request",
        "-",
        "",
    ]
    assert "jwtrail.salt" not in body


def unframed_all(got: list[bytes]) -> list[bytes]:
    try:
        return unframed(b"".join(got))
    except ValueError:  # the end has not come yet
        return []


def test_cef_over_udp(documents) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        sink = open_sink(f"cef://127.0.0.1:{receiver.getsockname()[1]}", load({}, environ={}).settings)
        sink.open()
        sink.send(documents[1:3], again=False)
        text = receiver.recv(65_536).decode()
        sink.close()
    assert "CEF:0|jwtrail|jwtrail|" in text
    assert "|http-request|http-request|1|" in text
    assert " suid=u-0 " in text
    assert " src=192.0.2.7 " in text


def test_what_comes_from_a_log_cannot_make_a_second_message() -> None:
    doc = {
        "@timestamp": "2026-11-23T10:00:00.000000Z",
        "host.name": "a b\u00e9 <13>1",
        "event.action": "x|y\\",
        "user.id": "a=b\nCEF:0|evil",
    }
    assert cef_of(doc).count("CEF:0|") == 2  # the second is a value
    assert "\n" not in cef_of(doc)
    assert "|x\\|y\\\\|" in cef_of(doc)
    assert "suid=a\\=b\\nCEF:0|evil" in cef_of(doc)
    assert message_of(doc).split(b" ")[2] == b"a_b__<13>1"


class _Hook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        status = self.server.answers.pop(0) if self.server.answers else 204  # type: ignore[attr-defined]
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.got.append((status, headers, body))  # type: ignore[attr-defined]
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def hook() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hook)
    server.got, server.answers = [], []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_webhook(shared, documents, hook, no_pauses) -> None:
    hook.answers += [503, 413, 500]
    url = f"webhook+http://127.0.0.1:{hook.server_port}/secret-path"
    ship_once(shared, url, **{"ship.max_batch": 300})
    good = [(headers, body) for status, headers, body in hook.got if status == 204]
    assert all(verify(SECRET, headers, body, now_us=clock.now_us()) for headers, body in good)
    sent = [one["event.sequence"] for _, body in good for one in json.loads(body)["data"]]
    assert sorted(sent) == list(range(len(documents)))
    first, again = hook.got[0], hook.got[1]
    assert first[1]["webhook-id"] == again[1]["webhook-id"]
    (home,) = (shared.ship).glob("webhook-*")
    assert b"secret-path" not in b"".join(path.read_bytes() for path in home.iterdir())


@pytest.fixture
def dripping() -> Iterator[tuple[str, threading.Event]]:
    """A receiver that takes everything and answers a byte at a time, for ever."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        stop = threading.Event()

        def answer() -> None:
            taken, _ = listening.accept()
            with taken, contextlib.suppress(OSError):
                taken.sendall(b"HTTP/1.1 200 OK\r\nx-long: ")
                while not stop.wait(0.02):
                    taken.sendall(b"x")

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"webhook+http://127.0.0.1:{listening.getsockname()[1]}/", stop
        stop.set()
        thread.join()


def test_a_receiver_that_answers_drop_by_drop_holds_nobody_up(documents, dripping, monkeypatch) -> None:
    monkeypatch.setattr(webhooksink, "TIMEOUT_S", 0.3)
    sink = open_sink(dripping[0], load({"ship.secret": SECRET}, environ={}).settings)
    with pytest.raises(SinkAway) as away:
        sink.send(documents[:2], again=False)
    assert away.value.maybe_done


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("webhook+https://hooks.example/T0/secret?key=s", "webhook+https://hooks.example/…"),
        ("webhook+https://hooks.example", "webhook+https://hooks.example"),
        ("opensearch://ada:secret@search.example:9200", "opensearch://search.example:9200"),
        ("file:///var/log/events.ndjson", "file:///var/log/events.ndjson"),
        ("syslog://[::1]:514", "syslog://[::1]:514"),
        ("webhook+https://[secret", "…"),
        ("secret", "…"),
    ],
)
def test_what_is_shown_of_an_address(url: str, shown: str) -> None:
    assert shown_address(url) == shown


def test_the_settings_and_the_log_keep_the_secret_of_an_address(shared, tmp_path, caplog) -> None:
    file = tmp_path / "jwtrail.toml"
    file.write_text(
        'store = "opensearch://ada:T0@search.example:9200"\n[ship]\nto = ["webhook+https://hooks.example/T0/secret"]\n'
    )
    for words in (["show"], ["show", "--json"]):
        done = CliRunner().invoke(cli, ["config", *words, "--config", str(file)])
        assert "hooks.example" in done.output
        assert "search.example" in done.output
        assert "T0" not in done.output
    made = load({"data": str(shared.root)}, file=file, environ={}).settings
    shipping = Shipping(made)
    shipping.start()
    progress = until(shipping.progress)
    shipping.close()
    assert all("T0" not in one.failure for one in progress.values())
    assert "not shipping to webhook+https://hooks.example/…" in caplog.text
    assert "T0" not in caplog.text
