"""A disk that fills up is told of in time, and the last events find room."""

import os
import shutil
import subprocess
from contextlib import suppress

import pytest

from jwtrail import clock, config
from jwtrail.ecs import event_for
from jwtrail.errors import ConfigError
from jwtrail.runtime.daemon import Daemon
from jwtrail.runtime.lowwater import AGAIN, RESERVE_BYTES, LowWater
from jwtrail.runtime.witnessed import Witnessing
from jwtrail.tlog.witness import WitnessKey
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.layout import Layout
from jwtrail.trail.settings import TrailSettings
from jwtrail.trail.writer import TrailWriter

TOTAL = 100 * RESERVE_BYTES


@pytest.fixture
def layout(tmp_path):
    made = Layout(tmp_path / "data")
    made.create()
    return made


def test_it_is_told_once_for_each_level_and_the_reserve_is_given_up_last(layout):
    told, free = [], 0
    watch = LowWater(layout, told.append, lambda _path: (TOTAL - free, free))
    seen = []
    for percent in (50, 76, 80, 91, 100, 96, 85, 50, 50):
        free = TOTAL * (100 - percent) // 100
        watch.look()
        seen.append((percent, len(told), layout.reserve.exists()))
        assert watch.room == (TOTAL - free, free)
    assert [event.event_action for event in told] == [
        "disk-low",
        "disk-low",
        "disk-recovered",
        "disk-recovered",
    ]
    assert "76 % of the disk is in use" in told[0].message
    assert seen == [
        (50, 0, True), (76, 1, True), (80, 1, True), (91, 2, True), (100, 2, False),
        (96, 2, False), (85, 3, True), (50, 4, True), (50, 4, True),
    ]  # fmt: skip
    assert layout.reserve.stat().st_blocks * 512 >= RESERVE_BYTES
    assert AGAIN * RESERVE_BYTES > RESERVE_BYTES


@pytest.mark.engine
def test_on_a_disk_that_is_full_the_reserve_lets_the_last_events_land(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if (
        os.geteuid() != 0
        or shutil.which("mount") is None
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=100m", "tmpfs", disk], check=False, capture_output=True
        ).returncode
    ):
        if config.is_ci():
            pytest.fail("CI may mount")
        pytest.skip("cannot mount here")
    try:
        layout = Layout(disk / "data")
        layout.create()
        writer, told = TrailWriter(layout), []
        watch = LowWater(layout, told.append)
        writer.put(event_for("login"), "sync").result(60)
        watch.look()
        assert layout.reserve.exists()
        with (disk / "filler").open("wb", buffering=0) as filler, suppress(OSError):
            while True:
                filler.write(bytes(1 << 20))
        watch.look()
        assert [event.event_action for event in told] == ["disk-low"]
        assert not layout.reserve.exists()
        for number in range(1000):
            writer.put(event_for("access-denied", message="x" * 200, user_id=f"u{number}"), "sync").result(60)
        writer.close()
        with Keeper(layout) as keeper:
            assert len(keeper.step(clock.now_us())) == 1003
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_witness_that_cannot_be_reached_is_told_of_once(layout):
    with Keeper(layout):
        pass
    key = str(WitnessKey("example.com/witness", bytes(32)))
    told = []
    watch = Witnessing(
        layout, TrailSettings(witness_url="http://127.0.0.1:9/w", witness_key=key), told.append
    )
    watch.look()
    watch.look()
    assert [(event.event_action, event.event_outcome) for event in told] == [("witness-failed", "failure")]
    assert "cannot be reached" in told[0].message
    assert watch.state == (False, 0)


def test_a_trail_that_is_not_signed_yet_is_not_called_broken(layout):
    told = []
    settings = TrailSettings(
        witness_url="http://127.0.0.1:9/w", witness_key=str(WitnessKey("example.com/witness", bytes(32)))
    )
    Witnessing(layout, settings, told.append).look()
    assert [event.event_action for event in told] == ["witness-failed"]
    assert "nothing was signed yet" in told[0].message


@pytest.mark.parametrize(
    "wrong",
    [
        {"trail.witness_url": "https://witness.example"},
        {"trail.witness_url": "https://witness.example", "trail.witness_key": "nonsense"},
        {"trail.witness_url": "ftp://witness.example", "trail.witness_key": str(WitnessKey("w", bytes(32)))},
    ],
)
def test_a_witness_that_is_set_wrongly_is_refused_at_the_start(tmp_path, wrong):
    settings = config.load({"data": str(tmp_path / "data"), **wrong}, environ={}, cwd=tmp_path).settings
    with pytest.raises(ConfigError):
        Daemon(settings)
    shutil.rmtree(tmp_path / "data", ignore_errors=True)
