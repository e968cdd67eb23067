"""A data directory with a real trail, an alert and token keys, and two ways to run the command line."""

import os
import pty
import shutil
import subprocess
import sys

import msgspec
import pytest
from click.testing import CliRunner

from jwtrail import clock, config
from jwtrail.cli.main import cli
from jwtrail.detect.alert import Alert, Targets
from jwtrail.ecs import event_for
from jwtrail.state import StateStore
from jwtrail.state.records import AlertRow
from jwtrail.tokens.issuer import Issuer
from jwtrail.tokens.keyring import KeyRing
from jwtrail.tokens.settings import TokenSettings
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.layout import Layout
from jwtrail.trail.settings import TrailSettings
from jwtrail.trail.writer import TrailWriter
from waiting import within_a_day

ALERT = "abcd" + "0" * 28


@pytest.fixture(scope="session")
def filled(tmp_path_factory):
    """Ten requests, the third with a name that tries to take over the terminal."""
    within_a_day()
    root = tmp_path_factory.mktemp("cli") / "data"
    layout = Layout(root)
    layout.create()
    writer = TrailWriter(layout, TrailSettings())
    ids = []
    for number in range(10):
        event = event_for(
            "http-request",
            event_outcome="failure" if number % 2 else "success",
            event_reason="expired" if number % 2 else None,
            http_request_method="GET",
            http_response_status_code=401 if number % 2 else 200,
            url_path=f"/orders/{number}",
            user_id="\u200bali\u202ece" if number == 3 else "alice",
            user_agent_original="=1+1" if number == 3 else "browser",
            event_duration=1_500_000,
            http_response_bytes=1_200,
            source_ip="198.51.100.7",
        )
        ids.append(event.event_id)
        writer.put(event, "sync").result(60)
    writer.close()
    with Keeper(layout, TrailSettings()) as keeper:
        while keeper.step(clock.now_us()):
            pass
    _add_alert(layout, ids)
    with StateStore(layout.state) as state:
        pair = Issuer(TokenSettings(), KeyRing(layout.keys / "tokens"), state).issue(
            "alice", scope="orders:read"
        )
    return root, ids, pair


def _add_alert(layout, ids):
    alert = Alert(
        id=ALERT,
        rule="00000000-0000-4000-8000-000000000001",
        code="D1",
        name="Object walk",
        level="high",
        group={"user.id": "alice"},
        at_us=clock.now_us(),
        first_us=clock.now_us(),
        sequence=3,
        first_event=ids[0],
        events=(ids[0], ids[3]),
        count=2,
        targets=Targets(user="alice"),
    )
    row = AlertRow(
        id=alert.id,
        rule=alert.rule,
        severity="high",
        group="user.id=alice",
        at_us=alert.at_us,
        doc=msgspec.json.encode(alert).decode(),
    )
    with StateStore(layout.state) as state:
        state.add_alert(row)


@pytest.fixture
def data(filled, tmp_path_factory):
    """A copy of its own for each test: some change it, and which test comes next is another one each time."""
    return str(shutil.copytree(filled[0], tmp_path_factory.mktemp("data") / "data"))


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Runs a command in this process; stdout is no terminal."""
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments, stdin=None):
        return CliRunner().invoke(cli, list(arguments), input=stdin, prog_name="jwtrail")

    return invoke


@pytest.fixture
def shown(tmp_path):
    """Runs a command on a terminal of its own; gives its text without colours, and the exit code."""

    def invoke(*arguments, columns=100, **env):
        parent, child = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "jwtrail", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=child,
            stderr=child,
            cwd=tmp_path,
            env=config.child_env({"COLUMNS": str(columns), "TERM": "xterm", **env}),
        )
        os.close(child)
        chunks = []
        while True:
            try:
                chunk = os.read(parent, 65_536)
            except OSError:
                break
            if not chunk:
                break
            chunks.append(chunk)
        os.close(parent)
        return b"".join(chunks).decode().replace("\r\n", "\n"), process.wait(60)

    return invoke
