"""`jwtrail ship` as people call it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from ship_worlds import recorded

from jwtrail.cli.main import cli
from jwtrail.trail.layout import Layout


@pytest.fixture
def jwtrail(layout: Layout, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(layout.root.parent)

    def call(*words: str) -> Result:
        return CliRunner().invoke(cli, [*words, "--data", str(layout.root)])

    return call


def test_ship_and_status(jwtrail, layout: Layout, tmp_path: Path) -> None:
    size = recorded(layout, 20)
    out = tmp_path / "events.ndjson"
    done = jwtrail("ship", f"file://{out}", "--once")
    assert (done.exit_code, done.stdout) == (0, "")
    assert f"Shipped {size} events; 0 were there; 0 refused; 0 left." in done.stderr
    assert len(out.read_bytes().splitlines()) == size
    grown = recorded(layout, 5)
    status = json.loads(jwtrail("ship", "status").stdout)
    assert (status["target"], status["next"], status["behind"]) == (f"file://{out}", size, grown - size)
    assert (status["refused"], status["running"], status["size"]) == (0, False, grown)
    assert jwtrail("ship", "--once", f"file://{out}").exit_code == 0  # options may stand first
    assert json.loads(jwtrail("ship", "status", "--dead").stdout)["behind"] == 0
    assert jwtrail("ship", "retry", f"file://{out}").exit_code == 0


def test_nothing_yet_and_nothing_there(jwtrail, layout: Layout, tmp_path: Path) -> None:
    missing = jwtrail("ship", f"file://{tmp_path}/x", "--once")
    assert missing.exit_code == 2
    assert "no such data directory" in missing.stderr
    recorded(layout, 1)
    assert jwtrail("ship", "status").stdout == ""
    assert jwtrail("ship", "nowhere", "--once").exit_code == 2
    assert jwtrail("trail", "verify", "--remote", "file:///x").exit_code == 2
    assert "nothing to follow" in jwtrail("detect", "--follow").stderr
    assert "credentials do not belong" in jwtrail("search", "--store", "opensearch://me:secret@host").stderr
