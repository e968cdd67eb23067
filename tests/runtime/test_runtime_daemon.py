"""The daemon as a whole, in this process: what it promises while it runs and when it stops."""

import threading
from collections.abc import Iterator
from itertools import count, pairwise
from pathlib import Path

import pytest

from jwtrail import clock, config
from jwtrail.ecs import event_for
from jwtrail.query.files import TrailFiles
from jwtrail.query.local import LocalStore
from jwtrail.query.page import SearchRequest
from jwtrail.runtime import daemon
from jwtrail.runtime.daemon import Daemon
from jwtrail.runtime.history import replayed
from jwtrail.runtime.upkeep import CURSOR
from jwtrail.tlog.tlogproof import verify_proof
from jwtrail.trail import fsck
from jwtrail.trail.intake import ecsdoc, take
from jwtrail.trail.layout import Layout
from jwtrail.trail.reader import TrailReader
from jwtrail.trail.writer import TrailWriter
from waiting import until


def settings(tmp_path: Path, **more: object) -> config.Settings:
    return config.load({"data": str(tmp_path / "data"), **more}, environ={}, cwd=tmp_path).settings


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[TrailWriter]:
    layout = Layout(tmp_path / "data")
    layout.create()
    made = TrailWriter(layout)
    yield made
    made.close()


def test_audit_and_proofs_of_a_trail_that_is_being_written_hold(tmp_path: Path, writer: TrailWriter) -> None:
    daemon = Daemon(settings(tmp_path, **{"trail.seal_events": 200, "trail.checkpoint_seconds": 0}))
    daemon.start()
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.001):
            writer.put(event_for("http-request", user_id="u1", source_ip="192.0.2.1"))

    worker = threading.Thread(target=work)
    worker.start()
    try:
        until(lambda: daemon.keeper.size > 200)
        reader = TrailReader(daemon.layout)
        sealed = 0
        while sealed < 3 * 200:  # across several seals, each of which moves what is being read
            sealed = sum(segment.rows for segment in daemon.keeper.segments)
            report = fsck.verify(daemon.layout.root)
            assert report.ok, report.findings
            signed = reader.checkpoint()
            assert signed is not None
            for index in (0, signed.size // 2, signed.size - 1):
                proven = reader.inclusion(index)
                verify_proof(proven.proof, proven.entry, reader.vkey())
            events = reader.unsealed()
            assert [event.event_sequence for event in events if event.event_sequence is not None] == sorted(
                event.event_sequence for event in events if event.event_sequence is not None
            )
    finally:
        stop.set()
        worker.join()
        daemon.close()


def test_a_forged_token_holds_its_source_and_the_story_is_in_the_trail(
    tmp_path: Path, writer: TrailWriter
) -> None:
    seen = []
    daemon = Daemon(settings(tmp_path), on_alerts=seen.extend)
    daemon.start()
    event = event_for(
        "http-request",
        source_ip="192.0.2.66",
        event_reason="alg_none",
        event_outcome="failure",
        http_response_status_code=401,
    )
    writer.put(event, "sync")
    until(lambda: seen)
    held = daemon.state.restraints(clock.now_us())
    assert [(row.field, row.value, row.unauthenticated_only) for row in held] == [
        ("source.ip", "192.0.2.66", True)
    ]
    assert [alert.first_event for alert in seen] == [event.event_id]
    until(lambda: daemon.store.search(SearchRequest("event.action: response-block")).events)
    daemon.close()
    store = LocalStore(TrailFiles(daemon.layout))
    told = store.search(
        SearchRequest("event.action: (alert-raised or response-block)", ascending=True)
    ).events
    assert [one.event_action for one in told] == ["alert-raised", "response-block"]
    assert told[0].jwtrail_alert_id == told[1].jwtrail_response_alert == seen[0].id


def test_a_restart_neither_loses_nor_doubles_an_alert(tmp_path: Path, writer: TrailWriter) -> None:
    # Ten failures complete the rule: five before the daemon is away, five while it is.
    def fail(times: int) -> None:
        for _ in range(times):
            writer.put(
                event_for("login", user_name="kim", source_ip="192.0.2.9", event_outcome="failure"), "sync"
            ).result()  # type: ignore[union-attr]

    fail(5)
    first = Daemon(settings(tmp_path))
    first.start()
    until(lambda: first.detector.stats().events >= 5)
    first.close()
    fail(5)
    second = Daemon(settings(tmp_path))
    second.start()
    until(second.state.alerts)
    second.close()
    third = Daemon(settings(tmp_path))
    third.start()
    until(lambda: third.detector.stats().sequence >= 10)
    assert [row.group for row in third.state.alerts() if '"code":"C1"' in row.doc] == ["user.name=kim"]
    third.close()
    raised = (
        LocalStore(TrailFiles(third.layout))
        .search(SearchRequest("event.action: alert-raised and rule.name: C1*"))
        .events
    )
    assert len(raised) == 1


def test_what_happened_while_it_was_away_is_no_slow_detection(tmp_path: Path, writer: TrailWriter) -> None:
    def reuse(name: str, at_us: int) -> None:
        for number in range(4):
            family = f"{name}-{number}"
            writer.put(event_for("refresh-reused", at_us=at_us + number, jwt_family=family), "sync").result()  # type: ignore[union-attr]

    reuse("away", clock.now_us() - 5_000_000)
    daemon = Daemon(settings(tmp_path))
    daemon.start()
    until(lambda: len(daemon.state.alerts()) == 4)
    began = clock.now_us()
    clock.sleep(1.2)
    assert [row.id for row in daemon.state.alerts() if '"code":"I7"' in row.doc] == []
    reuse("late", began)  # since the start nobody was away: these are told of too late
    until(lambda: [row.id for row in daemon.state.alerts() if '"code":"I7"' in row.doc])
    daemon.close()
    raised = (
        LocalStore(TrailFiles(daemon.layout))
        .search(SearchRequest("event.action: alert-raised and rule.name: B2*", ascending=True))
        .events
    )
    assert [event.jwtrail_flags for event in raised] == [("caught_up",)] * 4 + [None] * 4
    assert all((event.jwtrail_lag_ms or 0) > 1000 for event in raised)


def test_when_it_stops_everything_is_ordered_and_signed(tmp_path: Path, writer: TrailWriter) -> None:
    daemon = Daemon(settings(tmp_path))
    daemon.start()
    for number in range(50):
        writer.put(event_for("http-request", user_id=f"u{number}"), "sync")
    writer.close()
    daemon.close()
    daemon.close()
    report = fsck.verify(daemon.layout.root)
    assert report.ok
    assert report.size == report.signed >= 52
    assert not report.findings


def test_a_broken_trail_is_an_event_and_shows_in_the_audit(tmp_path: Path, writer: TrailWriter) -> None:
    daemon = Daemon(settings(tmp_path, **{"trail.seal_events": 10, "trail.merge_events": 0}))
    daemon.start()
    for _ in range(30):
        writer.put(event_for("http-request", user_id="u1"), "sync").result()  # type: ignore[union-attr]
    until(lambda: daemon.keeper.segments)
    assert daemon.auditor.check().ok
    # By its place in the manifest: a file that is being sealed is in the directory too, and not yet part of the trail.
    segment = daemon.layout.segments / daemon.keeper.segments[0].file
    damaged = bytearray(segment.read_bytes())
    damaged[len(damaged) // 2] ^= 4
    segment.write_bytes(damaged)
    audit = daemon.auditor.check()
    assert audit.ok is False
    assert segment.name in audit.detail
    daemon.close()


def test_what_was_imported_is_never_answered(tmp_path: Path) -> None:
    """Guessed passwords by the hundred in an old log: found by looking back, and nobody is held or revoked today."""
    old = tmp_path / "old.ndjson"
    lines = (
        f'{{"@timestamp":"2026-11-23T10:00:{number // 10:02d}.{number % 10}Z","event":{{"action":"login","outcome":"failure"}},'
        f'"user":{{"name":"u{number}"}},"source":{{"ip":"192.0.2.66"}}}}\n'
        for number in range(300)
    )
    old.write_text("".join(lines))
    daemon = Daemon(settings(tmp_path, **{"trail.seal_events": 100}))
    daemon.start()
    try:
        taken = take(daemon.layout, [old], ecsdoc.parse, tmp_path / "rejects", by="ops", file_bytes=1 << 20)
        assert (taken.events, taken.rejected) == (300, 0)
        until(lambda: daemon.keeper.size > 300)
    finally:
        daemon.close()
    again = Daemon(settings(tmp_path))  # a start feeds what the last run had not saved
    again.start()
    try:
        assert list(again.state.alerts()) == []
        assert (
            again.store.search(SearchRequest("event.kind: alert or event.action: token-revoked")).events == ()
        )
        assert replayed(TrailFiles(again.layout), again.rules).alerts
    finally:
        again.close()


def test_a_daemon_with_nothing_new_saves_nothing_and_a_long_snapshot_waits_longer_for_the_next(
    tmp_path: Path, writer: TrailWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon, "SNAPSHOT_US", 1000)
    following = Daemon(settings(tmp_path))
    saved: list[int] = []
    commit = following.state.commit

    def counted(**what: object) -> tuple[str, ...]:
        if "cursor" in what and what["cursor"][0] == CURSOR:
            saved.append(clock.now_us())
            clock.sleep(0.05)  # a large one
        return commit(**what)

    monkeypatch.setattr(following.state, "commit", counted)
    following.start()
    try:
        for number in count():
            writer.put(event_for("login", user_name=f"n{number}"), "sync").result(60)
            clock.sleep(0.02)
            if len(saved) == 3:
                break
        assert all(later - one >= 20 * 50_000 for one, later in pairwise(saved))
        until(lambda: following.detector.stats().sequence >= number and not following._unsaved)
        before = len(saved)
        clock.sleep(0.3)
        assert len(saved) == before
    finally:
        following.close()
