"""A Redis (or Valkey) of the test's own, on a free loopback port, that can be stopped and started."""

import shutil
import socket
import subprocess
import time

import pytest
import redis

from jwtrail import config

START_S = 10


def executable():
    """The server's program; skips where there is none, fails where CI must have one."""
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found is None:
        reason = "neither redis-server nor valkey-server is installed (apt-get install redis-server)"
        assert not config.is_ci(), reason
        pytest.skip(reason)
    return found


class Server:
    """One server; its data are in memory only, so a restart loses them."""

    def __init__(self):
        self._program = executable()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
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
        end = time.monotonic() + START_S
        with redis.Redis.from_url(self.url) as client:
            while True:
                try:
                    client.ping()
                except redis.ConnectionError:
                    assert time.monotonic() < end, "the server did not start"
                    time.sleep(0.02)
                else:
                    return

    def stop(self):
        self._process.terminate()
        self._process.wait(timeout=10)

    def clear(self):
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def command(self, *words):
        with redis.Redis.from_url(self.url) as client:
            return client.execute_command(*words)
