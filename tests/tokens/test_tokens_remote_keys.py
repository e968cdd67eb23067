"""Keys of a remote issuer: at hand, one fetch at a time, stale through an outage, never a storm."""

import multiprocessing
import threading

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from jwtrail.errors import ConfigError, TokenError
from jwtrail.tokens import KeySet, TokenSettings
from jwtrail.tokens.discovery import MAX_KEYS, jwks_uri_of, metadata_urls, read_keys
from jwtrail.tokens.keys import key_of
from jwtrail.tokens.remote import BACKOFF_S, COOLDOWN_S, Fetched, RemoteKeys
from jwtrail.tokens.remotesettings import RemoteIssuer
from waiting import LONG_S, until

NOW = 1_800_000_000_000_000
SECOND = 1_000_000


def keys(*kids):
    return KeySet(*(key_of(ed25519.Ed25519PrivateKey.generate().public_key(), kid=kid) for kid in kids))


class Source:
    """An issuer under the test's hand, and a clock."""

    def __init__(self, **options):
        self.now = NOW
        self.keys = keys("k1")
        self.life_s = None
        self.fails = False
        self.fetches = 0
        self.news = []
        self.gate = threading.Event()
        self.gate.set()
        self.remote = RemoteKeys(
            "https://i", self.fetch, clock=lambda: self.now, on_news=self.news.append, **options
        )

    def fetch(self):
        self.fetches += 1
        assert self.gate.wait(LONG_S)
        if self.fails:
            raise TokenError("jwks_unavailable", "away")
        return Fetched(self.keys, self.life_s, 1)

    def settled(self):
        """The keys, after a fetch that is under way has ended."""
        found = self.remote.current()
        if (flight := self.remote._flight) is not None:
            flight.result(60)
        return self.remote.current() if not found.keys else found

    def wait(self, count):
        until(lambda: len(self.news) >= count)


def test_the_first_question_never_waits():
    source = Source()
    source.gate.clear()
    assert source.remote.current().keys == ()
    source.gate.set()
    source.wait(1)
    assert source.remote.current() is source.keys
    assert source.news[0].action == "jwks-fetched"
    assert source.news[0].message == "1 keys: k1; 1 unusable"


def test_keys_are_fetched_again_when_due_while_the_old_ones_serve():
    source = Source(refresh_s=100)
    source.settled()
    old = source.keys
    source.keys = keys("k1", "k2")
    source.now += 99 * SECOND
    assert source.remote.current() is old
    assert source.fetches == 1
    source.now += SECOND
    source.gate.clear()
    assert source.remote.current() is old
    assert source.remote.current() is old
    source.gate.set()
    source.wait(2)
    assert source.remote.current() is source.keys
    assert (source.fetches, source.news[1].action) == (2, "jwks-changed")


def test_equal_keys_stay_the_same_object_so_that_caches_hold():
    source = Source(refresh_s=10)
    first = source.settled()
    source.keys = KeySet(*source.keys.keys)
    source.now += 11 * SECOND
    source.remote.current()
    source.wait(2)
    assert source.remote.current() is first
    assert source.news[1].action == "jwks-fetched"


@pytest.mark.parametrize(("life_s", "next_s"), [(None, 600), (60, 60), (0, 10), (10**9, 600)])
def test_the_sender_may_shorten_the_life_within_bounds(life_s, next_s):
    source = Source()
    source.life_s = life_s
    source.settled()
    source.now += next_s * SECOND - 1
    source.remote.current()
    assert source.fetches == 1
    source.now += 1
    source.remote.current()
    source.wait(2)


def test_all_who_miss_a_key_wait_for_one_fetch():
    source = Source()
    source.settled()
    source.now += COOLDOWN_S * SECOND
    source.gate.clear()
    flights = {id(source.remote.ask()) for _ in range(50)}
    assert len(flights) == 1
    assert source.remote.current().keys
    source.gate.set()
    source.wait(2)
    assert source.fetches == 2


def test_invented_key_ids_cause_no_storm():
    source = Source()
    source.settled()
    assert source.remote.ask() is None
    source.now += COOLDOWN_S * SECOND
    asked = source.remote.ask()
    asked.result(60)
    assert not asked.cancel()
    for _ in range(100):
        assert source.remote.ask() is None
    assert source.fetches == 2


def test_an_outage_is_survived_with_the_old_keys_and_then_not():
    source = Source(refresh_s=10, max_stale_s=3600)
    known = source.settled()
    source.fails = True
    pauses = []
    for attempt in range(8):
        source.now = max(source.now, source.remote._due_us)
        assert source.remote.current() is known
        source.wait(attempt + 2)
        pauses.append((source.remote._due_us - source.now) // SECOND)
        assert source.remote.ask() is None  # not before the pause is over
    assert pauses == [1, 2, 4, 8, 16, 32, BACKOFF_S, BACKOFF_S]
    assert {news.action for news in source.news[1:]} == {"jwks-failed"}
    source.now = NOW + 3600 * SECOND - 1
    assert source.remote.current() is known
    source.now += 1
    assert source.remote.current().keys == ()
    source.fails = False
    source.now = source.remote._due_us + BACKOFF_S * SECOND
    source.remote.current()
    until(lambda: source.remote.current().keys)


def _child(source, queue):
    source.gate.set()
    source.now += 3600 * SECOND
    source.remote.current()
    source.wait(1)
    queue.put(source.fetches)


def test_a_fork_in_the_middle_of_a_fetch_does_not_wait_forever():
    source = Source()
    source.gate.clear()
    source.remote.current()
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_child, args=(source, queue))
    child.start()
    assert queue.get(timeout=60) == 2
    child.join()
    source.gate.set()
    source.wait(1)


# discovery


def test_where_metadata_are():
    assert metadata_urls("https://i.example/") == (
        "https://i.example/.well-known/openid-configuration",
        "https://i.example/.well-known/oauth-authorization-server",
    )
    assert metadata_urls("https://i.example/realms/a") == (
        "https://i.example/realms/a/.well-known/openid-configuration",
        "https://i.example/.well-known/oauth-authorization-server/realms/a",
    )


def test_the_second_place_is_asked_when_the_first_is_empty():
    asked = []

    def get(url):
        asked.append(url)
        if "openid" in url:
            raise TokenError("jwks_unavailable", "status 404")
        return b'{"issuer":"https://i","jwks_uri":"https://i/k"}'

    assert jwks_uri_of("https://i", get) == "https://i/k"
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b'{"issuer":"https://i/","jwks_uri":"https://i/k"}', "another issuer"),
        (b'{"issuer":"https://i"}', "no jwks_uri"),
        (b'{"issuer":"https://i","jwks_uri":7}', "no jwks_uri"),
        (b"[]", "not a JSON object"),
        (b'{"issuer":"a","issuer":"https://i","jwks_uri":"https://i/k"}', "duplicate_json_key"),
        (b"{" * 9000, "json_too_deep"),
    ],
)
def test_metadata_that_are_not_taken(raw, why):
    with pytest.raises(TokenError, match=why):
        jwks_uri_of("https://i", lambda _: raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"{}", b'{"keys":{}}', b'{"keys":[]}', b'{"keys":[1,null,"x",{"kty":"??"}]}',
        b'{"keys":[{"kty":"oct","k":"MDEyMzQ1Njc4OWFiY2RlZi0wMTIzNDU2Nzg5QUJDREVG","alg":"HS256"}]}',
        b'{"keys":[' + b",".join([b"{}"] * (MAX_KEYS + 1)) + b"]}",
    ],
)  # fmt: skip
def test_sets_without_a_usable_key(raw):
    with pytest.raises(TokenError):
        read_keys(raw, "https://i/k")


def test_keys_for_other_purposes_are_passed_over():
    good = b'{"kty":"OKP","crv":"Ed25519","kid":"a","x":"Kz4sPyHqZrSBrtJbtDRtiGy-GBjxBLwrnAO3N-9lBzU"}'
    raw = b'{"keys":[' + good + b',{"kty":"RSA","use":"enc","kid":"b","n":"AQ","e":"AQAB"}]}'
    read = read_keys(raw, "https://i/k")
    assert ([key.kid for key in read.keys.keys], read.skipped) == (["a"], 1)


@pytest.mark.parametrize(
    "options",
    [
        {"refresh_s": 1},
        {"max_stale_s": 1},
        {"max_lifetime_s": 0},
        {"algorithms": ("HS256",)},
        {"algorithms": ("None",)},
    ],
)
def test_settings_that_would_be_a_hole_are_refused(options):
    with pytest.raises(ConfigError):
        RemoteIssuer(**options)


def test_our_own_issuer_cannot_be_remote():
    with pytest.raises(ConfigError, match="our own"):
        TokenSettings(issuer="https://i", issuers={"https://i": RemoteIssuer()})
