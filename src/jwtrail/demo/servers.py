"""The processes of the demo: the shop under uvicorn, and the daemon. Each is started again when it dies."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

from jwtrail import clock, config
from jwtrail.errors import ServeError

__all__ = ["Server", "free_port", "serve_daemon", "serve_shop"]

START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 45.0
PR_SET_PDEATHSIG = 1
MAX_RESTARTS = 20
"""A process that dies more often has a fault that starting it again does not mend."""


class Server:
    """One child process, watched.

    Args:
        name: for messages.
        command: what to run.
        env: added to ours.
        log: file that takes its output.
        keep_first: number of standard output lines to keep for `lines`, read from a pipe instead of the log.
    """

    def __init__(
        self, name: str, command: list[str], env: dict[str, str], log: Path, *, watch: str = ""
    ) -> None:
        self.name = name
        self.restarts = 0
        self.found = threading.Event()
        self.line = ""
        self._watch = watch
        self._command = command
        self._env = env
        self._log = log
        self._stopping = False
        self._process: subprocess.Popen[bytes] | None = None
        self._threads: list[threading.Thread] = []

    @property
    def pid(self) -> int:
        """Process id of the running child; 0 when there is none."""
        return self._process.pid if self._process is not None else 0

    def start(self) -> None:
        """Start the process and the thread that starts it again."""
        self._spawn()
        thread = threading.Thread(target=self._keep, name=f"keep-{self.name}", daemon=True)
        thread.start()
        self._threads.append(thread)

    def stop(self) -> None:
        """Ask it to end, and end it if it does not."""
        self._stopping = True
        process = self._process
        if process is None or process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def wait_ready(self, port: int) -> None:
        """Return when something listens on the port.

        Raises:
            ServeError: it ended, or did not listen in time; the message has its last words.
        """
        deadline = clock.monotonic_ns() + int(START_TIMEOUT_S * 1e9)
        while clock.monotonic_ns() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                return
            if self._process is not None and self._process.poll() is not None and self.restarts >= 2:
                break
            clock.sleep(0.05)
        raise ServeError(
            f"{self.name} did not start: {self.last_words()}", where=f"port {port}", hint=f"see {self._log}"
        )

    def last_words(self) -> str:
        """The last line it wrote."""
        with contextlib.suppress(OSError):
            lines = self._log.read_text(errors="replace").strip().splitlines()
            return lines[-1][:300] if lines else "no output"
        return "no output"

    def _spawn(self) -> None:
        with self._log.open("ab") as log:
            # A group of its own, so that Ctrl+C reaches only us and we end the children in order.
            self._process = subprocess.Popen(  # noqa: S603  # our own command, no shell
                self._command,
                env=config.child_env(self._env),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if self._watch else log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_end_with_parent,  # noqa: PLW1509  # one call of libc, no lock of Python's
            )
        if self._process.stdout is not None:
            threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True).start()

    def _read(self, stream: IO[bytes]) -> None:
        with self._log.open("ab") as log:
            for raw in stream:
                log.write(raw)
                log.flush()
                text = raw.decode(errors="replace").strip()
                if self._watch in text:
                    self.line = text
                    self.found.set()

    def _keep(self) -> None:
        while not self._stopping:
            process = self._process
            if process is None:
                return
            process.wait()
            if self._stopping or self.restarts >= MAX_RESTARTS:
                return
            self.restarts += 1
            clock.sleep(0.1)
            if not self._stopping:
                self._spawn()


def serve_shop(port: int, data: Path, workers: int, logs: Path) -> Server:
    """The sample shop under uvicorn."""
    command = [sys.executable, "-m", "jwtrail.demo.shop_server", str(port), str(workers)]
    env = {
        "JWTRAIL_DATA": str(data),
        "JWTRAIL_SERVICE__NAME": "shop",
        "JWTRAIL_TOKENS__ISSUER": "https://shop.example",
        "JWTRAIL_TOKENS__AUDIENCE": "shop-api",
        # The simulator plays the proxy, so that every person has an address of their own.
        "JWTRAIL_HTTP__TRUSTED_PROXIES": "127.0.0.1",
        # So that "answered" means "on disk", also for a worker that is killed: the summary counts on it.
        "JWTRAIL_HTTP__DURABILITY": "sync",
    }
    return Server("the shop", command, env, logs / "shop.log")


def serve_daemon(port: int, data: Path, logs: Path) -> Server:
    """`jwtrail serve` on the same data directory."""
    command = [sys.executable, "-m", "jwtrail", "serve", "--data", str(data), "--port", str(port)]
    env = {
        "JWTRAIL_SERVICE__NAME": "shop",
        "JWTRAIL_TRAIL__SEAL_SECONDS": "10",
        "PYTHONUNBUFFERED": "1",
        "JWTRAIL_TOKENS__ISSUER": "https://shop.example",
        "JWTRAIL_TOKENS__AUDIENCE": "shop-api",
    }
    return Server("the daemon", command, env, logs / "daemon.log", watch="/login?key=")


def _end_with_parent() -> None:
    """In the child: be told to stop when the demo itself is killed. Linux only; elsewhere the child stays."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def free_port(wanted: int) -> int:
    """`wanted` when nobody listens there, else one the system gives."""
    for port in (wanted, 0):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise ServeError("no free port on 127.0.0.1")
