"""kill -9 of the daemon at any moment: no alert lost, none doubled, no answer given twice."""

import multiprocessing
import random
from collections import Counter
from pathlib import Path

import runtime_killed

from jwtrail import clock
from jwtrail.detect import Detector
from jwtrail.ecs import Event, event_for
from jwtrail.query.files import TrailFiles
from jwtrail.query.local import LocalStore
from jwtrail.query.page import SearchRequest
from jwtrail.runtime.daemon import Daemon
from jwtrail.trail.layout import Layout
from jwtrail.trail.settings import TrailSettings
from jwtrail.trail.writer import TrailWriter

ROUNDS = 20


def attacks(number: int) -> list[Event]:
    """A stolen refresh token, a forged token, and ten guesses of a password; each of somebody else."""
    source = f"198.51.{number}.7"
    return [
        event_for("refresh-reused", jwt_family=f"f{number}", user_id=f"u{number}", source_ip=source),
        event_for("http-request", event_outcome="failure", event_reason="alg_none", source_ip=source),
        *(
            event_for("login", event_outcome="failure", user_name=f"n{number}", source_ip=source)
            for _ in range(10)
        ),
    ]


def recorded(root: Path) -> list[Event]:
    store = LocalStore(TrailFiles(Layout(root)))
    events: list[Event] = []
    cursor = None
    while True:
        page = store.search(SearchRequest("", limit=500, cursor=cursor, ascending=True))
        events += page.events
        if (cursor := page.next) is None:
            return events


def test_a_daemon_that_is_killed_loses_no_alert_and_doubles_none(tmp_path: Path) -> None:
    root = tmp_path / "data"
    layout = Layout(root)
    layout.create()
    writer = TrailWriter(layout, TrailSettings())
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["runtime_killed"])
    chance = random.Random(8)
    for number in range(ROUNDS):
        process = processes.Process(target=runtime_killed.follow, args=(root,))
        process.start()
        for event in attacks(number):
            writer.put(event, "sync")
            clock.sleep(chance.random() * 0.01)
        clock.sleep(chance.random() * 0.25)
        process.kill()
        process.join(timeout=60)
        assert process.exitcode == -9
        process.close()
    writer.close()
    daemon = Daemon(runtime_killed.settings(root))
    daemon.start()
    daemon.close()

    events = recorded(root)
    wanted = {alert.id: alert for alert in Detector(runtime_killed.RULES).feed(events)}
    assert len(wanted) >= 3 * ROUNDS
    raised = Counter(event.jwtrail_alert_id for event in events if event.event_action == "alert-raised")
    assert [alert for alert in wanted.values() if alert.id not in raised] == []
    assert raised == dict.fromkeys(wanted, 1)
    told = Counter(event.event_id for event in events)
    assert set(told.values()) == {1}
    answers = Counter(
        event.jwtrail_response_alert for event in events if event.event_action == "response-revoke"
    )
    assert len(answers) >= ROUNDS
    assert set(answers.values()) == {1}
