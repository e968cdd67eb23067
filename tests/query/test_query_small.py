"""Times that people write, round intervals, cursors, blocks, and what a query may use."""

import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwtrail.clock import iso, parse_iso
from jwtrail.ecs import event_for
from jwtrail.errors import QueryError
from jwtrail.query import SearchRequest, parse_time
from jwtrail.query.blocks import packed, unpacked
from jwtrail.query.cursors import Place, digest, place_behind, read_cursor, write_cursor
from jwtrail.query.engine import COUNTS, Engine
from jwtrail.query.ids import BLOCK
from jwtrail.query.intervals import begin, interval_for

NOW = parse_iso("2026-11-23T17:04:05.123456Z")
DAY = 86_400_000_000


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("now", "2026-11-23T17:04:05.123456Z"),
        (" now-24h ", "2026-11-22T17:04:05.123456Z"),
        ("now-1d/d", "2026-11-22T00:00:00Z"),
        ("2026-11-23", "2026-11-23T00:00:00Z"),
        ("2026-11-23T16:46:55.5+09:00", "2026-11-23T07:46:55.5Z"),
    ],
)
def test_times(text: str, wanted: str) -> None:
    assert parse_time(text, NOW) == parse_iso(wanted)


@pytest.mark.parametrize("text", ["", "yesterday", "now-", "1969-12-31", "now-100y", "24h", "2026-02-30"])
def test_bad_times(text: str) -> None:
    with pytest.raises(QueryError):
        parse_time(text, NOW)


@given(st.integers(0, 2**55), st.integers(1, 1000))
def test_intervals_cover_the_span_and_are_round(span: int, buckets: int) -> None:
    interval = interval_for(span, buckets)
    assert interval * buckets >= span
    assert interval % 1000 == 0


@given(st.integers(0, 2**52), st.sampled_from([1000, 5_000_000, 60_000_000, DAY, 7 * DAY]))
def test_a_bucket_holds_its_instant(at: int, interval: int) -> None:
    start = begin(at, interval)
    assert start <= at < start + interval


def test_weeks_begin_on_monday_and_days_at_midnight() -> None:
    assert iso(begin(NOW, 7 * DAY)) == "2026-11-23T00:00:00.000000Z"
    assert iso(begin(NOW - DAY, 7 * DAY)) == "2026-11-16T00:00:00.000000Z"
    assert iso(begin(NOW, DAY)) == "2026-11-23T00:00:00.000000Z"
    assert interval_for(24 * 3_600_000_000, 60) == 1_800_000_000


def test_a_cursor_comes_back() -> None:
    request = SearchRequest("user.id: a")
    place = Place(digest(request), 17, "id", 20)
    assert read_cursor(SearchRequest("user.id: a", cursor=write_cursor(place), from_us=1, to_us=2)) == place
    assert read_cursor(request) is None
    with pytest.raises(QueryError, match="another query"):
        read_cursor(SearchRequest("user.id: a", cursor=write_cursor(place), ascending=True))


@given(st.text(max_size=60))
def test_a_foreign_cursor_is_refused(text: str) -> None:
    with pytest.raises(QueryError):
        read_cursor(SearchRequest("user.id: a", cursor=text))


def test_a_place_keeps_what_was_shown_without_an_index() -> None:
    request = SearchRequest()
    loose = event_for("login")
    among = place_behind(request, loose, 5, None)
    assert among == Place(digest(request), -1, loose.event_id, 5)
    sealed = event_for("login", event_sequence=3)
    assert place_behind(request, sealed, 9, among) == Place(digest(request), 3, loose.event_id, 5)


def test_memory_is_bounded_and_nothing_spills(tmp_path: Path) -> None:
    engine = Engine(COUNTS, tmp_path)
    with pytest.raises(QueryError, match="more than 384MB of memory"):
        engine.rows("SELECT list(a.range ORDER BY random()) FROM range(20000000) a")
    assert engine.rows("SELECT 1") == [(1,)]
    assert list(tmp_path.iterdir()) == []
    engine.close()


@given(st.lists(st.binary(max_size=40).filter(lambda one: b"\n" not in one), max_size=BLOCK), st.data())
def test_a_block_gives_its_documents_as_far_as_they_are_wanted(
    documents: list[bytes], data: st.DataObject
) -> None:
    long = data.draw(st.sampled_from([1, 5000]), label="times as long")
    documents = [one * long for one in documents]
    count = data.draw(st.integers(1, BLOCK), label="wanted")
    for block in packed(documents, b"dictionary"):
        assert unpacked(memoryview(block), memoryview(b"dictionary"), count) == documents[:count]


@given(st.integers(0, 10_000), st.integers(1, 255), st.integers(1, BLOCK))
def test_a_block_that_was_altered_is_noticed_also_behind_what_is_wanted(at: int, by: int, count: int) -> None:
    (block,) = packed([b"%d" % number * 50 for number in range(BLOCK)], b"dictionary")
    altered = bytearray(block)
    altered[at % len(block)] ^= by
    with pytest.raises(zlib.error):
        unpacked(memoryview(altered), memoryview(b"dictionary"), count)
