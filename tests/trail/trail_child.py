"""Processes that tests end or trouble.

python trail_child.py work DATA [BROKEN]   writes, orders and seals until it is stopped; prints the id of each event once it is
                                           acknowledged. BROKEN is a build that must be caught: `no-fdatasync`, `checkpoint-first`.
python trail_child.py spawn                for each DATA on stdin a process that waits for a file DATA.go, does the whole life
                                           of a small trail, and ends; prints its pid. Ids go to DATA.ids.
"""

import os
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path

from jwtrail import clock
from jwtrail.ecs import event_for
from jwtrail.errors import JwtrailError
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.layout import Layout
from jwtrail.trail.settings import TrailSettings
from jwtrail.trail.writer import TrailWriter

SETTINGS = TrailSettings(seal_events=60, checkpoint_seconds=0, wal_file_bytes=16_384)
SMALL = TrailSettings(seal_events=8, checkpoint_seconds=0, wal_file_bytes=4096)
LATE_SECONDS = 1.0
TRIES = 3
"""Refusals of a disk that stays broken, after which a small life ends."""


def write(writer, name):
    number = 0
    while True:
        event = event_for("login", user_id=f"{name}-{number}", message="x" * (number % 300))
        number += 1
        try:
            done = writer.put(event, "sync")
            done.result(60)
        except JwtrailError:
            continue
        os.write(1, f"{event.event_id}\n".encode())


def work(root):
    layout = Layout(Path(root))
    layout.create()
    writer = TrailWriter(layout, SETTINGS)
    for name in ("a", "b", "c"):
        threading.Thread(target=write, args=(writer, name), daemon=True).start()
    keeper = None
    while True:
        try:
            keeper = keeper or Keeper(layout, SETTINGS)
            keeper.step(clock.now_us())
        except JwtrailError as error:
            os.write(2, f"{error}\n".encode())
        clock.sleep(0.002)


def order_late():
    """A build that signs a checkpoint before the order it covers is on the disk."""
    real = os.fdatasync

    def sync_and_close(fd):
        real(fd)
        os.close(fd)

    def late(fd):
        if Path(f"/proc/self/fd/{fd}").readlink().name == "order.ndjson":
            threading.Timer(LATE_SECONDS, sync_and_close, (os.dup(fd),)).start()
        else:
            real(fd)

    os.fdatasync = late


class Report:
    """What a troubled process says. By `pwrite` to a file that is open already: the fault is for the trail, not for this."""

    def __init__(self, path):
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        self._end = 0

    def close(self):
        os.close(self._fd)

    def say(self, text):
        self._end += os.pwrite(self._fd, text.encode() + b"\n", self._end)


def live(root, acknowledged):
    """A small life that goes on through whatever the disk says."""
    layout = Layout(Path(root))
    writer, keeper, refused = TrailWriter(layout, SMALL), None, 0
    for number in range(24):
        event = event_for("login", user_id=f"u-{number}", message="x" * 300)
        try:
            writer.put(event, "sync").result(60)
            acknowledged.say(event.event_id)
            keeper = keeper or Keeper(layout, SMALL)
            keeper.step(clock.now_us())
        except JwtrailError:
            refused += 1
            if refused > TRIES:
                break
    for one in (writer, keeper):
        if one is not None:
            with suppress(JwtrailError):
                one.close()


def spawn():
    for line in sys.stdin:
        root = line.strip()
        acknowledged, unexpected = Report(f"{root}.ids"), Report(f"{root}.error")
        pid = os.fork()
        if pid:
            acknowledged.close()
            unexpected.close()
            os.write(1, f"{pid}\n".encode())
            continue
        code = 1
        try:
            while not Path(f"{root}.go").exists():
                clock.sleep(0.002)
            live(root, acknowledged)
            code = 0
        except BaseException:  # noqa: BLE001  # whatever it is, the parent must be told
            unexpected.say(traceback.format_exc())
        finally:
            os._exit(code)


if __name__ == "__main__":
    if sys.argv[1] == "spawn":
        spawn()
    else:
        if sys.argv[3:] == ["no-fdatasync"]:
            os.fdatasync = lambda _fd: None
        elif sys.argv[3:] == ["checkpoint-first"]:
            order_late()
        work(sys.argv[2])
