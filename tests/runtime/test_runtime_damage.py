"""Damage in the logs is said once, and what is whole goes on."""

from jwtrail import config
from jwtrail.detect.engine import Detector
from jwtrail.ecs import event_for
from jwtrail.query.files import TrailFiles
from jwtrail.query.local import LocalStore
from jwtrail.query.page import SearchRequest
from jwtrail.runtime.daemon import Daemon
from jwtrail.runtime.upkeep import CURSOR
from jwtrail.state import StateStore
from jwtrail.trail.writer import TrailWriter
from waiting import until


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
        until(lambda: events("event.action: trail-broken"))
        writer = TrailWriter(daemon.layout)
        writer.put(event_for("login", user_id="u1"), "sync").result(60)
        writer.close()
        until(lambda: events("event.action: login"))
        (told,) = events("event.action: trail-broken")
        assert told.event_outcome == "failure"
        assert "a" * 16 in told.message
        assert not daemon.failure
    finally:
        daemon.close()


def test_a_segment_that_cannot_be_read_is_an_event_and_new_events_are_judged(tmp_path):
    settings = config.load({"data": str(tmp_path / "data"), "trail.seal_events": 5}).settings
    first = Daemon(settings)
    first.start()
    writer = TrailWriter(first.layout)
    for number in range(10):
        writer.put(event_for("login", user_id=f"u{number}"), "sync").result(60)
    writer.close()
    until(lambda: first.keeper.size >= 12 and first.keeper.segments)
    first.close()
    with StateStore(first.layout.state) as state:  # as after a crash: no snapshot of the end
        state.commit(cursor=(CURSOR, Detector(first.rules).snapshot()))
    for segment in first.layout.segments.glob("*.parquet"):
        segment.write_bytes(segment.read_bytes()[:100])
    second = Daemon(settings)
    assert second.detector.stats().sequence < 0
    size = second.keeper.size
    second.start()
    try:
        until(lambda: second.keeper.size > size and second.detector.stats().sequence >= size)
        assert not second.failure
        told = [event.message for event in second.keeper.head if event.event_action == "trail-broken"]
        assert any("was not judged" in text for text in told)
    finally:
        second.close()
