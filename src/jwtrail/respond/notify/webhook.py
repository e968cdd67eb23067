"""A webhook as Standard Webhooks describes it (specification 1.0.0): signed, timed, with an id that says what is a repetition."""

import base64
import binascii
import hmac
from collections.abc import Mapping
from hashlib import sha256

import msgspec

from jwtrail import clock
from jwtrail.clock import Clock
from jwtrail.errors import ConfigError
from jwtrail.respond.notify.notice import Notice, Sender
from jwtrail.respond.notify.post import checked_url, post

__all__ = ["MIN_SECRET", "TOLERANCE_S", "body_of", "key_of", "sender", "signature", "verify"]

MIN_SECRET = 24
"""Bytes of a secret; the specification wants 24 to 64."""

TOLERANCE_S = 300
"""How far a receiver lets the time of a message be from its own: what is older may be a replay."""

_PREFIX = "whsec_"


def key_of(secret: str, where: str) -> bytes:
    """The signing key of a secret: what `whsec_…` encodes, or the text itself.

    Raises:
        ConfigError: it is too short, or no base64.
    """
    try:
        key = (
            base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
            if secret.startswith(_PREFIX)
            else secret.encode()
        )
    except binascii.Error:
        raise ConfigError("the secret is no base64 after whsec_", where=where) from None
    if len(key) < MIN_SECRET:
        raise ConfigError(
            f"the secret has fewer than {MIN_SECRET} bytes", where=where, hint="openssl rand -base64 32"
        )
    return key


def sender(url: str, secret: str, *, timeout_s: float, where: str, now_us: Clock = clock.now_us) -> Sender:
    """A channel.

    Raises:
        ConfigError: a bad address or secret.
    """
    target, key = checked_url(url, where), key_of(secret, where)

    def send(notice: Notice) -> None:
        body, seconds = body_of(notice), now_us() // 1_000_000
        headers = {
            "Content-Type": "application/json",
            "webhook-id": notice.id,
            "webhook-timestamp": str(seconds),
            "webhook-signature": signature(key, notice.id, seconds, body),
        }
        post(target, body, headers, timeout_s=timeout_s)

    return send


def body_of(notice: Notice) -> bytes:
    """What is sent: type, time of the alert, and the notice as `data`."""
    kind = "test" if notice.test else "alerts.held" if notice.held else "alert.raised"
    return msgspec.json.encode({"type": kind, "timestamp": notice.at, "data": notice})


def signature(key: bytes, message_id: str, seconds: int, body: bytes) -> str:
    """`v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`."""
    signed = f"{message_id}.{seconds}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, sha256)).decode()


def verify(secret: str, headers: Mapping[str, str], body: bytes, *, now_us: int) -> bool:
    """Whether a message that arrived was signed with this secret, lately. For receivers written in Python.

    Args:
        headers: with names in small letters.
    """
    try:
        seconds = int(headers["webhook-timestamp"])
        expected = signature(key_of(secret, "secret"), headers["webhook-id"], seconds, body)
        given = headers["webhook-signature"].encode().split(b" ")
    except (KeyError, ValueError):
        return False
    timely = abs(now_us // 1_000_000 - seconds) <= TOLERANCE_S
    return timely and any(hmac.compare_digest(expected.encode(), one) for one in given)
