"""How long a revocation is kept: past the last token it concerns, never short of it, and not for months after a logout."""

import pytest
from tokens_forge import NOW_US
from tokens_shop import open_shop

from jwtrail.state import StateStore
from jwtrail.tokens import Issuer, RefreshError, RevocationView, TokenSettings, Verifier
from jwtrail.tokens.ends import end_of
from jwtrail.tokens.remotesettings import RemoteIssuer

DAY = 86_400
_US = 1_000_000


@pytest.fixture
def shop(tmp_path):
    with open_shop(tmp_path) as made:
        yield made


def verdict(shop, token):
    shop.store.prune(shop.now_us)
    view = RevocationView(shop.store.revocations(shop.now_us))
    return Verifier(shop.settings.access_policy(), shop.ring, view).verify(token, shop.now_us)


def test_a_logout_is_remembered_for_minutes_and_nothing_comes_back(shop):
    first = shop.issuer.issue("u1")
    shop.at(60)
    second = shop.issuer.refresh(first.refresh_token)
    row = shop.issuer.end(first.access.family, cause="logout", by="u1")
    assert row.until_us == shop.now_us + (900 + 30) * _US
    for after_s in (60, 61, 900, 959, 989, 990, 1000, 3600, 13 * DAY):
        shop.at(after_s)
        for pair in (first, second):
            assert getattr(verdict(shop, pair.access_token), "reason", "") in ("revoked_session", "expired")
            with pytest.raises(RefreshError) as refused:
                shop.issuer.refresh(pair.refresh_token)
            assert refused.value.reason == "revoked_session"
    assert shop.store.revocations(shop.now_us) == []


def test_access_tokens_issued_under_longer_lives_are_dead_too(shop):
    long = TokenSettings(access_ttl_s=3600)
    pair = Issuer(long, shop.ring, shop.store, clock=lambda: NOW_US).issue("u1")
    row = shop.issuer.end(pair.access.family, cause="logout")
    assert row.until_us == (pair.access.exp + 30) * _US
    shop.at(3599)
    assert verdict(shop, pair.access_token).reason == "revoked_session"


def test_a_sign_in_at_another_issuer_is_revoked_for_as_long_as_any_lives(shop):
    row = shop.issuer.end("sid-of-somebody-else", cause="logout")
    assert row.until_us == NOW_US + (90 * DAY + 30) * _US


class TornError(Exception):
    """The machine stops."""


def test_a_crash_in_the_middle_leaves_no_refresh_token_alive(shop, monkeypatch):
    pair = shop.issuer.issue("u1")

    def torn(*_):
        raise TornError

    with monkeypatch.context() as patch:
        patch.setattr(StateStore, "revoke", torn)
        with pytest.raises(TornError):
            shop.issuer.end(pair.access.family, cause="logout")
    with pytest.raises(RefreshError):
        shop.issuer.refresh(pair.refresh_token)


def test_a_family_is_revoked_until_it_must_have_ended_also_under_shorter_settings(shop):
    pair = shop.issuer.issue("u1")
    shorter = TokenSettings(refresh_absolute_s=DAY, refresh_idle_s=DAY)
    assert end_of(shop.store, shorter, "family", pair.access.family, NOW_US) == NOW_US + (90 * DAY + 30) * _US
    for kind, value in (("subject", "u1"), ("client", "first-party"), ("key", pair.access.kid)):
        assert end_of(shop.store, shorter, kind, value, NOW_US) >= (pair.refresh.exp + 30) * _US
    assert end_of(shop.store, shorter, "jti", pair.access.jti, NOW_US) == (pair.access.exp + 30) * _US


def test_what_nobody_here_knows_gets_the_longest_life_of_any_issuer(shop):
    remote = TokenSettings(issuers={"https://idp.example": RemoteIssuer(max_lifetime_s=200 * DAY)})
    for kind in ("jti", "family", "subject"):
        assert end_of(shop.store, remote, kind, "unknown", NOW_US) == NOW_US + (200 * DAY + 30) * _US


def test_a_refresh_of_what_our_answer_ended_names_the_alert(shop):
    pair = shop.issuer.issue("u1")
    shop.issuer.revoke("family", pair.access.family, cause="alert", alert="alert-1")
    with pytest.raises(RefreshError) as refused:
        shop.issuer.refresh(pair.refresh_token)
    assert (refused.value.reason, refused.value.alert) == ("revoked_session", "alert-1")
    other = shop.issuer.issue("u1")
    shop.issuer.revoke("family", other.access.family, cause="operator")
    with pytest.raises(RefreshError) as refused:
        shop.issuer.refresh(other.refresh_token)
    assert refused.value.alert == ""
