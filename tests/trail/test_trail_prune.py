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
from jwtrail.runtime.daemon import Daemon
from jwtrail.runtime.holds import HoldWatch
from jwtrail.runtime.pruning import overdue, prune
from jwtrail.runtime.scheduled import ScheduledPruning
from jwtrail.runtime.upkeep import announce
from jwtrail.tlog.proof import consistency_proof, root_at, verify_consistency
from jwtrail.tlog.tlogproof import verify_proof
from jwtrail.trail import fsck, retention
from jwtrail.trail.backup import back_up
from jwtrail.trail.elapsed import Elapsed, Step
from jwtrail.trail.journal import Journal
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.layout import Layout
from jwtrail.trail.manifest import read_manifest, write_manifest
from jwtrail.trail.publish import copy_log, resource
from jwtrail.trail.reader import TrailReader
from jwtrail.trail.retired import reading
from jwtrail.trail.settings import TrailSettings

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


DAYS = 800
UNSEEN = DAYS - 6  # a week counts, and the seconds of the test begin another day


@pytest.fixture
def ahead(aged, settings, monkeypatch):
    """The clock is set ahead; what it says can be changed."""
    real, offset = clock.now_us, [DAYS * DAY_US]
    monkeypatch.setattr(clock, "now_us", lambda: real() + offset[0])
    return offset


def said(layout, *actions):
    query = SearchRequest(f"event.action: ({' or '.join(actions)})", ascending=True)
    return LocalStore(TrailFiles(layout)).search(query).events


def test_a_clock_set_ahead_removes_nothing(aged, settings, ahead):
    strict = msgspec.structs.replace(
        settings, trail=msgspec.structs.replace(settings.trail, retention="kr-1y")
    )
    ahead[0] = 0
    spared = overdue(strict, "")
    assert (spared.events, spared.uncounted_days, spared.held_back) == (400, 0, 0)
    ahead[0] = DAYS * DAY_US
    # Of 800 days the trail has seen none; a week of silence is believed.
    found = overdue(strict, "")
    assert (found.events, found.held_back, found.uncounted_days) == (400, 200, UNSEEN)
    done = prune(strict, "", by="root")
    assert (done.events, done.begin) == (400, 400)
    again = prune(strict, "", by="root")
    # What the command itself recorded got its index in that far future: the step before it is seen all the same.
    assert (again.events, again.uncounted_days) == (0, UNSEEN)
    assert again.held_back >= 200
    (refused,) = said(aged, "trail-prune-refused")
    assert f"{UNSEEN} days" in refused.message
    assert TrailReader(aged).begin == 400
    assert fsck.verify(aged.root).ok

    trusted = prune(strict, "", by="root", reason="T-1", trust_clock=True)
    assert trusted.trusted
    assert TrailReader(aged).begin > 400
    newest = said(aged, "trail-pruned")[-1]
    assert (newest.jwtrail_ticket, newest.jwtrail_records) == ("T-1", trusted.begin)
    assert f"{UNSEEN} days that the trail did not see pass were counted" in newest.message
    assert fsck.verify(aged.root).ok


def test_a_clock_that_went_ahead_and_back_is_believed_again(aged, settings, ahead):
    prune(settings, "kr-1y", by="root")
    ahead[0] = 0
    keep(aged, settings)
    assert overdue(settings, "days-300").events == 200
    found = overdue(settings, "days-300")
    assert found.uncounted_days == 0


def test_a_short_silence_counts_and_of_a_long_one_a_week():
    day = DAY_US
    elapsed = Elapsed(100 * day, (Step(5, 10 * day, 40 * day), Step(9, 45 * day, 44 * day - 20 * day)))
    assert elapsed.uncounted_us(9) == 0
    assert elapsed.uncounted_us(5) == 0, "a step back alone makes nothing older"
    assert elapsed.uncounted_us(4) == (23 - 14) * day


def test_a_hold_leaves_traces_and_removing_its_file_ends_nothing(aged, settings):
    where = ["--data", str(aged.root)]

    def run(*words, code=0):
        done = CliRunner().invoke(cli, [*words, *where])
        assert done.exit_code == code, done.output
        return done.output

    run("trail", "hold", "--reason", "case 7")
    aged.hold.unlink()
    assert "no event ended it" in run("trail", "prune", "--keep", "kr-1y", "--yes", code=1)
    assert "no event ended it" in run("subject", "erase", "u-1", "--yes", code=1)
    assert TrailReader(aged).begin == 0
    assert "over" in run("trail", "release", "--reason", "closed")
    assert "no hold" in run("trail", "release")
    run("trail", "prune", "--keep", "kr-1y", "--yes")
    assert TrailReader(aged).begin == 400
    found = said(aged, "legal-hold-begun", "legal-hold-ended")
    assert [(one.event_action, one.jwtrail_ticket) for one in found] == [
        ("legal-hold-begun", "case 7"),
        ("legal-hold-ended", "closed"),
    ]


def test_what_hands_do_to_a_hold_is_recorded(aged, settings):
    told = []
    watch = HoldWatch(aged, told.append, LocalStore(TrailFiles(aged)), lambda: TrailReader(aged).size)
    watch.look()
    retention.hold(aged.hold, "case 8")
    watch.look()
    assert told == [], "a command may be between its file and its event"
    watch.look()
    watch.look()
    assert [(one.event_action, one.jwtrail_ticket) for one in told] == [("legal-hold-begun", "case 8")]
    announce(aged, settings, told[0])
    keep(aged, settings)
    watch.look()
    aged.hold.unlink()
    for _ in range(3):
        watch.look()
    assert [one.event_action for one in told] == ["legal-hold-begun", "trail-broken"]


def test_the_daemon_removes_what_is_old_when_it_is_told_to(aged, settings):
    trail = msgspec.structs.replace(settings.trail, prune_after="kr-1y")
    daemon = Daemon(msgspec.structs.replace(settings, trail=trail))
    daemon.start()
    try:
        retention.hold(aged.hold, "case 9")
        daemon._pruning.look()
        assert TrailReader(aged).begin == 0
        retention.release(aged.hold)
        with reading(aged.segments):  # an audit is under way
            daemon._pruning.look()
        assert TrailReader(aged).begin == 0
        daemon._pruning._looks = 0
        daemon._pruning.look()
        assert TrailReader(aged).begin == 400
    finally:
        daemon.close()
    (event,) = said(aged, "trail-pruned")
    assert (event.jwtrail_records, event.jwtrail_ticket) == (400, "trail.prune_after = kr-1y")
    assert said(aged, "trail-prune-refused") == ()
    report = fsck.verify(aged.root, mirror=settings.trail.mirror)
    assert report.ok, report.findings


def test_a_schedule_is_off_unless_set_and_never_shorter_than_the_period(aged, settings):
    pruning = ScheduledPruning(
        settings,
        lambda _: pytest.fail("removed unasked"),
        lambda _: None,
        LocalStore(TrailFiles(aged)),
        lambda: TrailReader(aged).size,
    )
    pruning.look()
    with pytest.raises(ConfigError, match="days-30 is shorter than kr-1y"):
        TrailSettings(retention="kr-1y", prune_after="days-30")
    with pytest.raises(ConfigError, match="no retention profile"):
        TrailSettings(prune_after="forever")


def test_what_can_no_longer_be_proved_is_said(aged, settings):
    before = TrailReader(aged).checkpoint()
    prune(settings, "kr-1y", by="root")
    reader = TrailReader(aged)
    for old in (1, 100, 255):
        with pytest.raises(ProofError, match=f"from the first {old} events on: .* begins at 400") as raised:
            reader.consistency(old, 800)
        assert "from 400 events on it can" in raised.value.hint
    for old in (400, 401, 511, 512, 700):
        root = root_at(0, old, reader.nodes)
        verify_consistency(old, 800, root, before.root, reader.consistency(old, 800))
    with pytest.raises(ProofError, match="the event with index 10 was removed: the trail begins at 400"):
        reader.inclusion(10)
    asked = CliRunner().invoke(cli, ["trail", "prove", "10", "--data", str(aged.root)])
    assert asked.exit_code == 2
    assert "index 10 was removed: the trail begins at 400" in asked.stderr
