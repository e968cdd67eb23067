"""Real disks that fail: the power goes, the space ends, blocks cannot be written. What was acknowledged is there afterwards."""

import contextlib
import errno
import fcntl
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from jwtrail import clock, config
from jwtrail.ecs import event_for
from jwtrail.errors import JwtrailError, WriteError
from jwtrail.trail import fsck
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.layout import Layout
from jwtrail.trail.reader import TrailReader
from jwtrail.trail.settings import TrailSettings
from jwtrail.trail.writer import TrailWriter

CHILD = Path(__file__).with_name("trail_child.py")
FS_IOC_SHUTDOWN, NOLOGFLUSH = 0x8004587D, 2
AT_LEAST = 20
"""Events acknowledged in each round before it is cut off."""
ROUNDS = 30 if config.is_ci() else 6
SETTINGS = TrailSettings(seal_events=60, checkpoint_seconds=0)


def run(*command):
    return subprocess.run(
        list(map(str, command)), check=True, capture_output=True, text=True, timeout=60
    ).stdout.strip()


@pytest.fixture
def root_only():
    tools = ("mount", "umount", "losetup", "mkfs.ext4")
    if os.geteuid() == 0 and all(map(shutil.which, tools)):
        return
    if config.is_ci():
        pytest.fail(f"CI runs as root and has {tools}")
    pytest.skip(f"needs root and {tools}")


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
        run("umount", place)


@contextlib.contextmanager
def working(data, *more):
    """A child at work; the list of ids it has acknowledged so far, whole once it is over."""
    acknowledged = []
    child = subprocess.Popen(
        [sys.executable, CHILD, data, *more], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
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
        child.wait(30)
        listener.join(30)
        child.stdout.close()


def at_work(acknowledged, pick):
    """Wait until the child has begun in earnest, and then for a moment that nobody chose."""
    deadline = time.monotonic() + 30
    while len(acknowledged) < AT_LEAST:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(pick.random() * 0.4)


def recovered(data):
    """Ids of everything that is there after a start; the trail must be whole."""
    layout = Layout(data)
    with Keeper(layout, SETTINGS) as keeper:
        while keeper.step(clock.now_us()) or keeper.sealing:
            pass
        keeper.seal(clock.now_us())
    report = fsck.verify(data)
    assert report.ok, report.findings
    reader = TrailReader(layout)
    import duckdb

    ids = [event.event_id for event in reader.unsealed()]
    for segment in reader.segments():
        ids += [
            row[0]
            for row in duckdb.execute(
                f"""SELECT "event.id" FROM '{layout.segments / segment.file}'"""
            ).fetchall()
        ]
    assert len(ids) == len(set(ids))
    return set(ids)


def test_killed_at_any_moment(tmp_path):
    pick = random.Random(5)
    promised = set()
    for _ in range(3):
        with working(tmp_path / "data") as acknowledged:
            at_work(acknowledged, pick)
        promised |= set(acknowledged)
        assert promised <= recovered(tmp_path / "data")
    assert len(promised) >= 3 * AT_LEAST


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


@pytest.mark.engine
@pytest.mark.timeout(300)
def test_nothing_acknowledged_is_lost_when_the_power_goes(root_only, tmp_path):
    for promised, there in power_cuts(tmp_path, ROUNDS):
        assert promised <= there, f"{len(promised - there)} acknowledged events are lost"
    assert len(promised) >= AT_LEAST * ROUNDS


@pytest.mark.engine
@pytest.mark.timeout(300)
def test_a_build_that_does_not_sync_is_caught(root_only, tmp_path):
    """The control: the same rounds must find the loss, or they prove nothing."""
    try:
        caught = any(not promised <= there for promised, there in power_cuts(tmp_path, 3, "no-fdatasync"))
    except (JwtrailError, AssertionError):
        caught = True  # signed and gone, or damaged: the keeper or the audit says so
    assert caught


@pytest.mark.engine
@pytest.mark.parametrize("left", [0, 4096, 12_288, 40_960, 131_072, 400_000])
def test_a_full_disk_loses_nothing_acknowledged_and_is_gone_on_from(root_only, tmp_path, left):
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=1m", "tmpfs") as disk:
        layout = Layout(disk / "data")
        layout.create()
        promised = set()
        writer = TrailWriter(layout, TrailSettings(wal_file_bytes=16_384))
        promised |= put_until(writer, 20)
        fill(disk / "filler", left)
        keeper = None
        refused = 0
        for _ in range(12):
            promised |= put_until(writer, 40)
            try:
                keeper = keeper or Keeper(layout, SETTINGS)
                keeper.step(clock.now_us())
            except (JwtrailError, OSError) as error:
                assert isinstance(error, WriteError), error
                refused += 1
        assert refused or left > 100_000
        (disk / "filler").unlink()
        promised |= put_until(writer, 5, wait=5)
        writer.close()
        if keeper is not None:
            keeper.close()
        assert promised <= recovered(layout.root)
        assert len(promised) >= 25


def put_until(writer, count, wait=0.3):
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


@pytest.mark.engine
def test_blocks_that_cannot_be_written_lose_nothing_acknowledged(root_only, tmp_path):
    """A file system on a sparse image whose own disk is full: writes are taken, and the sync says EIO."""
    with mounted(tmp_path / "below", "-t", "tmpfs", "-o", "size=9m", "tmpfs") as below:
        image = below / "image"
        run("truncate", "-s", "64m", image)
        run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=1", "-J", "size=4", image)
        promised = set()
        with mounted(tmp_path / "disk", "-o", "loop", image) as disk:
            writer = TrailWriter(Layout(disk / "data"), TrailSettings(wal_file_bytes=65_536))
            promised |= put_until(writer, 30)
            errors = eat(disk / "filler")
            promised |= put_until(writer, 200)
            with contextlib.suppress(WriteError):
                writer.close(timeout=1)
        run("mount", "-o", "remount,size=128m", below)
        subprocess.run(["e2fsck", "-fy", image], capture_output=True, check=False, timeout=60)
        with mounted(tmp_path / "disk", "-o", "loop", image) as disk:
            assert promised <= recovered(disk / "data")
        assert errors
        assert len(promised) >= 30


def eat(path):
    """Dirty pages until a sync fails; how often it did."""
    failed = 0
    with path.open("wb", buffering=0) as filler:
        for _ in range(24):
            try:
                filler.write(os.urandom(1 << 20))
                os.fsync(filler.fileno())
            except OSError as error:
                assert error.errno in (errno.EIO, errno.ENOSPC, errno.EROFS), error
                failed += 1
    return failed
