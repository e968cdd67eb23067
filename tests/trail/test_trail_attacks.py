"""What somebody who can write to the data directory, but has not the log's key, may try."""

import hashlib
import os
import shutil
import threading

import duckdb
import msgspec
import pytest

from jwtrail import clock
from jwtrail.ecs import IMPORTED, event_for
from jwtrail.errors import CorruptionError, IntegrityError
from jwtrail.query.files import TrailFiles
from jwtrail.query.local import LocalStore
from jwtrail.query.page import SearchRequest
from jwtrail.trail.fsck import verify
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.layout import Layout
from jwtrail.trail.logkey import load_signer
from jwtrail.trail.manifest import read_manifest, write_manifest
from jwtrail.trail.person import PERSONAL
from jwtrail.trail.reader import TrailReader
from jwtrail.trail.recompute import COMMITMENT, SALT, entry_sql
from jwtrail.trail.settings import TrailSettings
from jwtrail.trail.signedlist import ListKeeper
from jwtrail.trail.writer import TrailWriter

FIRST = "000000000000-000000000299.parquet"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Two segments of 300 and 200 events and 100 events behind them, made once."""
    layout = Layout(tmp_path_factory.mktemp("whole") / "data")
    for count, seal in ((298, 300), (198, 200), (98, 10_000)):
        writer = TrailWriter(layout)
        for number in range(count):
            writer.put(
                event_for(
                    "http-request", user_id=f"u-{number % 50}", source_ip="192.0.2.1", url_path=f"/orders/{number}",
                    http_route="/orders/{id}", event_duration=1000 + number, http_response_status_code=200,
                )
            )  # fmt: skip
        writer.close()
        with Keeper(layout, TrailSettings(seal_events=seal, mirror=layout.root.parent / "mirror")) as keeper:
            while keeper.step(clock.now_us()) or keeper.sealing:
                pass
    return layout


@pytest.fixture
def copy(whole, tmp_path):
    shutil.copytree(whole.root, tmp_path / "data")
    shutil.copy(whole.root.parent / "mirror", tmp_path / "mirror")
    return Layout(tmp_path / "data")


def found(layout):
    """Kinds and detail of what is wrong."""
    report = verify(layout.root, mirror=layout.root.parent / "mirror")
    wrong = [one for one in report.findings if not one.note]
    assert report.ok == (not wrong)
    return {one.kind for one in wrong}, " | ".join(map(str, wrong))


def columns_of(path):
    return frozenset(row[0] for row in duckdb.sql(f"DESCRIBE FROM read_parquet('{path}')").fetchall())


def adapt_manifest(layout, file):
    """Let the manifest fit the file, as an attacker would."""
    path = layout.segments / file
    manifest = read_manifest(layout.manifest)
    segments = [
        msgspec.structs.replace(
            one,
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            bytes=path.stat().st_size,
            columns=tuple(sorted(columns_of(path))),
        )
        if one.file == file
        else one
        for one in manifest.segments
    ]
    write_manifest(layout.manifest, msgspec.structs.replace(manifest, segments=tuple(segments)))


def rewrite(layout, select, file=FIRST):
    """Write a segment anew, with a manifest that fits. `select` reads `{rows}`."""
    path = layout.segments / file
    new = path.with_suffix(".new")
    rows = f"read_parquet('{path}', file_row_number = true)"
    duckdb.sql(f"COPY ({select.replace('{rows}', rows)}) TO '{new}' (FORMAT parquet, COMPRESSION zstd)")
    new.rename(path)
    adapt_manifest(layout, file)


def kept_commitment(layout):
    """SQL for the true personal commitment of each row: bytes 49 to 81 of its entry."""
    return f"unhex(substr(hex({entry_sql(columns_of(layout.segments / FIRST))}), 99))"


def personal_gone(layout):
    """SQL that replaces every personal column by NULL."""
    names = sorted(name for name in columns_of(layout.segments / FIRST) & PERSONAL)
    return ", ".join(f'NULL AS "{name}"' for name in names)


def test_it_begins_intact(copy):
    assert found(copy) == (set(), "")


def test_personal_fields_rewritten_beside_a_kept_commitment(copy):
    rewrite(
        copy,
        f"""SELECT * EXCLUDE (file_row_number) REPLACE (
            CASE WHEN "user.id" = 'u-7' THEN 'u-framed' ELSE "user.id" END AS "user.id"),
            {kept_commitment(copy)} AS "{COMMITMENT}" FROM {{rows}} ORDER BY file_row_number""",
    )
    kinds, said = found(copy)
    assert "altered_row" in kinds
    assert "index 8, segment" in said
    reader = TrailReader(copy)
    with pytest.raises(CorruptionError, match="index 0 does not give an entry"):
        reader.inclusion(8)


@pytest.mark.parametrize("left", ["salt", "fields"])
def test_half_an_erasure_is_no_erasure(copy, left):
    gone = f'NULL::BLOB AS "{SALT}"' if left == "fields" else personal_gone(copy)
    rewrite(
        copy,
        f"""SELECT * EXCLUDE (file_row_number) REPLACE ({gone}), {kept_commitment(copy)} AS "{COMMITMENT}"
            FROM {{rows}} ORDER BY file_row_number""",
    )
    assert "altered_row" in found(copy)[0]


def test_people_cannot_be_taken_out_without_an_event_that_says_so(copy):
    """Every hash holds; what tells is that nobody announced it."""
    rewrite(
        copy,
        f"""SELECT * EXCLUDE (file_row_number) REPLACE ({personal_gone(copy)}, NULL::BLOB AS "{SALT}"),
            {kept_commitment(copy)} AS "{COMMITMENT}" FROM {{rows}} ORDER BY file_row_number""",
    )
    kinds, said = found(copy)
    assert "unaccounted_erasure" in kinds
    assert "altered_row" not in kinds
    assert "300 events no longer tell of a person; subject-erased events announced 0" in said

    writer = TrailWriter(copy)
    writer.put(event_for("subject-erased", jwtrail_records=300))
    writer.close()
    assert "unaccounted_erasure" not in found(copy)[0]


def test_an_erasure_is_worth_a_note(copy):
    writer = TrailWriter(copy)
    writer.put(event_for("subject-erased", jwtrail_records=300))
    writer.close()
    rewrite(
        copy,
        f"""SELECT * EXCLUDE (file_row_number) REPLACE ({personal_gone(copy)}, NULL::BLOB AS "{SALT}"),
            {kept_commitment(copy)} AS "{COMMITMENT}" FROM {{rows}} ORDER BY file_row_number""",
    )
    (note,) = (one for one in verify(copy.root).findings if one.kind == "erased")
    assert (note.note, note.index, note.last) == (True, 0, 299)


def search(layout, query):
    return LocalStore(TrailFiles(layout)).search(SearchRequest(query=query, limit=500)).events


def test_false_statistics_do_not_hide_rows_unseen(copy):
    """A search passes over a row group whose footer says that it has no such value. No row is touched."""
    path = copy.segments / FIRST
    assert len(search(copy, "user.id: u-7 and event.sequence < 300")) == 6
    data = path.read_bytes()
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    path.write_bytes(data[:footer] + data[footer:].replace(b"u-9", b"u-1"))  # the largest user.id
    adapt_manifest(copy, FIRST)
    assert len(search(copy, "user.id: u-7 and event.sequence < 300")) == 0
    kinds, said = found(copy)
    assert kinds == {"altered_file"}
    assert "manifest.json, the manifest does not name the files that were signed" in said
    with pytest.raises(IntegrityError, match="does not name the files that were signed"):
        Keeper(copy)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            """SELECT * EXCLUDE (file_row_number) REPLACE ("event.ingested" - INTERVAL 1 YEAR AS "event.ingested") FROM {rows}""",
            "does not name the files",
        ),
        (
            """SELECT * EXCLUDE (file_row_number), 'x' AS "evil.column" FROM {rows}""",
            "columns that no segment has: evil.column VARCHAR",
        ),
        (
            """SELECT * EXCLUDE (file_row_number) REPLACE (
                CASE WHEN "http.route" IS NOT NULL THEN CAST("http.response.status_code" AS VARCHAR)
                    || ',"http.route":"' || "http.route" || '"' END AS "http.response.status_code",
                NULL::VARCHAR AS "http.route") FROM {rows}""",
            "columns that no segment has: http.response.status_code VARCHAR",
        ),
    ],
    ids=["event.ingested", "a column of its own", "a text that speaks for other columns"],
)
def test_what_the_tree_does_not_cover_is_covered_by_the_signed_list(copy, change, said):
    rewrite(copy, change)
    kinds, told = found(copy)
    assert "altered_file" in kinds
    assert said in told


def test_the_signed_list_cannot_be_dropped_or_made_by_others(copy, tmp_path):
    copy.signed_list.unlink()
    assert found(copy) == ({"unsigned"}, "unsigned: tlog/segments, the signed list of segments is gone")
    with pytest.raises(IntegrityError, match="list of segments is gone"):
        Keeper(copy)
    other = Layout(tmp_path / "other")
    Keeper(other).close()
    for note in (other.signed_list.read_bytes(), copy.checkpoint.read_bytes()):
        copy.signed_list.write_bytes(note)
        assert found(copy)[0] == {"bad_signature"}
        with pytest.raises(IntegrityError, match="does not verify"):
            Keeper(copy)


def test_an_older_list_counts_only_for_one_segment_behind_it(copy):
    signer = load_signer(copy, None)
    segments = read_manifest(copy.manifest).segments
    ListKeeper(copy.signed_list, signer).cover(segments[:1])
    assert found(copy) == (set(), "")  # a crash between manifest and list leaves that
    assert [one.kind for one in verify(copy.root).findings] == ["unsigned"]
    ListKeeper(copy.signed_list, signer).cover(())
    assert found(copy)[0] == {"unsigned"}
    with pytest.raises(IntegrityError):
        Keeper(copy)
    ListKeeper(copy.signed_list, signer).replacing(segments[:1], segments)
    Keeper(copy).close()
    assert verify(copy.root).findings == ()


def test_without_its_checkpoint_a_trail_is_not_signed_anew(copy):
    """Else the honest daemon would put its name to whatever it finds."""
    copy.checkpoint.unlink()
    assert not verify(copy.root).ok
    with pytest.raises(IntegrityError, match="events but no checkpoint"):
        Keeper(copy)
    assert not copy.checkpoint.exists()
    Keeper(copy, TrailSettings(mirror=copy.root.parent / "mirror")).close()  # the mirror knows
    assert found(copy) == (set(), "")


def test_segments_without_anything_that_names_them_are_not_nothing(copy):
    before = sorted(path.name for path in copy.segments.iterdir())
    for path in (copy.manifest, copy.checkpoint, copy.order):
        path.unlink()
    shutil.rmtree(copy.wal)
    report = verify(copy.root)
    assert (report.ok, report.size) == (False, 500)
    assert {"unsigned", "unreadable"} <= {one.kind for one in report.findings}
    with pytest.raises(IntegrityError):
        Keeper(copy)
    copy.signed_list.unlink()
    copy.log_key.unlink()
    assert not verify(copy.root).ok
    with pytest.raises(IntegrityError):
        Keeper(copy)
    assert sorted(path.name for path in copy.segments.iterdir()) == before


def test_a_lost_manifest_is_not_an_empty_trail(copy):
    before = sorted(path.name for path in copy.segments.iterdir())
    copy.manifest.unlink()
    assert "unreadable" in found(copy)[0]
    with pytest.raises((IntegrityError, CorruptionError)):
        Keeper(copy)
    copy.order.write_bytes(b"")
    with pytest.raises(IntegrityError, match="600 events were signed"):
        Keeper(copy, TrailSettings(mirror=copy.root.parent / "mirror"))
    assert sorted(path.name for path in copy.segments.iterdir()) == before


def test_every_tile_that_is_stored_is_looked_at(copy):
    """Also one that is wider than the tree, beyond it, or beside the one that is read."""
    partial = copy.tiles / "1" / "000.p"
    (width,) = (int(path.name) for path in partial.iterdir())
    true = (partial / str(width)).read_bytes()
    for name, data in (
        (partial / "1", bytes(32)),
        (partial / str(width + 1), true + bytes(32)),
        (copy.tiles / "1" / "007", bytes(32 * 256)),
        (copy.tiles / "2" / "000.p" / "1", bytes(32)),
        (copy.tiles / "1" / "notes", b""),
    ):
        name.parent.mkdir(parents=True, exist_ok=True)
        name.write_bytes(data)
        kinds, said = found(copy)
        assert kinds == {"tile_mismatch"}, name
        assert str(name.relative_to(copy.root)) in said
        name.unlink()
    assert found(copy) == (set(), "")


def test_a_tile_that_was_there_before_its_time_is_not_trusted(copy):
    partial = copy.tiles / "1" / "000.p"
    (width,) = (int(path.name) for path in partial.iterdir())
    (partial / str(width + 1)).write_bytes((partial / str(width)).read_bytes() + bytes(32))
    writer = TrailWriter(copy)
    for _ in range(256):
        writer.put(event_for("login"))
    writer.close()
    with Keeper(copy) as keeper:
        while keeper.step(clock.now_us()):
            pass
    assert verify(copy.root).findings == ()


@pytest.mark.parametrize("sealed", [True, False])
def test_what_another_trail_announced_is_no_leave(copy, sealed):
    """An imported line says what it likes."""
    with Keeper(copy, TrailSettings(seal_events=1, mirror=copy.root.parent / "mirror")) as keeper:
        writer = TrailWriter(copy)
        for action in ("subject-erased", "trail-pruned"):
            writer.put(event_for(action, jwtrail_records=10**6, tags=(IMPORTED,)))
        writer.close()
        while sealed and (keeper.step(clock.now_us()) or keeper.sealing):
            pass
    rewrite(
        copy,
        f"""SELECT * EXCLUDE (file_row_number) REPLACE ({personal_gone(copy)}, NULL::BLOB AS "{SALT}"),
            {kept_commitment(copy)} AS "{COMMITMENT}" FROM {{rows}} ORDER BY file_row_number""",
    )
    kinds, said = found(copy)
    assert "unaccounted_erasure" in kinds
    assert "announced 0" in said


def test_an_edge_that_the_daemon_would_refuse_is_named(copy):
    manifest = read_manifest(copy.manifest)
    assert manifest.edge_leaves
    forged = msgspec.structs.replace(manifest, edge=manifest.edge[:-8] + "AAAAAAA=")
    assert len(forged.edge_leaves) == len(manifest.edge_leaves)
    write_manifest(copy.manifest, forged)
    kinds, said = found(copy)
    assert kinds == {"altered_file"}
    assert "edge" in said


def test_a_pipe_in_the_place_of_a_segment_does_not_hold_the_audit(copy):
    path = copy.segments / FIRST
    path.unlink()
    os.mkfifo(path)
    reports = []
    audit = threading.Thread(target=lambda: reports.append(found(copy)), daemon=True)
    audit.start()
    audit.join(60)
    assert not audit.is_alive()
    assert "missing_range" in reports[0][0]
    assert "no file" in reports[0][1]
