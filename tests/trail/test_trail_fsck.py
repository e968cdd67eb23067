"""The auditor names what is wrong, and where."""

import os
import random
import shutil
from pathlib import Path

import duckdb
import msgspec
import pytest

from jwtrail.errors import NoteError
from jwtrail.tlog.checkpoint import Checkpoint, sign_checkpoint
from jwtrail.tlog.merkle import EMPTY_ROOT
from jwtrail.trail.fsck import KINDS, verify
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.layout import Layout
from jwtrail.trail.logkey import load_signer
from jwtrail.trail.manifest import Manifest
from jwtrail.trail.recompute import Engine, leaf_hashes
from jwtrail.trail.settings import TrailSettings


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Made once, copied for each test: two segments of 300 and 200 events and 100 events behind them."""
    from jwtrail import clock
    from jwtrail.ecs import event_for
    from jwtrail.trail.writer import TrailWriter

    layout = Layout(tmp_path_factory.mktemp("whole") / "data")
    mirror = layout.root.parent / "mirror"
    for count, seal in ((298, 300), (198, 200), (98, 10_000)):
        writer = TrailWriter(layout)
        for number in range(count):
            writer.put(event_for("login", user_id=f"u-{number}", source_ip="192.0.2.1", http_route="/login"))
        writer.close()
        with Keeper(layout, TrailSettings(seal_events=seal, mirror=mirror)) as keeper:
            while keeper.step(clock.now_us()) or keeper.sealing:
                pass
    return layout


@pytest.fixture
def copy(whole, tmp_path):
    shutil.copytree(whole.root, tmp_path / "data")
    shutil.copy(whole.root.parent / "mirror", tmp_path / "mirror")
    return Layout(tmp_path / "data")


def audit(layout, **options):
    return verify(layout.root, mirror=layout.root.parent / "mirror", **options)


def broken(report):
    assert not report.ok
    assert all(finding.kind in KINDS for finding in report.findings)
    return [finding for finding in report.findings if not finding.note]


def rewrite(layout, file, select):
    """Write a segment anew by an attacker who knows Parquet, and adapts the manifest's digest."""
    path = layout.segments / file
    rows = path.with_suffix(".new")
    duckdb.sql(f"COPY ({select.format(path=path)}) TO '{rows}' (FORMAT parquet, COMPRESSION zstd)")
    import hashlib

    old = hashlib.sha256(path.read_bytes()).hexdigest()
    rows.rename(path)
    manifest = layout.manifest.read_text()
    layout.manifest.write_text(manifest.replace(old, hashlib.sha256(path.read_bytes()).hexdigest()))


FIRST, SECOND = "000000000000-000000000299.parquet", "000000000300-000000000499.parquet"


def test_an_intact_trail(copy):
    seen = []
    report = audit(copy, progress=lambda done, total: seen.append((done, total)))
    assert (report.ok, report.size, report.signed, report.findings) == (True, 600, 600, ())
    assert len(report.root) == 64
    assert verify(copy.root, vkey=copy.log_vkey.read_text()).ok
    with pytest.raises(NoteError):
        verify(copy.root, vkey="nonsense")


def test_nothing_is_intact(tmp_path):
    assert verify(tmp_path).ok
    assert verify(tmp_path / "missing").ok


def test_a_changed_value_is_named_by_index(copy):
    rewrite(
        copy,
        SECOND,
        """SELECT * REPLACE (CASE WHEN "event.sequence" = 345 THEN 'u-evil' ELSE "user.id" END AS "user.id") FROM '{path}'""",
    )
    found = broken(audit(copy))
    assert [(one.kind, one.index, one.segment) for one in found if one.kind == "altered_row"] == [
        ("altered_row", 345, SECOND)
    ]
    assert "altered_row: index 345, segment" in str(found[0])


def test_a_changed_value_with_its_hash_is_named_by_tile(copy):
    """The attacker recomputes `event.hash` too: the tree still knows."""
    rewrite(
        copy,
        FIRST,
        """SELECT * REPLACE (CASE WHEN "event.sequence" = 45 THEN (SELECT "event.hash" FROM '{path}' WHERE "event.sequence" = 46) ELSE "event.hash" END AS "event.hash") FROM '{path}'""",
    )
    found = broken(audit(copy))
    assert [one.index for one in found if one.kind == "altered_row"] == [45]


def test_an_event_hash_that_its_maker_got_wrong_is_seen_in_a_file_that_is_vouched_for(copy):
    path = copy.segments / FIRST
    with Engine() as engine:
        columns = frozenset(row[0] for row in engine.rows(f"DESCRIBE FROM '{path}'"))
        said = [text for (text,) in engine.rows(f"""SELECT "event.hash" FROM '{path}' LIMIT 100""")]
        whole = [leaf for some in leaf_hashes(engine, path, columns, said) for leaf in some]
        said[7] = said[8]
        found = [leaf for some in leaf_hashes(engine, path, columns, said) for leaf in some]
    assert None not in whole
    assert [at for at, leaf in enumerate(found) if leaf != whole[at]] == [7]
    assert found[7] is None


def test_forgetting_a_row_and_renumbering_is_seen(copy):
    rewrite(
        copy,
        FIRST,
        """SELECT * REPLACE ("event.sequence" - ("event.sequence" > 20)::INT AS "event.sequence") FROM '{path}' WHERE "event.sequence" <> 20 ORDER BY "event.sequence" """,
    )
    kinds = {one.kind for one in broken(audit(copy))}
    assert {"missing_range", "writer_gap"} <= kinds


def test_swapped_rows(copy):
    rewrite(
        copy,
        FIRST,
        """SELECT * FROM '{path}' ORDER BY CASE "event.sequence" WHEN 7 THEN 8 WHEN 8 THEN 7 ELSE "event.sequence" END""",
    )
    found = broken(audit(copy))
    assert {one.index for one in found if one.kind == "reordered"} == {7, 8}


def test_a_lost_segment(copy):
    (copy.segments / FIRST).unlink()
    (found, *_) = broken(audit(copy))
    assert (found.kind, found.index, found.last, found.segment) == ("missing_range", 0, 299, FIRST)


def test_a_truncated_trail_is_rolled_back(copy):
    """Everything is consistent in itself but older: an old copy, or a cut."""
    copy.order.write_bytes(b"")
    shutil.rmtree(copy.wal)
    found = broken(audit(copy))
    assert ("rolled_back", 500, 599) in [(one.kind, one.index, one.last) for one in found]


def test_an_older_checkpoint_with_a_newer_mirror(copy, fill):
    note = copy.checkpoint.read_bytes()
    with Keeper(copy, TrailSettings(mirror=copy.root.parent / "mirror")) as keeper:
        keeper.step(2_000_000_000_000_000)
    copy.checkpoint.write_bytes(note)
    assert audit(copy).ok, "the same size and root: a heartbeat only"


def test_no_checkpoint_and_no_mirror(copy):
    copy.checkpoint.unlink()
    assert ("unsigned", "tlog/checkpoint") in [(one.kind, one.file) for one in broken(audit(copy))]
    shutil.copy(copy.root.parent / "mirror", copy.checkpoint)
    (copy.root.parent / "mirror").unlink()
    assert [one.kind for one in broken(audit(copy))] == ["unsigned"]


def test_a_signature_of_somebody_else(copy, whole, tmp_path):
    other = Layout(tmp_path / "other")
    Keeper(other).close()
    shutil.copy(other.checkpoint, copy.checkpoint)
    assert "bad_signature" in {one.kind for one in broken(audit(copy))}
    copy.log_vkey.unlink()
    assert "bad_signature" in {one.kind for one in broken(audit(copy))}


def test_new_events_wait_for_a_checkpoint(copy):
    """Between order and signature is at most a second; an audit then says so and is content."""
    from jwtrail import clock
    from jwtrail.ecs import event_for
    from jwtrail.trail.writer import TrailWriter

    keeper = Keeper(copy)
    writer = TrailWriter(copy)
    writer.put(event_for("login"))
    writer.close()
    keeper.step(clock.now_us() - 5_000_000)
    report = audit(copy)
    assert report.ok
    assert [(one.kind, one.index, one.last, one.note) for one in report.findings] == [
        ("unsigned", 600, 602, True)
    ]
    keeper.close()


def says_the_same(changed, data):
    """Chain values in a manifest are only used when that writer's log goes on; here each has ended."""
    try:
        one, other = msgspec.json.decode(changed, type=Manifest), msgspec.json.decode(data, type=Manifest)
    except msgspec.DecodeError:
        return False
    return one.segments == other.segments


def flips(layout):
    """Every file that matters with some of its bits; keys, locks and the key's private half are not the trail."""
    chooser = random.Random(7)
    for path in sorted(layout.root.rglob("*")):
        name = str(path.relative_to(layout.root))
        if path.is_file() and not name.startswith(("LOCK", "keys/log.pem")) and path.stat().st_size:
            count = 9 if name.startswith("segments") else 4
            for _ in range(count):
                yield name, chooser.randrange(path.stat().st_size * 8)


def test_one_flipped_bit_in_any_file_is_found_and_placed(copy):
    tried = 0
    for name, bit in flips(copy):
        path = copy.root / name
        data = path.read_bytes()
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        report = audit(copy)
        path.write_bytes(data)
        harmless = (
            name == "manifest.json"
        )  # white space, a time bound or a log position: not what the trail says
        assert harmless or not report.ok, (name, bit)
        for finding in report.findings if name.startswith("segments") else ():
            assert finding.index is not None, (name, bit, finding)
        if name.startswith("segments"):
            assert any(finding.segment == path.name for finding in report.findings)
        tried += 1
    assert tried > 30
    assert audit(copy).ok


@pytest.mark.parametrize("kind", ["order", "manifest"])
def test_a_file_of_noise_is_reported_not_raised(copy, kind):
    getattr(copy, kind).write_bytes(b"\xff\x00noise\n")
    assert "unreadable" in {one.kind for one in broken(audit(copy))}


def test_a_file_that_cannot_be_read_is_reported(copy, monkeypatch):
    real = Path.open

    def fail(path, *how, **options):
        if path.suffix == ".ndjson" or path.parent.name == "000.p":
            raise OSError(5, "Input/output error")
        return real(path, *how, **options)

    monkeypatch.setattr(Path, "open", fail)
    files = {one.file for one in broken(audit(copy)) if one.kind == "unreadable"}
    assert "head/order.ndjson" in files
    assert any(file.startswith("wal/") for file in files)
    assert any(file.startswith("tlog/tile/1/000.p/") for file in files)


def test_a_damaged_page_is_named_by_its_rows(tmp_path):
    """A segment of several row groups: only the rows of the damaged one are lost."""
    from jwtrail import clock
    from jwtrail.ecs import event_for
    from jwtrail.trail.writer import TrailWriter

    layout = Layout(tmp_path / "data")
    writer = TrailWriter(layout, TrailSettings(queue_size=30_000))
    for _ in range(16_500):
        writer.put(event_for("login"))
    writer.close()
    with Keeper(layout, TrailSettings(seal_events=16_502)) as keeper:
        while keeper.step(clock.now_us()) or keeper.sealing:
            pass
        (segment,) = keeper.segments
    path = layout.segments / segment.file
    ((offset, size),) = duckdb.sql(
        f"SELECT data_page_offset, total_compressed_size FROM parquet_metadata('{path}')"
        " WHERE path_in_schema = 'event.id' AND row_group_id = 1"
    ).fetchall()
    data = bytearray(path.read_bytes())
    data[offset + 60 : offset + size // 2] = bytes(size // 2 - 60)
    path.write_bytes(data)
    found = broken(verify(layout.root))
    unreadable = [(one.index, one.last, one.segment) for one in found if one.kind == "unreadable"]
    assert unreadable == [(8192, 16383, segment.file)]


def test_what_is_no_part_of_the_trail_is_named(copy):
    (copy.root / "wal" / "notes.txt").write_text("x")
    (copy.segments / "backup.parquet").write_text("x")
    old = copy.tlog / "checkpoint.tmp"
    old.write_text("x")
    os.utime(old, (0, 0))
    (copy.segments / "000000000600-000000000700.parquet.tmp").write_text("x")  # somebody is at it
    report = audit(copy)
    assert report.ok
    assert [(one.kind, one.file, one.note) for one in report.findings] == [
        ("foreign", "segments/backup.parquet", True),
        ("foreign", "tlog/checkpoint.tmp", True),
        ("foreign", "wal/notes.txt", True),
    ]


@pytest.mark.parametrize("place", ["wal/00112233445566aa", "head", "index", "HOLD", "tlog/witnessed"])
def test_what_stands_where_a_part_belongs_is_damage(copy, place):
    path = copy.root / place
    if path.is_dir():
        shutil.rmtree(path)
    if place in ("HOLD", "tlog/witnessed"):
        path.mkdir()
    else:
        path.write_text("x")
    assert ("foreign", place) in [(one.kind, one.file) for one in broken(audit(copy))]


def test_what_a_witness_has_seen_is_held_against_the_trail(copy):
    """A directory and its mirror were both put back: the checkpoint that a witness cosigned is newer than they are."""
    seen = copy.checkpoint.read_bytes()
    for path in (copy.checkpoint, copy.root.parent / "mirror"):
        path.write_bytes(
            sign_checkpoint(Checkpoint(load_signer(copy).name, 0, EMPTY_ROOT), load_signer(copy))
        )
    shutil.rmtree(copy.wal)
    copy.order.write_bytes(b"")
    copy.witnessed.write_bytes(seen)
    found = [one for one in broken(audit(copy)) if one.kind == "rolled_back"]
    assert [(one.file, one.index, one.last) for one in found] == [("tlog/witnessed", 500, 599)]
