"""Nonces for DPoP proofs (RFC 9449 section 9): without memory, so every process of a host knows them all."""

import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path

from jwtrail import clock
from jwtrail.errors import StateError
from jwtrail.tokens import base64url
from jwtrail.tokens.refusal import Refusal

__all__ = ["LIFE_S", "Nonces", "nonce_secret"]

LIFE_S = 300
"""Seconds a nonce is taken. From half of it on, answers bring a new one, so that a busy client never has to try twice."""

_SECRET_BYTES = 32
_TIME_BYTES, _MAC_BYTES = 8, 16


class Nonces:
    """Makes nonces and knows its own again: the time they were made, and an HMAC of it.

    Args:
        secret: shared by all processes that serve one API.
        clock: source of the time.
    """

    def __init__(self, secret: bytes, *, clock: clock.Clock = clock.now_us) -> None:
        self._secret = secret
        self._now_us = clock

    def new(self) -> str:
        """A nonce that is taken for `LIFE_S` seconds."""
        at = self._now_us().to_bytes(_TIME_BYTES)
        return base64url.encode(at + self._mac(at))

    def fresh(self, nonce: str) -> bool:
        """True when it was made here, less than `LIFE_S` ago."""
        return 0 <= self._age_us(nonce) < LIFE_S * 1_000_000

    def ageing(self, nonce: str) -> bool:
        """True when the client should get a new one."""
        return not 0 <= self._age_us(nonce) < LIFE_S * 500_000

    def _age_us(self, nonce: str) -> int:
        """µs since it was made; -1 for one that is not ours."""
        try:
            raw = base64url.decode(nonce.encode()) if len(nonce) == 32 else b""
        except (Refusal, UnicodeEncodeError):
            return -1
        at = raw[:_TIME_BYTES]
        ours = len(raw) == _TIME_BYTES + _MAC_BYTES and hmac.compare_digest(raw[_TIME_BYTES:], self._mac(at))
        return self._now_us() - int.from_bytes(at) if ours else -1

    def _mac(self, at: bytes) -> bytes:
        return hmac.digest(self._secret, at, "sha256")[:_MAC_BYTES]


def nonce_secret(path: Path) -> bytes:
    """The secret of a data directory; made when there is none. Processes that start together get the same.

    Raises:
        StateError: the file cannot be read or written, or is damaged.
    """
    try:
        if not path.exists():
            _make(path)
        secret = path.read_bytes()
    except OSError as error:
        raise StateError(str(error), where=str(path), hint="make the data directory writable") from error
    if len(secret) != _SECRET_BYTES:
        raise StateError("not a nonce secret", where=str(path), hint="delete it; a new one is made")
    return secret


def _make(path: Path) -> None:
    """Whole from its first moment: written aside, then linked; whoever comes second keeps the first one's."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        os.write(handle, secrets.token_bytes(_SECRET_BYTES))
        os.fsync(handle)
    finally:
        os.close(handle)
    with suppress(FileExistsError):
        path.hardlink_to(aside)
    aside.unlink()
