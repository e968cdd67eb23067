"""What the event of a request tells.

Most of it has been told before: by the same client, of the same route, with the same token. Such parts are made and cleaned
once, and an event is put together from them and what is new each time.
"""

import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from msgspec import Struct

from jwtrail import clock
from jwtrail.ecs import ACTIONS, Event
from jwtrail.ecs.clean import clean
from jwtrail.ecs.cleaned import MAX_LONG, Cleaned, cleaned
from jwtrail.ecs.vocabulary import implied
from jwtrail.middleware.answers import kind_of
from jwtrail.middleware.exchange import Exchange
from jwtrail.middleware.http import object_of, seldom_facts, target_of, template_of
from jwtrail.middleware.identity import fields_of_claims, fields_of_verdict
from jwtrail.middleware.recorder import Durability
from jwtrail.middleware.settings import HttpSettings
from jwtrail.tokens.verdict import Accepted, Claims, Verdict

__all__ = ["MAX_KEY", "MAX_REMEMBERED", "Accounts", "Outcome"]

MAX_REMEMBERED = 2048
"""Parts of each kind that are remembered: 1 to 2 kB each."""

MAX_KEY = 512
"""Characters that clients choose of what a part is remembered by; a longer one is made anew, or they could fill the memory."""


class Outcome(Struct, frozen=True, gc=False):
    """How a request ended.

    Args:
        status: sent to the client; 500 when there was none.
        started_us: when it began.
        duration_ns: how long it took.
        durability: how safe its event must be.
        size: bytes of the body; None when bodies are not counted.
        mime: media type of the body.
        failure: class of what went wrong with the answer itself; None when nothing did.
    """

    status: int
    started_us: int
    duration_ns: int
    durability: Durability
    size: int | None = None
    mime: str | None = None
    failure: str | None = None


class Accounts:
    """Makes the events of requests.

    Args:
        settings: see `HttpSettings`.
        service: attributes that all events of this process have.
    """

    def __init__(self, settings: HttpSettings, service: Mapping[str, Any]) -> None:
        self._service = cleaned(service)
        self._query_allow = frozenset(settings.query_allow)
        self._claims_allow = frozenset(settings.claims_allow)
        self._tokens: dict[str, tuple[Claims, Cleaned]] = {}

    def event(self, scope: Mapping[str, Any], root: str, exchange: Exchange, outcome: Outcome) -> Event:
        """The event of a request that has ended.

        Args:
            root: `root_path` as it was before mounts added to it.

        Raises:
            TypeError: the application added a field that `Event` does not have.
        """
        flags = exchange.flags
        template = template_of(scope, root)
        touched, kind = object_of(template, scope.get("path_params"))
        answer = _answer_of(scope, template, kind, exchange, outcome)
        client = _client_of(exchange)
        path, original, query = target_of(scope, self._query_allow, flags)
        token = self._token_of(exchange.verdict, outcome.started_us)
        fields: dict[str, Any] = {
            **self._service.fields, **answer.fields, **client.fields, **token.fields,
            "timestamp": clock.iso(outcome.started_us),
            "event_id": exchange.event_id,
            "event_duration": outcome.duration_ns,
            "http_request_id": exchange.request_id,
            "process_pid": os.getpid(),  # asked each time: servers fork after import
            "url_path": (shown := clean(path, flags)),
            "url_original": shown if original == path else clean(original, flags),
        }  # fmt: skip
        if query is not None:
            fields["url_query"] = query
        if outcome.size is not None:
            fields["http_response_bytes"] = outcome.size
        if exchange.where.port is not None:
            fields["source_port"] = exchange.where.port
        if touched is not None:
            fields["jwtrail_object_id"] = clean(touched, flags)
        if (iat := _issued(exchange.verdict)) is not None:
            fields["jwt_age"] = max(0, min(outcome.started_us // 1_000_000 - iat, MAX_LONG))
        if more := seldom_facts(exchange.headers, self._query_allow, flags) | exchange.fields:
            _add(fields, more, flags)
        if answer.flags or client.flags or token.flags:
            flags |= answer.flags | client.flags | token.flags
        if flags:
            fields["jwtrail_flags"] = tuple(sorted(flags.union(fields.get("jwtrail_flags", ()))))
        return Event(**fields)

    def _token_of(self, verdict: Verdict, now_us: int) -> Cleaned:
        """What the token tells, without its age."""
        if not isinstance(verdict, Accepted):
            return cleaned(fields_of_verdict(verdict, now_us, self._claims_allow))
        claims = verdict.claims
        known = self._tokens.get(claims.fingerprint)
        # The verifier gives the same object while it remembers the token; in observe mode claims are the application's word.
        if known is None or known[0] is not claims:
            who = {"related_user": (claims.sub,)} if claims.sub else {}
            part = cleaned(fields_of_claims(claims, now_us, self._claims_allow) | who)
            known = claims, part
            if len(self._tokens) >= MAX_REMEMBERED:
                self._tokens.clear()
            self._tokens[claims.fingerprint] = known
        return known[1]


def _issued(verdict: Verdict) -> int | None:
    return (
        int(verdict.claims.iat) if isinstance(verdict, Accepted) and verdict.claims.iat is not None else None
    )


def _add(fields: dict[str, Any], more: Mapping[str, Any], flags: set[str]) -> None:
    """What came last counts, and None takes a field away."""
    for name in more:
        fields.pop(name, None)
    part = cleaned(more)
    fields |= part.fields
    flags |= part.flags


def _answer_of(
    scope: Mapping[str, Any], template: str | None, kind: str | None, exchange: Exchange, outcome: Outcome
) -> Cleaned:
    method = scope.get("method", "GET")
    make = _known_answer if len(method) + len(template or "") <= MAX_KEY else _answer
    return make(
        (
            method, scope.get("http_version"), scope.get("scheme"), template, kind, exchange.policy, exchange.reason,
            outcome.status, outcome.mime, outcome.failure, outcome.durability,
        )
    )  # fmt: skip


_Asked = tuple[str, str | None, str | None]
_Place = tuple[str | None, str | None, str | None, str | None]
_Ended = tuple[int, str | None, str | None, Durability]


def _answer(told: tuple[*_Asked, *_Place, *_Ended]) -> Cleaned:
    method, version, scheme, template, kind, policy, reason, status, mime, failure, durability = told
    failed = status >= 400 or failure is not None
    return cleaned(
        {
            **implied(ACTIONS["http-request"]),
            "http_request_method": method,
            "http_version": version,
            "url_scheme": scheme,
            "http_route": template,
            "jwtrail_object_type": kind,
            "jwtrail_policy": policy,
            "event_type": kind_of(status) if failure is None else ("access", "error"),
            "event_category": ("web", "api", "authentication") if status == 401 else ("web", "api"),
            "event_outcome": "failure" if failed else "success",
            "event_reason": reason,
            "error_type": failure,
            "http_response_status_code": status,
            "http_response_mime_type": mime,
            "jwtrail_durability": durability,
        }
    )


def _client_of(exchange: Exchange) -> Cleaned:
    where, agent, host = exchange.where, exchange.headers.get(b"user-agent"), exchange.headers.get(b"host")
    make = _known_client if len(agent or "") + len(host or "") <= MAX_KEY else _client
    return make(where.ip, where.forwarded_by, agent, host)


def _client(ip: str | None, forwarded_by: str | None, agent: str | None, host: str | None) -> Cleaned:
    return cleaned(
        {
            "source_ip": ip,
            "client_ip": ip,
            "network_forwarded_ip": forwarded_by,
            "related_ip": tuple(filter(None, (ip, forwarded_by))) or None,
            "user_agent_original": agent,
            "url_domain": (host or "").rpartition("@")[2] or None,
        }
    )


_remember = lru_cache(maxsize=MAX_REMEMBERED)
_known_answer, _known_client = _remember(_answer), _remember(_client)
