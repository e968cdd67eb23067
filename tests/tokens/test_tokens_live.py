"""Revocations and restraints reach the memory of every process; the cache never outlives either."""

import copy
import json
import pickle
import subprocess
import sys

import pytest
from tokens_forge import NOW_S, NOW_US

from jwtrail.state import Restraint, Revocation, StateStore
from jwtrail.tokens import Accepted, Claims, KeyRing, LiveState, RestraintView, RevocationView, Verifier
from waiting import until

HOUR_US = 3_600_000_000


def row(kind="jti", value="t1", at_us=NOW_US, until_us=NOW_US + HOUR_US, **more):
    return Revocation(kind=kind, value=value, at_us=at_us, until_us=until_us, cause="test", **more)


def restraint(**more):
    given = {
        "id": "x",
        "field": "source.ip",
        "value": "203.0.113.9",
        "at_us": NOW_US,
        "until_us": NOW_US + HOUR_US,
    }
    return Restraint(**{**given, "per_minute": 0, **more})


REVOKE = """
import sys
from jwtrail.state import Revocation, StateStore
with StateStore(sys.argv[1]) as store:
    store.revoke(Revocation(kind="jti", value=sys.argv[2], at_us=1, until_us=2**60, cause="test"))
    print("done", flush=True)
    sys.stdin.readline()
"""


def test_a_revocation_by_another_process_is_seen_within_moments(shop):
    live = LiveState(shop.store, clock=lambda: shop.now_us).start()
    verifier = Verifier(shop.settings.access_policy(), shop.ring, live.revocations)
    pair = shop.issuer.issue("u1")
    assert isinstance(verifier.verify(pair.access_token, shop.now_us), Accepted)
    other = subprocess.Popen(
        [sys.executable, "-c", REVOKE, shop.store.path, pair.access.jti],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
    )
    assert other.stdout.readline() == b"done\n"

    def refused():
        verdict = verifier.verify(pair.access_token, shop.now_us)
        return None if isinstance(verdict, Accepted) else verdict

    assert until(refused).reason == "revoked_token"
    assert live.failing == ""
    other.communicate(b"\n")
    live.close()


def test_live_state_follows_restraints_too(shop):
    live = LiveState(shop.store, clock=lambda: shop.now_us).start()
    assert not live.restraints.active
    shop.store.restrain(restraint())
    until(lambda: live.restraints.active)
    live.close()


def test_the_cache_ends_with_the_token_and_looks_at_keys_and_revocations(shop):
    view = RevocationView()
    ring = KeyRing(shop.dir / "keys", clock=lambda: shop.now_us)
    verifier = Verifier(shop.settings.access_policy(), ring, view)
    pair = shop.issuer.issue("u1")
    end_us = (NOW_S + 900) * 1_000_000

    def reason(now_us):
        verdict = verifier.verify(pair.access_token, now_us)
        return "accepted" if isinstance(verdict, Accepted) else verdict.reason

    assert reason(NOW_US) == "accepted"
    first = verifier.verify(pair.access_token, NOW_US + 59_000_000)
    assert verifier.verify(pair.access_token, NOW_US + 59_500_000).claims is first.claims
    assert verifier.verify(pair.access_token, NOW_US + 60_000_000).claims is not first.claims
    assert reason(end_us + 29_999_999) == "accepted"
    assert reason(end_us + 30_000_000) == "expired"
    view.load([row(value=pair.access.jti)])
    assert reason(NOW_US) == "revoked_token"
    view.load([])
    assert reason(NOW_US) == "accepted"
    ring.rotate(0, at_once=True)
    assert reason(NOW_US) == "kid_unknown"


def test_what_a_token_says_is_the_same_for_every_request(shop):
    """A remembered verdict is shared: an application that changed it would change who comes next."""
    said = {"plan": "gold", "org": {"roles": ["reader", {"deep": True}], "id": 7}}
    token = shop.issuer.issue("u1", claims=said).access_token
    extra = shop.verifier.verify(token, shop.now_us).claims.extra
    for change in (
        lambda: extra.update(plan="free"),
        lambda: extra.__setitem__("admin", True),
        lambda: extra.pop("plan", None),
        lambda: extra.__ior__({"admin": True}),
        lambda: extra["org"].__setitem__("id", 1),
        lambda: extra["org"]["roles"].append("admin"),
        extra["org"]["roles"][1].clear,
    ):
        with pytest.raises((TypeError, AttributeError)):
            change()
    again = shop.verifier.verify(token, shop.now_us).claims.extra
    assert again is extra
    assert json.loads(json.dumps(again)) == said  # it is still written as JSON, copied and sent as before
    assert pickle.loads(pickle.dumps(again)) == copy.deepcopy(again) == again
    mine = dict(again)
    mine["plan"] = "free"
    assert again["plan"] == "gold"
    with pytest.raises(TypeError):
        Claims().extra["admin"] = True


def test_the_cache_is_bounded(shop):
    verifier = Verifier(shop.settings.access_policy(), shop.ring, cache_size=3)
    for number in range(9):
        verifier.verify(shop.issuer.issue(f"u{number}").access_token, shop.now_us)
    assert len(verifier._cache) == 3


def test_remembered_headers_are_bounded(shop, monkeypatch):
    monkeypatch.setattr("jwtrail.tokens.verifier.MAX_HEADERS", 4)
    for _ in range(9):
        shop.ring.rotate(900, at_once=True)
        verdict = shop.verifier.verify(shop.issuer.issue("u1").access_token, shop.now_us)
        assert isinstance(verdict, Accepted)
    assert len(shop.verifier._signers) <= 4


# revocations


def test_the_narrowest_revocation_is_told():
    claims = Claims(sub="u1", jti="t1", family="f1", client_id="c1", kid="k1", iat=NOW_S - 10)
    rows = [
        row("key", "k1"),
        row("client", "c1"),
        row("subject", "u1"),
        row("family", "f1"),
        row("jti", "t1"),
    ]
    reasons = []
    while rows:
        reasons.append(RevocationView(rows).check(claims, NOW_US).reason)
        rows.pop()
    assert reasons == ["revoked_token", "revoked_session", "revoked_subject", "revoked_client", "key_revoked"]


def test_a_revocation_ends_and_says_whether_it_is_fresh():
    view = RevocationView([row()])
    claims = Claims(jti="t1")
    assert view.check(claims, NOW_US + 59_999_999).recent
    assert not view.check(claims, NOW_US + 60_000_000).recent
    assert view.check(claims, NOW_US + HOUR_US) is None


def test_a_revocation_of_nothing_hits_nothing():
    assert RevocationView([row(value=""), row("family", "")]).check(Claims(sub="u1"), NOW_US) is None


@pytest.mark.parametrize(
    ("iat", "dead"), [(NOW_S - 1, True), (NOW_S, True), (NOW_S + 1, False), (None, True)]
)
def test_a_subject_is_cut_off_by_time_of_issue(iat, dead):
    found = RevocationView([row("subject", "u1")]).check(Claims(sub="u1", iat=iat), NOW_US)
    assert (found is not None) is dead


# restraints


def held(view, now_us=NOW_US, route="/orders", authenticated=False, **facts):
    return view.check(facts or {"source.ip": "203.0.113.9"}, route, authenticated, now_us)


def test_a_block_holds_until_its_end():
    view = RestraintView([restraint(alert="a1")])
    assert (held(view).retry_after_s, held(view).id, held(view).alert) == (3600, "x", "a1")
    assert held(view, NOW_US + HOUR_US - 1).retry_after_s == 1
    assert held(view, NOW_US + HOUR_US) is None
    assert view.check({"source.ip": "203.0.113.10", "user.id": ""}, "", True, NOW_US) is None


def test_a_block_may_spare_verified_tokens_and_other_routes():
    view = RestraintView([restraint(unauthenticated_only=True)])
    assert held(view) is not None
    assert held(view, authenticated=True) is None
    view = RestraintView([restraint(route="/login")])
    assert held(view) is None
    assert held(view, route="/login") is not None


def test_where_credentials_are_given_a_token_of_ones_own_does_not_help():
    view = RestraintView([restraint(unauthenticated_only=True)])
    facts = {"source.ip": "203.0.113.9", "user.id": "mallory"}
    assert view.check(facts, "/login", True, NOW_US) is None
    assert view.check(facts, "/login", True, NOW_US, entrance=True) is not None


def test_a_throttle_lets_through_a_burst_and_then_its_rate():
    view = RestraintView([restraint(per_minute=30)])
    passed = [held(view) is None for _ in range(7)]
    assert passed == [True] * 5 + [False] * 2
    assert held(view).retry_after_s == 2
    assert held(view, NOW_US + 2_000_000) is None
    assert held(view, NOW_US + 2_000_000) is not None
    minute = sum(held(view, NOW_US + 2_000_000 + n * 100_000) is None for n in range(600))
    assert 29 <= minute <= 30


def test_a_throttle_keeps_its_bucket_when_rows_are_loaded_again():
    view = RestraintView([restraint(per_minute=6)])
    assert held(view) is None
    view.load([restraint(per_minute=6), restraint(id="y", value="192.0.2.1")])
    assert held(view) is not None
    view.load([])
    assert not view.active
    assert held(view) is None


def test_the_longest_wait_of_several_is_told():
    view = RestraintView([restraint(per_minute=6), restraint(id="y", field="user.id", value="u1")])
    facts = {"source.ip": "203.0.113.9", "user.id": "u1"}
    assert view.check(facts, "", True, NOW_US).id == "y"


def test_a_store_that_is_away_leaves_the_views_as_they_were(tmp_path):
    store = StateStore(tmp_path / "state.db")
    live = LiveState(store, clock=lambda: NOW_US).start()
    store.revoke(row())
    live.refresh()
    store.close()
    with StateStore(tmp_path / "state.db") as other:
        other.unrevoke("jti", "t1")
        until(lambda: live.failing)
    assert live.revocations.check(Claims(jti="t1"), NOW_US) is not None
    live.close()
