"""Damage in the logs is said once, and what is whole goes on."""

import time

from jwtrail import config
from jwtrail.ecs import event_for
from jwtrail.query.files import TrailFiles
from jwtrail.query.local import LocalStore
from jwtrail.query.page import SearchRequest
from jwtrail.runtime.daemon import Daemon
from jwtrail.trail.writer import TrailWriter


def wait(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_damaged_log_is_an_event_and_stops_nobody(tmp_path):
    daemon = Daemon(config.load({"data": str(tmp_path / "data")}).settings)
    daemon.start()
    store = LocalStore(TrailFiles(daemon.layout))

    def events(query):
        return store.search(SearchRequest(query)).events

    try:
        odd = daemon.layout.wal / ("a" * 16)
        odd.mkdir()
        (odd / "000000000001.ndjson").write_bytes(b"not a line\n")
        wait(lambda: events("event.action: trail-broken"))
        writer = TrailWriter(daemon.layout)
        writer.put(event_for("login", user_id="u1"), "sync").result(10)
        writer.close()
        wait(lambda: events("event.action: login"))
        (told,) = events("event.action: trail-broken")
        assert told.event_outcome == "failure"
        assert "a" * 16 in told.message
        assert not daemon.failure
    finally:
        daemon.close()
