"""A real OpenSearch on a free loopback port: fetched once from Maven Central, started as nobody in a directory that goes away."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

VERSION = "3.8.0"
"""The last release whose complete distribution is on Maven Central."""

HEAP = "512m"
READY_S = 180
NOBODY = 64_920
"""OpenSearch refuses root; any uid does, it needs no entry in passwd."""

_ARTIFACT = f"org.opensearch.distribution.integ-test-zip:opensearch:{VERSION}:zip"
_UNPACK = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:unpack"
_MIN_JAVA = 21


class Unavailable(Exception):  # noqa: N818  # reads as a sentence where it is caught
    """What is missing on this machine."""


class Client:
    """The engine's HTTP API, JSON in and out, over one kept connection."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """The answer; raises `RuntimeError` with the engine's words for any status from 400 on."""
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        kind = "application/x-ndjson" if isinstance(body, bytes) else "application/json"
        self._connection.request(method, path, data, {"content-type": kind} if data is not None else {})
        answer = self._connection.getresponse()
        text = answer.read().decode()
        if answer.status >= 400:
            raise RuntimeError(f"{answer.status} {text}")
        return json.loads(text) if text else {}

    def bulk(self, index: str, documents: Sequence[tuple[str, bytes]], *, refresh: bool = True) -> None:
        """Documents by id, searchable when this returns if `refresh`."""
        lines = [
            line
            for name, document in documents
            for line in (json.dumps({"index": {"_id": name}}).encode(), document)
        ]
        answer = self.call(
            "POST", f"/{index}/_bulk?refresh={str(refresh).lower()}", b"\n".join(lines) + b"\n"
        )
        if answer["errors"]:
            refused = [one["index"]["error"] for one in answer["items"] if "error" in one["index"]]
            raise RuntimeError(json.dumps(refused[0]))

    def msearch(self, index: str, bodies: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Many searches in one call; an answer of its own, or `error`, for each."""
        lines = [line for body in bodies for line in (b"{}", json.dumps(body).encode())]
        answer = self.call("POST", f"/{index}/_msearch", b"\n".join(lines) + b"\n")
        return list(answer["responses"])

    def close(self) -> None:
        self._connection.close()


def distribution() -> Path:
    """The unpacked server, fetched into the cache when it is not there yet."""
    cache = Path.home() / ".cache/jwtrail-tests"
    home = cache / f"opensearch-{VERSION}"
    if not (home / "bin/opensearch").exists():
        if shutil.which("mvn") is None:
            raise Unavailable("no OpenSearch in ~/.cache/jwtrail-tests and no mvn to fetch it with")
        fresh = cache / f"fresh-{os.getpid()}"
        command = ["mvn", "-B", "-q", _UNPACK, f"-Dartifact={_ARTIFACT}", f"-DoutputDirectory={fresh}"]
        try:
            fetched = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
            if fetched.returncode:
                raise Unavailable(f"mvn could not fetch OpenSearch: {fetched.stdout[-500:]}")
            shutil.rmtree(home, ignore_errors=True)
            (fresh / home.name).rename(home)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return home


def java() -> Path:
    """A JDK that is new enough."""
    found = sorted(Path("/usr/lib/jvm").glob("*/release"), reverse=True)
    for release in found:
        for line in release.read_text(errors="replace").splitlines():
            if line.startswith("JAVA_VERSION=") and int(line.split('"')[1].split(".")[0]) >= _MIN_JAVA:
                return release.parent
    raise Unavailable(f"no JDK {_MIN_JAVA} or newer in /usr/lib/jvm")


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]


def _configure(home: Path, run: Path, port: int, transport: int) -> None:
    for name in ("data", "logs", "tmp"):
        (run / name).mkdir()
    shutil.copytree(home / "config", run / "config")
    (run / "config/opensearch.yml").write_text(
        "discovery.type: single-node\nnetwork.host: 127.0.0.1\n"
        f"http.port: {port}\ntransport.port: {transport}\n"
        f"path.data: {run}/data\npath.logs: {run}/logs\n"
        "cluster.routing.allocation.disk.threshold_enabled: false\n"
    )
    # The options name files relative to the server's directory, which belongs to somebody else.
    options = run / "config/jvm.options"
    lines = [
        line for line in options.read_text().splitlines() if "Xlog:gc" not in line and "Path=" not in line
    ]
    options.write_text("\n".join(line.replace("logs/hs_err", f"{run}/logs/hs_err") for line in lines) + "\n")


@contextmanager
def running() -> Iterator[Client]:
    """A server with nothing in it, in a directory of its own that goes away with it.

    Raises:
        Unavailable: something that it needs is not on this machine.
    """
    home, jdk = distribution(), java()
    run = Path(tempfile.mkdtemp(prefix="jwtrail-opensearch-"))
    try:
        with _process(run, home, jdk) as client:
            yield client
    finally:
        shutil.rmtree(run, ignore_errors=True)


@contextmanager
def _process(run: Path, home: Path, jdk: Path) -> Iterator[Client]:
    port, transport = _free_ports()
    _configure(home, run, port, transport)
    command = ["-p", str(run / "pid")]
    # Killed with us, however we end.
    as_whom = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
    if os.geteuid() == 0:
        home = _hand_over(run, home)
        as_whom += [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    command = [*as_whom, str(home / "bin/opensearch"), *command]
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(run),
        "LANG": "C.UTF-8",
        "OPENSEARCH_JAVA_HOME": str(jdk),
        "OPENSEARCH_PATH_CONF": str(run / "config"),
        "OPENSEARCH_TMPDIR": str(run / "tmp"),
        "OPENSEARCH_JAVA_OPTS": f"-Xms{HEAP} -Xmx{HEAP}",
    }
    with (run / "out.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=run,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        client = Client(port)
        _wait(process, client, run)
        yield client
        client.close()
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)


def _hand_over(run: Path, home: Path) -> Path:
    """Give the server's user its files; the distribution too, as links, when it lies where only root may go."""
    if not all(parent.stat().st_mode & 0o001 for parent in home.parents):
        try:
            shutil.copytree(home, run / "server", copy_function=os.link)
        except (OSError, shutil.Error):  # another file system
            shutil.rmtree(run / "server", ignore_errors=True)
            shutil.copytree(home, run / "server")
        home = run / "server"
    os.chown(run, NOBODY, NOBODY)
    for name in ("config", "data", "logs", "tmp"):
        for path in (run / name, *(run / name).rglob("*")):
            os.chown(path, NOBODY, NOBODY)
    return home


def _wait(process: subprocess.Popen[bytes], client: Client, run: Path) -> None:
    give_up = time.monotonic() + READY_S
    while time.monotonic() < give_up:
        if process.poll() is not None:
            raise RuntimeError(f"OpenSearch ended: {(run / 'out.log').read_text()[-2000:]}")
        try:
            client.call("GET", "/_cluster/health?wait_for_status=yellow&timeout=1s")
        except (OSError, http.client.HTTPException, RuntimeError):
            client.close()
            time.sleep(0.25)
        else:
            return
    raise RuntimeError(f"OpenSearch was not ready after {READY_S} s")


if __name__ == "__main__":  # a server to try things on, until its standard input ends
    with running() as server:
        print(server.port, flush=True)
        sys.stdin.read()
