"""The query index: the answer is the same with and without it, and it survives, and forgets, what it must."""

import fcntl
import os
import shutil
import threading
from dataclasses import replace
from pathlib import Path
from typing import cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from query_trail import Trail, numbered

from jwtrail.ecs import event_for
from jwtrail.errors import QueryError
from jwtrail.kql import compile_kql
from jwtrail.query import LocalStore, SearchRequest
from jwtrail.query import building as building_module
from jwtrail.query.building import FAN, MAX_ROWS, to_make, to_merge
from jwtrail.query.ids import BLOCK, blocks_of
from jwtrail.query.index import QueryIndex
from jwtrail.query.parts import Part, PartFile
from jwtrail.query.scan import Scan
from jwtrail.runtime import indexer as indexer_module
from jwtrail.runtime.indexer import Indexer
from waiting import LONG_S, until

START = 1_763_916_415_000_000


def made(number: int):
    return event_for(
        "http-request",
        at_us=START + number * 1_000_000,
        user_id=f"u{number // 10}" if number % 3 else None,
        trace_id=f"trace-{number}-한",
        jwt_jti=f"t{number // 4}",
        http_response_status_code=200 + number % 300,
        event_outcome="failure" if number % 5 == 0 else "success",
        jwt_scope=("a", f"s{number % 7}") if number % 2 else None,
    )


EVENTS = numbered([made(number) for number in range(400)])


@pytest.fixture(scope="module")
def ten(tmp_path_factory) -> Trail:
    return sealed(tmp_path_factory.mktemp("ten"))


@pytest.fixture
def trail(tmp_path: Path, ten: Trail) -> Trail:
    """Ten segments of forty."""
    shutil.copytree(ten.directory, tmp_path / "segments")
    moved = [replace(one, path=tmp_path / "segments" / one.path.name) for one in ten.sealed]
    return Trail(tmp_path / "segments", moved)


def sealed(folder: Path) -> Trail:
    (folder / "segments").mkdir()
    made_trail = Trail(folder / "segments")
    for first in range(0, 400, 40):
        made_trail.seal(EVENTS[first : first + 40])
    return made_trail


@pytest.fixture
def index(tmp_path: Path, trail: Trail) -> QueryIndex:
    found = QueryIndex(tmp_path / "index")
    assert found.keep_up(trail.segments())
    assert not found.keep_up(trail.segments())
    return found


@pytest.fixture
def stores(trail: Trail, index: QueryIndex):
    both = LocalStore(trail, index=index), LocalStore(trail)
    yield both
    for one in both:
        one.close()


QUERIES = [
    "",
    'trace.id: "trace-123-한"',
    "user.id: u7",
    "jwt.jti: (t1 or t99)",
    "jwt.jti: t5 and user.id: (u1 or u2)",
    "jwt.jti: t5 and not user.id: u2",
    "user.id: u7 or jwt.jti: t0",
    "not user.id: u7",
    "user.id: nobody",
    "transaction.id: x",
    "jwt.scope: s3 and http.response.status_code >= 300",
    "trace.id: *-99-*",
    "event.sequence > 100 and event.sequence <= 250",
    "event.sequence > 100 and event.outcome: failure",
]


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("times", [(None, None), (START + 55_000_000, START + 333_000_000)])
def test_the_answer_is_the_same_with_and_without(stores, query: str, times: tuple) -> None:
    request = SearchRequest(query, *times, limit=37)
    fast, plain = (pages(store, request) for store in stores)
    assert fast == plain
    oldest = msgspec.structs.replace(request, ascending=True)
    assert pages(stores[0], oldest) == pages(stores[1], oldest) == plain[::-1]
    for ask in (
        lambda store: store.count(request),
        lambda store: store.histogram(request, 30),
        lambda store: store.top("user.id", request),
        lambda store: store.top("jwt.scope", request),
        lambda store: store.stats("http.response.status_code", request),
        lambda store: store.entities("user", request),
    ):
        assert ask(stores[0]) == ask(stores[1])


def pages(store: LocalStore, request: SearchRequest) -> list:
    found, cursor = [], None
    while True:
        page = store.search(msgspec.structs.replace(request, cursor=cursor))
        found.extend(page.events)
        cursor = page.next
        if cursor is None:
            return found


def test_one_part_stands_for_many_segments(stores) -> None:
    page = stores[0].search(SearchRequest("http.response.status_code: 251"))
    assert (page.opened, page.rows) == (1, 400)
    assert stores[1].search(SearchRequest("http.response.status_code: 251")).opened == 10
    assert stores[0].search(SearchRequest('trace.id: "trace-123-한"')).opened == 1
    assert stores[0].search(SearchRequest("transaction.id: x")).opened == 0
    assert stores[0].search(SearchRequest("", to_us=START)).opened == 0


def test_segments_without_a_part_are_searched_as_they_are(trail: Trail, stores) -> None:
    more = numbered([made(number) for number in range(400, 460)], 400)
    trail.seal(more[:30])
    trail.loose.extend(more[30:])
    for query in QUERIES:
        assert pages(stores[0], SearchRequest(query, limit=50)) == pages(
            stores[1], SearchRequest(query, limit=50)
        )
    assert stores[0].top("user.id", SearchRequest()) == stores[1].top("user.id", SearchRequest())
    assert stores[0].count(SearchRequest()) == 460


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 2**40 - 1), max_size=30), st.integers(0, 399))
def test_no_id_is_ever_missed(tmp_path_factory, others: list[int], number: int) -> None:
    part = _shared(tmp_path_factory)
    event = EVENTS[number]
    for name, value in (
        ("trace.id", event.trace_id),
        ("event.id", event.event_id),
        ("jwt.jti", event.jwt_jti),
    ):
        blocks = part.holding({name: frozenset((value, *map(str, others)))})
        assert number // BLOCK in blocks
        assert part.holding({name: frozenset(map(str, others))}) == []


_made: list[Part] = []


def _shared(factory) -> Part:
    if not _made:
        folder = factory.mktemp("index")
        trail, index = sealed(folder), QueryIndex(folder / "index")
        index.keep_up(trail.segments())
        (part,) = index.cover(trail.segments())
        assert isinstance(part, Part)
        _made.append(part)
    return _made[0]


def test_an_id_is_looked_for_in_its_blocks_only(tmp_path: Path) -> None:
    (tmp_path / "segments").mkdir()
    trail, index = Trail(tmp_path / "segments"), QueryIndex(tmp_path / "index")
    trail.seal(numbered([event_for("http-request", trace_id=f"t{n // 3}") for n in range(3 * BLOCK)], 7))
    index.keep_up(trail.segments())
    (part,) = index.cover(trail.segments())
    assert isinstance(part, Part)
    assert part.holding({"trace.id": frozenset(("t0",))}) == [0]
    assert part.holding({"trace.id": frozenset((f"t{BLOCK - 1}",))}) == [2]
    assert part.holding({"trace.id": frozenset((f"t{BLOCK // 3}", "t0"))}) == [0, 1]
    assert [part.bounds(number) for number in (0, 2)] == [(7, 6 + BLOCK), (7 + 2 * BLOCK, 6 + 3 * BLOCK)]
    assert blocks_of(memoryview(b""), ("t0",)) == set()


def test_every_field_comes_back_as_it_was(tmp_path: Path) -> None:
    """Blocks hold JSON that SQL wrote; the segments' own rows are the oracle."""
    (tmp_path / "segments").mkdir()
    trail, index = Trail(tmp_path / "segments"), QueryIndex(tmp_path / "index")
    odd = 'a"b\\c\u2028\u00e9\U0001f600/\x7f'
    events = [
        event_for(
            "http-request",
            at_us=START + number,
            user_id=odd * number or None,
            event_duration=2**53 * (-1) ** number,
            jwt_scope=(odd, "", "x") if number else (),
            jwt_claims={odd: odd, "a.b": "", "~/": "1"} if number else None,
        )
        for number in range(BLOCK + 3)
    ]
    trail.seal(numbered(events))
    index.keep_up(trail.segments())
    fast, plain = LocalStore(trail, index=index), LocalStore(trail)
    assert pages(fast, SearchRequest()) == pages(plain, SearchRequest())
    assert pages(fast, SearchRequest())[0].user_id == events[-1].user_id
    fast.close()
    plain.close()


def test_another_process_reads_what_is_there_and_follows(tmp_path: Path, trail: Trail) -> None:
    writer, reader = QueryIndex(tmp_path / "index"), QueryIndex(tmp_path / "index")
    assert len(reader.cover(trail.segments())) == 10
    assert writer.keep_up(trail.segments()[:4])
    assert [part.rows for part in reader.cover(trail.segments())] == [160, *[40] * 6]
    assert writer.keep_up(trail.segments())
    assert [part.rows for part in reader.cover(trail.segments())] == [160, 240]


def damaged(path: Path, at: int, size: int = 64) -> None:
    data = bytearray(path.read_bytes())
    data[at : at + size] = bytes(byte ^ 0xFF for byte in data[at : at + size])
    path.write_bytes(data)


@pytest.mark.parametrize(
    "where", ["head", "table", "cut", "empty", "tail", "half", "rows", "no rows", "no table"]
)
def test_a_damaged_index_is_noticed_done_without_and_made_again(
    tmp_path: Path, trail: Trail, where: str
) -> None:
    QueryIndex(tmp_path / "index").keep_up(trail.segments())
    (table,), (rows,) = (tmp_path / "index").glob("*.duckdb"), (tmp_path / "index").glob("*.rows")
    match where:
        case "head":
            damaged(table, 0, 12_288)
        case "table":
            damaged(table, 12_288, table.stat().st_size)
        case "cut":
            os.truncate(table, table.stat().st_size // 2)
        case "empty":
            os.truncate(table, 0)
        case "tail":
            damaged(rows, rows.stat().st_size - 100, 100)
        case "half":
            os.truncate(rows, rows.stat().st_size // 2)
        case "rows":
            damaged(rows, 0, rows.stat().st_size - 2000)
        case "no rows":
            rows.unlink()
        case "no table":
            table.unlink()
    index = QueryIndex(tmp_path / "index")
    store, plain = LocalStore(trail, index=index), LocalStore(trail)
    for query in QUERIES:
        assert pages(store, SearchRequest(query)) == pages(plain, SearchRequest(query))
        assert store.histogram(SearchRequest(query)) == plain.histogram(SearchRequest(query))
    assert index.keep_up(trail.segments())
    assert [part.rows for part in index.cover(trail.segments())] == [400]
    assert store.count(SearchRequest("event.outcome: failure")) == 80
    store.close()
    plain.close()


def test_segments_that_are_gone_leave_nothing(tmp_path: Path, trail: Trail, index: QueryIndex) -> None:
    (tmp_path / "index/killed.duckdb.tmp").write_bytes(b"what a crash left")
    (tmp_path / "index/ids.filters").write_bytes(b"of an earlier release")
    del trail.sealed[2:4]
    assert index.keep_up(trail.segments())
    assert index.keep_up(trail.segments())
    assert not index.keep_up(trail.segments())
    suffixes = sorted(path.suffix for path in (tmp_path / "index").iterdir())
    assert suffixes == ["", ".duckdb", ".duckdb", ".rows", ".rows"]
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "index").iterdir())
    assert [part.rows for part in index.cover(trail.segments())] == [80, 240]


def test_what_held_a_segment_can_be_forgotten(tmp_path: Path, trail: Trail) -> None:
    index = QueryIndex(tmp_path / "index")
    index.keep_up(trail.segments()[:5])
    index.keep_up(trail.segments())
    index.forget([trail.sealed[7].path.name])
    assert [unit.rows for unit in index.cover(trail.segments())] == [200, 40, 40, 40, 40, 40]
    assert len(list((tmp_path / "index").glob("*.duckdb"))) == 1
    index.forget()
    assert [path.name for path in (tmp_path / "index").iterdir()] == ["lock"]
    index.forget()
    assert index.keep_up(trail.segments())


def test_only_one_makes_parts(tmp_path: Path, trail: Trail, index: QueryIndex) -> None:
    index.forget()
    lock = os.open(tmp_path / "index/lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    assert not index.keep_up(trail.segments())
    os.close(lock)
    assert index.keep_up(trail.segments())


def test_it_can_be_stopped_while_it_makes_a_part(tmp_path: Path, trail: Trail, monkeypatch) -> None:
    index, begun = QueryIndex(tmp_path / "index"), threading.Event()
    endless = "SELECT sum(hash(a.range, b.range)) FROM range(10000000) a, range(10000000) b"
    monkeypatch.setattr(building_module, "words_sql", lambda *_: begun.set() or endless)
    maker = threading.Thread(target=index.keep_up, args=(trail.segments(),))
    maker.start()
    assert begun.wait(LONG_S)
    index.stop()
    maker.join(60)
    assert not maker.is_alive()
    assert [path.name for path in (tmp_path / "index").iterdir()] == ["lock"]
    assert not index.keep_up(trail.segments())


NO_FILE = cast("PartFile", None)


def part(number: int, rows: int) -> Part:
    return Part(Path("x"), str(number), (), number, number, 0, 0, rows, frozenset(), NO_FILE)


@given(st.lists(st.integers(1, 100_000), min_size=1, max_size=400))
@settings(max_examples=50, deadline=None)
def test_a_growing_trail_has_few_parts_and_rows_are_written_seldom(sizes: list[int]) -> None:
    parts: list[Part] = []
    written = 0
    for number, rows in enumerate(sizes):
        parts.append(part(number, rows))
        while window := to_merge(parts):
            at = parts.index(window[0])
            merged = part(number, sum(one.rows for one in window))
            parts[at : at + len(window)] = [merged]
            written += merged.rows
    total = sum(sizes)
    assert len(parts) <= 3 * (2 + total.bit_length()) + 2 * total // (MAX_ROWS // 4)
    assert written <= total * total.bit_length()
    assert not any(one.rows > MAX_ROWS for one in parts)


def test_what_has_no_part_is_made_newest_first_and_as_much_as_makes_one() -> None:
    plain = [msgspec.structs.replace(part(number, 0), rows=MAX_ROWS // 4) for number in range(10)]

    class Plain(msgspec.Struct, frozen=True):
        rows: int
        number: int
        path: Path = Path("x")
        min_us: int = 0
        max_us: int = 0

        @property
        def first(self) -> int:
            return self.number

        @property
        def last(self) -> int:
            return self.number

    units = [Plain(one.rows, one.first) for one in plain]
    assert [one.number for one in to_make(units)] == [6, 7, 8, 9]
    assert [one.number for one in to_make([*units[:3], plain[3], units[4], plain[5]])] == [4]
    assert to_make([Plain(5 * MAX_ROWS, 1)])
    assert not to_make(plain)
    assert not to_merge(plain[: FAN - 1])


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


def test_a_damaged_segment_is_told_and_does_not_cost_the_index(tmp_path: Path, trail: Trail) -> None:
    index = QueryIndex(tmp_path / "index")
    index.keep_up(trail.segments()[:8])
    damaged(trail.sealed[9].path, 4, trail.sealed[9].path.stat().st_size)
    store = LocalStore(trail, index=index)
    with pytest.raises(QueryError):
        store.top("user.id", SearchRequest())
    assert [unit.rows for unit in index.cover(trail.segments())] == [320, 40, 40]
    assert store.top("user.id", SearchRequest("event.sequence < 360")).values
    store.close()


def test_a_segment_that_cannot_be_read_keeps_only_itself_out(tmp_path: Path, trail: Trail) -> None:
    index, torn, gone = QueryIndex(tmp_path / "index"), trail.sealed[6].path, trail.sealed[3].path
    whole = torn.read_bytes()
    damaged(torn, 4, torn.stat().st_size // 2)
    with pytest.raises(QueryError, match=torn.name):
        index.keep_up(trail.segments())
    gone.unlink()
    rounds = [index.keep_up(trail.segments()) for _ in range(6)]
    # After the torn one; what was tried and found gone; between the two; before the gone one.
    assert rounds == [True, False, True, True, False, False]
    assert [unit.rows for unit in index.cover(trail.segments())] == [120, 40, 80, 40, 120]
    torn.write_bytes(whole)
    assert index.keep_up(trail.segments())
    assert [unit.rows for unit in index.cover(trail.segments())] == [120, 40, 80, 40, 120]
    assert not index.keep_up(trail.segments())


def test_parts_of_a_segment_that_cannot_be_read_any_more_are_not_made_again(
    tmp_path: Path, trail: Trail
) -> None:
    index = QueryIndex(tmp_path / "index")
    for size in range(2, 11, 2):
        index.keep_up(trail.segments()[:size])
    torn = trail.sealed[2].path
    damaged(torn, 4, torn.stat().st_size // 2)
    with pytest.raises(QueryError, match=torn.name):
        index.keep_up(trail.segments())
    assert not index.keep_up(trail.segments())
    store = LocalStore(trail, index=index)
    assert store.count(SearchRequest("event.outcome: failure")) == 80
    store.close()


def test_the_daemon_names_each_segment_that_cannot_be_read_once(
    tmp_path: Path, trail: Trail, caplog, monkeypatch
) -> None:
    monkeypatch.setattr(indexer_module, "PAUSE_S", 0.02)
    torn = [trail.sealed[number].path for number in (2, 6)]
    index = QueryIndex(tmp_path / "index")
    for path in torn:
        damaged(path, 4, path.stat().st_size // 2)
    indexer = Indexer(trail, index)
    indexer.start()
    until(lambda: len(index.cover(trail.segments())) == 5 and caplog.records)
    indexer.close()
    assert [unit.rows for unit in index.cover(trail.segments())] == [80, 40, 120, 40, 120]
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1
    assert all(path.name in told[0] for path in torn)
