"""Redis comes and goes: nothing is forgotten, nothing leaks, and somebody is told."""

import threading

import pytest

from jwtrail import clock
from jwtrail.errors import ConfigError, StateError
from jwtrail.state import AlertRow, Family, IssuedToken, Restraint, Revocation, StateStore, open_state
from jwtrail.state.split import forget_shared, shared_rows_about
from jwtrail.tokens import LiveState
from jwtrail.tokens.verdict import Claims
from redis_server import Server, patient
from waiting import LONG_S, until

pytestmark = pytest.mark.engine
HOUR = 3_600_000_000


@pytest.fixture
def server(monkeypatch):
    patient(monkeypatch)
    made = Server()
    yield made
    made.stop()


def revocation(value="t1", **more):
    now = clock.now_us()
    return Revocation(kind="jti", value=value, at_us=now, until_us=now + HOUR, cause="operator", **more)


def alert(alert_id):
    return AlertRow(id=alert_id, rule="b2", severity="high", group="g", at_us=clock.now_us(), doc="{}")


def test_a_server_that_is_not_there_is_refused_at_start_without_its_password(tmp_path):
    with pytest.raises(StateError, match=r"127\.0\.0\.1:1/0") as caught:
        open_state(tmp_path / "state.db", "redis://:hush@127.0.0.1:1/0")
    assert "hush" not in str(caught.value)


def test_an_address_that_is_none(tmp_path):
    with pytest.raises(StateError):
        open_state(tmp_path / "state.db", "http://127.0.0.1")


def test_without_an_address_the_file_is_used(tmp_path):
    with open_state(tmp_path / "state.db") as store:
        assert type(store) is StateStore


def test_redis_py_is_asked_for_by_name(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "jwtrail.state.redisstore", None)
    with pytest.raises(ConfigError, match=r"jwtrail\[redis\]"):
        open_state(tmp_path / "state.db", "redis://127.0.0.1")


def test_a_restart_that_loses_the_data_ends_no_revocation(server, tmp_path):
    """A server without persistence comes back empty; what the workers know is given back to it."""
    store = open_state(tmp_path / "state.db", server.url)
    health = []
    live = LiveState(store, on_health=health.append).start()
    store.revoke(revocation())
    store.restrain(
        Restraint(id="r", field="user.id", value="u", at_us=1, until_us=clock.now_us() + HOUR, per_minute=0)
    )
    claims = Claims(jti="t1")
    until(lambda: live.revocations.check(claims, clock.now_us()) and live.restraints.active)
    server.stop()
    until(lambda: live.failing)
    assert live.revocations.check(claims, clock.now_us()) is not None
    server.start()
    until(lambda: not live.failing)
    until(lambda: [row.value for row in store.revocations(clock.now_us())] == ["t1"])
    assert live.revocations.check(claims, clock.now_us()) is not None
    assert [row.id for row in store.restraints(clock.now_us())] == ["r"]
    assert [bool(text) for text in health] == [True, False]
    assert "secret-word" not in health[0]
    live.close()
    store.close()


def test_who_reads_an_empty_server_before_it_is_given_back_forgets_nothing(server, tmp_path):
    store = open_state(tmp_path / "state.db", server.url)
    store.revoke(revocation())
    assert [row.value for row in store.revocations(clock.now_us())] == ["t1"]
    server.stop()
    server.start()
    assert store.revocations(clock.now_us()) == []
    told = threading.Event()
    follower = store.watch(told.set)
    follower.start()
    assert told.wait(LONG_S)
    assert [row.value for row in store.revocations(clock.now_us())] == ["t1"]
    follower.close()
    store.close()


def test_a_lost_message_is_noticed_by_the_counter(server, tmp_path):
    store = open_state(tmp_path / "state.db", server.url)
    told = threading.Event()
    follower = store.watch(told.set)
    follower.start()
    assert told.wait(LONG_S)
    told.clear()
    server.command("INCR", "{jwtrail}:version")  # a change whose message never came
    assert told.wait(LONG_S)
    follower.close()
    store.close()


def test_foreign_data_under_our_name_is_an_error_of_ours(server, tmp_path):
    store = open_state(tmp_path / "state.db", server.url)
    store.revoke(revocation())
    server.command("SET", "{jwtrail}:revocation:jti:t1", "not json")
    with pytest.raises(StateError):
        store.revocations(0)
    store.close()


def test_a_followers_commit_is_split_and_may_be_repeated(server, tmp_path):
    store = open_state(tmp_path / "state.db", server.url)
    answer = {"alerts": (alert("a1"),), "revocations": (revocation(alert="a1"),)}
    assert store.commit(cursor=("detect", b"7"), **answer) == ["a1"]
    assert store.get_cursor("detect") == b"7"
    assert [row.alert for row in store.revocations(0)] == ["a1"]
    assert store.unrevoke("jti", "t1")
    assert store.commit(**answer) == []
    assert store.revocations(0) == []  # a person lifted it: a replay must not bring it back
    server.stop()
    with pytest.raises(StateError):
        store.commit(alerts=(alert("a2"),), revocations=(revocation(alert="a2"),))
    assert store.alert("a2") is None  # the answer did not get through, so it is tried again
    server.start()
    store.close()


def test_two_hosts_share_what_matters_and_keep_their_alerts(server, tmp_path):
    here = open_state(tmp_path / "here" / "state.db", server.url)
    there = open_state(tmp_path / "there" / "state.db", server.url)
    here.commit(alerts=(alert("a1"),), revocations=(revocation(alert="a1"),))
    assert [row.value for row in there.revocations(0)] == ["t1"]
    assert there.alert("a1") is None
    assert here.spend("p", clock.now_us() + HOUR)
    assert not there.spend("p", clock.now_us() + HOUR)
    here.close()
    there.close()


def test_a_person_is_told_of_and_taken_out(server, tmp_path):
    now = clock.now_us()
    store = open_state(tmp_path / "state.db", server.url)
    for subject in ("u1", "u2"):
        store.add_family(
            Family(
                id=f"f-{subject[1]}", subject=subject, jti="r", generation=0, created_us=now, rotated_us=now,
                expires_us=now + HOUR,
            ),
            [IssuedToken(jti=f"t-{subject[1]}", subject=subject, kind="access", at_us=now, exp_us=now + HOUR, kid="k")],
        )  # fmt: skip
    store.revoke(
        Revocation(kind="subject", value="u1", at_us=now, until_us=now + HOUR, cause="operator"),
        Revocation(kind="subject", value="u2", at_us=now, until_us=now + HOUR, cause="operator"),
    )

    def tells(field, text):
        return (field, text) == ("user.id", "u1")

    assert sorted(table for table, _ in shared_rows_about(server.url, tells)) == [
        "families", "issued", "revocations",
    ]  # fmt: skip
    done = forget_shared(server.url, tells, now)
    assert (done.rows, done.kept, done.kept_until_us) == (2, 1, now + HOUR)
    assert store.family("f-1") is None
    assert store.family("f-2") is not None
    assert [row.jti for row in store.tokens_of("key", "k", now)] == ["t-2"]
    assert len(store.revocations(now)) == 2
    names = b" ".join(server.command("KEYS", "*"))
    assert names.count(b"u1") == 1  # the revocation, which still counts
    assert forget_shared(server.url, tells, now + 2 * HOUR).rows == 1
    assert forget_shared("", tells, now).rows == 0
    assert list(shared_rows_about("", tells)) == []
    token = IssuedToken(jti="t-3", subject="auth0:u1", kind="access", at_us=now, exp_us=now + HOUR)
    store.issued(token)
    assert (
        forget_shared(server.url, lambda field, text: (field, text) == ("user.id", "auth0:u1"), now).rows == 1
    )
    assert not [name for name in server.command("KEYS", "*") if b"auth0:u1" in name], "an id may hold colons"
    store.close()
