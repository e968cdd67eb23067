"""What follows from the events is made again from them, and nothing else is believed."""

import shutil

import msgspec
import pytest
from click.testing import CliRunner

from jwtrail import clock
from jwtrail.cli.main import cli
from jwtrail.errors import IntegrityError, LockedError
from jwtrail.trail.fsck import verify
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.manifest import read_manifest
from jwtrail.trail.reader import TrailReader
from jwtrail.trail.rebuild import rebuild


def everything(layout):
    reader = TrailReader(layout)
    return reader.entries(0, reader.size - 1)


def test_manifest_tiles_and_index_come_back_as_they_were(sealed, fill):
    alive = fill(
        30, start=900, close=False
    )  # a writer goes on: where its lines are sealed must come back too
    with Keeper(sealed) as keeper:
        while keeper.step(clock.now_us()):
            pass
        keeper.seal(clock.now_us())
    before, entries = read_manifest(sealed.manifest), everything(sealed)
    for damage in (sealed.manifest.unlink, lambda: sealed.manifest.write_text("{"), lambda: None):
        damage()
        shutil.rmtree(sealed.tiles)
        sealed.tiles.mkdir(mode=0o700)
        done = CliRunner().invoke(cli, ["trail", "rebuild", "--json", "--data", str(sealed.root)])
        assert done.exit_code == 0, done.output
        after = read_manifest(sealed.manifest)
        assert (after.size, after.segments) == (before.size, before.segments)
        assert {writer: before.writers[writer] for writer in sealed.writers()} == after.writers
        assert verify(sealed.root).findings == ()
    assert msgspec.json.decode(done.stdout) == {
        "manifest": False, "segments": len(before.segments), "tiles": 1, "events": len(entries),
    }  # fmt: skip
    fill(5, start=1000)
    alive.close()
    with Keeper(sealed) as keeper:
        while keeper.step(clock.now_us()):
            pass
    assert everything(sealed)[: len(entries)] == entries
    assert verify(sealed.root).ok


def test_files_that_nobody_signed_are_not_taken_in(sealed):
    (first, *_, last) = read_manifest(sealed.manifest).segments
    shutil.copy(
        sealed.segments / last.file,
        sealed.segments / f"{last.last + 1:012d}-{last.last + last.rows:012d}.parquet",
    )
    sealed.manifest.unlink()
    rebuild(sealed)
    assert read_manifest(sealed.manifest).segments[-1] == last
    sealed.manifest.unlink()
    (sealed.segments / first.file).unlink()
    with pytest.raises(IntegrityError, match="not those that were signed"):
        rebuild(sealed)


def test_what_says_what_was_signed_must_be_there_and_nobody_else_at_work(sealed):
    with Keeper(sealed), pytest.raises(LockedError):
        rebuild(sealed)
    note = sealed.signed_list.read_bytes()
    sealed.signed_list.unlink()
    with pytest.raises(IntegrityError, match="signed list of segments is gone"):
        rebuild(sealed)
    sealed.signed_list.write_bytes(note)
    sealed.checkpoint.unlink()
    done = CliRunner().invoke(cli, ["trail", "rebuild", "--data", str(sealed.root)])
    assert done.exit_code == 5
    assert "there is no checkpoint" in done.stderr


@pytest.mark.parametrize("gone", [("checkpoint",), ("segments",), ("checkpoint", "segments")])
def test_a_loss_is_signed_over_only_when_somebody_says_so(sealed, gone):
    where = ["--data", str(sealed.root)]
    for name in gone:
        (sealed.tlog / name).unlink()
    with pytest.raises(IntegrityError):
        Keeper(sealed)
    asked = CliRunner().invoke(cli, ["trail", "accept-loss", "--reason", "OPS-77", *where], input="n\n")
    assert asked.exit_code == 1
    assert not (sealed.tlog / gone[0]).exists()
    done = CliRunner().invoke(cli, ["trail", "accept-loss", "--reason", "OPS-77", "--yes", *where])
    assert done.exit_code == 0, done.output
    with Keeper(sealed) as keeper:
        told = keeper.step(clock.now_us())
    assert [event.jwtrail_ticket for event in told if event.event_action == "trail-loss-accepted"] == [
        "OPS-77"
    ]
    assert verify(sealed.root).ok


def test_what_contradicts_a_signature_is_never_signed_over(sealed):
    sealed.checkpoint.write_bytes(b"x")
    done = CliRunner().invoke(
        cli, ["trail", "accept-loss", "--reason", "x", "--yes", "--data", str(sealed.root)]
    )
    assert done.exit_code == 5
    assert "neither checkpoint nor list" in done.stderr
    assert sealed.checkpoint.read_bytes() == b"x"


def test_when_nothing_is_lost_it_says_so_and_signs_nothing(sealed):
    before = sealed.checkpoint.read_bytes(), sealed.signed_list.read_bytes(), sorted(sealed.wal.rglob("*"))
    done = CliRunner().invoke(cli, ["trail", "accept-loss", "--reason", "x", "--data", str(sealed.root)])
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("nothing is lost")
    assert before == (
        sealed.checkpoint.read_bytes(),
        sealed.signed_list.read_bytes(),
        sorted(sealed.wal.rglob("*")),
    )
