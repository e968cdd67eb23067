"""Every event arrives once whatever the receiver does, and the position never runs ahead of it."""

import stat

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ship_worlds import MemorySink, recorded

from jwtrail.errors import ConfigError, CorruptionError, IntegrityError, LockedError
from jwtrail.ship import home as homes
from jwtrail.ship.home import Cursor, Home
from jwtrail.ship.settings import ShipSettings
from jwtrail.ship.shipper import Shipper
from jwtrail.trail.layout import Layout

FAULTS = st.lists(st.sampled_from(["ok", "away", "lost", "busy", "rollover", "large"]), max_size=25)


def ship(layout: Layout, sink: MemorySink, home: Home, **more) -> Shipper:
    shipper = Shipper(layout, sink, home, ShipSettings(**{"max_batch": 40} | more), sink.open())
    shipper.run(until_empty=True)
    shipper.close()
    return shipper


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(faults=FAULTS, poison=st.sets(st.integers(0, 499), max_size=5), parallel=st.integers(1, 4))
def test_once_each(shared, tmp_path_factory, no_pauses, *, faults, poison, parallel) -> None:
    sink = MemorySink(faults, poison, parallel)
    home = Home(tmp_path_factory.mktemp("ship"), "memory")
    home.path.mkdir()
    done = ship(shared, sink, home).progress()
    size = done.size
    assert size > 500
    assert sink.sequences == [one for one in range(size) if one not in poison]
    assert [one.sequence for one in home.dead()] == sorted(poison)
    assert (done.next, done.lag, done.failure) == (size, 0, "")
    assert (
        done.sent + done.there + done.refused >= size - 80
    )  # `lost` answers are counted when they are found again


def test_what_died_on_the_way_is_sent_again_and_not_doubled(shared, tmp_path, no_pauses) -> None:
    """The process died after the receiver took a batch and before the position was written; then it rolled over."""
    sink, home = MemorySink(), Home(tmp_path, "memory")
    with home:
        ship(shared, sink, home)
        home.move(Cursor(target=sink.name, next=100))
        sink.indexes.append({})
        done = ship(shared, sink, home).progress()
    assert sink.sequences == list(range(done.size))
    assert done.sent == 0


def test_a_lost_position_doubles_nothing(shared, tmp_path, no_pauses) -> None:
    sink = MemorySink()
    for name in ("one", "two"):
        with Home(tmp_path, name) as home:
            done = ship(shared, sink, home).progress()
        sink.indexes.append({})
    assert sink.sequences == list(range(done.size))


def test_it_follows_what_comes(layout, tmp_path, no_pauses) -> None:
    sink = MemorySink()
    with Home(tmp_path, "memory") as home:
        for _ in range(3):
            size = recorded(layout, 30, seal=False)
            ship(layout, sink, home)
            assert sink.sequences == list(range(size))
            assert home.cursor().next == size


def test_refused_documents_are_kept_without_their_content_and_sent_when_mended(
    shared, tmp_path, no_pauses
) -> None:
    sink = MemorySink(poison=[3, 5])
    with Home(tmp_path, "memory") as home:
        shipper = ship(shared, sink, home)
        assert [one.cause for one in home.dead()] == ["400 no such field"] * 2
        for path in home.path.iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert b"192.0.2.7" not in path.read_bytes()
        sink.poison = {5}
        assert shipper.retry() == (1, 1)
        sink.poison = set()
        assert shipper.retry() == (1, 0)
        assert sink.sequences == list(range(shipper.progress().size))


def test_a_target_that_refuses_everything_stops_the_shipper(shared, tmp_path, no_pauses, monkeypatch) -> None:
    monkeypatch.setattr(homes, "MAX_DEAD", 50)
    with Home(tmp_path, "memory") as home:
        with pytest.raises(CorruptionError, match="refused more than 50"):
            ship(shared, MemorySink(poison=range(500)), home)
        assert home.cursor().next <= 50


def test_a_name_is_for_one_target_and_one_trail(shared, layout, tmp_path, no_pauses) -> None:
    with Home(tmp_path, "memory") as home:
        ship(shared, MemorySink(), home)
        other = MemorySink()
        other.name = "memory://other"
        with pytest.raises(ConfigError, match="used for memory://test"):
            ship(shared, other, home)
        recorded(layout, 3)
        with pytest.raises(ConfigError, match="another trail"):
            ship(layout, MemorySink(), home)
        home.move(Cursor(target="memory://test", next=10_000))
        with pytest.raises(IntegrityError, match="10,000 were shipped"):
            ship(shared, MemorySink(), home)


def test_one_at_a_time(tmp_path) -> None:
    with Home(tmp_path, "memory") as home:
        assert home.is_locked()
        with pytest.raises(LockedError):
            Home(tmp_path, "memory").lock()
    assert not home.is_locked()


def test_a_damaged_position_is_named(tmp_path) -> None:
    with Home(tmp_path, "memory") as home:
        (home.path / "cursor").write_bytes(b"{")
        with pytest.raises(CorruptionError, match="cursor"):
            home.cursor()
