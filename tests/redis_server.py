"""A Redis (or Valkey) of the test's own, on a free loopback port, that can be stopped and started."""

import contextlib
import shutil
import subprocess

import pytest
import redis

from jwtrail import config
from jwtrail.state import redisstore
from ports import free_port
from waiting import LONG_S, until


def executable():
    """The server's program; skips where there is none, fails where CI must have one."""
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found is None:
        reason = "neither redis-server nor valkey-server is installed (apt-get install redis-server)"
        assert not config.is_ci(), reason
        pytest.skip(reason)
    return found


def patient(monkeypatch):
    """On a busy machine a server that is there may be late; one that is away refuses at once."""
    monkeypatch.setattr(redisstore, "TIMEOUT_S", LONG_S / 3)


class Server:
    """One server; its data are in memory only, so a restart loses them."""

    def __init__(self):
        self._program = executable()
        self.port = free_port()
        self.url = f"redis://:secret-word@127.0.0.1:{self.port}/0"
        self._process = None
        self.start()

    def start(self):
        options = {
            "port": self.port,
            "bind": "127.0.0.1",
            "save": "",
            "appendonly": "no",
            "requirepass": "secret-word",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        self._process = subprocess.Popen(
            [self._program, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(self._answers, "the server did not start")

    def _answers(self):
        with (
            contextlib.suppress(redis.ConnectionError, redis.TimeoutError),
            redis.Redis.from_url(self.url) as client,
        ):
            return client.ping()

    def stop(self):
        self._process.terminate()
        self._process.wait(LONG_S)

    def clear(self):
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def command(self, *words):
        with redis.Redis.from_url(self.url) as client:
            return client.execute_command(*words)
