"""Hands of the tests that break disks and processes."""

import contextlib
import fcntl
import os
import random
import signal
import struct
import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import pytest

from jwtrail import clock, config
from jwtrail.ecs import event_for
from jwtrail.errors import WriteError
from jwtrail.trail import fsck
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.layout import Layout
from jwtrail.trail.reader import TrailReader
from jwtrail.trail.settings import TrailSettings
from waiting import LONG_S, until

CHILD = Path(__file__).with_name("trail_child.py")
FS_IOC_SHUTDOWN, NOLOGFLUSH = 0x8004587D, 2
AT_LEAST = 20
"""Events acknowledged in each round before it is cut off."""
SETTINGS = TrailSettings(seal_events=60, checkpoint_seconds=0)


def run(*command):
    return subprocess.run(
        list(map(str, command)), check=True, capture_output=True, text=True, timeout=120
    ).stdout.strip()


@contextlib.contextmanager
def mounted(place, *options):
    place.mkdir(exist_ok=True)
    try:
        run("mount", *options, place)
    except subprocess.CalledProcessError as error:
        if config.is_ci():
            raise
        pytest.skip(f"cannot mount here: {error.stderr.strip()}")
    try:
        yield place
    finally:
        # A process that was killed lets go of it a moment later.
        until(lambda: not subprocess.run(["umount", place], capture_output=True, check=False).returncode)


@contextlib.contextmanager
def working(data, *more):
    """A child at work; the list of ids it has acknowledged so far, whole once it is over."""
    acknowledged = []
    child = subprocess.Popen(
        [sys.executable, CHILD, "work", data, *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )

    def listen():
        for line in child.stdout:
            if line.endswith("\n"):
                acknowledged.append(line.strip())

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        yield acknowledged
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait(LONG_S)
        listener.join(LONG_S)
        child.stdout.close()


def at_work(acknowledged, pick):
    """Wait until the child has begun in earnest, and then for a moment that nobody chose."""
    until(lambda: len(acknowledged) >= AT_LEAST)
    clock.sleep(pick.random() * 0.4)


def recovered(data, settings=SETTINGS):
    """Ids of everything that is there after a start; the trail must be whole."""
    layout = Layout(data)
    with Keeper(layout, settings) as keeper:
        while keeper.step(clock.now_us()) or keeper.sealing:
            pass
        keeper.seal(clock.now_us())
    report = fsck.verify(data)
    assert report.ok, report.findings
    reader = TrailReader(layout)
    ids = [event.event_id for event in reader.unsealed()]
    for segment in reader.segments():
        rows = duckdb.execute(f"""SELECT "event.id" FROM '{layout.segments / segment.file}'""").fetchall()
        ids += [row[0] for row in rows]
    assert len(ids) == len(set(ids))
    return set(ids)


def power_cuts(tmp_path, rounds, *more):
    """Rounds of a disk whose power goes while a process writes; yields (promised, what is there) after each."""
    image, pick, promised = tmp_path / "image", random.Random(7), set()
    run("truncate", "-s", "96m", image)
    run("mkfs.ext4", "-q", "-F", image)
    for _ in range(rounds):
        with (
            mounted(tmp_path / "disk", "-o", "loop", image) as disk,
            working(disk / "data", *more) as acknowledged,
        ):
            at_work(acknowledged, pick)
            fd = os.open(disk, os.O_RDONLY)
            # What was said before the power went. Unlike a machine, the process outlives its disk, and a sync that waits
            # for a commit which the shutdown ends may return success (jbd2 finds nothing left to wait for).
            promised |= set(acknowledged)
            fcntl.ioctl(fd, FS_IOC_SHUTDOWN, struct.pack("I", NOLOGFLUSH))
            os.close(fd)
        with mounted(tmp_path / "disk", "-o", "loop", image) as disk:
            yield promised, recovered(disk / "data")


def put_until(writer, count, wait=LONG_S):
    """Ids of the events that were acknowledged; stops at the first that is refused."""
    done = set()
    for number in range(count):
        event = event_for("login", user_id=f"u{number}", message="x" * 200)
        try:
            writer.put(event, "sync").result(wait)
        except (WriteError, TimeoutError):
            break
        done.add(event.event_id)
    return done


def fill(path, left):
    with path.open("wb", buffering=0) as filler:
        with contextlib.suppress(OSError):
            while True:
                filler.write(bytes(4096))
        filler.truncate(max(0, filler.tell() - left))
