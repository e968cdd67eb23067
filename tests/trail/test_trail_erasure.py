"""A person leaves every file, and every hash and proof still holds."""

import subprocess
import sys

import duckdb
import msgspec
import pytest
from click.testing import CliRunner

from jwtrail import clock, config
from jwtrail.cli.main import cli
from jwtrail.detect.engine import Detector
from jwtrail.detect.ruleset import load_ruleset
from jwtrail.ecs import event_for
from jwtrail.errors import CorruptionError, HoldError, LockedError, ProofError
from jwtrail.query.files import TrailFiles
from jwtrail.query.hidden import Hidden
from jwtrail.query.local import LocalStore
from jwtrail.query.page import SearchRequest
from jwtrail.runtime.crowd import Crowd
from jwtrail.runtime.daemon import Daemon
from jwtrail.runtime.due import DueErasures
from jwtrail.runtime.subjects import erase, held_about
from jwtrail.runtime.upkeep import CROWD, CURSOR
from jwtrail.state.records import IssuedToken, Revocation
from jwtrail.state.store import StateStore
from jwtrail.tlog.tlogproof import verify_proof
from jwtrail.trail import elapsed, fsck, retention
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.reader import TrailReader
from jwtrail.trail.restriction import read_restrictions
from jwtrail.trail.settings import TrailSettings
from jwtrail.trail.writer import TrailWriter
from waiting import until

WHO, NAME, JTI, FAMILY = "u-4711", "Kim-Minseo", "019ab1c2-4711-7000-8000-000000000001", "fam-zzz-4711"
NEEDLES = [WHO, NAME, JTI, FAMILY, "203.0.113.99"]


def events():
    """Theirs, others', and others' that tell of them."""
    for number in range(60):
        yield event_for(
            "http-request", user_id=f"u-{number}", url_path=f"/orders/{number}", source_ip="192.0.2.1"
        )
        if number % 4 == 0:
            yield event_for(
                "http-request", user_id=WHO, user_name=NAME, jwt_jti=JTI, jwt_family=FAMILY, source_ip="203.0.113.99",
                related_user=(WHO,), labels={"who": WHO}, http_route="/orders/{id}",
            )  # fmt: skip
    yield event_for("login", user_name=NAME, event_outcome="failure", source_ip="203.0.113.99")
    yield event_for(
        "http-request", user_id="u-admin", url_path=f"/users/{WHO}/orders", jwtrail_subject_ids=(WHO,)
    )
    yield event_for("response-revoke", jwtrail_response_target=f"subject={WHO}", message=f"revoked {WHO}.")
    yield event_for("http-request", user_id="u-47", message="u-47 and u-471 are others")


@pytest.fixture
def settings(layout):
    return msgspec.structs.replace(config.load({}, environ={}).settings, data=str(layout.root))


@pytest.fixture
def lived(layout):
    """A trail of two segments and a log that is still open, with state about the person; its writer."""
    writer = TrailWriter(layout)
    for event in events():
        writer.put(event)
    writer.put(event_for("login", user_id="u-1"), "sync").result(60)
    with Keeper(layout, TrailSettings(seal_events=40)) as keeper:
        while keeper.step(clock.now_us()) or keeper.sealing:
            pass
    writer.put(event_for("login", user_id=WHO, source_ip="203.0.113.99"), "sync").result(60)
    now = clock.now_us()
    with StateStore(layout.state) as state:
        state.issued(
            IssuedToken(jti="old", subject=WHO, kind="access", at_us=1, exp_us=2, family=FAMILY)
        )  # over long ago: its row is removed, and its bytes stand in the file's free pages
        state.prune(now)
        for subject, jti, family in ((WHO, JTI, FAMILY), ("u-1", "jti-other", "fam-other")):
            state.issued(
                IssuedToken(
                    jti=jti, subject=subject, kind="access", at_us=now, exp_us=now + 10**9, family=family
                )
            )
        state.revoke(
            Revocation(kind="family", value=FAMILY, at_us=now - 10, until_us=now - 5, cause="logout")
        )
        state.spend(f"proof of {JTI}", now + 10**9)
        state.commit(cursor=(CURSOR, Detector(load_ruleset(), None).snapshot()))
        crowd = Crowd()
        crowd.see([event_for("login", user_id=WHO, source_ip="203.0.113.99")])
        state.commit(cursor=(CROWD, crowd.save()))
    yield writer
    writer.close()


def bytes_of_every_file(layout):
    """Raw, and what is behind a compression as text."""
    for path in sorted(layout.root.rglob("*")):
        if path.is_file():
            yield path, path.read_bytes()
            if path.suffix == ".parquet":
                rows = duckdb.sql(f"SELECT to_json(r) FROM '{path}' r").fetchall()
                yield path, "\n".join(row for (row,) in rows).encode()


def files_with(layout, needles):
    return {
        (str(path.relative_to(layout.root)), needle)
        for path, data in bytes_of_every_file(layout)
        for needle in needles
        if needle.encode() in data
    }


def test_no_byte_of_the_person_is_left_and_old_proofs_hold(layout, settings, lived):
    reader = TrailReader(layout)
    before = files_with(layout, NEEDLES)
    assert {needle for _, needle in before} == set(NEEDLES)
    assert {"spent.db", "state.db"} <= {file.removesuffix("-wal") for file, _ in before}
    theirs = next(doc for doc in held_about(settings, WHO) if doc.get("user.id") == WHO)
    index = theirs["event.sequence"]
    old = reader.inclusion(index)
    before = reader.entries(0, 50)

    done = erase(settings, WHO, by="root", reason="T-1")

    assert files_with(layout, NEEDLES) == set()
    assert (done.events, done.kept_rows, done.restricted) == (19, 0, 0)
    assert done.segments > 1
    assert done.log_lines >= done.events  # the writer is alive: its whole log is still there
    assert done.state_rows >= 2
    assert len(done.hashes) == done.events
    report = fsck.verify(layout.root)
    assert report.ok, report.findings
    verify_proof(old.proof, old.entry, reader.vkey())
    again = TrailReader(layout)
    assert again.entries(0, 50) == before
    fresh = again.inclusion(index)
    assert fresh.entry == old.entry
    verify_proof(fresh.proof, fresh.entry, again.vkey())
    with pytest.raises(ProofError):
        verify_proof(fresh.proof, bytes(81), again.vkey())

    # Others are as they were, the writer goes on, and a second look finds nothing.
    rows = duckdb.sql(
        f"""SELECT count("user.id") FROM read_parquet('{layout.segments}/*.parquet', union_by_name = true)"""
    )
    assert rows.fetchall()[0][0] == 60 + 1 + 1 + 1  # theirs, u-47, u-1, and who erased
    lived.put(event_for("login", user_id="u-2"), "sync").result(60)
    second = erase(settings, WHO, by="root", reason="")
    assert (second.events, second.log_lines, second.state_rows) == (0, 0, 0)
    assert fsck.verify(layout.root).ok
    said = duckdb.sql(
        f"""SELECT "jwtrail.records", "jwtrail.ticket" FROM read_parquet('{layout.segments}/*.parquet', union_by_name = true)
        WHERE "event.action" = 'subject-erased' ORDER BY "event.sequence" """
    ).fetchall()
    assert said == [(19, "T-1"), (0, None)]


def test_a_daemon_goes_on_after_an_erasure(layout, settings, lived):
    erase(settings, WHO, by="root", reason="")
    lived.put(event_for("login", user_id="u-3"), "sync").result(60)
    with Keeper(layout) as keeper:
        events = keeper.step(clock.now_us())
    assert [event.user_id for event in events if event.event_action == "login"] == ["u-3"]
    assert fsck.verify(layout.root).ok
    with StateStore(layout.state) as state:
        assert Detector(load_ruleset(), state.get_cursor(CURSOR)).stats().groups == 0


def test_what_protects_stays_and_is_said(layout, settings, lived):
    until = clock.now_us() + 10**10
    with StateStore(layout.state) as state:
        state.revoke(Revocation(kind="subject", value=WHO, at_us=1, until_us=until, cause="operator"))
    done = erase(settings, WHO, by="root", reason="")
    assert (done.kept_rows, done.kept_until) == (1, clock.iso(until))
    assert {name for name, _ in files_with(layout, NEEDLES)} == {"state.db"}


def test_a_retention_profile_keeps_what_is_young_and_says_until_when(layout, settings, lived):
    kept = msgspec.structs.replace(settings, trail=TrailSettings(retention="kr-1y"))
    done = erase(kept, WHO, by="root", reason="")
    assert (done.events, done.segments, done.restricted) == (0, 0, 19)
    year_us = 365 * 86_400_000_000
    assert abs(clock.parse_iso(done.restricted_until) - clock.now_us() - year_us) < 60_000_000
    assert len([doc for doc in held_about(settings, WHO) if "_table" not in doc]) == 19


@pytest.fixture
def kept(settings, lived):
    """Erased within a mandatory year: nothing may go yet."""
    kept = msgspec.structs.replace(settings, trail=TrailSettings(retention="kr-1y"))
    erase(kept, WHO, by="root", reason="T-9")
    return kept


def test_what_must_be_kept_is_shown_to_nobody(layout, kept, lived):
    where = ["--data", str(layout.root)]
    lived.put(event_for("login", user_id=WHO, source_ip="203.0.113.99"), "sync").result(
        10
    )  # and what still comes

    def run(*words):
        done = CliRunner().invoke(cli, [*words, *where])
        assert done.exit_code == 0, done.output
        return done.stdout

    for words in (
        ["search", "*", "--json", "--limit", "500"],
        ["tail", "--no-follow", "-n", "100", "--json"],
        ["stats", "user.id", "--json"],
        ["search", "message: *", "--json"],
        ["subject", "export", WHO],
        ["subject", "export", "u-admin"],
    ):
        shown = run(*words)
        assert not [needle for needle in NEEDLES if needle in shown], words
        assert words[1] != "*" or "u-47" in shown
    store = LocalStore(TrailFiles(layout), hidden=Hidden(layout.restricted))
    everything = LocalStore(TrailFiles(layout))
    theirs = everything.search(SearchRequest(f"user.id: {WHO}")).events
    assert len(theirs) == 17
    assert store.get(theirs[0].event_id) is None
    assert store.around(theirs[0].event_id) == ()
    all_of_them = SearchRequest()
    assert (
        everything.count(all_of_them) - store.count(all_of_them) == 20
    )  # as many as tell of them, one not sealed
    beside = everything.search(SearchRequest("user.id: u-0")).events[0]
    assert WHO in {event.user_id for event in everything.around(beside.event_id)}
    assert WHO not in {event.user_id for event in store.around(beside.event_id)}

    assert run("subject", "export", WHO, "--reason", "AUDIT-1").count(WHO) >= 17
    (listed,) = map(msgspec.json.decode, run("subject", "list").splitlines())
    assert (listed["person"], listed["records"], listed["ticket"]) == (WHO, 19, "T-9")
    assert fsck.verify(layout.root).ok

    run("subject", "cancel", WHO, "--reason", "T-10")
    assert store.count(SearchRequest(f"user.id: {WHO}")) == 17
    assert not layout.restricted.exists()
    assert CliRunner().invoke(cli, ["subject", "cancel", WHO, "--reason", "T-10", *where]).exit_code == 2


def test_the_daemon_erases_when_the_period_is_over_and_says_so_once(layout, kept, lived, monkeypatch):
    shown = []
    daemon = Daemon(kept, on_events=shown.extend)
    daemon.start()
    try:
        lived.put(event_for("login", user_id=WHO, source_ip="203.0.113.99"), "sync").result(60)
        lived.put(event_for("login", user_id="u-5"), "sync").result(60)
        until(lambda: any(event.user_id == "u-5" for event in shown))
        assert WHO not in {event.user_id for event in shown}
        daemon._erasures.look()
        assert len(read_restrictions(layout.restricted)) == 1, "it is not time yet"

        year_us = 366 * 86_400_000_000
        monkeypatch.setattr(elapsed, "MAX_SILENCE_US", 2 * year_us)  # as if something had happened every week
        monkeypatch.setattr(clock, "now_us", lambda real=clock.now_us: real() + year_us)
        retention.hold(layout.hold, "case 7")
        daemon._erasures.look()
        assert len(read_restrictions(layout.restricted)) == 1, "a legal hold stops it"
        retention.release(layout.hold)
        until(
            lambda: WHO not in {event.user_id for event in daemon.keeper.head}
        )  # sealed, as it is a year old
        daemon._erasures.look()
        daemon._erasures.look()
    finally:
        daemon.close()
    assert read_restrictions(layout.restricted) == ()
    assert files_with(layout, NEEDLES) == set()
    report = fsck.verify(layout.root)
    assert report.ok, report.findings
    said = LocalStore(TrailFiles(layout)).search(
        SearchRequest("event.action: (subject-erased or subject-restricted)")
    )
    assert [(event.event_action, event.jwtrail_records, event.jwtrail_ticket) for event in said.events] == [
        ("subject-erased", 20, "T-9"),
        ("subject-restricted", 19, "T-9"),
        ("subject-erased", 0, "T-9"),
    ]


RULE = """title: Somebody signed in
id: 00000000-0000-4000-8000-000000000001
status: test
description: For a test.
logsource: {product: jwtrail}
detection:
  selection: {event.action: [login, http-request]}
  condition: selection
level: low
jwtrail: {group-by: [%s]}
"""


@pytest.mark.usefixtures("lived")
@pytest.mark.parametrize("by", ["user.id", "user.name", "source.ip", "http.route"])
def test_a_replay_names_nobody_who_is_restricted(layout, settings, tmp_path, by):
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "rule.yml").write_text(RULE % by)
    detect = ["detect", "--rules", str(rules), "--json", "--data", str(layout.root)]
    backtest = ["rules", "backtest", str(rules / "rule.yml"), "--json", "--data", str(layout.root)]

    def named(words):
        done = CliRunner().invoke(cli, words)
        assert done.exit_code in (0, 3), done.output
        return {needle for needle in NEEDLES if needle in done.stdout}, done

    assert {WHO, JTI, FAMILY} <= named(detect)[0]
    erase(
        msgspec.structs.replace(settings, trail=TrailSettings(retention="kr-1y")), WHO, by="root", reason=""
    )
    found, done = named(detect)
    assert found == set()
    assert "more about restricted people are not shown" in done.stderr
    assert '"u-1"' in done.stdout, "others are shown"
    assert named(backtest)[0] == set()


@pytest.mark.usefixtures("lived")
def test_a_clock_set_ahead_ends_no_restriction(layout, kept, monkeypatch):
    (before,) = read_restrictions(layout.restricted)
    year_us = 366 * 86_400_000_000
    monkeypatch.setattr(clock, "now_us", lambda real=clock.now_us: real() + year_us)
    DueErasures(kept, lambda *_: pytest.fail("erased within the period")).look()
    (after,) = read_restrictions(layout.restricted)
    assert after.until_us - before.until_us > year_us - 8 * 86_400_000_000
    assert after.records == before.records


def test_a_restriction_that_cannot_be_read_shows_nothing(layout, kept, lived):
    layout.restricted.write_bytes(b"[{")
    with pytest.raises(CorruptionError, match="who is restricted"):
        LocalStore(TrailFiles(layout), hidden=Hidden(layout.restricted)).count(SearchRequest())


def test_a_hold_and_a_daemon_stop_it(layout, settings, lived):
    with Keeper(layout), pytest.raises(LockedError, match="stop jwtrail serve"):
        erase(settings, WHO, by="root", reason="")
    retention.hold(layout.hold, "case 7")
    with pytest.raises(HoldError, match="case 7"):
        erase(settings, WHO, by="root", reason="")
    with pytest.raises(HoldError):
        retention.hold(layout.hold, "another")
    assert retention.release(layout.hold)
    assert not retention.release(layout.hold)
    assert erase(settings, WHO, by="root", reason="").events == 19


@pytest.mark.parametrize("at", ["rewrite", "replace", "blank_logs", "forget"])
def test_an_erasure_that_was_cut_off_is_finished_by_the_next(layout, settings, lived, at):
    """The process dies at each step; the trail is whole at once and nothing is left after another call."""
    code = (
        "import os, sys; from jwtrail import config; from jwtrail.runtime import subjects; from jwtrail.trail.keeper import Keeper\n"
        "def die(*_a, **_k): os._exit(9)\n"
        f"where, name = (Keeper, 'replace') if {at!r} == 'replace' else (subjects, {at!r})\n"
        "if name == 'rewrite':\n"
        "    real = subjects.rewrite; calls = iter((real, die)); setattr(subjects, name, lambda *a: next(calls)(*a))\n"
        "else: setattr(where, name, die)\n"
        "settings = config.load({'data': sys.argv[1]}, environ={}).settings\n"
        "subjects.erase(settings, sys.argv[2], by='root', reason='')\n"
    )
    died = subprocess.run([sys.executable, "-c", code, layout.root, WHO], check=False, timeout=120)
    assert died.returncode == 9
    assert fsck.verify(layout.root).ok
    erase(settings, WHO, by="root", reason="")
    assert files_with(layout, [WHO, FAMILY]) == set()
    assert fsck.verify(layout.root).ok
    said = duckdb.sql(
        f"""SELECT "jwtrail.records" FROM read_parquet('{layout.segments}/*.parquet', union_by_name = true)
        WHERE "event.action" = 'subject-erased' AND "jwtrail.records" > 0"""
    ).fetchall()
    assert said == [(19,)], "announced once, however often it was begun"


def test_short_and_numeric_ids_are_looked_for_only_where_people_are_named(layout, settings):
    writer = TrailWriter(layout)
    writer.put(event_for("http-request", user_id="7", url_path="/orders/9"))
    writer.put(event_for("http-request", user_id="8", url_path="/orders/7", jwtrail_object_id="7"))
    writer.put(event_for("alert-raised", jwtrail_alert_group="user.id=7,source.ip=192.0.2.1"))
    writer.close()
    assert erase(settings, "7", by="root", reason="").events == 2
    assert fsck.verify(layout.root).ok


def test_an_access_request_gives_everything(layout, settings, lived):
    found = list(held_about(settings, WHO))
    assert sum("_table" not in doc for doc in found) == 19
    assert {doc["_table"] for doc in found if "_table" in doc} == {"issued", "revocations"}
    assert not any(doc.get("user.id") in ("u-47", "u-1") for doc in found)


def test_the_command_line(layout, lived):
    where = ["--data", str(layout.root)]
    run = CliRunner().invoke(cli, ["subject", "export", WHO, *where])
    assert run.exit_code == 0, run.output
    assert len(run.stdout.splitlines()) == 21
    assert CliRunner().invoke(cli, ["subject", "erase", WHO, *where], input="n\n").exit_code == 1
    assert CliRunner().invoke(cli, ["trail", "hold", "--reason", "case 7", *where]).exit_code == 0
    held = CliRunner().invoke(cli, ["subject", "erase", WHO, "--yes", *where])
    assert held.exit_code == 1
    assert "case 7" in held.stderr
    assert CliRunner().invoke(cli, ["trail", "release", *where]).exit_code == 0
    done = CliRunner().invoke(cli, ["subject", "erase", WHO, "--yes", "--json", *where])
    assert done.exit_code == 0, done.output
    assert msgspec.json.decode(done.stdout)["events"] == 19
    assert CliRunner().invoke(cli, ["trail", "verify", *where]).exit_code == 0
