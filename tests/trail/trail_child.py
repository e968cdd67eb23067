"""A process that writes, orders and seals until it is stopped; prints the id of each event once it is acknowledged.

python trail_child.py DATA [no-fdatasync]
"""

import os
import sys
import threading
from pathlib import Path

from jwtrail import clock
from jwtrail.ecs import event_for
from jwtrail.errors import JwtrailError
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.layout import Layout
from jwtrail.trail.settings import TrailSettings
from jwtrail.trail.writer import TrailWriter

SETTINGS = TrailSettings(seal_events=60, checkpoint_seconds=0, wal_file_bytes=16_384)


def write(writer, name):
    number = 0
    while True:
        event = event_for("login", user_id=f"{name}-{number}", message="x" * (number % 300))
        number += 1
        try:
            done = writer.put(event, "sync")
            done.result(30)
        except JwtrailError:
            continue
        os.write(1, f"{event.event_id}\n".encode())


def main(root):
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


if __name__ == "__main__":
    if sys.argv[2:] == ["no-fdatasync"]:
        os.fdatasync = lambda _fd: None
    main(sys.argv[1])
