"""One suite for every store of the shared state: SQLite and Redis must not differ by a word."""

import multiprocessing
import threading
import time

import pytest

from jwtrail import clock
from jwtrail.errors import StateError
from jwtrail.state import BlastRadius, Family, IssuedToken, Restraint, Revocation
from jwtrail.tokens import LiveState
from waiting import LONG_S, until

NOW = clock.now_us()
HOUR = 3_600_000_000
SEEN_WITHIN_MS = 5_000
"""Half of them, on a machine that others use too. Alone it is some ten milliseconds: each run prints it."""


def revocation(kind="jti", value="t1", at_us=NOW, until_us=NOW + HOUR, cause="operator", **more):
    return Revocation(kind=kind, value=value, at_us=at_us, until_us=until_us, cause=cause, **more)


def restraint(name="r1", **more):
    given = {
        "field": "source.ip",
        "value": "192.0.2.1",
        "at_us": NOW,
        "until_us": NOW + HOUR,
        "per_minute": 3,
    }
    return Restraint(id=name, **{**given, **more})


def family(family_id="f1", jti="r0", **more):
    given = {"subject": "u1", "generation": 0, "created_us": NOW, "rotated_us": NOW, "expires_us": NOW + HOUR}
    return Family(id=family_id, jti=jti, **{**given, **more})


def token(jti, **more):
    given = {"subject": "u1", "kind": "access", "at_us": NOW, "exp_us": NOW + HOUR}
    return IssuedToken(jti=jti, **{**given, **more})


def test_revocations_come_back_oldest_first_for_everybody(open_shared):
    store, other = open_shared(), open_shared()
    store.revoke(
        revocation(value="b", at_us=NOW + 2), revocation(value="a", at_us=NOW + 1, alert="a1", by="kim")
    )
    store.revoke()
    store.revoke(revocation("subject", "b:c", at_us=NOW + 3))
    found = other.revocations(NOW)
    assert [(row.kind, row.value) for row in found] == [("jti", "a"), ("jti", "b"), ("subject", "b:c")]
    assert found[0] == revocation(value="a", at_us=NOW + 1, alert="a1", by="kim")
    assert other.revoked([("jti", "a"), ("subject", "a"), ("subject", "b:c")], NOW) == [found[0], found[2]]
    assert other.revocations(NOW + HOUR) == other.revoked([("jti", "a")], NOW + HOUR) == []


def test_revoking_again_keeps_the_first_cause_and_the_later_end(open_shared):
    store = open_shared()
    store.revoke(revocation(cause="logout", until_us=NOW + 2 * HOUR))
    store.revoke(revocation(cause="alert", at_us=NOW + 5, until_us=NOW + HOUR))
    assert store.revocations(NOW) == [revocation(cause="logout", until_us=NOW + 2 * HOUR)]
    store.revoke(revocation("subject", "u1"), revocation("subject", "u2", at_us=NOW + 9))
    store.revoke(revocation("subject", "u1", at_us=NOW + 7), revocation("subject", "u2", at_us=NOW + 8))
    assert [row.at_us - NOW for row in store.revocations(NOW) if row.kind == "subject"] == [7, 9]


def test_a_revocation_may_be_taken_back_once(open_shared):
    store = open_shared()
    store.revoke(revocation())
    assert store.unrevoke("jti", "t1")
    assert not store.unrevoke("jti", "t1")
    assert store.revocations(NOW) == []


def test_restraints(open_shared):
    store = open_shared()
    store.restrain(restraint("r2", at_us=NOW + 1))
    store.restrain(restraint("r1", unauthenticated_only=True))
    store.restrain(restraint("r2", at_us=NOW + 1, per_minute=0, route="/x"))
    assert store.restraints(NOW) == [
        restraint("r1", unauthenticated_only=True),
        restraint("r2", at_us=NOW + 1, per_minute=0, route="/x"),
    ]
    assert store.restraints(NOW + HOUR) == []
    assert store.lift("r1")
    assert not store.lift("r1")
    assert [row.id for row in store.restraints(NOW)] == ["r2"]


def test_what_has_ended_is_gone(open_shared):
    store = open_shared()
    past = clock.now_us() - 1_000_000
    store.revoke(revocation(until_us=past))
    store.restrain(restraint(until_us=past))
    assert store.revocations(clock.now_us()) == []
    assert store.restraints(clock.now_us()) == []


def test_a_family_from_sign_in_to_its_end(open_shared):
    store, other = open_shared(), open_shared()
    store.add_family(family(claims='{"a":1}', scope="x y"), [token("t1", family="f1")])
    store.add_family(family("f2", rotated_us=NOW + 5))
    assert other.family("f1") == family(claims='{"a":1}', scope="x y")
    assert other.family("f9") is None
    assert [row.id for row in other.families_of("u1")] == ["f2", "f1"]
    rotated = other.rotate_family("f1", "r0", "r1", "192.0.2.1", NOW + 9)
    assert rotated == family(
        jti="r1",
        previous="r0",
        generation=1,
        rotated_us=NOW + 9,
        source="192.0.2.1",
        claims='{"a":1}',
        scope="x y",
    )
    assert store.family("f1") == rotated
    assert store.rotate_family("f1", "r0", "r2", "", NOW) is None
    assert store.rotate_family("f9", "r0", "r2", "", NOW) is None
    assert [row.id for row in store.families_of("u1")] == ["f1", "f2"]
    assert store.end_family("f1")
    assert not store.end_family("f1")
    assert [row.id for row in other.families_of("u1")] == ["f2"]


def test_of_many_who_exchange_one_token_one_gets_a_row(open_shared):
    stores = [open_shared() for _ in range(4)]
    stores[0].add_family(family())
    won = []

    def run(store, name):
        won.append(store.rotate_family("f1", "r0", name, "", NOW))

    threads = [threading.Thread(target=run, args=(stores[n % 4], f"n{n}")) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = [row for row in won if row is not None]
    assert stores[0].family("f1") == winner


def test_the_blast_radius_counts_live_tokens(open_shared):
    store = open_shared()
    store.issued(
        token("a", family="f1", source="192.0.2.1", client_id="c", kid="k"),
        token("b", family="f2", source="192.0.2.2", at_us=NOW + 5),
        token("c", subject="u2", client_id="c"),
    )
    assert [row.jti for row in store.tokens_of("subject", "u1", NOW)] == ["b", "a"]
    assert store.blast_radius("subject", "u1", NOW) == BlastRadius(
        live_tokens=2, families=2, subjects=1, last_issued_us=NOW + 5, sources=("192.0.2.2", "192.0.2.1")
    )
    assert store.blast_radius("client", "c", NOW).subjects == 2
    for kind, value, count in (("jti", "a", 1), ("family", "f1", 1), ("key", "k", 1), ("jti", "z", 0)):
        assert store.blast_radius(kind, value, NOW).live_tokens == count
    assert store.tokens_of("subject", "u1", NOW + HOUR) == []


def test_what_counts_once(open_shared):
    store, other = open_shared(), open_shared()
    until = clock.now_us() + 60_000_000
    assert store.spend("p", until)
    assert not other.spend("p", until)
    assert other.spend("q", until)


def test_a_follower_is_told_of_every_kind_of_change(open_shared):
    store, other = open_shared(), open_shared()
    told = threading.Event()
    follower = other.watch(told.set)
    follower.start()
    follower.start()
    time.sleep(0.1)
    try:
        for change in (
            lambda: store.revoke(revocation()),
            lambda: store.unrevoke("jti", "t1"),
            lambda: store.restrain(restraint()),
            lambda: store.lift("r1"),
        ):
            told.clear()
            change()
            assert told.wait(LONG_S)
    finally:
        follower.close()
    assert follower.failing == ""


def test_a_closed_store_says_so(open_shared):
    store = open_shared()
    store.close()
    try:
        store.revocations(NOW)
    except StateError as error:
        assert "secret" not in str(error)


def _follow(opened, queue, stop):
    """What a worker does: answers each revocation with the moment it was in its memory."""
    live = LiveState(opened()).start()
    queue.put("ready")
    seen = set()
    while not stop.is_set():
        rows = live.revocations._rows
        for kind, value in [key for key in rows if key not in seen]:
            seen.add((kind, value))
            queue.put((value, time.monotonic_ns()))
        time.sleep(0.0005)
    live.close()


def test_another_process_sees_each_revocation_within_moments(open_shared, request):
    context = multiprocessing.get_context("fork")
    queue, stop = context.Queue(), context.Event()
    worker = context.Process(target=_follow, args=(open_shared, queue, stop))
    worker.start()
    try:
        assert queue.get(timeout=60) == "ready"
        store = open_shared()
        delays = []
        for number in range(100):
            started = time.monotonic_ns()
            store.revoke(revocation(value=f"v{number}"))
            value, seen = queue.get(timeout=60)
            assert value == f"v{number}"
            delays.append((seen - started) / 1e6)
    finally:
        stop.set()
        worker.join()
    delays.sort()
    print(
        f"\n{request.node.name}: seen after p50 {delays[50]:.1f} ms, p99 {delays[98]:.1f} ms, worst {delays[-1]:.1f} ms"
    )
    assert delays[50] < SEEN_WITHIN_MS


@pytest.mark.engine
def test_redis_forgets_by_itself(redis_server):
    from jwtrail.state.redisstore import RedisStore

    redis_server.clear()
    store = RedisStore(redis_server.url)
    soon = clock.now_us() + 1_000_000
    store.revoke(revocation(until_us=soon))
    store.restrain(restraint(until_us=soon))
    store.add_family(family(expires_us=soon), [token("t", exp_us=soon, client_id="c")])
    store.spend("p", soon)
    lasting = [b"{jwtrail}:epoch", b"{jwtrail}:version"]
    until(lambda: sorted(redis_server.command("KEYS", "*")) == lasting)
    store.close()
