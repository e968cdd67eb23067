"""The keeper: one order, the same after every crash; one keeper; nothing signed that contradicts what was signed."""

import os
import shutil
import signal
import subprocess
import sys
import time
from base64 import b64encode

import msgspec
import pytest

from jwtrail import clock
from jwtrail.errors import CorruptionError, IntegrityError, LockedError, WriteError
from jwtrail.trail.fsck import verify
from jwtrail.trail.journal import Journal
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.layout import Layout
from jwtrail.trail.manifest import read_manifest, write_manifest
from jwtrail.trail.orderlog import OrderLog, OrderRecord
from jwtrail.trail.reader import TrailReader
from jwtrail.trail.sequencer import Sequencer
from jwtrail.trail.settings import TrailSettings
from jwtrail.trail.writer import TrailWriter

SECOND = 1_000_000
NOW = 1_800_000_000_000_000


def test_events_come_out_in_order_with_their_derived_fields(layout, fill, drain):
    fill(50)
    with Keeper(layout) as keeper:
        events = drain(keeper, now=1_800_000_000_000_000)
        assert [event.event_sequence for event in events] == list(range(52))
        assert [event.jwtrail_writer_seq for event in events] == list(range(1, 53))
        assert {event.event_ingested for event in events} == {"2027-01-15T08:00:00.000000Z"}
        assert {event.jwtrail_writer for event in events} == set(layout.writers())
        assert all(len(event.event_hash) == 43 and event.wal is None for event in events)
        assert keeper.head == events
        assert keeper.size == 52
        assert keeper.step(clock.now_us()) == []
    assert TrailReader(layout).checkpoint().size == 52


def test_logs_are_merged_by_time_and_keep_their_own_order(layout, make_event, drain):
    one, two = TrailWriter(layout), TrailWriter(layout)
    for number in range(30):
        (one if number % 3 else two).put(make_event(number, user_name="x"), "sync").result(60)
    one.close()
    two.close()
    with Keeper(layout) as keeper:
        events = drain(keeper)
    times = [event.timestamp for event in events]
    assert times == sorted(times)
    for writer in layout.writers():
        numbers = [event.jwtrail_writer_seq for event in events if event.jwtrail_writer == writer]
        assert numbers == list(range(1, len(numbers) + 1))


def test_a_restart_gives_the_same_head(layout, fill, drain):
    fill(40)
    fill(40, start=100)
    with Keeper(layout) as keeper:
        first = drain(keeper)
    fill(10, start=200)
    with Keeper(layout) as keeper:
        assert keeper.head == first
        assert [event.event_sequence for event in drain(keeper)] == list(range(84, 96))


@pytest.mark.parametrize("given", [0, 1, 7, 24, 39, 40])
def test_a_restart_in_the_middle_of_a_batch_gives_each_line_one_index(layout, make_event, given):
    """The order was durable for some of the lines that were read, and for the others not."""
    layout.create()
    for name in "ab":
        log = Journal(layout, 1 << 20)
        events = [make_event(number, at_us=NOW + 2 * number + (name == "b")) for number in range(20)]
        log.append(events)
        log.close()
    first = Sequencer(layout, 0, {})
    wanted = first.poll(NOW).rows
    first.close()
    record = OrderRecord.of(clock.iso(NOW), wanted[:given]) if given else None
    layout.order.unlink()
    order = OrderLog(layout.order, 0)
    if record is not None:
        order.append(record)
    order.close()

    again = Sequencer(layout, 0, {})
    rows = again.replay()
    assert [(row.index, row.entry) for row in rows] == [(row.index, row.entry) for row in wanted[:given]]
    rest = []
    while made := again.poll(NOW).rows:
        rest += made
    again.close()
    rows += rest
    assert [row.index for row in rows] == list(range(40))
    assert sorted(row.entry for row in rows) == sorted(row.entry for row in wanted)
    for writer in layout.writers():
        assert [row.number for row in rows if row.writer == writer] == list(range(1, 21))
    last = Sequencer(layout, 0, {})
    assert [(row.index, row.entry) for row in last.replay()] == [(row.index, row.entry) for row in rows]
    assert last.poll(NOW).rows == []
    last.close()


def test_followed_while_written_and_sealed_on_the_way(layout, make_event):
    writer = TrailWriter(layout, TrailSettings(wal_file_bytes=8192))
    seen = []
    with Keeper(layout, TrailSettings(seal_events=70)) as keeper:
        for number in range(300):
            done = writer.put(make_event(number), "sync" if number % 40 == 0 else "batch")
            if done:
                done.result(60)
            if number % 8 == 0:
                seen += keeper.step(clock.now_us())
        writer.close()
        while len(seen) < 302:
            seen += keeper.step(clock.now_us())
        assert [event.event_sequence for event in seen] == list(range(302))
        assert [event.jwtrail_writer_seq for event in seen] == list(range(1, 303))
    assert len(keeper.segments) >= 1
    report = verify(layout.root)
    assert (report.ok, report.size, report.findings) == (True, 302, ())


def test_sealed_logs_are_removed_and_living_ones_kept(layout, fill, drain):
    living = fill(10, close=False)
    fill(10, start=50)
    with Keeper(layout, TrailSettings(seal_events=1)) as keeper:
        drain(keeper)
        assert len(layout.writers()) == 1
        living.close()
        drain(keeper)
    assert layout.writers() == []
    assert read_size(layout) == 24
    assert verify(layout.root).ok


def read_size(layout):
    return TrailReader(layout).size


def test_age_makes_a_segment_due(layout, fill, drain):
    fill(5)
    start = clock.now_us()
    with Keeper(layout, TrailSettings(seal_seconds=60), now=lambda: start) as keeper:
        keeper.step(start)
        keeper.step(start + 59 * SECOND)
        assert keeper.segments == ()
        keeper.step(start + 60 * SECOND)
        assert keeper.sealing
        drain(keeper)
        assert len(keeper.segments) == 1
        assert keeper.head == []


def test_checkpoints_are_rationed_and_a_heartbeat_comes(layout, fill):
    start = clock.now_us()
    with Keeper(layout, TrailSettings(seal_seconds=10_000), now=lambda: start) as keeper:
        assert keeper.checkpoint.size == 0
        fill(3)
        keeper.step(start + SECOND // 2)
        assert keeper.checkpoint.size == 0
        keeper.step(start + SECOND)
        assert keeper.checkpoint.size == 5
        before = layout.checkpoint.stat().st_ino
        keeper.step(start + 3000 * SECOND)
        assert layout.checkpoint.stat().st_ino == before
        keeper.step(start + 3601 * SECOND)
        assert layout.checkpoint.stat().st_ino != before


def test_two_keepers_are_one_too_many(layout):
    with Keeper(layout), pytest.raises(LockedError, match=r"process \d+"):
        Keeper(layout)
    Keeper(layout).close()


KEEP = """
import sys
from pathlib import Path
from jwtrail import clock
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.layout import Layout
from jwtrail.trail.settings import TrailSettings
keeper = Keeper(Layout(Path(sys.argv[1])), TrailSettings(seal_events=120, checkpoint_seconds=0))
print("ready", flush=True)
while True:
    for event in keeper.step(clock.now_us()):
        print(event.event_sequence, event.event_id, flush=True)
"""


def test_kill_9_of_the_keeper_in_a_loop_never_moves_an_index(layout, make_event):
    writer = TrailWriter(layout, TrailSettings(wal_file_bytes=16384))
    given = {}
    for round_ in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", KEEP, str(layout.root)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout.readline() == "ready\n"
        for number in range(150):
            writer.put(make_event(round_ * 1000 + number))
        time.sleep(0.02 * round_)
        process.send_signal(signal.SIGKILL)
        output = process.stdout.read().splitlines()
        process.wait()
        process.stdout.close()
        for line in output:
            index, _, identity = line.partition(" ")
            if len(identity) == 36:
                assert given.setdefault(int(index), identity) == identity
    writer.close()
    with Keeper(layout, TrailSettings(seal_events=100)) as keeper:
        for event in [*keeper.head, *keeper.step(clock.now_us()), *keeper.step(clock.now_us())]:
            assert given.setdefault(event.event_sequence, event.event_id) == event.event_id
        assert keeper.size == 4 * 150 + 2
    report = verify(layout.root)
    assert report.ok, report.findings
    assert len(set(given.values())) == len(given)


def test_a_rolled_back_copy_is_refused(layout, fill, drain, tmp_path):
    fill(20)
    with Keeper(layout) as keeper:
        drain(keeper)
    shutil.copytree(layout.root, tmp_path / "copy")
    fill(20, start=50)
    mirror = tmp_path / "mirror"
    with Keeper(layout, TrailSettings(mirror=mirror)) as keeper:
        drain(keeper)
    copy = Layout(tmp_path / "copy")
    with pytest.raises(IntegrityError, match="44 events were signed, but only 22"):
        Keeper(copy, TrailSettings(mirror=mirror))
    Keeper(layout, TrailSettings(mirror=mirror)).close()


def test_a_fork_is_refused_by_the_mirror(layout, fill, drain, tmp_path, make_event):
    mirror = TrailSettings(mirror=tmp_path / "mirror")
    fill(20)
    with Keeper(layout, mirror) as keeper:
        drain(keeper)
    copy = Layout(tmp_path / "copy")
    shutil.copytree(layout.root, copy.root)
    fill(20, start=50)
    other = TrailWriter(copy)
    for number in range(30):
        other.put(make_event(number))
    other.close()
    clone = Keeper(copy, mirror)
    with Keeper(layout, mirror) as keeper:
        drain(keeper)
    clone.step(clock.now_us())
    with pytest.raises(IntegrityError, match="the one written last"):
        clone.close()
    with pytest.raises(IntegrityError, match="not those that were signed"):
        Keeper(copy, mirror)
    report = verify(copy.root, mirror=tmp_path / "mirror")
    assert [finding.kind for finding in report.findings if not finding.note] == ["forked"]


def test_a_checkpoint_that_was_changed_under_us_stops_the_signing(layout, fill, drain):
    start = clock.now_us()
    keeper = Keeper(layout, now=lambda: start)
    fill(3)
    keeper.step(start + 2 * SECOND)
    note = layout.checkpoint.read_bytes()
    fill(3, start=10)
    keeper.step(start + 4 * SECOND)
    layout.checkpoint.write_bytes(note)
    with pytest.raises(IntegrityError, match="size 5; the one written last had size 10"):
        keeper.step(start + 7200 * SECOND)
    layout.checkpoint.unlink()
    with pytest.raises(IntegrityError, match="missing"):
        keeper.step(start + 7201 * SECOND)
    keeper.close()


def test_what_an_interrupted_seal_left_is_removed(sealed):
    (first, second) = TrailReader(sealed).segments()
    covered = sealed.segments / "000000000000-000000000099.parquet"
    for path in (covered, sealed.segments / "x.ndjson.tmp", sealed.segments / "x.parquet.tmp"):
        path.write_bytes(b"half")
    later = sealed.segments / "000000000500-000000000599.parquet"
    later.write_bytes(b"not in the manifest, and no other segment holds its events")
    Keeper(sealed).close()
    assert {path.name for path in sealed.segments.iterdir()} == {first.file, second.file, later.name}


def test_tiles_can_be_lost_and_are_made_again(sealed):
    shutil.rmtree(sealed.tiles)
    assert not verify(sealed.root).ok
    Keeper(sealed).close()
    assert verify(sealed.root).ok


def test_a_lost_key_is_not_replaced_silently(sealed):
    sealed.log_key.unlink()
    with pytest.raises(IntegrityError, match="key is gone"):
        Keeper(sealed)


def test_a_damaged_line_is_a_finding_and_the_rest_goes_on(layout, fill, drain):
    writer = fill(20)
    path = next((layout.wal / writer.stats().writer).iterdir())
    data = bytearray(path.read_bytes())
    at = data.index(b"/orders/7")
    data[at] ^= 1
    path.write_bytes(data)
    with Keeper(layout, TrailSettings(seal_events=1)) as keeper:
        assert len(drain(keeper)) == 21
        (finding,) = keeper.findings
        assert "altered" in finding.message
        assert "offset" in finding.where
        drain(keeper)
    assert path.exists(), "the evidence is kept"
    kinds = {finding.kind for finding in verify(layout.root).findings}
    assert "writer_gap" in kinds


def test_a_damaged_line_that_has_an_index_stops_the_start(layout, fill, drain):
    writer = fill(20)
    with Keeper(layout) as keeper:
        drain(keeper)
    path = next((layout.wal / writer.stats().writer).iterdir())
    data = bytearray(path.read_bytes())
    data[data.index(b"/orders/7")] ^= 1
    path.write_bytes(data)
    with pytest.raises(CorruptionError, match="has index 8 but its line is damaged"):
        Keeper(layout)
    with pytest.raises(CorruptionError):  # and the lock is free again
        Keeper(layout)
    found = [finding for finding in verify(layout.root).findings if finding.index == 8]
    assert found


def test_a_torn_tail_is_waited_for(layout, fill, drain):
    writer = fill(5, close=False)
    writer.close()
    path = next((layout.wal / writer.stats().writer).iterdir())
    whole = path.read_bytes()
    path.write_bytes(whole[:-200])
    with Keeper(layout) as keeper:
        first = drain(keeper)
        assert 0 < len(first) < 7
        assert not keeper.findings
        assert any(finding.kind == "torn_tail" for finding in verify(layout.root).findings)
        path.write_bytes(whole)
        assert len(first) + len(drain(keeper)) == 7
        assert verify(layout.root).ok


def fill_up(path):
    with path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1024))


def write_some(writer, make_event):
    for number in range(30):
        writer.put(make_event(number), "sync").result(60)


def test_a_full_disk_says_so_and_goes_on_when_there_is_room(tmp_path, make_event, drain):
    disk = tmp_path / "disk"
    disk.mkdir()
    if shutil.which("mount") is None:
        pytest.skip("there is no mount command")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"needs the right to mount a small disk: {mounted.stderr.decode().strip()}")
    try:
        layout = Layout(disk / "data")
        writer = TrailWriter(layout)
        writer.put(make_event(0), "sync").result(60)
        ballast = disk / "ballast"
        with pytest.raises(OSError, match="No space"):
            fill_up(ballast)
        with pytest.raises(WriteError, match="disk is full"):
            write_some(writer, make_event)
        with pytest.raises(WriteError, match="No space left"):
            Keeper(layout)
        ballast.unlink()
        writer.put(make_event(99), "sync").result(60)
        writer.close()
        with Keeper(layout) as keeper:
            events = drain(keeper)
            assert [event.jwtrail_writer_seq for event in events] == list(range(1, len(events) + 1))
            assert not keeper.findings
        assert verify(layout.root).ok
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_segment_that_cannot_be_written_is_tried_again_later(layout, fill, drain, monkeypatch):
    from jwtrail.trail.segment import Sealer

    def fail(*_):
        raise WriteError("no room")

    start = clock.now_us()
    fill(5)
    keeper = Keeper(layout, TrailSettings(seal_events=1), now=lambda: start)
    with monkeypatch.context() as patch:
        patch.setattr(Sealer, "seal", fail)
        assert len(keeper.step(start)) == 7
        with pytest.raises(WriteError, match="no room"):
            drain(keeper, now=start)
        assert drain(keeper, now=start + 9 * SECOND) == []
        assert len(keeper.head) == 7
    drain(keeper, now=start + 10 * SECOND)
    assert (len(keeper.segments), keeper.head) == (1, [])
    keeper.close()
    assert verify(layout.root).ok


def test_what_is_not_ours_in_the_directory_stops_nobody(layout, fill, drain):
    """A file where a directory is expected, directories and a pipe where files are: what is new is taken all the same."""
    fill(10)
    layout.create()
    (layout.wal / ("a" * 16)).write_bytes(b"a file where a writer's directory would be")
    writer = layout.wal / layout.writers()[0]
    (writer / "000000000500.ndjson").mkdir()
    (writer / "x.tmp").mkdir()
    os.mkfifo(writer / "000000000900.ndjson")
    (layout.segments / "x.parquet.tmp").mkdir()
    with Keeper(layout, TrailSettings(seal_events=1)) as keeper:
        assert len(drain(keeper)) == 12
        fill(10, start=100)
        assert len(drain(keeper)) == 12
        assert keeper.findings == ()
        assert keeper.head == []
    with Keeper(layout, TrailSettings(seal_events=1)) as keeper:
        fill(1, start=200)
        assert len(drain(keeper)) == 3
    assert (writer / "000000000500.ndjson").is_dir(), "nothing of others is removed"
    report = verify(layout.root)
    assert (report.ok, report.size) == (False, 27)
    assert {f"wal/{writer.name}/{name}" for name in ("000000000500.ndjson", "000000000900.ndjson")} <= {
        finding.file for finding in report.findings
    }


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_damaged_segment_does_not_stop_what_is_new(sealed, fill, drain, damage):
    """The tree goes on from the manifest's edge; the audit names the segment."""
    last = sealed.segments / TrailReader(sealed).segments()[-1].file
    size = read_size(sealed)
    data = last.read_bytes()
    if damage == "cut":
        last.write_bytes(data[: len(data) // 2])
    else:
        last.unlink()
    fill(30, start=1000)
    with Keeper(sealed, TrailSettings(seal_events=1)) as keeper:
        assert len(drain(keeper)) == 32
        assert keeper.checkpoint.size == size + 32
    named = {finding.segment for finding in verify(sealed.root).findings if not finding.note}
    assert named == {last.name}
    last.write_bytes(data)
    report = verify(sealed.root)
    assert (report.ok, report.size) == (True, size + 32), (
        "what was signed meanwhile is the right continuation"
    )


def test_a_wrong_edge_is_not_signed(sealed):
    manifest = read_manifest(sealed.manifest)
    assert len(manifest.edge_leaves) == manifest.size % 256 > 0
    leaves = [bytes(32), *manifest.edge_leaves[1:]]
    write_manifest(
        sealed.manifest, msgspec.structs.replace(manifest, edge=b64encode(b"".join(leaves)).decode())
    )
    with pytest.raises(IntegrityError, match="not those that were signed"):
        Keeper(sealed)
    write_manifest(sealed.manifest, msgspec.structs.replace(manifest, edge=""))
    Keeper(sealed).close()  # made again from the segments
