"""A person who is erased leaves the query index too."""

from pathlib import Path

import duckdb

from jwtrail import clock, config
from jwtrail.ecs import event_for
from jwtrail.query import LocalStore, SearchRequest
from jwtrail.query.files import TrailFiles
from jwtrail.query.index import QueryIndex
from jwtrail.query.parts import Part
from jwtrail.runtime.subjects import erase
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.layout import Layout
from jwtrail.trail.settings import TrailSettings
from jwtrail.trail.writer import TrailWriter

WHO = "u-erased-4711"


def test_an_erased_person_is_in_no_part(tmp_path: Path) -> None:
    settings = config.load({"data": str(tmp_path)}, environ={}).settings
    layout = Layout(tmp_path)
    for user in ("u-1", WHO, "u-2"):
        sealed(layout, [event_for("login", user_id=user, source_ip="192.0.2.9") for _ in range(20)])
    index, files = QueryIndex(layout.index), TrailFiles(layout)
    assert index.keep_up(files.segments()[:1])
    assert index.keep_up(files.segments())
    assert users(index, files) == {"u-1", WHO, "u-2"}
    kept = set(layout.index.glob("*.duckdb"))
    store = LocalStore(files, index=index)
    assert store.count(SearchRequest(f"user.id: {WHO}")) == 20

    assert erase(settings, WHO, by="root", reason="").events == 20

    left = set(layout.index.glob("*.duckdb"))
    assert len(left) == 1
    assert left < kept  # what never held this person stays
    assert store.count(SearchRequest(f"user.id: {WHO}")) == 0
    while index.keep_up(files.segments()):
        pass
    assert users(index, files) >= {"u-1", "u-2"}
    assert WHO not in users(index, files)
    assert store.count(SearchRequest("event.action: login")) == 60
    assert store.search(SearchRequest(f'user.id: "{WHO}"')).opened == 0
    store.close()


def sealed(layout: Layout, events: list) -> None:
    writer = TrailWriter(layout, TrailSettings())
    for event in events:
        done = writer.put(event, "sync")
        assert done is not None
        done.result(60)
    writer.close()
    with Keeper(layout) as keeper:
        while keeper.step(clock.now_us()):
            pass
        keeper.seal(clock.now_us())


def users(index: QueryIndex, files: TrailFiles) -> set[str]:
    """Who is named by the parts in use; all segments have one."""
    found: set[str] = set()
    for unit in index.cover(files.segments()):
        assert isinstance(unit, Part)
        with duckdb.connect(str(unit.path), read_only=True) as connection:
            found.update(user for (user,) in connection.execute('SELECT "user.id" FROM events').fetchall())
    return found - {None}
