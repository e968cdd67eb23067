"""One answer over segments, the head and lines without an index."""

import threading
from pathlib import Path

import msgspec
import pytest
from query_trail import Trail, numbered

from jwtrail.ecs import Event, event_for
from jwtrail.errors import KqlError, QueryError
from jwtrail.predicate.ir import Equals
from jwtrail.query import MAX_LIMIT, LocalStore, SearchRequest
from jwtrail.query.local import MAX_AROUND, MAX_TOP

START = 1_763_916_415_000_000  # 2025-11-23T16:46:55Z
SECOND = 1_000_000


def at(number: int) -> Event:
    return event_for(
        "http-request",
        at_us=START + number * SECOND,
        user_id=f"u{number % 3}",
        user_roles=("reader", "reader") if number % 2 else None,
        http_response_status_code=200 if number % 5 else 404,
        event_outcome="success" if number % 5 else "failure",
        url_path=f"/orders/{number}",
        source_ip=f"10.0.0.{number}",
        jwt_claims={"tenant": "a'b" if number % 2 else "c"},
        jwt_exp="2025-11-23T17:00:00.000001Z",
    )


@pytest.fixture
def trail(tmp_path: Path) -> Trail:
    """Forty events: three segments of ten, five of the head, five without an index."""
    made = Trail(tmp_path)
    events = [at(number) for number in range(40)]
    known = numbered(events[:35])
    for first in (0, 10, 20):
        made.seal(known[first : first + 10])
    made.loose = [*known[30:], *events[35:]]
    return made


@pytest.fixture
def store(trail: Trail):
    made = LocalStore(trail, now=lambda: START + 40 * SECOND)
    yield made
    made.close()


def paths(events) -> list[int]:
    return [int(event.url_path.rsplit("/", 1)[1]) for event in events]


def test_newest_first_through_all_parts(store: LocalStore) -> None:
    page = store.search(SearchRequest(limit=50))
    assert paths(page.events) == list(reversed(range(40)))
    assert (page.next, page.opened, page.rows, page.position) == (None, 3, 40, 35)
    assert page.events[-1].jwt_claims == {"tenant": "c"}
    assert page.events[-2].user_roles == ("reader", "reader")
    assert page.events[-1].timestamp == "2025-11-23T16:46:55.000000Z"


def test_events_come_back_as_they_were(store: LocalStore, trail: Trail) -> None:
    originals = {event.url_path: event for event in (at(number) for number in range(40))}
    for event in store.search(SearchRequest(limit=50)).events:
        original = originals[event.url_path]
        assert msgspec.structs.replace(event, event_sequence=None, event_id="") == msgspec.structs.replace(
            original, event_id=""
        )


@pytest.mark.parametrize("ascending", [False, True])
@pytest.mark.parametrize("limit", [1, 3, 7, 10, 39, 40])
def test_pages_join_without_gap_or_overlap(store: LocalStore, limit: int, ascending: bool) -> None:
    seen: list[int] = []
    request = SearchRequest("http.response.status_code >= 200", limit=limit, ascending=ascending)
    while True:
        page = store.search(request)
        seen.extend(paths(page.events))
        if page.next is None:
            break
        request = msgspec.structs.replace(request, cursor=page.next)
    assert seen == (list(range(40)) if ascending else list(reversed(range(40))))


def test_pages_join_while_the_trail_grows_and_seals(store: LocalStore, trail: Trail) -> None:
    first = store.search(SearchRequest(limit=3))  # ends among the events without an index
    assert paths(first.events) == [39, 38, 37]
    events = {event.url_path: event for event in trail.loose}
    trail.seal(trail.loose[:5])
    late = numbered([events[f"/orders/{number}"] for number in range(35, 40)], 35)
    trail.seal(late)
    trail.loose = [at(40)]
    second = store.search(SearchRequest(limit=3, cursor=first.next))
    assert paths(second.events) == [36, 35, 34]
    third = store.search(SearchRequest(limit=50, cursor=second.next))
    assert paths(third.events) == list(reversed(range(34)))


def test_a_full_page_opens_one_segment_and_a_time_range_only_its_own(store: LocalStore, trail: Trail) -> None:
    trail.loose = []
    assert store.search(SearchRequest(limit=5)).opened == 1
    middle = SearchRequest(from_us=START + 12 * SECOND, to_us=START + 15 * SECOND)
    page = store.search(middle)
    assert paths(page.events) == [14, 13, 12]
    assert page.opened == 1
    assert store.search(SearchRequest("event.sequence >= 25")).opened == 1


def test_queries_on_every_part(store: LocalStore) -> None:
    def found(query: str) -> list[int]:
        return paths(store.search(SearchRequest(query)).events)

    assert found("http.response.status_code: 404") == [35, 30, 25, 20, 15, 10, 5, 0]
    assert found("user.id: u0 and event.outcome: failure") == [30, 15, 0]
    assert found("source.ip: 10.0.0.4/31") == [5, 4]
    assert found("url.path: *9") == [39, 29, 19, 9]
    assert found('jwt.claims.tenant: "a\'b" and source.ip < 10.0.0.4') == [3, 1]
    assert found("not user.roles: reader and source.ip > 10.0.0.35") == [38, 36]
    assert found("rule.id: x") == []
    assert len(found("not rule.id: x")) == 40
    assert found("@timestamp >= now-2s") == [39, 38]
    assert paths(store.search(SearchRequest(Equals(field="user.id", value="u1"), limit=2)).events) == [37, 34]


def test_count(store: LocalStore) -> None:
    assert store.count(SearchRequest()) == 40
    assert store.count(SearchRequest("event.outcome: failure")) == 8
    assert store.count(SearchRequest("rule.id: *")) == 0


def test_histogram(store: LocalStore) -> None:
    made = store.histogram(SearchRequest(from_us=START, to_us=START + 40 * SECOND), buckets=4)
    assert made.interval_us == 10 * SECOND
    assert [bucket.start_us for bucket in made.buckets] == [
        START - 5 * SECOND + n * 10 * SECOND for n in range(5)
    ]
    assert [(bucket.success, bucket.failure) for bucket in made.buckets] == [
        (4, 1),
        (8, 2),
        (8, 2),
        (8, 2),
        (4, 1),
    ]
    assert sum(bucket.unknown for bucket in made.buckets) == 0
    whole = store.histogram(SearchRequest("event.outcome: failure"))
    assert sum(bucket.failure for bucket in whole.buckets) == 8


def test_histogram_of_an_empty_trail(tmp_path: Path) -> None:
    made = LocalStore(Trail(tmp_path)).histogram(SearchRequest())
    assert [(bucket.success, bucket.failure, bucket.unknown) for bucket in made.buckets] == [(0, 0, 0)]


def test_top_values(store: LocalStore) -> None:
    top = store.top("user.id", SearchRequest(), size=2)
    assert (top.values, top.other, top.missing) == ((("u0", 14), ("u1", 13)), 13, 0)
    roles = store.top("user.roles", SearchRequest())
    assert (roles.values, roles.missing) == ((("reader", 20),), 20)
    assert store.top("jwt.claims.tenant", SearchRequest()).values == (("a'b", 20), ("c", 20))
    assert store.top("jwt.claims", SearchRequest()).values == (("a'b", 20), ("c", 20))
    assert store.top("jwt.exp", SearchRequest()).values == (("2025-11-23T17:00:00.000001Z", 40),)
    assert store.top("http.response.status_code", SearchRequest("user.id: u0")).values == (
        (200, 11),
        (404, 3),
    )
    assert store.top("rule.id", SearchRequest()).missing == 40


def test_one_event_and_its_neighbours(store: LocalStore, trail: Trail) -> None:
    events = store.search(SearchRequest(limit=50)).events
    for place in (39, 37, 34, 30, 29, 15, 0):
        event = events[39 - place]
        assert store.get(event.event_id) == event
        around = paths(store.around(event.event_id, 2))
        assert around == [near for near in range(place + 2, place - 3, -1) if 0 <= near < 40]
    assert store.get("nobody") is None
    assert store.around("nobody") == ()


def test_head_takes_the_place_of_unsealed(trail: Trail) -> None:
    head = trail.loose[:2]
    store = LocalStore(trail, head=lambda: head)
    assert paths(store.search(SearchRequest(limit=3)).events) == [31, 30, 29]


def test_what_was_sealed_meanwhile_is_not_doubled(trail: Trail, store: LocalStore) -> None:
    trail.seal(trail.loose[:5])  # `unsealed` still has them
    assert paths(store.search(SearchRequest(limit=50)).events) == list(reversed(range(40)))
    assert store.count(SearchRequest()) == 40


def test_a_segment_that_was_replaced_is_read_anew(trail: Trail, store: LocalStore, monkeypatch) -> None:
    stale = trail.sealed[0]
    fresh = trail.directory / "0-9.v2.parquet"
    stale.path.rename(fresh)
    answers = [tuple(trail.sealed), (type(stale)(**{**vars(stale), "path": fresh}), *trail.sealed[1:])]
    monkeypatch.setattr(trail, "segments", lambda: answers.pop(0))
    assert store.count(SearchRequest()) == 40


def test_a_segment_that_is_gone_for_good_is_an_error(trail: Trail, store: LocalStore) -> None:
    trail.sealed[1].path.unlink()
    with pytest.raises(QueryError, match="cannot be read"):
        store.count(SearchRequest())


def test_a_damaged_segment_is_an_error(trail: Trail, store: LocalStore) -> None:
    trail.sealed[1].path.write_bytes(b"not parquet")
    with pytest.raises(QueryError):
        store.count(SearchRequest())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (SearchRequest(limit=0), "0 events of a page"),
        (SearchRequest(limit=MAX_LIMIT + 1), "501 events of a page"),
        (SearchRequest(cursor="x"), "not a cursor"),
        (SearchRequest(cursor="é"), "not a cursor"),
        (SearchRequest(from_us=2, to_us=1), "ends before it begins"),
    ],
)
def test_bad_requests(store: LocalStore, wrong: SearchRequest, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        store.search(wrong)


def test_more_bad_requests(store: LocalStore) -> None:
    cursor = store.search(SearchRequest("user.id: u1", limit=1)).next
    with pytest.raises(QueryError, match="another query"):
        store.search(SearchRequest("user.id: u2", limit=1, cursor=cursor))
    with pytest.raises(KqlError, match="no field"):
        store.search(SearchRequest("usr.id: u1"))
    with pytest.raises(QueryError, match="no field"):
        store.top("usr.id", SearchRequest())
    with pytest.raises(QueryError, match="values are not between"):
        store.top("user.id", SearchRequest(), size=MAX_TOP + 1)
    with pytest.raises(QueryError, match="buckets are not between"):
        store.histogram(SearchRequest(), buckets=0)
    with pytest.raises(QueryError, match="events on each side"):
        store.around("x", MAX_AROUND + 1)


def test_many_threads_share_a_store(store: LocalStore) -> None:
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda: answers.append(store.count(SearchRequest("event.outcome: failure"))))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [8] * 8


def test_a_path_with_a_quote(tmp_path: Path) -> None:
    directory = tmp_path / 'it\'s "odd" é'
    directory.mkdir()
    trail = Trail(tmp_path)
    made = trail.seal(numbered([at(0)]))
    trail.sealed = [type(made)(**{**vars(made), "path": made.path.rename(directory / "a'b.parquet")})]
    assert paths(LocalStore(trail).search(SearchRequest()).events) == [0]


def test_the_database_reads_nothing_outside_its_directory(
    store: LocalStore, trail: Trail, tmp_path: Path
) -> None:
    store.count(SearchRequest())
    (engine,) = store._reading._engines.values()
    outside = tmp_path.parent / f"{tmp_path.name}.csv"
    outside.write_text("a\n1\n")
    with pytest.raises(QueryError):
        engine.rows(f"SELECT * FROM read_csv('{outside}')")
    with pytest.raises(QueryError):
        engine.rows("SET enable_external_access = true")
