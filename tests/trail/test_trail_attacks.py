"""What somebody who can write to the data directory, but has not the log's key, may try."""

import hashlib
import shutil

import duckdb
import msgspec
import pytest

from jwtrail import clock
from jwtrail.ecs import event_for
from jwtrail.errors import CorruptionError
from jwtrail.trail.fsck import verify
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.layout import Layout
from jwtrail.trail.manifest import read_manifest, write_manifest
from jwtrail.trail.person import PERSONAL
from jwtrail.trail.reader import TrailReader
from jwtrail.trail.recompute import COMMITMENT, SALT, entry_sql
from jwtrail.trail.settings import TrailSettings
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
