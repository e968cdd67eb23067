"""A store over a real data directory, while it is written, ordered and sealed."""

import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from jwtrail import clock
from jwtrail.ecs import Event, event_for
from jwtrail.query import LocalStore, SearchRequest
from jwtrail.query.files import TrailFiles
from jwtrail.query.index import QueryIndex
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.layout import Layout
from jwtrail.trail.retired import GRACE_SECONDS
from jwtrail.trail.settings import TrailSettings
from jwtrail.trail.writer import TrailWriter
from waiting import one_day, until

WHOLE = "event.action: http-request"


def request(number: int) -> Event:
    return event_for(
        "http-request",
        user_id=f"u{number % 7}",
        source_ip=f"10.0.0.{number % 250}",
        url_path=f"/orders/{number}",
        user_roles=("reader", "ops") if number % 2 else None,
        labels={"n": str(number)} if number % 3 else None,
        jwt_exp=clock.iso(clock.now_us()),
        message=f"GET /orders/{number}",
    )


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "data")


@pytest.fixture
def of_one_day() -> Iterator[None]:
    with one_day():
        yield


def everything(store: LocalStore, query: str, limit: int = 100) -> list[Event]:
    wanted = SearchRequest(query, limit=limit)
    found: list[Event] = []
    while True:
        page = store.search(wanted)
        found.extend(page.events)
        if page.next is None:
            return found
        wanted = msgspec.structs.replace(wanted, cursor=page.next)


def test_an_empty_directory(layout: Layout) -> None:
    store = LocalStore(TrailFiles(layout))
    assert store.search(SearchRequest()).events == ()
    assert store.count(SearchRequest("user.id: a")) == 0
    assert store.top("user.id", SearchRequest()).values == ()


def test_with_and_without_a_daemon_the_same_events(layout: Layout) -> None:
    writer = TrailWriter(layout)
    sent = [request(number) for number in range(60)]
    for event in sent[:40]:
        writer.put(event, "sync").result(60)
    alone = LocalStore(TrailFiles(layout))
    assert {event.event_id for event in everything(alone, WHOLE, 7)} == {
        event.event_id for event in sent[:40]
    }
    settings = TrailSettings(seal_events=15)
    with Keeper(layout, settings) as keeper:
        for _ in range(50):
            keeper.step(clock.now_us())
            clock.sleep(0.01)
        for event in sent[40:]:
            writer.put(event, "sync").result(60)
        with_head = LocalStore(TrailFiles(layout), head=lambda: keeper.head)
        ordered = everything(with_head, f"{WHOLE} and event.sequence: *", 7)
        numbers = [event.event_sequence for event in ordered]
        assert numbers == sorted(numbers, reverse=True)
    writer.close()
    found = {event.event_id: event for event in everything(alone, WHOLE, 7)}
    assert set(found) == {event.event_id for event in sent}
    for event in sent:
        again = found[event.event_id]
        assert (again.labels, again.user_roles, again.jwt_exp, again.message, again.timestamp) == (
            event.labels,
            event.user_roles,
            event.jwt_exp,
            event.message,
            event.timestamp,
        )
    assert alone.search(SearchRequest(limit=1)).rows >= 1
    assert LocalStore(TrailFiles(layout)).count(SearchRequest("labels.n: 1*")) == 8


def test_nothing_flickers_while_segments_are_made(layout: Layout) -> None:
    writer = TrailWriter(layout)

    files = TrailFiles(layout)

    def write() -> None:
        for number in range(300):
            until(lambda: len(files.segments()) >= number // 100)  # noqa: B023  # else a slow keeper puts all into one
            writer.put(request(number), "batch")
            clock.sleep(0.002)
        writer.close()

    seen = 0
    with Keeper(layout, TrailSettings(seal_events=40, checkpoint_seconds=3600)) as keeper:
        store = LocalStore(files, head=lambda: keeper.head)
        thread = threading.Thread(target=write)
        thread.start()
        while seen < 300 or len(files.segments()) < 3:
            keeper.step(clock.now_us())
            events = everything(store, WHOLE, 500)
            ids = {event.event_id for event in events}
            assert len(ids) == len(events) >= seen
            assert store.count(SearchRequest(WHOLE)) == len(events)
            seen = len(events)
        thread.join()
        assert seen == 300


def test_nothing_flickers_while_segments_are_merged_and_indexed(layout: Layout, of_one_day: None) -> None:
    """What was merged is removed at once, its parts with it, while another thread makes the index of what it saw listed."""
    writer, done = TrailWriter(layout), threading.Event()
    writer.put(request(0), "sync").result(60)
    with Keeper(layout, TrailSettings(seal_events=4, checkpoint_seconds=3600)) as keeper:
        files, index = TrailFiles(layout), QueryIndex(layout.root / "index")
        store, most = LocalStore(files, head=lambda: keeper.head, index=index), 0

        def keep_up() -> None:
            while not done.is_set():
                index.keep_up(files.segments())
                clock.sleep(0.005)

        thread = threading.Thread(target=keep_up)
        thread.start()
        try:
            for number in range(1, 80):
                writer.put(request(number), "sync").result(60)
                later = number * GRACE_SECONDS * 1_000_000
                keeper.step(clock.now_us() + later)
                while keeper.sealing:  # else there are fewer and larger ones, and perhaps nothing to merge
                    keeper.step(clock.now_us() + later)
                most = max(most, len(files.segments()))
                if number % 4:
                    continue
                ids = [event.event_id for event in everything(store, WHOLE, 500)]
                assert len(set(ids)) == len(ids) == number + 1
                users = store.top("user.id", SearchRequest(WHOLE))
                assert (
                    sum(count for _, count in users.values) == store.count(SearchRequest(WHOLE)) == number + 1
                )
            while len(files.segments()) >= most:  # the last merge is under way
                keeper.step(clock.now_us() + later)
                clock.sleep(0.01)
        finally:
            done.set()
            thread.join()
        assert len(files.segments()) < most
        while index.keep_up(files.segments()):
            pass
        assert any(unit.path.parent == index.folder for unit in index.cover(files.segments()))
        assert store.count(SearchRequest(WHOLE)) == 80
        store.close()
    writer.close()
