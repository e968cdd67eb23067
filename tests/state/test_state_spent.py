"""What counts once counts once, however many ask."""

import multiprocessing
import sqlite3
import threading

import pytest

from jwtrail.errors import StateError
from jwtrail.state.spent import PRUNE_US, SpentStore
from jwtrail.state.store import StateStore

NOW = 1_800_000_000_000_000
LATER = NOW + 90_000_000


def test_once_and_never_again(tmp_path):
    store = SpentStore(tmp_path / "spent.db")
    assert store.spend("a", LATER)
    assert not store.spend("a", LATER)
    assert store.spend("b", LATER)
    assert not SpentStore(tmp_path / "spent.db").spend("b", LATER)
    store.close()
    with pytest.raises(StateError):
        store.spend("c", LATER)


def _race(path, queue):
    store = SpentStore(path)
    queue.put(sum(store.spend(f"id{number}", LATER) for number in range(50)))


def test_of_many_threads_and_processes_one_is_first(tmp_path):
    path = tmp_path / "spent.db"
    store = SpentStore(path, clock=lambda: NOW)
    won = []
    threads = [threading.Thread(target=lambda: won.append(store.spend("x", LATER))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 7 + [True]
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    racers = [context.Process(target=_race, args=(path, queue)) for _ in range(4)]
    for racer in racers:
        racer.start()
    assert sum(queue.get(timeout=60) for _ in racers) == 50
    for racer in racers:
        racer.join()


def test_what_is_over_is_forgotten(tmp_path):
    now = [NOW]
    store = SpentStore(tmp_path / "spent.db", clock=lambda: now[0])
    store.spend("a", NOW + 1)
    now[0] += PRUNE_US
    store.spend("b", LATER)
    with sqlite3.connect(tmp_path / "spent.db") as connection:
        assert connection.execute("SELECT id FROM spent").fetchall() == [("b",)]
    connection.close()


def test_the_watchers_of_the_state_sleep_on(tmp_path):
    with StateStore(tmp_path / "state.db") as state:
        before = state.version()
        SpentStore(tmp_path / "spent.db").spend("a", LATER)
        assert state.version() == before
