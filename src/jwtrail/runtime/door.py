"""What the doors of all frameworks do alike; each adds the idiom of its own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from jwtrail import clock
from jwtrail.ecs import CATALOGUE
from jwtrail.errors import ConfigError, TokenError
from jwtrail.middleware.bindings import challenge_of, error_of, proof_challenge
from jwtrail.middleware.exchange import Exchange, current, proven_by
from jwtrail.middleware.observed import ObservedRevocations, seen
from jwtrail.runtime.worker import Worker
from jwtrail.tokens.pairs import TokenPair
from jwtrail.tokens.sessions import Session
from jwtrail.tokens.settings import VerifyPolicy
from jwtrail.tokens.verdict import Absent, Accepted, Binding, Claims, Rejected
from jwtrail.tokens.verifier import KeySource, Verifier

__all__ = ["Denial", "Door", "binding_of", "denial_of", "proof_denial"]

_ATTRIBUTES = frozenset(field.attribute for field in CATALOGUE.values())


class Denial(Struct, frozen=True):
    """What a client is told that may not go on; `word` says no more than the status does."""

    status: int
    word: str
    headers: Mapping[str, str] = {}


class Door:
    """Signs people in and out, and records what the application tells of them.

    Args:
        config: a settings file instead of `jwtrail.toml`.
        daemon: start `jwtrail serve` as a child process of this one, for people who want one command.
        settings: any setting by its dotted name.

    Raises:
        ConfigError: a setting is unknown or out of bounds.
        KeyRefusedError: a signing key is too weak.
    """

    def __init__(
        self, settings: Mapping[str, Any], *, config: Path | None = None, daemon: bool = False
    ) -> None:
        self._worker = Worker.from_settings(settings, file=config, daemon=daemon)

    def seen(self, claims: Mapping[str, Any]) -> None:
        """In observe mode (`http.bad_token = "observe"`): the application verified these claims in the running request, with
        a library of its own.
        """
        seen(claims)

    def verifier(self, policy: VerifyPolicy, keys: KeySource) -> Verifier:
        """A verifier that knows what is revoked here, for observe mode.

        Args:
            policy: what the application asks of its tokens.
            keys: what it verifies them with, such as `KeySet(load_secret(b"…"))` or `KeySet(load_pem(text))`.
        """
        return Verifier(policy, keys, ObservedRevocations(self._worker.live.revocations))

    def _judge(self, policy: VerifyPolicy | None, keys: KeySource | None) -> Verifier | None:
        return None if keys is None else self.verifier(policy or VerifyPolicy(), keys)

    def record(self, action: str, **fields: Any) -> None:
        """Record a domain event: an export, a role change, whose data was touched.

        Args:
            action: one of `ecs.ACTIONS` or your own name.
            **fields: attributes of `Event` (`user_target_id="u7"`, `jwtrail_records=120`); identity and address are filled in.

        Raises:
            TypeError: a field that `Event` does not have.
            WriteError: outside a request, when the event cannot be made durable.
        """
        self._worker.record(action, **fields)

    def touch(self, object_id: str | None = None, **fields: Any) -> None:
        """Add to the event of the running request: what was touched, whose data, how many records.

        Args:
            object_id: id of the object when it is not the last path parameter.
            **fields: attributes of `Event`, e.g. `jwtrail_subject_ids=("u7",)`, `jwtrail_records=12`.

        Raises:
            TypeError: a field that `Event` does not have.
        """
        if unknown := fields.keys() - _ATTRIBUTES:
            raise TypeError(f"an event has no {', '.join(sorted(unknown))}")
        exchange = current.get()
        if exchange is None:
            return
        if object_id is not None:
            exchange.fields["jwtrail_object_id"] = object_id
        exchange.fields |= fields

    def logout(self, claims: Claims) -> None:
        """End the sign-in this token belongs to, on every worker."""
        self._worker.sign_out(claims)
        if self._worker.cookies is not None and (exchange := current.get()) is not None:
            exchange.answer_headers.extend(self._worker.cookies.clear())

    def logout_everywhere(self, subject: str) -> None:
        """End every sign-in of this person, on every device; what is issued from now on counts."""
        self._worker.sign_out_everywhere(subject)

    def sessions(self, subject: str) -> tuple[Session, ...]:
        """The sign-ins of a person that are not over, the last used first: device, address, times."""
        return self._worker.issuer.sessions(subject)

    def close(self) -> None:
        """Write what is queued and stop. An ASGI server that ends its lifespan does this by itself, and so does the end of
        the process.
        """
        self._worker.close()

    def _cookies_for(self, pair: TokenPair) -> str:
        cookies, exchange = self._worker.cookies, current.get()
        if cookies is None or exchange is None:
            raise ConfigError(
                "cookies are off", where="http.cookies", hint="set it, and call this inside a request"
            )
        exchange.answer_headers.extend(cookies.set(pair, clock.now_us()))
        return cookies.csrf_of(pair.access)

    def _login_failed(self, name: str, reason: str) -> Denial:
        if (exchange := current.get()) is not None:
            exchange.reason = reason
        self._worker.record("login", user_name=name, event_outcome="failure", event_reason=reason)
        return Denial(401, "sign-in failed", {"WWW-Authenticate": "Bearer"})


def denial_of(exchange: Exchange, scopes: tuple[str, ...], roles: tuple[str, ...]) -> Denial | None:
    """Why this request may not go on: no good token, not every scope, none of `roles`; None when it may."""
    exchange.policy = "required"
    verdict = exchange.verdict
    if not isinstance(verdict, Accepted):
        exchange.reason = _why(exchange, verdict)
        if exchange.reason.startswith("csrf_"):
            return Denial(403, "csrf")
        return Denial(401, "unauthorized", challenge_of(verdict, exchange.credential.scheme, exchange.nonce))
    if not verdict.claims.has_scope(*scopes):
        exchange.reason = "scope_insufficient"
        return _forbidden(" ".join(scopes))
    if roles and not set(roles) & set(verdict.claims.roles):
        exchange.reason = "role_denied"
        return _forbidden("")
    return None


def binding_of(exchange: Exchange, *, required: bool = False) -> Binding:
    """What the client of this request has shown to hold.

    Raises:
        TokenError: the proof does not count, or there is none and one is required; `reason` says why.
        StateError: whether the proof was used before cannot be told.
    """
    proven = proven_by(exchange)
    reason = proven.reason or ("binding_missing" if required and not proven.binding else "")
    if reason:
        exchange.reason = reason
        raise TokenError(
            reason, "no proof of a key that counts", hint=f"answer 400 {proof_denial(reason).word}"
        )
    return proven.binding


def proof_denial(reason: str) -> Denial:
    """What a client is told that asks for tokens without a proof that counts (RFC 9449 sections 5 and 8)."""
    word = error_of(reason) if reason.startswith("dpop_") else "invalid_dpop_proof"
    return Denial(400, word, {"Cache-Control": "no-store", **proof_challenge(word)})


def _why(exchange: Exchange, verdict: Absent | Rejected) -> str:
    if isinstance(verdict, Rejected):
        return verdict.reason
    return "token_in_query" if exchange.credential.in_query else "token_missing"


def _forbidden(scope: str) -> Denial:
    challenge = 'Bearer error="insufficient_scope"' + (f', scope="{scope}"' if scope else "")
    return Denial(403, "forbidden", {"WWW-Authenticate": challenge})
