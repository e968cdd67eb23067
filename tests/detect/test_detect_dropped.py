"""A detector that has to forget says so: in the trail, and by an alert of the rule I8."""

from functools import partial
from pathlib import Path

import pytest

from jwtrail import config
from jwtrail.detect import Detector
from jwtrail.ecs import event_for
from jwtrail.runtime import daemon
from jwtrail.trail.writer import TrailWriter
from waiting import until


def test_what_was_forgotten_too_early_is_recorded_and_raises_i8(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon, "Detector", partial(Detector, memory=100_000))
    monkeypatch.setattr(daemon, "SNAPSHOT_US", 0)
    settings = config.load({"data": str(tmp_path / "data")}, environ={}, cwd=tmp_path).settings
    following = daemon.Daemon(settings)
    writer = TrailWriter(following.layout)
    following.start()
    try:
        for number in range(400):
            writer.put(event_for("login", event_outcome="failure", user_name=f"n{number}"))
        until(lambda: any('"I8"' in row.doc for row in following.state.alerts(limit=100)), "no alert of I8")
    finally:
        writer.close()
        following.close()
    assert following.detector.stats().evicted > 0
    assert following.detector.stats().bytes <= 110_000
