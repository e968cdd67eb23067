"""What is left when the power goes after any sync, by the promise of POSIX and no more: nothing acknowledged is lost."""

import pytest
from trail_faults import recovered
from trail_powerless import Disk

from jwtrail import clock, config
from jwtrail.ecs import event_for
from jwtrail.errors import JwtrailError
from jwtrail.trail import fsck
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.layout import Layout
from jwtrail.trail.settings import TrailSettings
from jwtrail.trail.writer import TrailWriter

SETTINGS = TrailSettings(seal_events=8, checkpoint_seconds=0, wal_file_bytes=4096)
EVERY = 1 if config.is_ci() else 9
"""Each so-manieth moment, from another one for each kind of loss."""


def lived(monkeypatch, root, forget=""):
    """Every moment at which the power may go in the life of a small trail: two logs, a rotation, seals, a clean end."""
    root.mkdir()
    promised = []
    with monkeypatch.context() as patch:
        disk = Disk(patch, root, promised, forget)
        layout = Layout(root)
        for number in range(2):
            writer = TrailWriter(layout, SETTINGS)
            with Keeper(layout, SETTINGS) as keeper:
                for step in range(8):
                    event = event_for("login", user_id=f"u-{number}-{step}", message="x" * 300)
                    writer.put(event, "sync").result(60)
                    promised.append(event.event_id)
                    keeper.step(clock.now_us())
                writer.close()
                while keeper.step(clock.now_us()) or keeper.sealing:
                    pass
    disk.close()
    assert fsck.verify(root).ok
    return disk.cuts


@pytest.mark.parametrize("keep_names", [False, True], ids=["names and bytes", "bytes only"])
def test_nothing_acknowledged_is_lost_whenever_the_power_goes(monkeypatch, tmp_path, keep_names):
    cuts = lived(monkeypatch, tmp_path / "data")
    for number in range(keep_names, len(cuts), EVERY):
        left = tmp_path / f"left-{number}"
        cuts[number].leave(tmp_path / "data", left, keep_names=keep_names)
        there = recovered(left, SETTINGS)
        assert set(cuts[number].promised) <= there, f"after sync {number} of {len(cuts)}"
    assert len(cuts) > 60
    assert len(cuts[-1].promised) == 16


@pytest.mark.parametrize("forget", ["fdatasync", "directories", "order"])
def test_a_build_that_syncs_too_little_or_too_late_is_caught(monkeypatch, tmp_path, forget):
    """The controls: no fdatasync, no fsync of directories, the checkpoint before the order it covers."""
    cuts = lived(monkeypatch, tmp_path / "data", forget)
    assert any(lost(cut, tmp_path, number) for number, cut in enumerate(cuts))


def lost(cut, tmp_path, number):
    left = tmp_path / f"left-{number}"
    cut.leave(tmp_path / "data", left, keep_names=False)
    try:
        return not set(cut.promised) <= recovered(left, SETTINGS)
    except (JwtrailError, AssertionError):
        return True  # signed and gone: the keeper or the audit says so
