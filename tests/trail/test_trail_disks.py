"""Real disks that fail: the power goes, the space ends, blocks cannot be written. What was acknowledged is there afterwards."""

import contextlib
import errno
import os
import random
import subprocess

import pytest
from trail_faults import (
    AT_LEAST,
    SETTINGS,
    at_work,
    fill,
    mounted,
    power_cuts,
    put_until,
    recovered,
    run,
    working,
)

from jwtrail import clock, config
from jwtrail.errors import JwtrailError, WriteError
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.layout import Layout
from jwtrail.trail.settings import TrailSettings
from jwtrail.trail.writer import TrailWriter

ROUNDS = 30 if config.is_ci() else 6


def test_killed_at_any_moment(tmp_path):
    pick = random.Random(5)
    promised = set()
    for _ in range(3):
        with working(tmp_path / "data") as acknowledged:
            at_work(acknowledged, pick)
        promised |= set(acknowledged)
        assert promised <= recovered(tmp_path / "data")
    assert len(promised) >= 3 * AT_LEAST


@pytest.mark.engine
@pytest.mark.timeout(300)
def test_nothing_acknowledged_is_lost_when_the_power_goes(root_only, tmp_path):
    for promised, there in power_cuts(tmp_path, ROUNDS):
        assert promised <= there, f"{len(promised - there)} acknowledged events are lost"
    assert len(promised) >= AT_LEAST * ROUNDS


@pytest.mark.engine
@pytest.mark.timeout(300)
@pytest.mark.parametrize("build", ["no-fdatasync", "checkpoint-first"])
def test_a_build_that_does_not_sync_in_time_is_caught(root_only, tmp_path, build):
    """The controls: the same rounds must find the loss, or they prove nothing. (A journal hides a directory that was not
    synced: that control is in test_trail_powerless.)
    """
    try:
        caught = any(not promised <= there for promised, there in power_cuts(tmp_path, 20, build))
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
        promised |= put_until(writer, 5)
        writer.close()
        if keeper is not None:
            keeper.close()
        assert promised <= recovered(layout.root)
        assert len(promised) >= 25


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
                writer.close()
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
