"""Refresh, revoke (RFC 7009), introspect (RFC 7662) and the public keys, for any framework: a form in, a reply out."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import msgspec
from msgspec import Struct

from jwtrail import clock
from jwtrail.errors import StateError, TokenError
from jwtrail.middleware.answers import AWAY
from jwtrail.middleware.bindings import challenge_of
from jwtrail.middleware.cookies import REFRESH
from jwtrail.middleware.exchange import Exchange, proven_by
from jwtrail.runtime.door import proof_denial
from jwtrail.runtime.worker import Worker
from jwtrail.tokens.keyentry import PUBLISHED_S
from jwtrail.tokens.pairs import TokenPair
from jwtrail.tokens.verdict import Accepted, Claims, Rejected

__all__ = ["MAX_FORM_BYTES", "PATHS", "Endpoints", "Form", "Reply", "form_of", "told"]

MAX_FORM_BYTES = 65_536 + 4096
"""Of a request body: the longest token that any setting accepts, and its field names."""

MAX_FIELDS = 8

INTROSPECT_SCOPE = "introspect"
"""What a caller's own token must hold to look into others (RFC 7662 section 2.1)."""

Form = dict[str, str]
Headers = tuple[tuple[str, str], ...]
_NO_STORE: Headers = (("Cache-Control", "no-store"),)


class Reply(Struct, frozen=True):
    """An answer.

    Args:
        body: JSON; empty for none.
    """

    status: int
    body: bytes = b""
    headers: Headers = (("Cache-Control", "no-store"),)


class Endpoints:
    """What the routes do. Every method may block on the store, so an event loop calls it in a thread.

    Args:
        worker: the parts of this process.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def answer(self, path: str, form: Form | None, exchange: Exchange) -> Reply:
        """The reply of one of `PATHS`.

        Args:
            form: see `form_of`; None when the body could not be read.
        """
        method, act = PATHS[path]
        if method == "POST" and form is None:
            return _error("invalid_request")
        try:
            return act(self, form or {}, exchange)
        except StateError:
            return Reply(503, AWAY, (("Retry-After", "1"), *_NO_STORE))

    def refresh(self, form: Form, exchange: Exchange) -> Reply:
        """A new pair (RFC 6749 section 6); from a cookie into cookies, so that no script ever sees a token."""
        cookies = self._worker.cookies
        token = form.get("refresh_token", "")
        by_cookie = not token and cookies is not None
        if by_cookie and cookies is not None:
            token = cookies.read(exchange.headers, REFRESH)
            shown = self._worker.refresh_verifier.verify(token)
            if isinstance(shown, Accepted) and (
                reason := cookies.refusal("POST", exchange.headers, shown.claims)
            ):
                exchange.reason = reason
                return _error("invalid_request", 403)
        if not token:
            return _error("invalid_request")
        proven = proven_by(exchange)
        if proven.reason:
            denial = proof_denial(proven.reason)
            return _error(denial.word, denial.status, tuple(denial.headers.items()))
        try:
            pair = self._worker.refresh(token, proven.binding)
        except TokenError as error:
            exchange.reason = error.reason
            return _error("invalid_grant")
        if by_cookie and cookies is not None:
            exchange.answer_headers.extend(cookies.set(pair, clock.now_us()))
            return _json({"expires_in": pair.expires_in, "scope": pair.scope})
        return _json(told(pair))

    def revoke(self, form: Form, _exchange: Exchange) -> Reply:
        """End a token, a refresh token with its whole sign-in (RFC 7009 section 2.1). Whoever holds a token may end it.

        A token that does not count anyway is answered in the same way (section 2.2).
        """
        if not form.get("token"):
            return _error("invalid_request")
        self._worker.revoke_shown(form["token"])
        return Reply(200)

    def introspect(self, form: Form, exchange: Exchange) -> Reply:
        """What a token is worth now (RFC 7662 section 2), for callers with a token of scope `introspect`."""
        exchange.policy = "required"
        verdict = exchange.verdict
        if not isinstance(verdict, Accepted):
            exchange.reason = verdict.reason if isinstance(verdict, Rejected) else "token_missing"
            return Reply(401, b'{"error":"invalid_token"}', (*challenge_of(verdict).items(), *_NO_STORE))
        if not verdict.claims.has_scope(INTROSPECT_SCOPE):
            exchange.reason = "scope_insufficient"
            return _error("insufficient_scope", 403)
        if not form.get("token"):
            return _error("invalid_request")
        claims = self._worker.live_claims(form["token"])
        if claims is None:
            return _json({"active": False})
        exchange.fields["jwtrail_subject_ids"] = (claims.sub,)
        return _json(_described(claims))

    def jwks(self, _form: Form, _exchange: Exchange) -> Reply:
        """The public keys (RFC 7517 section 5); they may be kept for as long as a new key waits before it signs."""
        return Reply(
            200,
            msgspec.json.encode(self._worker.jwks()),
            (("Cache-Control", f"public, max-age={PUBLISHED_S}"),),
        )


PATHS: dict[str, tuple[str, Callable[[Endpoints, Form, Exchange], Reply]]] = {
    "/token/refresh": ("POST", Endpoints.refresh),
    "/token/revoke": ("POST", Endpoints.revoke),
    "/token/introspect": ("POST", Endpoints.introspect),
    "/.well-known/jwks.json": ("GET", Endpoints.jwks),
}
"""The routes: their method, and what they do."""


def form_of(body: bytes, content_type: str) -> Form | None:
    """The fields of a form (as the RFCs send it) or of a JSON object (as browsers' code likes better); None when the body
    is neither. An empty body has no fields. A field that came twice makes the whole form invalid (RFC 6749 section 3.2).
    """
    try:
        if content_type.startswith("application/json"):
            return msgspec.json.decode(body or b"{}", type=dict[str, str])
        fields = parse_qs(body.decode(), strict_parsing=bool(body), max_num_fields=MAX_FIELDS)
    except ValueError:
        return None
    return {name: values[0] for name, values in fields.items()} if _once(fields) else None


def _once(fields: dict[str, list[str]]) -> bool:
    return all(len(values) == 1 for values in fields.values())


def told(pair: TokenPair) -> dict[str, Any]:
    """The answer of a token endpoint (RFC 6749 section 5.1)."""
    return {
        "access_token": pair.access_token,
        "refresh_token": pair.refresh_token,
        "token_type": pair.token_type,
        "expires_in": pair.expires_in,
        "scope": pair.scope,
    }


def _described(claims: Claims) -> dict[str, Any]:
    """RFC 7662 section 2.2; what is not there is left out."""
    bound = {"jkt": claims.binding.jkt, "x5t#S256": claims.binding.x5t}
    facts = {
        "active": True,
        "scope": " ".join(claims.scope),
        "client_id": claims.client_id,
        "token_type": "DPoP" if claims.binding.jkt else "Bearer",
        "token_use": claims.kind,
        "exp": claims.exp,
        "iat": claims.iat,
        "nbf": claims.nbf,
        "sub": claims.sub,
        "aud": list(claims.aud),
        "iss": claims.iss,
        "jti": claims.jti,
        "cnf": {name: value for name, value in bound.items() if value},
    }
    return {name: value for name, value in facts.items() if value not in ("", None, [], {})}


def _json(value: Any) -> Reply:
    return Reply(200, msgspec.json.encode(value))


def _error(code: str, status: int = 400, headers: Headers = _NO_STORE) -> Reply:
    return Reply(status, msgspec.json.encode({"error": code}), headers)
