"""Merging: few large segments in the place of many small ones, and nothing else changes."""

import fcntl
import os
import threading
from concurrent.futures import wait
from itertools import pairwise

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwtrail import clock
from jwtrail.errors import CorruptionError, WriteError
from jwtrail.trail import merger as merger_module
from jwtrail.trail import merging
from jwtrail.trail.backup import back_up
from jwtrail.trail.erasure import rewrite
from jwtrail.trail.fsck import verify
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.manifest import SegmentInfo, read_manifest
from jwtrail.trail.merging import FANOUT, next_run
from jwtrail.trail.reader import TrailReader
from jwtrail.trail.recompute import Engine
from jwtrail.trail.retired import GRACE_SECONDS, Retired, reading
from jwtrail.trail.settings import TrailSettings

pytestmark = pytest.mark.usefixtures("of_one_day")

SECOND = 1_000_000


def segments_of(*sizes, day="2026-11-23"):
    """Segments of so many rows, one behind the other; a text begins another day."""
    made, first = [], 0
    for size in sizes:
        if isinstance(size, str):
            day = size
            continue
        time = f"{day}T00:00:00.000000Z"
        made.append(
            SegmentInfo(
                file=f"{first}-{size}", first=first, last=first + size - 1, rows=size, bytes=1, min_time=time,
                max_time=time, columns=(), catalogue=1, sha256="",
            )
        )  # fmt: skip
        first += size
    return tuple(made)


def rows_of(run):
    return [one.rows for one in run]


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        (segments_of(), []),
        (segments_of(*[100] * 7), []),
        (segments_of(*[100] * 9), [100] * 9),
        (segments_of(100, *[8] * 7, 100), []),  # seven of one size, two of another
        (segments_of(*[100, 1] * 8), [100, 1] * 8),
        (segments_of(*[300] * 8), [300, 300, 300]),
        (segments_of(1000, *[100] * 8), [100] * 8),
        (segments_of(900, 30, "2026-11-24", 5), [900, 30]),  # a day that is over, as far as it fits
        (segments_of(900, 200, 30, "2026-11-24", 5), [200, 30]),
        (segments_of(900, 200, "2026-11-24", 5), []),
        (segments_of(900, "2026-11-24", 5, 5), []),
    ],
)
def test_what_is_worth_merging(segments, expected):
    assert rows_of(next_run(segments, 1000)) == expected


def test_what_is_to_be_left_alone_is_a_border():
    segments = segments_of(*[10] * 10)
    assert next_run(segments, 1000, leave={segments[4].file}) == ()
    assert next_run(segments, 1000, leave={segments[0].file}) == segments[1:]


@given(st.lists(st.integers(1, 400), max_size=200), st.integers(0, 3))
def test_a_day_ends_as_few_files_and_a_row_is_written_few_times(sizes, days):
    full, written, segments = 4096, 0, ()
    for number, size in enumerate(sizes):
        day = f"2026-11-{10 + number * (days + 1) // len(sizes)}"
        time = f"{day}T00:00:00.000000Z"
        first = segments[-1].last + 1 if segments else 0
        new = SegmentInfo(
            file=f"{first}-{size}", first=first, last=first + size - 1, rows=size, bytes=1, min_time=time,
            max_time=time, columns=(), catalogue=1, sha256="",
        )  # fmt: skip
        segments = (*segments, new)
        while run := next_run(segments, full):
            at = segments.index(run[0])
            assert segments[at : at + len(run)] == run
            assert {one.min_time for one in run} == {run[0].min_time}
            rows = sum(rows_of(run))
            assert rows <= full
            written += rows
            made = SegmentInfo(
                file=f"{run[0].first}-{rows}", first=run[0].first, last=run[-1].last, rows=rows, bytes=1,
                min_time=run[0].min_time, max_time=run[0].min_time, columns=(), catalogue=1, sha256="",
            )  # fmt: skip
            segments = (*segments[:at], made, *segments[at + len(run) :])
    assert sum(rows_of(segments)) == sum(sizes)
    assert written <= 6 * sum(sizes)
    # Of a day that is over no two neighbours would fit into one.
    last = segments[-1].min_time if segments else ""
    for one, other in pairwise(segments):
        if one.min_time == other.min_time != last:
            assert one.rows + other.rows > full
    assert len(segments) <= 2 * sum(sizes) // full + (FANOUT - 1) * 5 + days + 1


@pytest.fixture
def eight(layout, fill, drain):
    """A trail of eight small segments, the log of a living writer, and what its reader says."""
    for number in range(8):
        fill(10, start=100 * number)
        with Keeper(layout, TrailSettings(seal_events=1, merge_events=0)) as keeper:
            drain(keeper)
    assert len(read_manifest(layout.manifest).segments) == 8
    return layout


def merged(keeper, now):
    """Step until the merge that is due is done."""
    keeper.step(now)
    assert keeper.merging
    wait([keeper._merger._result])
    keeper.step(now)


def entries(layout):
    reader = TrailReader(layout)
    return reader.entries(0, reader.size - 1)


def test_eight_segments_become_one_with_the_same_rows(eight):
    before, old = entries(eight), [one.file for one in TrailReader(eight).segments()]
    table = "SELECT * FROM read_parquet('{}/*.parquet', union_by_name=true) ORDER BY \"event.sequence\""
    rows = duckdb.sql(table.format(eight.segments)).fetchall()
    now = clock.now_us()
    with Keeper(eight, now=lambda: now) as keeper:
        merged(keeper, now)
        (one,) = keeper.segments
        assert (one.first, one.last, one.rows) == (0, 95, 96)
        assert not keeper.merging
        assert {path.name for path in eight.segments.iterdir()} == {one.file, *old}
        assert verify(eight.root).ok, "the old files harm nobody"
        keeper.step(now + GRACE_SECONDS * SECOND)
        assert [path.name for path in eight.segments.iterdir()] == [one.file]
    assert duckdb.sql(table.format(eight.segments)).fetchall() == rows
    assert entries(eight) == before
    report = verify(eight.root)
    assert (report.ok, report.size, report.findings) == (True, 96, ())
    Keeper(eight).close()


def test_old_files_stay_while_somebody_reads_and_go_with_the_keeper(eight):
    now = clock.now_us()
    with Keeper(eight, now=lambda: now) as keeper:
        merged(keeper, now)
        with reading(eight.segments), reading(eight.segments):
            keeper.step(now + 600 * SECOND)
            assert len(list(eight.segments.iterdir())) == 9
    assert len(list(eight.segments.iterdir())) == 1


def test_an_audit_and_a_backup_hold_the_old_files(eight, tmp_path, monkeypatch):
    held = []

    def tell(*_):
        fd = os.open(eight.segments, os.O_RDONLY)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held.append(True)
        finally:
            os.close(fd)

    open_engine = Engine.rows
    monkeypatch.setattr(Engine, "rows", lambda self, sql: (tell(), open_engine(self, sql))[1])
    assert verify(eight.root).ok
    audits = len(held)
    assert audits
    back_up(eight, tmp_path / "copy", tell=tell)
    assert len(held) > audits


def test_an_altered_segment_gets_no_new_signature(eight):
    file = TrailReader(eight).segments()[3].file
    path, now = eight.segments / file, clock.now_us()
    with Keeper(eight, now=lambda: now) as keeper:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        with pytest.raises(CorruptionError, match="will not be merged"):
            merged(keeper, now)
        keeper.step(now)
        assert not keeper.merging, "what is left on either side of it is not enough"
        assert len(keeper.segments) == 8
    assert {finding.segment for finding in verify(eight.root).findings} == {file}


def test_a_merge_that_fails_is_tried_again_and_harms_nobody(eight, monkeypatch):
    def fail(*_):
        raise WriteError("no room")

    now = clock.now_us()
    with Keeper(eight, now=lambda: now) as keeper:
        with monkeypatch.context() as patch:
            patch.setattr(merger_module, "merge", fail)
            with pytest.raises(WriteError, match="no room"):
                merged(keeper, now)
        keeper.step(now)
        assert not keeper.merging
        merged(keeper, now + merger_module.RETRY_SECONDS * SECOND)
        assert len(keeper.segments) == 1


def test_an_erasure_meanwhile_wins(eight):
    now = clock.now_us()
    with Keeper(eight, now=lambda: now) as keeper:
        keeper.step(now)
        wait([keeper._merger._result])
        without = rewrite(eight, keeper.segments[2], {keeper.segments[2].first + 1})
        keeper.replace([without])
        keeper.step(now)
        assert len(keeper.segments) == 8
        assert keeper.segments[2] == without
        # What was merged with the person in it is gone; now it is done again without.
        wait([keeper._merger._result])
        keeper.step(now)
        (one,) = keeper.segments
        assert "jwtrail.personal_commitment" in one.columns
        keeper.replace([rewrite(eight, one, {5})])
        assert [path.name for path in eight.segments.iterdir()] == [keeper.segments[0].file], (
            "nothing that was replaced waits for its time when a person is taken out"
        )


def test_a_reader_that_held_the_old_list_looks_again(eight, monkeypatch):
    """Files go between the manifest and the opening: as for a process that was stopped for longer than the grace."""
    reader, now = TrailReader(eight), clock.now_us()
    before = reader.entries(0, 95)
    stale = read_manifest(eight.manifest)
    with Keeper(eight, now=lambda: now) as keeper:
        merged(keeper, now)
        keeper.step(now + GRACE_SECONDS * SECOND)
    from jwtrail.trail import reader as module

    answers = [stale, stale]
    monkeypatch.setattr(
        module, "read_manifest", lambda path: answers.pop() if answers else read_manifest(path)
    )
    assert TrailReader(eight).entries(0, 95) == before


def test_retired_files_that_are_gone_already_are_no_error(tmp_path):
    retired = Retired(tmp_path)
    retired.add(["a"], 0)
    retired.remove_due(GRACE_SECONDS * SECOND)
    with reading(tmp_path / "missing"):
        pass


def test_the_end_does_not_wait_for_a_merge(eight, monkeypatch):
    """What is under way when the daemon stops is given up, and done after the next start."""
    began, let_go = threading.Event(), threading.Event()
    hold = merging._hold

    def held(*given):
        began.set()
        let_go.wait(60)
        hold(*given)

    monkeypatch.setattr(merging, "_hold", held)
    now = clock.now_us()
    keeper = Keeper(eight, now=lambda: now)
    keeper.step(now)
    assert began.wait(60)
    threading.Timer(0.1, let_go.set).start()
    keeper.close()
    assert len(TrailReader(eight).segments()) == 8
    assert {path.suffix for path in eight.segments.iterdir()} == {".parquet"}
    with Keeper(eight, now=lambda: now) as keeper:
        merged(keeper, now)
        assert len(keeper.segments) == 1
