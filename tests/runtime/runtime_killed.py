"""A daemon in a process of its own, for tests that kill it. Loaded once by the fork server: a start then takes little."""

from pathlib import Path

from jwtrail import clock, config
from jwtrail.config import DetectSettings
from jwtrail.detect.ruleset import configured
from jwtrail.runtime import daemon

RULES = configured(DetectSettings())


def settings(root: Path) -> config.Settings:
    given = {"data": str(root), "trail.seal_events": 40, "respond.dry_run": False}
    return config.load(given, environ={}, cwd=root.parent).settings


def follow(root: Path) -> None:
    """Follow the trail until somebody ends it, with a snapshot far more often than usual."""
    daemon.configured = lambda _settings: RULES
    daemon.SNAPSHOT_US = 20_000
    daemon.Daemon(settings(root)).start()
    while True:
        clock.sleep(1)
