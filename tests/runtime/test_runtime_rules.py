"""Rules change while the daemon runs: it takes them, and forgets nothing that still holds."""

from pathlib import Path

from jwtrail import config
from jwtrail.detect import Detector
from jwtrail.ecs import event_for
from jwtrail.runtime.daemon import Daemon
from jwtrail.runtime.rulewatch import RuleWatch
from jwtrail.trail.writer import TrailWriter
from waiting import until

RULE = """
title: Own {number}
id: 77777777-0000-4000-8000-00000000000{number}
name: own{number}
logsource: {{product: x}}
detection: {{s: {{event.action: deed-{number}}}, condition: s}}
---
title: Three of {number}
id: 77777777-0000-4000-8000-00000000001{number}
correlation: {{type: event_count, rules: [own{number}], group-by: [user.id], timespan: 1h, condition: {{gte: 3}}}}
jwtrail: {{code: Z{number}}}
"""


def test_a_watch_sees_new_changed_and_deleted_files(tmp_path: Path) -> None:
    watch = RuleWatch([tmp_path])
    assert not watch.changed()
    file = tmp_path / "deep" / "one.yml"
    file.parent.mkdir()
    file.write_text("a")
    assert watch.changed()
    assert not watch.changed()
    file.write_text("ab")
    assert watch.changed()
    file.unlink()
    assert watch.changed()
    (tmp_path / "notes.txt").write_text("no rule")
    assert not watch.changed()


def test_the_daemon_takes_changed_rules_and_keeps_what_the_others_remember(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "one.yml").write_text(RULE.format(number=1))
    settings = config.load(
        {"data": str(tmp_path / "data"), "detect.rules": [str(rules)]}, environ={}, cwd=tmp_path
    ).settings
    found: list[str] = []
    daemon = Daemon(settings, on_alerts=lambda alerts: found.extend(alert.code for alert in alerts))
    daemon._looked_us = 0
    writer = TrailWriter(daemon.layout, settings.trail)

    def act(number: int) -> None:
        waiting = writer.put(event_for(f"deed-{number}", user_id="u1"), "sync")
        assert waiting is not None
        waiting.result(timeout=60)
        daemon._step()

    def found_now(code: str) -> bool:
        daemon._step()
        return code in found

    try:
        act(1)
        act(1)
        (rules / "two.yml").write_text(RULE.format(number=2))
        (rules / "bad.yml").write_text("title: bad")
        before: Detector = daemon.detector
        daemon._looked_us = 0
        daemon._step()
        assert daemon.detector is not before
        assert [error.file.rpartition("/")[2] for error in daemon.rules.refused] == ["bad.yml"]
        act(1)
        until(lambda: found_now("Z1"))  # two events before the change, one after it
        for _ in range(3):
            act(2)
        until(lambda: found_now("Z2"))
        until(lambda: found_now("G10"))  # that the rules changed is itself told
        for file in rules.iterdir():
            file.unlink()
        rules.rmdir()
        kept = daemon.rules
        daemon._looked_us = 0
        daemon._step()
        assert daemon.rules is kept  # the directory is gone: what is in use stays
    finally:
        writer.close()
        daemon.close()
