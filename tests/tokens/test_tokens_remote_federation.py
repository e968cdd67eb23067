"""Tokens of several issuers, each judged by its own keys and its own rules."""

import asyncio

import pytest
from tokens_shop import open_shop

from jwtrail import clock
from jwtrail.tokens import Accepted, Rejected, RevocationView, TokenSettings, Verifier
from jwtrail.tokens.federation import FederatedVerifier, remote_verifiers
from jwtrail.tokens.remotesettings import RemoteIssuer
from provider import Provider
from waiting import until


@pytest.fixture
def providers():
    made = [Provider(), Provider()]
    yield made
    for provider in made:
        provider.close()


class World:
    """Our own issuer and two remote ones."""

    def __init__(self, shop, providers, **options):
        self.shop = shop
        self.revoked = RevocationView()
        self.news = []
        issuers = {p.issuer: RemoteIssuer(allow_private=True, **options) for p in providers}
        settings = TokenSettings(issuers=issuers)
        own = Verifier(settings.access_policy(), shop.ring, self.revoked)
        self.remote = remote_verifiers(settings, self.revoked, self.news.append)
        self.verifier = FederatedVerifier(own, self.remote)

    def settled(self):
        self.verifier.start()
        until(lambda: all(verifier.keys.current().keys for verifier in self.remote.values()))
        return self

    def reason(self, token):
        verdict = self.verifier.verify(token)
        return verdict.reason if isinstance(verdict, Rejected) else type(verdict).__name__


@pytest.fixture
def world(tmp_path, providers):
    with open_shop(tmp_path) as shop:
        yield World(shop, providers).settled()


def test_everybodys_tokens_are_accepted(world, providers):
    own = world.shop.issuer.issue("u1", now_us=clock.now_us()).access_token
    assert world.reason(own) == "Accepted"
    for provider in providers:
        verdict = world.verifier.verify(provider.token())
        assert isinstance(verdict, Accepted)
        assert verdict.claims.iss == provider.issuer
    assert world.reason(None) == "Absent"
    assert world.reason("") == "token_missing"


def test_one_issuer_cannot_speak_for_another(world, providers):
    first, second = providers
    assert world.reason(first.token(iss=second.issuer)) == "signature_invalid"  # both have a key k1
    assert world.reason(first.token(iss="jwtrail")) in ("kid_unknown", "alg_not_allowed")
    assert world.reason(first.token(iss=first.issuer + "/")) in ("kid_unknown", "alg_not_allowed")
    assert world.reason(first.token(aud="other")) == "audience_mismatch"
    assert world.reason(first.token(exp=1)) == "expired"


@pytest.mark.parametrize(
    "token", ["x", "..", "a.!.c", "a." + "W10.c", "a.e30.c", "x" * 9000, b"\xff.\xff.\xff", "\ud800.a.b"]
)
def test_nonsense_is_named_by_our_own_verifier(world, token):
    assert isinstance(world.verifier.verify(token), Rejected)


def test_a_new_key_is_fetched_once_for_all_who_wait(world, providers):
    provider = providers[0]
    remote = world.remote[provider.issuer].keys
    remote._started_us = 0  # the pause after the first fetch is over
    provider.new_key("k2")
    asked = provider.asked.count("/keys")
    token = provider.token()

    async def crowd():
        first = [world.verifier.verify(token) for _ in range(30)]
        assert {verdict.reason for verdict in first} == {"kid_unknown"}
        return await asyncio.gather(*(world.verifier.second_look(token, verdict) for verdict in first))

    assert {type(verdict) for verdict in asyncio.run(crowd())} == {Accepted}
    assert provider.asked.count("/keys") == asked + 1
    # told after those who wait are let go
    until(lambda: "jwks-changed" in {news.action for news in world.news})


def test_without_a_loop_too(world, providers):
    provider = providers[0]
    world.remote[provider.issuer].keys._started_us = 0
    provider.new_key("k2")
    token = provider.token()
    assert isinstance(world.verifier.second_look_blocking(token, world.verifier.verify(token)), Accepted)


def test_a_second_look_changes_nothing_for_other_reasons(world, providers):
    provider = providers[0]
    world.remote[provider.issuer].keys._started_us = 0
    asked = len(provider.asked)
    for token in (provider.token(exp=1), provider.token(aud="x"), "nonsense"):
        verdict = world.verifier.verify(token)
        assert asyncio.run(world.verifier.second_look(token, verdict)) is verdict
        assert world.verifier.second_look_blocking(token, verdict) is verdict
    assert len(provider.asked) == asked


def test_a_provider_that_is_away_at_start(tmp_path, providers):
    provider = providers[0]
    pages, provider.pages = provider.pages, {}
    with open_shop(tmp_path) as shop:
        world = World(shop, [provider])
        token = provider.token()
        verdict = world.verifier.verify(token)
        assert verdict.reason == "jwks_unavailable"
        assert world.verifier.second_look_blocking(token, verdict).reason == "jwks_unavailable"
        until(lambda: world.news)
        assert "status 404" in world.news[0].message
        provider.pages = pages
        world.remote[provider.issuer].keys._due_us = 0
        assert isinstance(world.verifier.second_look_blocking(token, verdict), Accepted)


def test_keys_survive_the_provider(world, providers):
    provider = providers[0]
    token = provider.token()
    assert world.reason(token) == "Accepted"
    provider.close()
    keys = world.remote[provider.issuer].keys
    keys._due_us = 0
    keys.current()
    until(lambda: "jwks-failed" in {news.action for news in world.news})
    assert world.reason(provider.token()) == "Accepted"


def test_an_address_of_keys_that_is_set_needs_no_metadata(tmp_path, providers):
    provider = providers[0]
    del provider.pages["/.well-known/openid-configuration"]
    with open_shop(tmp_path) as shop:
        world = World(
            shop, [provider], jwks_uri=f"{provider.issuer}/keys", types=("JWT", "at+jwt", "")
        ).settled()
        assert world.reason(provider.token()) == "Accepted"
    assert set(provider.asked) == {"/keys"}
