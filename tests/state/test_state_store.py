"""The promises of `state.db`: idempotent, atomic, shared by threads, processes and forks, named errors."""

import multiprocessing
import os
import sqlite3
import stat
import threading

import pytest

from jwtrail.errors import AlertNotFound, StateError
from jwtrail.state import AlertRow, Family, IssuedToken, Restraint, Revocation, StateStore
from jwtrail.state.schema import MIGRATIONS
from jwtrail.state.shared import merged

NOW = 1_800_000_000_000_000
HOUR = 3_600_000_000


def revocation(kind="jti", value="t1", at_us=NOW, until_us=NOW + HOUR, cause="operator", **more):
    return Revocation(kind=kind, value=value, at_us=at_us, until_us=until_us, cause=cause, **more)


def family(family_id="f1", jti="r0", **more):
    given = {"subject": "u1", "generation": 0, "created_us": NOW, "rotated_us": NOW, "expires_us": NOW + HOUR}
    return Family(id=family_id, jti=jti, **{**given, **more})


def alert(alert_id="a1", at_us=NOW, **more):
    return AlertRow(
        id=alert_id, rule="b2", severity="high", group="jwt.family=f1", at_us=at_us, doc="{}", **more
    )


def token(jti, **more):
    given = {"subject": "u1", "kind": "access", "at_us": NOW, "exp_us": NOW + HOUR}
    return IssuedToken(jti=jti, **{**given, **more})


@pytest.fixture
def store(tmp_path):
    with StateStore(tmp_path / "data" / "state.db", clock=lambda: NOW + 7) as opened:
        yield opened


def test_the_file_is_for_its_owner_only(store):
    store.revoke(revocation())
    for name in ("state.db", "state.db-wal", "state.db-shm"):
        assert stat.S_IMODE((store.path.parent / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700


def test_revoking_again_keeps_the_first_cause_and_the_later_end(store):
    store.revoke(revocation(cause="logout", until_us=NOW + 2 * HOUR))
    store.revoke(revocation(cause="alert", at_us=NOW + 5, until_us=NOW + HOUR))
    assert store.revocations(NOW) == [revocation(cause="logout", until_us=NOW + 2 * HOUR)]


def test_the_later_cut_off_of_a_subject_wins():
    old = revocation(kind="subject", value="u1", until_us=NOW + 2 * HOUR)
    new = revocation(kind="subject", value="u1", at_us=NOW + 5, cause="password")
    kept = merged(old, new)
    assert (kept.at_us, kept.cause, kept.until_us) == (NOW + 5, "password", NOW + 2 * HOUR)
    assert merged(new, old).at_us == NOW + 5


def test_a_revocation_after_the_old_one_ended_is_a_new_one():
    old = revocation(until_us=NOW + 10, cause="logout")
    new = revocation(at_us=NOW + 10, cause="alert")
    assert merged(old, new) == new


def test_ended_revocations_are_not_told_and_pruned(store):
    store.revoke(revocation(until_us=NOW + 10), revocation(value="t2"))
    assert [found.value for found in store.revocations(NOW + 10)] == ["t2"]
    assert store.prune(NOW + 10) == 1
    assert store.prune(NOW + 10) == 0


def test_unrevoke(store):
    store.revoke(revocation())
    assert store.unrevoke("jti", "t1")
    assert not store.unrevoke("jti", "t1")
    assert store.revocations(NOW) == []


def test_restraints_round_trip_with_their_booleans(store):
    row = Restraint(
        id="x", field="source.ip", value="203.0.113.9", at_us=NOW, until_us=NOW + 10, per_minute=0,
        unauthenticated_only=True,
    )  # fmt: skip
    store.restrain(row)
    assert store.restraints(NOW) == [row]
    assert store.restraints(NOW + 10) == []
    assert store.lift("x")
    assert not store.lift("x")


def test_rotation_swaps_only_the_valid_token(store):
    store.add_family(family(), [token("t1", family="f1")])
    rotated = store.rotate_family("f1", "r0", "r1", "198.51.100.7", NOW + 1)
    assert rotated == family(jti="r1", previous="r0", generation=1, rotated_us=NOW + 1, source="198.51.100.7")
    assert store.family("f1") == rotated
    assert store.rotate_family("f1", "r0", "r2", "", NOW + 2) is None
    assert store.rotate_family("none", "r0", "r2", "", NOW + 2) is None
    assert store.end_family("f1")
    assert store.family("f1") is None


def test_families_of_a_user_last_used_first(store):
    store.add_family(family("f1"))
    store.add_family(family("f2", rotated_us=NOW + 9))
    store.add_family(family("f3", subject="u2"))
    assert [found.id for found in store.families_of("u1")] == ["f2", "f1"]


def _rotate(path, name, barrier, queue):
    with StateStore(path) as mine:
        barrier.wait()
        queue.put(mine.rotate_family("f1", "r0", name, name, NOW) is not None)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_of_two_processes_that_rotate_at_once_exactly_one_wins(store, method):
    store.add_family(family())
    context = multiprocessing.get_context(method)
    barrier, queue = context.Barrier(2), context.Queue()
    workers = [
        context.Process(target=_rotate, args=(store.path, name, barrier, queue)) for name in ("a", "b")
    ]
    for worker in workers:
        worker.start()
    won = [queue.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    assert sorted(won) == [False, True]
    assert store.family("f1").generation == 1


def test_of_many_threads_that_rotate_at_once_exactly_one_wins(store):
    store.add_family(family())
    won = []
    threads = [
        threading.Thread(
            target=lambda n=n: won.append(store.rotate_family("f1", "r0", f"n{n}", "", NOW) is not None)
        )
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won.count(True) == 1


def test_a_store_survives_a_fork_on_both_sides(store):
    store.revoke(revocation())
    before = store.version()
    child = os.fork()
    if child == 0:
        store.revoke(revocation(value="from-child"))
        os._exit(0 if len(store.revocations(NOW)) == 2 else 1)
    assert os.waitpid(child, 0)[1] == 0
    store.revoke(revocation(value="from-parent"))
    assert {found.value for found in store.revocations(NOW)} == {"t1", "from-child", "from-parent"}
    assert store.version() != before


def test_commit_is_all_or_nothing(store):
    with pytest.raises(StateError):
        store.commit(cursor=("detect", None), alerts=[alert()], revocations=[revocation()])
    assert store.alerts() == []
    assert store.revocations(NOW) == []


def test_commit_tells_which_alerts_are_new_and_takes_their_answers_once(store):
    answer = revocation(alert="a1", cause="alert")
    assert store.commit(cursor=("detect", b"1"), alerts=[alert()], revocations=[answer]) == ["a1"]
    assert store.unrevoke("jti", "t1")
    again = store.commit(
        cursor=("detect", b"2"), alerts=[alert(), alert("a2")], revocations=[answer], restraints=[]
    )
    assert again == ["a2"]
    assert store.revocations(NOW) == []
    assert store.get_cursor("detect") == b"2"
    assert store.get_cursor("other") is None


def test_alerts_are_paged_filtered_counted_and_triaged(store):
    for number in range(5):
        assert store.add_alert(alert(f"a{number}", at_us=NOW + number))
    assert not store.add_alert(alert("a0", status="closed"))
    first = store.alerts(limit=2)
    assert [row.id for row in first] == ["a4", "a3"]
    assert [row.id for row in store.alerts(before_us=first[-1].at_us, limit=9)] == ["a2", "a1", "a0"]
    changed = store.set_alert("a4", status="closed", reason="testing", note="mine")
    assert changed == alert(
        "a4", at_us=NOW + 4, status="closed", reason="testing", note="mine", changed_us=NOW + 7
    )
    assert store.alert("a4") == changed
    assert [row.id for row in store.alerts(status="closed")] == ["a4"]
    assert store.alerts(rule="other") == []
    assert store.alert_counts() == {"open": 4, "closed": 1}
    with pytest.raises(AlertNotFound):
        store.set_alert("none", status="closed")


def test_blast_radius_counts_live_tokens_only(store):
    store.issued(
        token("t1", family="f1", source="192.0.2.1", client_id="c", kid="k"),
        token("t2", family="f2", source="192.0.2.2", at_us=NOW + 3, kid="k"),
        token("t3", subject="u2", kid="k"),
        token("old", exp_us=NOW),
    )
    radius = store.blast_radius("subject", "u1", NOW)
    assert (radius.live_tokens, radius.families, radius.subjects) == (2, 2, 1)
    assert (radius.last_issued_us, radius.sources) == (NOW + 3, ("192.0.2.2", "192.0.2.1"))
    assert store.blast_radius("key", "k", NOW).live_tokens == 3
    assert store.blast_radius("client", "c", NOW).live_tokens == 1
    assert store.blast_radius("jti", "old", NOW).live_tokens == 0


def test_the_version_changes_with_own_and_foreign_writes(store):
    seen = {store.version()}
    store.revoke(revocation())
    seen.add(store.version())
    with StateStore(store.path) as other:
        other.revoke(revocation(value="t2"))
    seen.add(store.version())
    assert len(seen) == 3
    assert store.version() in seen


def test_errors_say_what_where_and_what_to_do(tmp_path):
    damaged = tmp_path / "state.db"
    damaged.write_bytes(b"no database at all, but long enough to be read as a page" * 20)
    with pytest.raises(StateError, match=r"state\.db: file is not a database \(move the file away"):
        StateStore(damaged)


def test_a_file_of_a_newer_version_is_refused(tmp_path):
    path = tmp_path / "state.db"
    StateStore(path).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(StateError, match="newer jwtrail"):
        StateStore(path)


def test_a_directory_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="file"):
        StateStore(tmp_path / "file" / "state.db")


def test_a_closed_store_says_so(store):
    store.close()
    with pytest.raises(StateError, match="closed"):
        store.revocations(NOW)


def _open(path, barrier, queue):
    barrier.wait()
    try:
        with StateStore(path) as mine:
            queue.put(mine.revocations(NOW) == [])
    except StateError as error:
        queue.put(str(error))


def test_processes_that_open_a_new_file_together_wait_for_each_other(tmp_path):
    context = multiprocessing.get_context("fork")
    for number in range(5):
        barrier, queue = context.Barrier(6), context.Queue()
        path = tmp_path / str(number) / "state.db"
        workers = [context.Process(target=_open, args=(path, barrier, queue)) for _ in range(6)]
        for worker in workers:
            worker.start()
        assert [queue.get(timeout=60) for _ in workers] == [True] * 6
        for worker in workers:
            worker.join()


def test_the_file_itself_is_asked_for_single_values(store):
    store.revoke(revocation(), revocation(kind="family", value="f1", until_us=NOW + 1))
    pairs = (("jti", "t1"), ("family", "f1"), ("subject", "t1"))
    assert [row.kind for row in store.revoked(pairs, NOW)] == ["jti", "family"]
    assert [row.kind for row in store.revoked(pairs, NOW + 1)] == ["jti"]
