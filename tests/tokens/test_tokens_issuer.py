"""Issuing, exchanging with reuse detection, revoking."""

import multiprocessing

import jwt
import pytest
from tokens_forge import NOW_S, NOW_US
from tokens_shop import open_shop

from jwtrail.errors import ConfigError, TokenError
from jwtrail.state import StateStore
from jwtrail.tokens import (
    Accepted,
    Issuer,
    KeyRing,
    RefreshError,
    RevocationView,
    TokenSettings,
    Verifier,
    load_secret,
)

HOME, AWAY = "198.51.100.7", "203.0.113.66"


def refused(shop, token, source=HOME):
    with pytest.raises(RefreshError) as error:
        shop.issuer.refresh(token, source=source)
    return error.value


def test_rfc_9068_claims_of_an_access_token(shop):
    pair = shop.issuer.issue(
        "u1", scope="a b", roles=["admin"], tenant="t1", claims={"plan": "gold"}, client_id="web"
    )
    header = jwt.get_unverified_header(pair.access_token)
    claims = jwt.decode(pair.access_token, options={"verify_signature": False})
    assert header == {"alg": "EdDSA", "kid": shop.ring.signing_key().kid, "typ": "at+jwt"}
    assert claims == {
        "iss": "jwtrail", "sub": "u1", "aud": "api", "iat": NOW_S, "exp": NOW_S + 900, "jti": pair.access.jti,
        "fam": pair.access.family, "gen": 0, "scope": "a b", "client_id": "web", "roles": ["admin"], "tenant": "t1",
        "plan": "gold",
    }  # fmt: skip
    assert (pair.token_type, pair.expires_in, pair.scope) == ("Bearer", 900, "a b")
    assert (pair.refresh.kind, pair.refresh.exp) == ("refresh", NOW_S + 14 * 86_400)
    assert pair.access.client_id == "web"


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "RS256", "HS256"])
def test_every_algorithm_issues_what_it_verifies(tmp_path, algorithm):
    with open_shop(tmp_path, algorithm) as shop:
        pair = shop.issuer.issue("u1")
        verdict = shop.verifier.verify(pair.access_token, shop.now_us)
        assert isinstance(verdict, Accepted)
        assert verdict.claims.alg == algorithm
        assert shop.issuer.refresh(pair.refresh_token).access.generation == 1


def test_tokens_are_not_good_for_each_others_use(shop):
    pair = shop.issuer.issue("u1")
    assert shop.verifier.verify(pair.refresh_token, shop.now_us).reason == "typ_mismatch"
    assert refused(shop, pair.access_token).reason == "typ_mismatch"
    assert refused(shop, "garbage").reason == "malformed_segments"


@pytest.mark.parametrize(
    ("reason", "given"),
    [
        ("claim_invalid", {"sub": ""}),
        ("claim_invalid", {"sub": "a" * 256}),
        ("claim_invalid", {"sub": "a\nb"}),
        ("claim_invalid", {"sub": "u", "claims": {"exp": 1}}),
        ("claim_invalid", {"sub": "u", "claims": {"fam": "x"}}),
        ("claim_invalid", {"sub": "u", "claims": {"x": object()}}),
        ("claim_invalid", {"sub": "u", "claims": {"act": "not an object"}}),
        ("claim_invalid", {"sub": "u", "tenant": "a\x00"}),
        ("token_too_large", {"sub": "u", "claims": {"x": "y" * 8192}}),
    ],
)
def test_what_no_verifier_would_take_is_not_issued(shop, reason, given):
    with pytest.raises(TokenError) as error:
        shop.issuer.issue(**given)
    assert error.value.reason == reason
    assert shop.store.families_of(given["sub"]) == []


def test_an_exchange_gives_a_new_pair_of_the_same_family(shop):
    first = shop.issuer.issue("u1", scope="a", claims={"plan": "gold"}, source=HOME)
    shop.at(60)
    second = shop.issuer.refresh(first.refresh_token, source=HOME)
    assert second.parent == first.refresh.jti
    assert not second.repeated
    assert second.access.family == first.access.family
    assert (second.access.generation, second.access.scope, second.access.extra) == (
        1,
        ("a",),
        {"plan": "gold"},
    )
    assert second.access.iat == NOW_S + 60
    assert len({pair.jti for pair in (first.access, first.refresh, second.access, second.refresh)}) == 4


def test_rfc_9700_a_reused_token_ends_the_family(shop):
    first = shop.issuer.issue("u1", source=HOME)
    second = shop.issuer.refresh(first.refresh_token, source=HOME)
    shop.at(60)
    error = refused(shop, first.refresh_token, AWAY)
    assert error.reason == "refresh_reused"
    assert (error.subject, error.family, error.jti) == ("u1", first.access.family, first.refresh.jti)
    assert (error.revoked.kind, error.revoked.cause) == ("family", "refresh_reused")
    assert refused(shop, second.refresh_token).reason == "revoked_session"
    assert refused(shop, first.refresh_token).reason == "revoked_session"
    view = RevocationView(shop.store.revocations(shop.now_us))
    assert view.check(second.access, shop.now_us).reason == "revoked_session"


def test_a_token_that_is_two_exchanges_old_is_reuse_even_at_once(shop):
    first = shop.issuer.issue("u1", source=HOME)
    second = shop.issuer.refresh(first.refresh_token, source=HOME)
    shop.issuer.refresh(second.refresh_token, source=HOME)
    assert refused(shop, first.refresh_token).reason == "refresh_reused"


def test_a_lost_answer_is_given_again_to_the_same_source(shop):
    first = shop.issuer.issue("u1", source=HOME)
    lost = shop.issuer.refresh(first.refresh_token, source=HOME)
    shop.at(10)
    again = shop.issuer.refresh(first.refresh_token, source=HOME)
    assert again.repeated
    assert again.refresh.jti == lost.refresh.jti
    assert again.access.jti != lost.access.jti
    # Whichever of both answers arrived, the next exchange works, and only once.
    assert shop.issuer.refresh(lost.refresh_token, source=HOME).access.generation == 2
    shop.at(21)
    assert refused(shop, again.refresh_token).reason == "refresh_reused"


@pytest.mark.parametrize(("seconds", "source"), [(10.000001, HOME), (1, AWAY), (1, "")])
def test_too_late_or_from_elsewhere_it_is_reuse(shop, seconds, source):
    first = shop.issuer.issue("u1", source=HOME)
    shop.issuer.refresh(first.refresh_token, source=HOME)
    shop.at(seconds)
    assert refused(shop, first.refresh_token, source).reason == "refresh_reused"


def test_a_clock_that_was_set_back_does_not_hold_the_grace_open(shop):
    first = shop.issuer.issue("u1", source=HOME)
    shop.at(100)
    shop.issuer.refresh(first.refresh_token, source=HOME)
    shop.at(50)
    assert refused(shop, first.refresh_token).reason == "refresh_reused"


def test_two_unknown_sources_are_not_the_same(shop):
    first = shop.issuer.issue("u1")
    shop.issuer.refresh(first.refresh_token)
    assert refused(shop, first.refresh_token, "").reason == "refresh_reused"


def test_a_sign_in_ends_when_idle_and_in_any_case(tmp_path):
    with open_shop(tmp_path, refresh_idle_s=3600, refresh_absolute_s=5400) as shop:
        idle = shop.issuer.issue("u1")
        shop.at(3000)
        used = shop.issuer.refresh(shop.issuer.issue("u2", now_us=NOW_US).refresh_token)
        assert used.refresh.exp == NOW_S + 5400
        shop.at(3600)
        assert refused(shop, idle.refresh_token).reason == "expired"
        shop.at(5399)
        last = shop.issuer.refresh(used.refresh_token)
        assert (last.expires_in, last.access.exp) == (1, NOW_S + 5400)
        shop.at(5400)
        assert refused(shop, last.refresh_token).reason == "expired"


def test_an_ended_sign_in_is_not_exchanged(shop):
    pair = shop.issuer.issue("u1")
    assert shop.store.end_family(pair.access.family)
    assert refused(shop, pair.refresh_token).reason == "revoked_session"


@pytest.mark.parametrize(
    ("kind", "claim", "reason"),
    [
        ("jti", "jti", "revoked_token"),
        ("family", "family", "revoked_session"),
        ("subject", "sub", "revoked_subject"),
        ("client", "client_id", "revoked_client"),
        ("key", "kid", "key_revoked"),
    ],
)
def test_revoking_by_what_a_token_belongs_to(shop, kind, claim, reason):
    pair = shop.issuer.issue("u1")
    value = getattr(pair.access, claim)
    assert shop.store.blast_radius(kind, value, shop.now_us).live_tokens >= 1
    row = shop.issuer.revoke(kind, value, cause="operator", by="admin")
    view = RevocationView(shop.store.revocations(shop.now_us))
    verdict = Verifier(shop.settings.access_policy(), shop.ring, view).verify(pair.access_token, shop.now_us)
    assert (verdict.reason, verdict.revoked) == (reason, row)
    assert verdict.claims == pair.access
    assert row.until_us / 1_000_000 >= pair.access.exp + shop.settings.leeway_s
    if kind not in ("jti", "client"):
        assert refused(shop, pair.refresh_token).reason == reason


def test_nothing_that_is_printed_by_accident_holds_a_token_or_a_key(shop):
    pair = shop.issuer.issue("u1")
    key = load_secret(b"0123456789abcdefghijklmnopqrstuvwxyz")
    rejected = shop.verifier.verify(pair.access_token + "A", shop.now_us)
    shown = repr(
        [pair, key, shop.ring.signing_key(), pair.access, rejected, refused(shop, pair.access_token)]
    )
    for segment in (*pair.access_token.split("."), *pair.refresh_token.split("."), "0123456789abcdef"):
        assert segment not in shown


def test_after_a_cut_off_of_a_subject_a_new_sign_in_counts(shop):
    shop.issuer.revoke("subject", "u1", cause="password_changed")
    shop.at(1)
    assert shop.issuer.refresh(shop.issuer.issue("u1").refresh_token)


def _exchange(directory, token, source, barrier, queue):
    ring = KeyRing(directory / "keys", clock=lambda: NOW_US)
    with StateStore(directory / "state.db") as store:
        issuer = Issuer(TokenSettings(), ring, store, clock=lambda: NOW_US + 1)
        barrier.wait()
        try:
            issuer.refresh(token, source=source)
            queue.put("exchanged")
        except RefreshError as error:
            queue.put(error.reason)


def test_of_two_processes_that_exchange_at_once_exactly_one_wins_and_the_family_ends(shop):
    pair = shop.issuer.issue("u1", source=HOME)
    context = multiprocessing.get_context("fork")
    barrier, queue = context.Barrier(2), context.Queue()
    workers = [
        context.Process(target=_exchange, args=(shop.dir, pair.refresh_token, source, barrier, queue))
        for source in (HOME, AWAY)
    ]
    for worker in workers:
        worker.start()
    outcomes = sorted(queue.get(timeout=60) for _ in workers)
    for worker in workers:
        worker.join()
    assert outcomes in (["exchanged", "refresh_reused"], ["exchanged", "revoked_session"])
    assert len(shop.store.revocations(NOW_US)) == 1


@pytest.mark.parametrize(
    ("where", "settings"),
    [
        ("tokens.access_ttl_s", {"access_ttl_s": 9}),
        ("tokens.leeway_s", {"leeway_s": 301}),
        ("tokens.max_token_bytes", {"max_token_bytes": 1}),
        ("tokens.algorithm", {"algorithm": "none"}),
        ("tokens.issuer", {"issuer": ""}),
        ("tokens.refresh_idle_s", {"refresh_idle_s": 100, "refresh_absolute_s": 99}),
        ("tokens.access_ttl_s", {"access_ttl_s": 900, "max_lifetime_s": 899}),
    ],
)
def test_settings_out_of_bounds_are_named(where, settings):
    with pytest.raises(ConfigError) as error:
        TokenSettings(**settings)
    assert error.value.where == where
    assert error.value.hint
