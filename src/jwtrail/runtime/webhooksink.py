"""Events by webhook, signed as alerts are (Standard Webhooks 1.0.0); the id of a message says what is a repetition."""

from collections.abc import Sequence
from hashlib import sha256
from urllib.parse import urlsplit

from jwtrail import clock
from jwtrail.errors import NotifyError
from jwtrail.respond.notify.post import checked_url, post
from jwtrail.respond.notify.webhook import key_of, signature
from jwtrail.ship.sink import Receipt, Refusal, SinkAway
from jwtrail.trail.documents import Document

__all__ = ["WebhookSink", "webhook_sink"]

TIMEOUT_S = 30.0


def webhook_sink(url: str, secret: str) -> "WebhookSink":
    """`webhook+https://HOST/PATH`, signed with `ship.secret`.

    Raises:
        ConfigError: a bad address, or no long enough secret.
    """
    return WebhookSink(checked_url(url.removeprefix("webhook+"), "ship.to"), key_of(secret, "ship.secret"))


class WebhookSink:
    """Posts `{"type": "events", "data": [...]}`.

    Args:
        url: never shown, as it may be a secret.
        key: of the signature.
    """

    parallel = 1

    def __init__(self, url: str, key: bytes) -> None:
        parts = urlsplit(url)
        # Two addresses on one host are told apart without showing either.
        self.name = f"webhook+{parts.scheme}://{parts.netloc}#{sha256(url.encode()).hexdigest()[:8]}"
        self._url = url
        self._key = key

    def open(self) -> int:
        """See `Sink.open`; nothing is asked of the receiver."""
        return 0

    def send(self, documents: Sequence[Document], *, again: bool) -> Receipt:  # noqa: ARG002  # the id tells the receiver
        """See `Sink.send`. The same documents carry the same `webhook-id`."""
        body = b'{"type":"events","data":[%b]}' % b",".join(one.body for one in documents)
        digest = sha256("".join(one.id for one in documents).encode()).hexdigest()[:16]
        name = f"events_{documents[0].sequence}_{documents[-1].sequence}_{digest}"
        seconds = clock.now_us() // 1_000_000
        headers = {
            "Content-Type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": str(seconds),
            "webhook-signature": signature(self._key, name, seconds, body),
        }
        try:
            post(self._url, body, headers, timeout_s=TIMEOUT_S)
        except NotifyError as error:
            if error.message.startswith(_BLAMES) and len(documents) == 1:
                (one,) = documents
                return Receipt((Refusal(one.sequence, one.id, error.message),))
            raise SinkAway(
                error.message,
                maybe_done=True,
                too_large=error.message.startswith(_BLAMES),
                retry_after_s=error.retry_after_s or None,
                where=self.name,
            ) from error
        return Receipt()

    def close(self) -> None:
        """See `Sink.close`."""


_BLAMES = ("status 400", "status 413", "status 422")
"""What may be one document's fault, or that of too many at once."""
