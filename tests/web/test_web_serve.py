"""`jwtrail serve` as people start it: the link, the console, one daemon a directory, and an orderly end."""

import signal
import subprocess
import sys
import threading

import httpx2
import pytest

from jwtrail import config
from jwtrail.ecs import event_for
from jwtrail.errors import ServeError
from jwtrail.trail.fsck import verify
from jwtrail.trail.layout import Layout
from jwtrail.trail.reader import TrailReader
from jwtrail.trail.writer import TrailWriter
from jwtrail.web.serve import listen, web_settings
from waiting import LONG_S, until


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.org", ""])
def test_only_this_machine_is_served(host):
    with pytest.raises(ServeError, match="loopback"):
        listen(host, 0)


def test_a_taken_port_says_so():
    with listen("localhost", 0) as taken, pytest.raises(ServeError, match="is taken") as caught:
        listen("127.0.0.1", taken.getsockname()[1])
    assert "--port" in caught.value.hint


def test_a_public_address_gives_host_path_and_cookie():
    settings = config.load({"serve.public_url": "https://log.example:8443/audit/"}, environ={}).settings
    web = web_settings(settings, 7070)
    assert (web.root_path, web.https) == ("/audit", True)
    assert {"log.example", "127.0.0.1"} <= web.hosts
    plain = web_settings(config.load({}, environ={}).settings, 7070)
    assert (plain.root_path, plain.https, plain.base) == ("", False, "/")


def _serve(root, *more):
    command = [sys.executable, "-m", "jwtrail", "serve", "--data", str(root), "--port", "0", *more]
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_from_the_link_to_the_end(tmp_path):
    root = tmp_path / "data"
    with _serve(root) as daemon:
        link = daemon.stdout.readline().strip()
        base = link.split("/login")[0]
        with httpx2.Client(base_url=base, timeout=LONG_S, trust_env=False) as browser:
            assert browser.get(link).status_code == 200
            status = browser.get("/api/v1/status").json()
            assert status["detector"]["rules"] > 5
            assert status["trail"]["vkey"].startswith(status["trail"]["origin"])

            with _serve(root) as second:
                assert second.wait(LONG_S) == 1
                assert f"process {daemon.pid}" in second.stderr.read()

            daemon.send_signal(signal.SIGUSR1)
            assert daemon.stdout.readline().strip() != link

            def end():
                daemon.send_signal(signal.SIGTERM)

            # A stream shows an event of the daemon's own, and does not hold up the end.
            with browser.stream(
                "GET", "/api/v1/events/stream", params={"q": "event.action: console-search"}
            ) as live:
                threading.Timer(0.3, browser.get, ["/api/v1/events?q=user.id:x"]).start()
                lines = live.iter_lines()
                assert any("console-search" in line for line in lines)
                end()
                list(lines)
        assert daemon.wait(LONG_S) == 0
        assert "Traceback" not in daemon.stderr.read()


def test_without_a_console_it_only_works(tmp_path):
    layout = Layout(tmp_path / "data")
    layout.create()
    writer = TrailWriter(layout)
    with _serve(layout.root, "--no-console") as daemon:
        for _ in range(2):  # the second is ordered when it has started
            before = TrailReader(layout).size
            writer.put(event_for("login"), "sync").result(LONG_S)
            until(lambda: TrailReader(layout).size > before)  # noqa: B023
        writer.close()
        daemon.send_signal(signal.SIGINT)
        assert daemon.wait(LONG_S) == 0
        assert daemon.stdout.read() == ""


EARLY = """
import os, signal
from jwtrail.__main__ import main
from jwtrail.web import serve
run = serve._Server.run
serve._Server.run = lambda *given, **more: (os.kill(os.getpid(), signal.SIGTERM), run(*given, **more))
main()
"""

MIDWAY = """
import os, signal
from jwtrail.__main__ import main
from jwtrail.trail.tail import Tail
read = Tail.read
def once(*given):
    Tail.read = read
    lines = read(*given)
    os.kill(os.getpid(), signal.SIGTERM)
    return lines
Tail.read = once
main()
"""


def test_told_to_end_while_it_takes_events_in_it_loses_none(tmp_path):
    layout = Layout(tmp_path / "data")
    layout.create()
    writer = TrailWriter(layout)
    for _ in range(3):
        writer.put(event_for("login"), "sync").result(LONG_S)
    writer.close()
    command = [sys.executable, "-c", MIDWAY, "serve", "--data", str(layout.root), "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONG_S)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    report = verify(layout.root)
    assert report.ok, report.findings
    assert report.size == report.signed >= 3


def test_told_to_end_before_it_answers_it_ends(tmp_path):
    command = [sys.executable, "-c", EARLY, "serve", "--data", str(tmp_path / "data"), "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONG_S)
    assert (done.returncode, done.stdout) == (0, "")
    assert "Traceback" not in done.stderr
