"""Membership filters: they never hide an event, they skip most segments, and the file survives what can happen to it."""

import fcntl
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from query_trail import Trail, numbered

from jwtrail.ecs import event_for
from jwtrail.kql import compile_kql
from jwtrail.query import LocalStore, SearchRequest
from jwtrail.query.filters import IdFilters
from jwtrail.query.scan import Scan

START = 1_763_916_415_000_000


def made(number: int):
    return event_for(
        "http-request",
        at_us=START + number * 1_000_000,
        user_id=f"u{number // 10}" if number % 3 else None,
        trace_id=f"trace-{number}-한",
        jwt_jti=f"t{number // 4}",
    )


EVENTS = numbered([made(number) for number in range(400)])


@pytest.fixture
def trail(tmp_path: Path) -> Trail:
    """Ten segments of forty."""
    (tmp_path / "segments").mkdir()
    made_trail = Trail(tmp_path / "segments")
    for first in range(0, 400, 40):
        made_trail.seal(EVENTS[first : first + 40])
    return made_trail


@pytest.fixture
def filters(tmp_path: Path, trail: Trail) -> IdFilters:
    found = IdFilters(tmp_path / "index")
    assert found.add(trail.segments()) == 10
    assert found.add(trail.segments()) == 0
    return found


@pytest.fixture
def stores(trail: Trail, filters: IdFilters):
    both = LocalStore(trail, filters=filters), LocalStore(trail)
    yield both
    for one in both:
        one.close()


QUERIES = [
    'trace.id: "trace-123-한"',
    "user.id: u7",
    "jwt.jti: (t1 or t99)",
    "jwt.jti: t5 and user.id: (u1 or u2)",
    "jwt.jti: t5 and not user.id: u2",
    "user.id: u7 or jwt.jti: t0",
    "not user.id: u7",
    "user.id: nobody",
    "transaction.id: x",
]


@pytest.mark.parametrize("query", QUERIES)
def test_the_answer_is_the_same_with_and_without(stores, query: str) -> None:
    fast, plain = (store.search(SearchRequest(query, limit=500)) for store in stores)
    assert fast.events == plain.events
    assert fast.opened <= plain.opened
    assert stores[0].count(SearchRequest(query)) == stores[1].count(SearchRequest(query))
    assert stores[0].top("user.id", SearchRequest(query)) == stores[1].top("user.id", SearchRequest(query))
    assert stores[0].stats("jwt.jti", SearchRequest(query)) == stores[1].stats(
        "jwt.jti", SearchRequest(query)
    )


def test_few_segments_are_opened(stores) -> None:
    pages = [
        stores[0].search(SearchRequest(f'trace.id: "trace-{number}-한"')) for number in range(0, 400, 20)
    ]
    assert [len(page.events) for page in pages] == [1] * 20
    assert sum(page.opened for page in pages) <= 25
    assert stores[0].search(SearchRequest("transaction.id: x")).opened == 0


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 399))
def test_no_id_is_ever_missed(tmp_path_factory, number: int) -> None:
    trail, filters = _shared(tmp_path_factory)
    event = EVENTS[number]
    for name, value in (
        ("trace.id", event.trace_id),
        ("event.id", event.event_id),
        ("jwt.jti", event.jwt_jti),
    ):
        held = filters.holding(trail.segments(), {name: frozenset((value,))})
        assert any(one.first <= number <= one.last for one in held)


_made: list[tuple[Trail, IdFilters]] = []


def _shared(factory) -> tuple[Trail, IdFilters]:
    if not _made:
        folder = factory.mktemp("filters")
        trail = Trail(folder)
        for first in range(0, 400, 40):
            trail.seal(EVENTS[first : first + 40])
        filters = IdFilters(folder / "index")
        filters.add(trail.segments())
        _made.append((trail, filters))
    return _made[0]


def test_another_process_reads_what_is_there_and_follows(tmp_path: Path, trail: Trail) -> None:
    writer, reader = IdFilters(tmp_path / "index"), IdFilters(tmp_path / "index")
    wanted = {"trace.id": frozenset(("nowhere",))}
    assert len(reader.holding(trail.segments(), wanted)) == 10
    assert writer.add(trail.segments(), limit=3) == 3
    assert len(reader.holding(trail.segments(), wanted)) == 7
    assert writer.add(trail.segments()) == 7
    assert reader.holding(trail.segments(), wanted) == []


def test_a_torn_or_foreign_file_is_mended(tmp_path: Path, trail: Trail, filters: IdFilters) -> None:
    path = tmp_path / "index/ids.filters"
    whole = path.read_bytes()
    wanted = {"trace.id": frozenset(("nowhere",))}
    for broken in (
        whole[:-5],
        whole[: len(whole) // 2],
        b"",
        b"something else",
        whole[:40] + b"\xff" + whole[41:],
    ):
        path.write_bytes(broken)
        fresh = IdFilters(path.parent)
        assert fresh.add(trail.segments()) > 0
        assert fresh.holding(trail.segments(), wanted) == []
        assert fresh.add(trail.segments()) == 0


def test_segments_that_are_gone_leave_nothing(tmp_path: Path, trail: Trail, filters: IdFilters) -> None:
    path = tmp_path / "index/ids.filters"
    before = path.stat().st_size
    del trail.sealed[2:4]
    assert filters.add(trail.segments()) == 0
    assert path.stat().st_size < before
    assert path.stat().st_mode & 0o077 == 0
    assert filters.holding(trail.segments(), {"trace.id": frozenset(("nowhere",))}) == []


def test_it_can_be_forgotten_and_made_again(trail: Trail, filters: IdFilters) -> None:
    filters.clear()
    filters.clear()
    assert len(filters.holding(trail.segments(), {"trace.id": frozenset(("nowhere",))})) == 10
    assert filters.add(trail.segments()) == 10


def test_only_one_adds(tmp_path: Path, trail: Trail, filters: IdFilters) -> None:
    (tmp_path / "index/ids.filters").unlink()
    lock = os.open(tmp_path / "index/ids.lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    assert filters.add(trail.segments()) == 0
    os.close(lock)
    assert filters.add(trail.segments()) == 10


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("user.id: a", {"user.id": {"a"}}),
        ("user.id: (a or b) and url.path: /x", {"user.id": {"a", "b"}}),
        ("user.id: (a or b) and user.id: (b or c)", {"user.id": {"b"}}),
        ("user.id: a or jwt.jti: b", {}),
        ("not user.id: a", {}),
        ("user.id: a*", {}),
        ("url.path: /x", {}),
    ],
)
def test_what_a_query_needs(query: str, wanted: dict) -> None:
    assert Scan(compile_kql(query, START)).wanted == wanted
