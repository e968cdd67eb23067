"""Sign-in keys and sessions: used once, ended in time, bounded, and hard to guess at."""

import pytest

from jwtrail.errors import ConfigError
from jwtrail.web.security import MAX_FAILURES, MAX_KEYS, MAX_SESSIONS, SignIns, TooManyFailures
from jwtrail.web.settings import WebSettings

SECOND = 1_000_000


class Time:
    def __init__(self):
        self.us = 1_800_000_000 * SECOND

    def __call__(self):
        return self.us

    def passes(self, seconds):
        self.us += seconds * SECOND


@pytest.fixture
def now():
    return Time()


@pytest.fixture
def sign_ins(now):
    return SignIns(WebSettings(key_ttl_s=600, idle_s=3600, absolute_s=7200), now)


def test_a_key_opens_one_session(sign_ins):
    key = sign_ins.new_key()
    session = sign_ins.redeem(key, "127.0.0.1")
    assert session is not None
    assert sign_ins.find(session.id) == session
    assert sign_ins.redeem(key, "127.0.0.1") is None


def test_a_key_ends(sign_ins, now):
    key = sign_ins.new_key()
    now.passes(600)
    assert sign_ins.redeem(key, "127.0.0.1") is None


def test_keys_and_sessions_have_256_bits_and_differ(sign_ins):
    keys = {sign_ins.new_key() for _ in range(20)}
    assert len(keys) == 20
    assert min(map(len, keys)) == 43
    session = sign_ins.redeem(keys.pop(), "127.0.0.1")
    assert len(session.id) == len(session.csrf) == 43
    assert session.id != session.csrf


def test_a_session_ends_when_idle(sign_ins, now):
    session = sign_ins.redeem(sign_ins.new_key(), "127.0.0.1")
    now.passes(3599)
    assert sign_ins.find(session.id)
    now.passes(3599)
    assert sign_ins.find(session.id, touch=False)
    now.passes(1)
    assert sign_ins.find(session.id) is None


def test_a_session_ends_in_any_case(sign_ins, now):
    session = sign_ins.redeem(sign_ins.new_key(), "127.0.0.1")
    for _ in range(7199):
        now.passes(1)
        assert sign_ins.find(session.id)
    now.passes(1)
    assert sign_ins.find(session.id) is None


def test_signing_out_ends_it(sign_ins):
    session = sign_ins.redeem(sign_ins.new_key(), "127.0.0.1")
    sign_ins.end(session)
    assert sign_ins.find(session.id) is None


def test_guessing_is_braked_for_a_minute(sign_ins, now):
    for _ in range(MAX_FAILURES):
        assert sign_ins.redeem("guess", "127.0.0.1") is None
    for _ in range(3):
        with pytest.raises(TooManyFailures):
            sign_ins.redeem("guess", "127.0.0.1")
    now.passes(60)
    assert sign_ins.redeem("guess", "127.0.0.1") is None


def test_the_brake_never_keeps_a_right_key_out(sign_ins):
    key = sign_ins.new_key()
    for _ in range(MAX_FAILURES):
        sign_ins.redeem("guess", "127.0.0.1")
    assert sign_ins.redeem(key, "127.0.0.1")
    with pytest.raises(TooManyFailures):
        sign_ins.redeem(key, "127.0.0.1")  # used: wrong by now


def test_keys_and_sessions_are_bounded(sign_ins):
    first = sign_ins.new_key()
    for _ in range(MAX_KEYS):
        sign_ins.new_key()
    assert sign_ins.redeem(first, "127.0.0.1") is None
    oldest = sign_ins.redeem(sign_ins.new_key(), "127.0.0.1")
    for _ in range(MAX_SESSIONS):
        assert sign_ins.redeem(sign_ins.new_key(), "127.0.0.1")
    assert sign_ins.find(oldest.id) is None


@pytest.mark.parametrize("cookie", ["", "x", "\ud800", "a" * 100_000])
def test_a_wrong_cookie_is_nobody(sign_ins, cookie):
    assert sign_ins.find(cookie) is None


@pytest.mark.parametrize("path", ["audit", "/audit/", "/"])
def test_a_root_path_is_checked(path):
    with pytest.raises(ConfigError, match="root_path"):
        WebSettings(root_path=path)
