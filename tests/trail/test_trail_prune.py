"""Whole segments of the beginning go, announced; the tree, its checkpoint and all proofs stay."""

import msgspec
import pytest
from click.testing import CliRunner

from jwtrail import clock, config
from jwtrail.cli.main import cli
from jwtrail.ecs import event_for
from jwtrail.errors import ConfigError, HoldError, ProofError
from jwtrail.query.files import TrailFiles
from jwtrail.query.local import LocalStore
from jwtrail.query.page import SearchRequest
from jwtrail.runtime.pruning import overdue, prune
from jwtrail.tlog.proof import consistency_proof, verify_consistency
from jwtrail.tlog.tlogproof import verify_proof
from jwtrail.trail import fsck, retention
from jwtrail.trail.backup import back_up
from jwtrail.trail.journal import Journal
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.layout import Layout
from jwtrail.trail.manifest import read_manifest, write_manifest
from jwtrail.trail.publish import copy_log, resource
from jwtrail.trail.reader import TrailReader

DAY_US = 86_400_000_000


@pytest.fixture
def settings(layout):
    trail = {
        "trail.mirror": str(layout.root.parent / "mirror"),
        "trail.seal_events": 200,
        "trail.merge_events": 0,
    }
    return config.load({"data": str(layout.root), **trail}, environ={}).settings


@pytest.fixture
def aged(layout, settings):
    """Segments of 200 and 200 events of 400 days ago, 200 of 350 days ago, 200 of today."""
    for age in (400, 400, 350, 0):
        layout.create()
        log = Journal(layout, 1 << 20)
        now = clock.now_us() - age * DAY_US
        log.append([event_for("login", at_us=now + number, user_id=f"u-{number}") for number in range(200)])
        log.close()
        keep(layout, settings)
    with Keeper(layout, settings.trail) as keeper:
        keeper.seal(clock.now_us())
    return layout


def keep(layout, settings):
    """What a daemon does from its start to its end."""
    with Keeper(layout, settings.trail) as keeper:
        while keeper.step(clock.now_us()) or keeper.sealing:
            pass


def test_the_beginning_goes_and_everything_that_was_proved_stays(aged, settings):
    reader = TrailReader(aged)
    signed = reader.checkpoint()
    old, kept = reader.inclusion(10), reader.inclusion(700)
    before = reader.entries(600, 799)
    planned = overdue(settings, "kr-1y")
    assert (planned.events, planned.begin) == (400, 400)
    assert (planned.segments, TrailReader(aged).begin) == (2, 0)
    assert fsck.verify(aged.root).size == 800

    done = prune(settings, "kr-1y", by="root")

    assert (done.events, done.segments, done.begin) == (400, 2, 400)
    assert reader.begin == 400
    assert len(list(aged.segments.iterdir())) == len(reader.segments())
    report = fsck.verify(aged.root, mirror=settings.trail.mirror)
    assert report.ok, report.findings
    assert [(one.kind, one.index, one.last) for one in report.findings if one.kind == "pruned"] == [
        ("pruned", 0, 399)
    ]
    verify_proof(old.proof, old.entry, reader.vkey())
    verify_proof(kept.proof, kept.entry, reader.vkey())
    assert reader.entries(600, 799) == before
    for index in (400, 511, 512, 799):
        fresh = reader.inclusion(index)
        verify_proof(fresh.proof, fresh.entry, reader.vkey())
    with pytest.raises(ProofError, match="was removed: the trail begins at 400"):
        reader.inclusion(399)

    keep(aged, settings)
    now = reader.checkpoint()
    assert now.size > signed.size
    path = consistency_proof(signed.size, now.size, reader.nodes)
    verify_consistency(signed.size, now.size, signed.root, now.root, path)
    found = LocalStore(TrailFiles(aged)).search(SearchRequest("event.action: login", limit=500))
    assert len(found.events) == 400
    said = LocalStore(TrailFiles(aged)).search(SearchRequest("event.action: trail-pruned")).events
    assert [event.jwtrail_records for event in said] == [400]


def test_it_is_done_again_and_again(aged, settings):
    for days, begin in ((360, 400), (300, 600), (300, 600)):
        prune(settings, f"days-{days}", by="root")
        assert TrailReader(aged).begin == begin
        assert fsck.verify(aged.root).ok
    assert sorted(path.name for path in (aged.tiles / "0").rglob("*") if path.is_file()) == [str(600 % 256)]
    keep(aged, settings)
    assert fsck.verify(aged.root).ok


def test_what_is_published_begins_with_the_first_whole_tile(aged, settings, tmp_path):
    prune(settings, "kr-1y", by="root")
    reader = TrailReader(aged)
    assert resource(reader, "tile/entries/001") is None
    assert resource(reader, "tile/0/001") is None
    assert len(resource(reader, "tile/entries/002")) == 256 * 83
    assert len(resource(reader, "tile/0/002")) == 256 * 32
    copied = copy_log(reader, tmp_path / "copy")
    assert copied.size == 800
    assert not (tmp_path / "copy" / "tile" / "entries" / "001").exists()


def test_a_backup_of_a_pruned_trail_is_whole(aged, settings, tmp_path):
    prune(settings, "kr-1y", by="root")
    made = back_up(aged, tmp_path / "copy")
    assert made.size == 800
    reader = TrailReader(Layout(tmp_path / "copy"))
    verify_proof(reader.inclusion(450).proof, reader.inclusion(450).entry, reader.vkey())


def test_nobody_removes_the_beginning_unsaid(aged, settings):
    """With the key of the log, but without an event that announces it."""
    with Keeper(aged, settings.trail) as keeper:
        keeper.prune(400)
    report = fsck.verify(aged.root)
    assert [one.kind for one in report.findings if not one.note] == ["unaccounted_prune"]


def test_nobody_without_the_key_removes_the_beginning(aged, settings):
    prune(settings, "kr-1y", by="root")
    manifest = read_manifest(aged.manifest)
    write_manifest(aged.manifest, msgspec.structs.replace(manifest, segments=manifest.segments[1:]))
    assert {"altered_file", "unaccounted_prune"} <= {one.kind for one in fsck.verify(aged.root).findings}


@pytest.mark.parametrize("gone", ["0", "1"])
def test_the_hashes_of_what_was_removed_are_needed_and_judged_by_the_root(aged, settings, gone):
    prune(settings, "kr-1y", by="root")
    (path,) = (path for path in (aged.tiles / gone).rglob("*") if path.is_file())
    data = path.read_bytes()
    path.write_bytes(bytes(32) + data[32:])
    assert not fsck.verify(aged.root).ok
    path.unlink()
    assert "missing_range" in {one.kind for one in fsck.verify(aged.root).findings}
    path.write_bytes(data)
    assert fsck.verify(aged.root).ok


@pytest.mark.parametrize("at", ["keep_leaves", "_exchange", "remove_all"])
def test_a_prune_that_was_cut_off_is_finished_by_the_next(aged, settings, monkeypatch, at):
    from jwtrail.trail import checkpointer, keeper, retired

    where = {
        "keep_leaves": checkpointer.Checkpointer,
        "_exchange": keeper.Keeper,
        "remove_all": retired.Retired,
    }[at]
    with monkeypatch.context() as patch:
        patch.setattr(where, at, lambda *_a: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            prune(settings, "kr-1y", by="root")
    assert fsck.verify(aged.root).ok
    prune(settings, "kr-1y", by="root")
    assert TrailReader(aged).begin == 400
    assert fsck.verify(aged.root).ok


def test_what_must_be_kept_is_kept(aged, settings):
    strict = msgspec.structs.replace(
        settings, trail=msgspec.structs.replace(settings.trail, retention="kr-2y")
    )
    assert overdue(strict, "").events == 0
    with pytest.raises(ConfigError, match="days-30 is shorter than kr-2y"):
        overdue(strict, "days-30")
    with pytest.raises(ConfigError, match="not said how long"):
        overdue(settings, "")
    retention.hold(aged.hold, "case 7")
    with pytest.raises(HoldError):
        prune(settings, "kr-1y", by="root")


def test_the_command_line_shows_first(aged, settings):
    where = ["--data", str(aged.root)]
    shown = CliRunner().invoke(cli, ["trail", "prune", "--keep", "kr-1y", "--json", *where])
    assert shown.exit_code == 0, shown.output
    assert msgspec.json.decode(shown.stdout)["events"] == 400
    assert TrailReader(aged).begin == 0
    done = CliRunner().invoke(cli, ["trail", "prune", "--keep", "kr-1y", "--yes", *where])
    assert done.exit_code == 0, done.output
    assert "400 events removed" in done.stdout
    assert CliRunner().invoke(cli, ["trail", "verify", *where]).exit_code == 0
