"""Counts over a part of the index are remembered, within bounds, and are never stale."""

from pathlib import Path

from query_trail import Trail, numbered

from jwtrail.ecs import event_for
from jwtrail.query import LocalStore, SearchRequest
from jwtrail.query.engine import Engine
from jwtrail.query.index import QueryIndex
from jwtrail.query.remembered import MAX_ROWS, Remembered

START = 1_763_916_415_000_000


def events(first: int, count: int) -> list:
    made = [
        event_for("login", at_us=START + number * 60_000_000, event_outcome="failure")
        for number in range(first, first + count)
    ]
    return numbered(made, first)


def test_a_histogram_asks_a_part_once_and_what_is_new_always(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "segments").mkdir()
    trail, index = Trail(tmp_path / "segments"), QueryIndex(tmp_path / "index")
    trail.seal(events(0, 100))
    index.keep_up(trail.segments())
    asked: list[str] = []
    run = Engine.rows
    monkeypatch.setattr(
        Engine, "rows", lambda self, sql, parameters: asked.append(sql) or run(self, sql, parameters)
    )
    store = LocalStore(trail, index=index)
    request = SearchRequest("event.outcome: failure", from_us=START, to_us=START + 86_400_000_000)

    def total() -> int:
        return sum(bar.failure for bar in store.histogram(request, 24).buckets)

    assert [total(), total(), len(asked)] == [100, 100, 1]
    trail.loose.extend(events(100, 5))
    assert [total(), len(asked)] == [105, 1]
    trail.loose.clear()
    trail.seal(events(100, 20))
    assert [total(), total()] == [120, 120]
    assert sum("read_parquet" in sql for sql in asked) == 2
    index.keep_up(trail.segments())
    assert [total(), len(asked)] == [120, 4]
    assert (
        sum(bar.failure for bar in store.histogram(SearchRequest("event.outcome: success"), 24).buckets) == 0
    )
    store.close()


def test_it_keeps_the_last_asked_within_its_bounds() -> None:
    kept, asked = Remembered(), []

    def ask(name: int, rows: int = MAX_ROWS // 10) -> int:
        return len(kept.rows(name, lambda: asked.append(name) or [(name,)] * rows))

    for name in range(9):
        ask(name)
    ask(0)
    for name in range(9, 12):
        ask(name)
    assert asked == list(range(12))
    ask(0)
    assert asked == list(range(12))
    ask(1)
    assert asked[12:] == [1]
    ask(99, MAX_ROWS // 10 + 1)
    ask(99, MAX_ROWS // 10 + 1)
    assert asked[13:] == [99, 99]
