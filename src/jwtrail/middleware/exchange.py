"""What is known of one request while it runs. It lives in `scope["jwtrail"]`, never on the middleware."""

from collections.abc import Callable
from concurrent.futures import Future
from contextvars import ContextVar
from typing import Any

from jwtrail.ecs import uuid7
from jwtrail.ecs.clean import clean
from jwtrail.middleware.http import Credential, Headers, Where
from jwtrail.tokens.binding import Proven
from jwtrail.tokens.verdict import Verdict

__all__ = ["SCOPE_KEY", "Exchange", "current", "proven_by", "situation_of"]

SCOPE_KEY = "jwtrail"


class Exchange:
    """The mutable notes of one request: what the doors add here goes into its one event.

    Attributes:
        verdict: what the verifier said of the token.
        reason: why it was refused, a code of `ecs.REASONS`; None while nothing was refused.
        prove: what somebody who asks for tokens has shown to hold; a proof is spent by it, so it is called once.
        fields: further attributes of `Event` set by the application.
        credential: the token as it came; `verdict` says what it is worth.
        event_id: of the request's one event.
        request_id: `X-Request-ID`, cleaned, or `event_id` when the client gave none; all events of the request have it.
        nonce: a DPoP nonce for the client; empty when it needs none.
        answer_headers: headers added to the answer, whoever gives it.
        pending: events that must be on disk before the answer leaves.
    """

    __slots__ = (
        "answer_headers",
        "credential",
        "event_id",
        "fields",
        "flags",
        "headers",
        "nonce",
        "pending",
        "policy",
        "prove",
        "reason",
        "request_id",
        "verdict",
        "where",
    )

    def __init__(
        self, headers: Headers, where: Where, credential: Credential, verdict: Verdict, given_id: str | None
    ) -> None:
        self.headers = headers
        self.where = where
        self.credential = credential
        self.verdict = verdict
        self.reason: str | None = None
        self.policy: str | None = None
        self.prove: Callable[[], Proven] = Proven
        self.flags: set[str] = set()
        self.event_id = uuid7()
        self.request_id = clean(given_id, self.flags) if given_id else self.event_id
        self.fields: dict[str, Any] = {}
        self.nonce = ""
        self.answer_headers: list[tuple[bytes, bytes]] = []
        self.pending: list[Future[None]] = []


current: ContextVar[Exchange | None] = ContextVar("jwtrail_exchange", default=None)
"""The request that this code runs for, also in the thread of a synchronous endpoint."""


def proven_by(exchange: Exchange) -> Proven:
    """What the client that asks for tokens has shown to hold; noted for the event, and for the answer when it lacks a nonce.

    Raises:
        StateError: whether the proof was used before cannot be told.
    """
    proven = exchange.prove()
    if proven.jti:
        exchange.fields["jwt_proof"] = proven.jti
    if proven.nonce:
        exchange.answer_headers.append((b"dpop-nonce", proven.nonce.encode()))
    if proven.reason:
        exchange.reason = proven.reason
    return proven


def situation_of(exchange: Exchange) -> dict[str, Any]:
    """Where a request came from, for every event that is recorded during it."""
    where = exchange.where
    return {
        "source_ip": where.ip,
        "client_ip": where.ip,
        "source_port": where.port,
        "network_forwarded_ip": where.forwarded_by,
        "related_ip": tuple(filter(None, (where.ip, where.forwarded_by))) or None,
        "http_request_id": exchange.request_id,
        "user_agent_original": exchange.headers.get(b"user-agent"),
    }
