"""Sign-in by one-time link, sessions in memory, and a brake on wrong links.

A link is worth one sign-in and ends soon, so that it does no harm in a shell history or a browser's. Keys and session
ids are kept as SHA-256 only; they are looked up by that digest, so no comparison depends on a secret's bytes.
"""

import secrets
import threading
from collections import OrderedDict, deque
from hashlib import sha256

from msgspec import Struct

from jwtrail import clock
from jwtrail.clock import Clock
from jwtrail.web.settings import WebSettings

__all__ = ["MAX_FAILURES", "MAX_KEYS", "MAX_SESSIONS", "Session", "SignIns", "TooManyFailures"]

MAX_KEYS = 32
"""Links outstanding; the oldest gives way. Each is one line that somebody printed."""

MAX_SESSIONS = 256
"""Browsers signed in; the least recently used gives way."""

MAX_FAILURES = 10
"""Wrong keys a minute, from anybody, that are answered and recorded one by one. 256-bit keys are not found by guessing; this
keeps noise out of the trail, and never a right key out of the console."""

_MINUTE = 60_000_000
_SECOND = 1_000_000


class Session(Struct, frozen=True, kw_only=True):
    """One browser that is signed in.

    Args:
        id: what the cookie holds.
        csrf: what unsafe requests must repeat in a header.
        source: address that signed in.
        expires_us: absolute end.
    """

    id: str
    user: str
    csrf: str
    source: str
    created_us: int
    expires_us: int


class TooManyFailures(Exception):  # noqa: N818  # reads as a sentence where it is caught
    """Too many wrong keys; try again in a minute."""


class SignIns:
    """Keys and sessions. Safe from several threads."""

    def __init__(self, settings: WebSettings, now: Clock = clock.now_us) -> None:
        self._settings = settings
        self._now = now
        self._lock = threading.Lock()
        self._keys: OrderedDict[bytes, int] = OrderedDict()
        self._sessions: OrderedDict[bytes, tuple[Session, int]] = OrderedDict()
        self._failures: deque[int] = deque(maxlen=MAX_FAILURES)

    def new_key(self) -> str:
        """A key for `/login?key=…`: good for one sign-in within `key_ttl_s`."""
        key = secrets.token_urlsafe(32)
        with self._lock:
            self._keys[_digest(key)] = self._now() + self._settings.key_ttl_s * _SECOND
            while len(self._keys) > MAX_KEYS:
                self._keys.popitem(last=False)
        return key

    def redeem(self, key: str, source: str) -> Session | None:
        """A new session for an unused key; None when the key is wrong, used or too old.

        Raises:
            TooManyFailures: another wrong key while the brake is on. A right one counts all the same: any web page can make
                a browser spend the tries.
        """
        now = self._now()
        with self._lock:
            if self._keys.pop(_digest(key), 0) > now:
                return self._open(source, now)
            if len(self._failures) == MAX_FAILURES and now - self._failures[0] < _MINUTE:
                raise TooManyFailures
            self._failures.append(now)
            return None

    def find(self, cookie: str, *, touch: bool = True) -> Session | None:
        """The session of a cookie; None when it has ended. `touch` counts this as a sign of life."""
        now = self._now()
        digest = _digest(cookie)
        with self._lock:
            session, seen = self._sessions.get(digest, (None, 0))
            if session is None:
                return None
            if now >= session.expires_us or now - seen >= self._settings.idle_s * _SECOND:
                del self._sessions[digest]
                return None
            if touch:
                self._sessions[digest] = (session, now)
                self._sessions.move_to_end(digest)
            return session

    def end(self, session: Session) -> None:
        """Sign out."""
        with self._lock:
            self._sessions.pop(_digest(session.id), None)

    def _open(self, source: str, now: int) -> Session:
        session = Session(
            id=secrets.token_urlsafe(32),
            user=self._settings.user,
            csrf=secrets.token_urlsafe(32),
            source=source,
            created_us=now,
            expires_us=now + self._settings.absolute_s * _SECOND,
        )
        self._sessions[_digest(session.id)] = (session, now)
        while len(self._sessions) > MAX_SESSIONS:
            self._sessions.popitem(last=False)
        return session


def _digest(secret: str) -> bytes:
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()
