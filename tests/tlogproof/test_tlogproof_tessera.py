"""The log as Tessera's own `fsck` sees it over HTTP: a verifier that shares nothing with us but the C2SP pages."""

import contextlib
import re
import shutil
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import anyio
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from jwtrail import config
from jwtrail.trail.publish import copy_log, resource
from jwtrail.trail.reader import TrailReader
from jwtrail.web.serve import listen
from jwtrail.web.tlog import LogFiles

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

MODULE = "github.com/transparency-dev/tessera/cmd/fsck@v1.0.4"
CACHE = Path.home() / ".cache/jwtrail-tests/bin"
SIZES = [0, 1, 255, 256, 257, 5_000]


@pytest.fixture(scope="session")
def tessera():
    """Path of the tool, built when there is a Go to build it with."""
    tool = CACHE / "fsck"
    if not tool.exists() and (go := shutil.which("go")):
        CACHE.mkdir(parents=True, exist_ok=True)
        subprocess.run(  # the first time it is fetched and built
            [go, "install", MODULE], env=config.child_env({"GOBIN": str(CACHE)}), check=False, timeout=600
        )
    if not tool.exists():
        if config.is_ci():
            pytest.fail(f"CI must have {MODULE}")
        pytest.skip(f"needs {MODULE}")
    return tool


@contextlib.contextmanager
def served(reader):
    """The log over HTTP, as the console serves it."""
    files = LogFiles(partial(resource, reader), anyio.CapacityLimiter(2), public=True)
    app = Starlette(routes=[Route("/tlog/{path:path}", files.answer)])
    listening = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/tlog/"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def verified(tool, url, vkey, tmp_path):
    """What it says counts: its exit code is 0 also for a broken log."""
    key = tmp_path / "log.vkey"
    key.write_text(str(vkey))
    run = subprocess.run(
        [tool, "--storage_url", url, "--public_key", key, "--N", "2", "--ui=false"],
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    return "Successfully fsck'd" in run.stdout + run.stderr, run.stdout + run.stderr


@pytest.mark.parametrize("size", SIZES)
def test_tessera_verifies_the_served_log(tessera, log_of, tmp_path, size):
    reader = TrailReader(log_of(size, seal_events=300))
    with served(reader) as url:
        good, said = verified(tessera, url, reader.vkey(), tmp_path)
    assert good, said


@pytest.mark.parametrize("size", [65_537, 100_000])
def test_tessera_verifies_a_large_log(tessera, log_of, tmp_path, size):
    reader = TrailReader(log_of(size, seal_events=16_384))
    with served(reader) as url:
        good, said = verified(tessera, url, reader.vkey(), tmp_path)
    assert good, said


@pytest.mark.parametrize("name", ["tile/entries/000", "tile/0/001", "tile/1/000.p/2", "checkpoint"])
def test_tessera_refuses_one_flipped_bit(tessera, log_of, tmp_path, name):
    reader = TrailReader(log_of(600))
    copy = tmp_path / "copy"
    copy_log(reader, copy)
    url = f"file://{copy}/"
    good, said = verified(tessera, url, reader.vkey(), tmp_path)
    assert good, said
    data = bytearray((copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / name).write_bytes(data)
    good, said = verified(tessera, url, reader.vkey(), tmp_path)
    assert not good, said


def test_tessera_verifies_what_the_daemon_serves(tessera, log_of, tmp_path):
    layout = log_of(700)
    environ = config.child_env({"JWTRAIL_SERVE__PUBLIC_LOG": "true", "JWTRAIL_DATA": str(layout.root)})
    daemon = subprocess.Popen(
        [sys.executable, "-m", "jwtrail", "serve", "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environ, cwd=tmp_path,
    )  # fmt: skip
    try:
        found = re.match(r"(http://[^/]+)/login", daemon.stdout.readline())
        assert found is not None
        good, said = verified(tessera, f"{found[1]}/tlog/", TrailReader(layout).vkey(), tmp_path)
        assert good, said
    finally:
        daemon.terminate()
        daemon.wait(60)
        daemon.stdout.close()


def test_tessera_still_verifies_after_a_person_was_erased(tessera, log_of, tmp_path):
    import msgspec

    from jwtrail.runtime.subjects import erase

    layout = log_of(600)
    copy = tmp_path / "copy"
    copy_log(TrailReader(layout), copy)
    bundles = {path.name: path.read_bytes() for path in (copy / "tile/entries").glob("0*") if path.is_file()}
    settings = msgspec.structs.replace(config.load({}, environ={}).settings, data=str(layout.root))
    assert erase(settings, "u-300", by="root", reason="").events == 1
    reader = TrailReader(layout)
    with served(reader) as url:
        good, said = verified(tessera, url, reader.vkey(), tmp_path)
    assert good, said
    copy_log(reader, copy)
    assert {name: (copy / "tile/entries" / name).read_bytes() for name in bundles} == bundles
