"""The keys of an issuer somewhere else: always at hand, fetched before they are needed, kept through an outage."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Literal

from msgspec import Struct

from jwtrail import clock
from jwtrail.errors import TokenError
from jwtrail.tokens.keys import KeySet

__all__ = ["BACKOFF_S", "COOLDOWN_S", "Fetched", "KeyNews", "RemoteKeys"]

COOLDOWN_S = 10
"""Between two fetches for an unknown `kid`: anybody can invent one, and must not make us attack the issuer."""

BACKOFF_S = 60
"""Longest pause between two attempts while the issuer is away; they begin with one second and double."""

MIN_LIFE_S = 10
"""`Cache-Control: no-store` would otherwise mean a fetch for every request."""

_US = 1_000_000


class Fetched(Struct, frozen=True):
    """Keys, and how long their sender says they last.

    Args:
        life_s: None when it does not say.
        skipped: keys of the set that cannot be used.
    """

    keys: KeySet
    life_s: int | None = None
    skipped: int = 0


class KeyNews(Struct, frozen=True):
    """What became of a fetch, for the trail.

    Args:
        action: `jwks-fetched`, `jwks-changed` or `jwks-failed`.
        message: one readable line.
    """

    action: Literal["jwks-fetched", "jwks-changed", "jwks-failed"]
    issuer: str
    message: str


class _Held(Struct, frozen=True):
    keys: KeySet
    until_us: int


class RemoteKeys:
    """A `KeySource` that never blocks whoever asks for the keys that are known. Threads may share it, forks are safe.

    Args:
        issuer: for the news.
        fetch: gets the keys; called from a thread of its own, one at a time.
        refresh_s: longest time between two fetches.
        max_stale_s: how long after the last good fetch keys are used.
        on_news: told of every fetch, from the fetching thread.
    """

    def __init__(
        self,
        issuer: str,
        fetch: Callable[[], Fetched],
        *,
        refresh_s: int = 600,
        max_stale_s: int = 86_400,
        on_news: Callable[[KeyNews], None] | None = None,
        clock: clock.Clock = clock.now_us,
    ) -> None:
        self.issuer = issuer
        self._fetch = fetch
        self._refresh_us = refresh_s * _US
        self._max_stale_us = max_stale_s * _US
        self._on_news = on_news
        self._now_us = clock
        self._lock = threading.Lock()
        self._held = _Held(KeySet(), 0)
        self._due_us = 0
        self._started_us = -COOLDOWN_S * _US
        self._failures = 0
        self._flight: Future[None] | None = None
        self._flight_pid = 0

    def current(self) -> KeySet:
        """The keys now; none when there never were any, or they are too old. Starts a fetch when one is due."""
        now, held = self._now_us(), self._held
        if now >= self._due_us:
            self._start(now)
        return held.keys if now < held.until_us else _NONE

    def ask(self) -> Future[None] | None:
        """Fetch because a key is missing: done when the fetch is, whatever came of it.

        Whoever comes while one runs waits for the same. None when it is too early for another.
        """
        now = self._now_us()
        running = self._running()
        if running is not None:
            return running
        early = now < self._due_us if self._failures else now - self._started_us < COOLDOWN_S * _US
        return None if early else self._start(now)

    def _running(self) -> Future[None] | None:
        # In a child the thread of the parent does not exist.
        return self._flight if self._flight is not None and self._flight_pid == os.getpid() else None

    def _start(self, now_us: int) -> Future[None]:
        with self._lock:
            if (running := self._running()) is not None:
                return running
            flight: Future[None] = Future()
            flight.set_running_or_notify_cancel()  # one who gives up waiting must not cancel it for the others
            self._flight, self._flight_pid, self._started_us = flight, os.getpid(), now_us
        threading.Thread(target=self._run, args=(flight,), name="jwtrail-keys", daemon=True).start()
        return flight

    def _run(self, flight: Future[None]) -> None:
        try:
            news = self._took(self._fetch())
        except TokenError as error:
            news = self._missed(error)
        finally:
            self._flight = None
            flight.set_result(None)
        if self._on_news is not None:
            self._on_news(news)

    def _took(self, fetched: Fetched) -> KeyNews:
        now, before = self._now_us(), self._held.keys
        same = before.keys == fetched.keys.keys
        keys = (
            before if same else fetched.keys
        )  # the same object, so that what was verified with it stays remembered
        life_us = self._refresh_us
        if fetched.life_s is not None:
            life_us = min(life_us, max(fetched.life_s, MIN_LIFE_S) * _US)
        self._held = _Held(keys, now + self._max_stale_us)
        self._due_us = now + life_us
        self._failures = 0
        names = ", ".join(key.kid[:64] or "(no kid)" for key in keys.keys[:10])
        text = f"{len(keys.keys)} keys: {names}" + (
            f"; {fetched.skipped} unusable" if fetched.skipped else ""
        )
        return KeyNews("jwks-fetched" if same or not before.keys else "jwks-changed", self.issuer, text)

    def _missed(self, error: TokenError) -> KeyNews:
        self._failures += 1
        self._due_us = self._now_us() + min(BACKOFF_S, 2 ** min(self._failures - 1, 6)) * _US
        return KeyNews("jwks-failed", self.issuer, str(error))


_NONE = KeySet()
