"""Nonces need no memory: every process with the secret knows them, for five minutes."""

import multiprocessing
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwtrail.errors import StateError
from jwtrail.tokens.nonce import LIFE_S, Nonces, nonce_secret

SECRET = b"s" * 32
NOW = 1_800_000_000_000_000


class Hands:
    """A clock that is set by hand."""

    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


def test_a_nonce_lives_for_its_time_in_every_process():
    clock = Hands()
    nonce = Nonces(SECRET, clock=clock).new()
    other = Nonces(SECRET, clock=clock)
    assert other.fresh(nonce)
    assert not other.ageing(nonce)
    clock.now += LIFE_S * 500_000
    assert other.fresh(nonce)
    assert other.ageing(nonce)
    clock.now = NOW + LIFE_S * 1_000_000
    assert not other.fresh(nonce)
    clock.now = NOW - 1
    assert not other.fresh(nonce)


def test_a_nonce_of_another_secret_or_a_changed_one_is_foreign():
    clock = Hands()
    nonce = Nonces(SECRET, clock=clock).new()
    assert not Nonces(b"t" * 32, clock=clock).fresh(nonce)
    for at in range(len(nonce)):
        changed = nonce[:at] + ("A" if nonce[at] != "A" else "B") + nonce[at + 1 :]
        assert not Nonces(SECRET, clock=clock).fresh(changed)


@given(st.text())
def test_nothing_makes_it_raise(text):
    assert not Nonces(SECRET).fresh(text)
    assert Nonces(SECRET).ageing(text)


def _read(path, queue):
    queue.put(nonce_secret(path))


def test_processes_that_start_together_agree_on_the_secret(tmp_path):
    path = tmp_path / "keys" / "dpop-nonce"
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    racers = [context.Process(target=_read, args=(path, queue)) for _ in range(6)]
    for racer in racers:
        racer.start()
    found = {queue.get(timeout=60) for _ in racers}
    for racer in racers:
        racer.join()
    assert found == {nonce_secret(path)}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["dpop-nonce"]


def test_a_damaged_secret_is_named(tmp_path):
    (tmp_path / "dpop-nonce").write_bytes(b"short")
    with pytest.raises(StateError, match="delete it"):
        nonce_secret(tmp_path / "dpop-nonce")
