"""A real engine on a free loopback port: fetched once from Maven Central, run as nobody in a directory that goes away."""

import fcntl
import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[1]))  # also where this is no part of a test

from ports import free_port

READY_S = 180
TRIES = 3
CACHE = Path.home() / ".cache/jwtrail-tests"
NOBODY = 64_920
"""Engines refuse root; any uid does, it needs no entry in passwd."""

_UNPACK = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:unpack"


class Unavailable(Exception):  # noqa: N818  # reads as a sentence where it is caught
    """What is missing on this machine."""


class Client:
    """The engine's HTTP API, JSON in and out, over one kept connection.

    Args:
        headers: of every request.
        tls: how to speak to it; plain HTTP if None.
    """

    def __init__(
        self, port: int, headers: Mapping[str, str] | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self.port = port
        self._headers = dict(headers or {})
        self._connection = (
            http.client.HTTPConnection("127.0.0.1", port, timeout=120)
            if tls is None
            else http.client.HTTPSConnection("127.0.0.1", port, timeout=120, context=tls)
        )

    def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """The answer; raises `RuntimeError` with the engine's words for any status from 400 on."""
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        kind = "application/x-ndjson" if isinstance(body, bytes) else "application/json"
        headers = {**self._headers, "content-type": kind} if data is not None else self._headers
        self._connection.request(method, path, data, headers)
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


def unpack(artifact: str, directory: Path) -> None:
    """What Maven Central has, unpacked.

    Raises:
        Unavailable: it cannot be had on this machine.
    """
    if shutil.which("mvn") is None:
        raise Unavailable(
            f"{artifact} is not in ~/.cache/jwtrail-tests, and there is no mvn to fetch it with"
        )
    command = ["mvn", "-B", "-q", _UNPACK, f"-Dartifact={artifact}", f"-DoutputDirectory={directory}"]
    directory.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(TRIES):
        fetched = subprocess.run(  # there, because Maven leaves marks where it runs
            command, cwd=directory.parent, capture_output=True, text=True, check=False, timeout=900
        )
        if not fetched.returncode:
            return
    raise Unavailable(f"mvn could not fetch {artifact}: {fetched.stdout[-500:]}")


@contextmanager
def alone() -> Iterator[None]:
    """One process at a time looks into the cache and fills it: neither Maven nor a half-copied server bears two."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@dataclass(frozen=True)
class Distribution:
    """One engine as Maven Central has it.

    Args:
        name: of the program, of its settings file, and of the unpacked directory.
        group: of its artifact.
        prefix: of its environment variables.
        min_java: the oldest JDK it runs on, `max_java`: the newest.
        settings: further lines of its settings file.
    """

    name: str
    version: str
    group: str
    prefix: str
    min_java: int
    heap: str = "512m"
    settings: tuple[str, ...] = ()
    max_java: int = 99

    def home(self) -> Path:
        """The unpacked server, fetched into the cache when it is not there yet."""
        home = CACHE / f"{self.name}-{self.version}"
        if not (home / "bin" / self.name).exists():
            fresh = CACHE / f"fresh-{self.name}"
            shutil.rmtree(fresh, ignore_errors=True)
            unpack(f"{self.group}:{self.name}:{self.version}:zip", fresh)
            shutil.rmtree(home, ignore_errors=True)
            (fresh / home.name).rename(home)
            shutil.rmtree(fresh)
        return home

    def client(self, port: int) -> Client:
        """Its HTTP API."""
        return Client(port)

    def url(self, port: int) -> str:
        """Where it is, for jwtrail."""
        return f"{self.name}+http://127.0.0.1:{port}"

    def prepare(self, config: Path) -> None:
        """Put further files into a server's own directory of settings."""

    def java(self) -> Path:
        """A JDK that is new enough."""
        for release in sorted(Path("/usr/lib/jvm").glob("*/release"), reverse=True):
            for line in release.read_text(errors="replace").splitlines():
                version = line.partition("JAVA_VERSION=")[2].strip('"').split(".")[0]
                if version and self.min_java <= int(version) <= self.max_java:
                    return release.parent
        raise Unavailable(f"no JDK from {self.min_java} to {self.max_java} in /usr/lib/jvm")


@dataclass
class Server:
    """One server with its data; may be killed and started again on the same port."""

    what: Distribution
    run: Path
    port: int
    transport: int
    client: Client = field(init=False)
    _process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.client = self.what.client(self.port)
        with alone():
            self._home, self._jdk = self.what.home(), self.what.java()
        self._configure()
        self._as_whom = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        if os.geteuid() == 0:
            if not self._as_whom:
                pytest.skip("engines refuse to run as root, and without setpriv they cannot be somebody else")
            self._hand_over()
            self._as_whom += [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]

    @property
    def url(self) -> str:
        return self.what.url(self.port)

    def start(self) -> None:
        """Run it and wait until it answers."""
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.run),
            "LANG": "C.UTF-8",
            f"{self.what.prefix}_JAVA_HOME": str(self._jdk),
            f"{self.what.prefix}_PATH_CONF": str(self.run / "config"),
            f"{self.what.prefix}_TMPDIR": str(self.run / "tmp"),
            f"{self.what.prefix}_JAVA_OPTS": f"-Xms{self.what.heap} -Xmx{self.what.heap}",
        }
        (self.run / "pid").unlink(missing_ok=True)
        with (self.run / "out.log").open("wb") as log:
            self._process = subprocess.Popen(
                [*self._as_whom, str(self._home / "bin" / self.what.name), "-p", str(self.run / "pid")],
                cwd=self.run,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait()

    def kill(self) -> None:
        """End it as a power failure would (its data stay)."""
        self.client.close()
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(READY_S)
            self._process = None

    def _configure(self) -> None:
        for name in ("data", "logs", "tmp"):
            (self.run / name).mkdir()
        shutil.copytree(self._home / "config", self.run / "config")
        lines = [
            "discovery.type: single-node",
            "network.host: 127.0.0.1",
            f"http.port: {self.port}",
            f"transport.port: {self.transport}",
            f"path.data: {self.run}/data",
            f"path.logs: {self.run}/logs",
            "cluster.routing.allocation.disk.threshold_enabled: false",
            *self.what.settings,
        ]
        (self.run / f"config/{self.what.name}.yml").write_text("\n".join(lines) + "\n")
        self.what.prepare(self.run / "config")
        # The options name files relative to the server's directory, which belongs to somebody else.
        options = self.run / "config/jvm.options"
        kept = [
            line
            for line in options.read_text().splitlines()
            if "Xlog:gc" not in line and "Path=" not in line and "ErrorFile" not in line
        ]
        options.write_text("\n".join([*kept, f"-XX:ErrorFile={self.run}/logs/hs_err_pid%p.log"]) + "\n")

    def _hand_over(self) -> None:
        """Give the server's user its files; the distribution too, as links, when it lies where only root may go."""
        if not all(parent.stat().st_mode & 0o001 for parent in self._home.parents):
            copy = self.run / "server"
            try:
                shutil.copytree(self._home, copy, copy_function=os.link)
            except (OSError, shutil.Error):  # another file system
                shutil.rmtree(copy, ignore_errors=True)
                shutil.copytree(self._home, copy)
            self._home = copy
        os.chown(self.run, NOBODY, NOBODY)
        for name in ("config", "data", "logs", "tmp"):
            for path in (self.run / name, *(self.run / name).rglob("*")):
                os.chown(path, NOBODY, NOBODY)

    def _wait(self) -> None:
        give_up = time.monotonic() + READY_S
        while time.monotonic() < give_up:
            if self._process is None or self._process.poll() is not None:
                raise RuntimeError(f"{self.what.name} ended: {(self.run / 'out.log').read_text()[-2000:]}")
            try:
                # Believe only a server that wrote its own pid: another may have taken the port meanwhile.
                if (self.run / "pid").exists():
                    self.client.call("GET", "/_cluster/health?wait_for_status=yellow&timeout=1s")
                    return
            except (OSError, http.client.HTTPException, RuntimeError):
                self.client.close()
            time.sleep(0.25)
        raise RuntimeError(f"{self.what.name} was not ready after {READY_S} s")


@contextmanager
def server_of(what: Distribution) -> Iterator[Server]:
    """A server with nothing in it, in a directory of its own that goes away with it.

    Raises:
        Unavailable: something that it needs is not on this machine.
    """
    run = Path(tempfile.mkdtemp(prefix=f"jwtrail-{what.name}-"))
    try:
        server = Server(what, run, free_port(), free_port())
        try:
            server.start()
            yield server
        finally:
            server.kill()
    finally:
        shutil.rmtree(run, ignore_errors=True)
