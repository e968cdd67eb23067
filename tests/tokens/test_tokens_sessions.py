"""Sign-ins of a user: listed with their devices, ended here or everywhere, over by themselves."""

import pytest

from jwtrail.errors import TokenError
from jwtrail.tokens import Accepted, RefreshError, RevocationView, Verifier
from jwtrail.tokens.sessions import MAX_DEVICE

PHONE, LAPTOP = "김철수의 폰", "laptop"


@pytest.fixture
def two(shop):
    """A phone, and a minute later a laptop."""
    phone = shop.issuer.issue("u1", device=PHONE, source="198.51.100.7", scope="a")
    shop.at(60)
    laptop = shop.issuer.issue("u1", device=LAPTOP, client_id="web")
    shop.issuer.issue("u2", device="other")
    return phone, laptop


def devices(shop):
    return [session.device for session in shop.issuer.sessions("u1")]


def counts(shop, pair):
    view = RevocationView(shop.store.revocations(shop.now_us))
    judge = Verifier(shop.settings.access_policy(), shop.ring, view)
    return isinstance(judge.verify(pair.access_token, shop.now_us), Accepted)


def test_the_last_used_comes_first(shop, two):
    assert devices(shop) == [LAPTOP, PHONE]
    shop.at(120)
    shop.issuer.refresh(two[0].refresh_token, source="203.0.113.9")
    assert devices(shop) == [PHONE, LAPTOP]
    phone = shop.issuer.sessions("u1")[0]
    assert (phone.source, phone.scope, phone.client_id) == ("203.0.113.9", "a", "first-party")
    assert phone.used_us - phone.created_us == 120_000_000
    assert phone.ends_us == phone.used_us + shop.settings.refresh_idle_s * 1_000_000


def test_logged_out_here(shop, two):
    phone, laptop = two
    shop.issuer.end(phone.access.family, cause="logout", by="u1")
    assert devices(shop) == [LAPTOP]
    assert not counts(shop, phone)
    assert counts(shop, laptop)


def test_logged_out_everywhere(shop, two):
    shop.at(61)
    shop.issuer.end_all("u1", cause="logout", by="u1")
    assert devices(shop) == []
    for pair in two:
        assert not counts(shop, pair)
        with pytest.raises(RefreshError):
            shop.issuer.refresh(pair.refresh_token)
    shop.at(70)
    assert counts(shop, shop.issuer.issue("u1", device="again"))
    assert devices(shop) == ["again"]
    assert len(shop.issuer.sessions("u2")) == 1


def test_revoked_ones_are_not_listed(shop, two):
    shop.issuer.revoke("family", two[1].access.family, cause="operator")
    assert devices(shop) == [PHONE]
    shop.issuer.revoke("subject", "u1", cause="operator")
    assert devices(shop) == []


def test_a_sign_in_ends_when_it_is_idle_and_in_any_case(shop, two):
    idle, absolute = shop.settings.refresh_idle_s, shop.settings.refresh_absolute_s
    shop.at(idle - 1)
    kept = shop.issuer.refresh(two[0].refresh_token)
    shop.at(idle + 61)
    assert devices(shop) == [PHONE]
    now = idle - 1
    while now + idle < absolute:
        now += idle - 1
        shop.at(now)
        kept = shop.issuer.refresh(kept.refresh_token)
    shop.at(absolute - 1)
    assert devices(shop) == [PHONE]
    shop.at(absolute)
    assert devices(shop) == []
    with pytest.raises(RefreshError):
        shop.issuer.refresh(kept.refresh_token)


def test_a_label_is_cleaned_and_cut(shop):
    shop.issuer.issue("u1", device="a\x1b[31m\n" + "b" * 500)
    label = devices(shop)[0]
    assert len(label) <= MAX_DEVICE
    assert label.isprintable()


def test_rfc_8693_section_4_1_who_acts(shop):
    pair = shop.issuer.issue("u1", act="support-7")
    assert (pair.access.sub, pair.access.act) == ("u1", "support-7")
    shop.at(5)
    assert shop.issuer.refresh(pair.refresh_token).access.act == "support-7"
    with pytest.raises(TokenError):
        shop.issuer.issue("u1", claims={"act": {"sub": "boss"}})
