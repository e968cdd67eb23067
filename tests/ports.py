"""Ports for servers that want to be told one: of no other test, in this process or another, and of no connection."""

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

PORTS = range(20_000, 30_000)
"""Below those that systems give to outgoing connections and to whoever asks for port 0: one that is looked up, let go and bound
a moment later by a server that starts slowly could be somebody else's by then."""

_held: list[int] = []


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on. It stays this process's own: a server may be ended and started on it again."""
    place = Path(tempfile.gettempdir()) / f"jwtrail-test-ports-{os.geteuid()}"
    place.mkdir(exist_ok=True)
    for port in random.SystemRandom().sample(PORTS, len(PORTS)):
        lock = os.open(place / str(port), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if _is_mine(lock) and _is_free(port):
            _held.append(lock)
            return port
        os.close(lock)
    raise OSError("no port is free")


def _is_mine(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
