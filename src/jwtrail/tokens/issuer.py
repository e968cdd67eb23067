"""Issuing, exchanging and revoking tokens: RFC 9068 access tokens, rotating refresh tokens (RFC 9700 section 4.14)."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import jwt
import msgspec

from jwtrail import clock
from jwtrail.ecs.clean import clean
from jwtrail.ecs.ids import uuid7
from jwtrail.errors import TokenError
from jwtrail.state import Family, IssuedToken, Revocation, RevocationKind, StateStore
from jwtrail.tokens.binding import refused
from jwtrail.tokens.claims import kind_of_type, read_at_length
from jwtrail.tokens.ends import end_of, end_of_access
from jwtrail.tokens.keyring import KeyRing, SigningKey
from jwtrail.tokens.pairs import RefreshError, TokenPair, token_type_of
from jwtrail.tokens.refusal import Refusal
from jwtrail.tokens.revocation import RevocationView, keys_of
from jwtrail.tokens.sessions import MAX_DEVICE, Session, sessions_of
from jwtrail.tokens.settings import ACCESS_TYP, REFRESH_TYP, TokenSettings
from jwtrail.tokens.verdict import UNBOUND, Accepted, Binding, Claims, Rejected, Signed
from jwtrail.tokens.verifier import Verifier, fingerprint_of

__all__ = ["MAX_SUBJECT", "RESERVED", "Issuer"]

MAX_SUBJECT = 255
"""Characters of a subject (OpenID Connect Core section 2)."""

RESERVED = frozenset(
    (
        "iss",
        "sub",
        "aud",
        "exp",
        "nbf",
        "iat",
        "jti",
        "scope",
        "client_id",
        "roles",
        "tenant",
        "fam",
        "gen",
        "cnf",
        "act",
    )
)
"""Claims that the issuer sets itself; an application's own may not replace them."""

_US = 1_000_000
_THUMBPRINT = re.compile("[A-Za-z0-9_-]{43}")


class Issuer:
    """Issues for one API. Threads and processes may share the ring and the store.

    Args:
        settings: lifetimes, names, limits.
        ring: has an active key.
        store: refresh families, revocations, issued tokens.
        clock: source of the time.
    """

    def __init__(
        self, settings: TokenSettings, ring: KeyRing, store: StateStore, *, clock: clock.Clock = clock.now_us
    ) -> None:
        self._settings = settings
        self._ring = ring
        self._store = store
        self._now_us = clock
        self._refresh_tokens = Verifier(settings.refresh_policy(), ring, cache_size=0)

    def issue(
        self,
        sub: str,
        *,
        scope: str | Iterable[str] = "",
        claims: Mapping[str, Any] | None = None,
        client_id: str = "",
        roles: Iterable[str] = (),
        tenant: str = "",
        act: str = "",
        device: str = "",
        binding: Binding = UNBOUND,
        source: str = "",
        now_us: int | None = None,
    ) -> TokenPair:
        """A sign-in: the first pair of a new refresh family.

        Args:
            sub: the user's id, 1 to `MAX_SUBJECT` characters.
            scope: words divided by spaces, or a list of them.
            claims: further claims of the access token, JSON values.
            act: who acts as the subject, for impersonation (RFC 8693 section 4.1).
            device: a label by which the user knows the device again; cut to `MAX_DEVICE` characters.
            binding: the key or certificate without which the tokens are worth nothing; the refresh tokens too, for clients
                are public ones (RFC 9449 section 5, RFC 8705 section 4).
            source: the client's address; an exchange from it may be repeated when its answer got lost.

        Raises:
            TokenError: a claim is reserved or impossible, or the token would be too large to be accepted.
            StateError: the family could not be recorded; nothing was issued.
        """
        now = self._now_us() if now_us is None else now_us
        words = scope.split() if isinstance(scope, str) else list(scope)
        own = {
            **_checked_claims(sub, claims or {}),
            **({"roles": list(roles)} if roles else {}),
            **({"tenant": tenant} if tenant else {}),
            **({"act": {"sub": act}} if act else {}),
            **({"cnf": _confirmation(binding)} if binding else {}),
        }
        family = Family(
            id=uuid7(now),
            subject=sub,
            jti=uuid7(now),
            generation=0,
            created_us=now,
            rotated_us=now,
            expires_us=now + self._settings.refresh_absolute_s * _US,
            source=source,
            client_id=client_id or self._settings.client_id,
            scope=" ".join(words),
            claims=_json(own),
            device=clean(device, set(), MAX_DEVICE),
        )
        pair = self._pair(family, now)
        self._store.add_family(family, _rows(pair, source, now))
        return pair

    def refresh(
        self, token: str, *, source: str = "", shown: Binding = UNBOUND, now_us: int | None = None
    ) -> TokenPair:
        """Exchange a refresh token for a new pair; the old one counts no more.

        Exactly one of several exchanges of the same token succeeds. The others are **reuse** and end the whole family,
        for nobody can tell the thief from the owner; but within `grace_s` the same known source gets the pair's successor
        again (the same refresh token, a new access token), because answers do get lost.

        Args:
            source: the client's address.
            shown: what the client has proved to hold. A bound token is exchanged for nobody else; with one that is not bound
                the new access token is bound to it.

        Raises:
            RefreshError: with the reason, `refresh_reused` among them.
            StateError: nothing was exchanged.
        """
        now = self._now_us() if now_us is None else now_us
        claims = self._authentic(token, now)
        if reason := refused(claims.binding, shown):
            raise RefreshError(reason, claims=claims)
        family = self._store.rotate_family(claims.family, claims.jti, uuid7(now), source, now)
        repeated = family is None
        if family is None:
            family = self._repeatable(claims, source, now)
        pair = self._pair(family, now, parent=claims.jti, repeated=repeated, shown=shown)
        self._store.issued(*_rows(pair, source, now))
        return pair

    def revoke(
        self,
        kind: RevocationKind,
        value: str,
        *,
        cause: str,
        by: str = "jwtrail",
        alert: str = "",
        now_us: int | None = None,
    ) -> Revocation:
        """Revoke for as long as anything it concerns can live.

        Args:
            kind: `subject` cuts off everything issued until now; later sign-ins count.
            cause: `logout`, `operator`, …
        """
        now = self._now_us() if now_us is None else now_us
        row = Revocation(
            kind=kind,
            value=value,
            at_us=now,
            until_us=end_of(self._store, self._settings, kind, value, now),
            cause=cause,
            by=by,
            alert=alert,
        )
        self._store.revoke(row)
        return row

    def end(self, family: str, *, cause: str, by: str = "jwtrail") -> Revocation:
        """End a sign-in for good: nothing is exchanged any more, and its access tokens are dead.

        Most sign-ins end like this, so the revocation lasts no longer than the last access token does. The family goes first:
        whatever happens in between, no refresh token comes back to life when the revocation is forgotten.

        Args:
            family: one of another issuer is revoked like any other, for nothing is known of what can still be exchanged.

        Raises:
            StateError: it may be that only refresh tokens have ended.
        """
        if not self._store.end_family(family):
            return self.revoke("family", family, cause=cause, by=by)
        now = self._now_us()
        until = end_of_access(self._store, self._settings, family, now)
        row = Revocation(kind="family", value=family, at_us=now, until_us=until, cause=cause, by=by)
        self._store.revoke(row)
        return row

    def end_all(self, subject: str, *, cause: str, by: str = "jwtrail") -> Revocation:
        """Log a user out everywhere: every token issued until now is dead, and nothing is exchanged any more."""
        for family in self._store.families_of(subject):
            self._store.end_family(family.id)
        return self.revoke("subject", subject, cause=cause, by=by)

    def sessions(self, subject: str) -> tuple[Session, ...]:
        """The sign-ins of a user that are not over, the last used first."""
        return sessions_of(self._store, self._settings, subject, self._now_us())

    def _authentic(self, token: str, now_us: int) -> Claims:
        """The claims of a refresh token that verifies and is not revoked, asked of the file itself: no exchange may
        slip through in the moments that a view lags behind.
        """
        verdict = self._refresh_tokens.verify(token, now_us)
        if isinstance(verdict, Rejected):
            raise RefreshError(verdict.reason, claims=verdict.claims, rejected=verdict)
        assert isinstance(verdict, Accepted)
        claims = verdict.claims
        revoked = RevocationView(self._store.revoked(keys_of(claims), now_us)).check(claims, now_us)
        if revoked is not None:
            raise RefreshError(revoked.reason, claims=claims, alert=revoked.row.alert)
        return claims

    def _repeatable(self, claims: Claims, source: str, now_us: int) -> Family:
        """The family whose last exchange may be answered again; otherwise the token was reused."""
        family = self._store.family(claims.family)
        if family is None:
            raise RefreshError("revoked_session", claims=claims)
        # Not before it either: a clock that was set back must not hold the grace open.
        in_time = 0 <= now_us - family.rotated_us <= self._settings.grace_s * _US
        # An unknown source is never the same as another unknown one.
        if claims.jti == family.previous and in_time and source and source == family.source:
            return family
        revoked = self.revoke("family", family.id, cause="refresh_reused", now_us=now_us)
        raise RefreshError("refresh_reused", claims=claims, revoked=revoked)

    def _pair(
        self,
        family: Family,
        now_us: int,
        *,
        parent: str = "",
        repeated: bool = False,
        shown: Binding = UNBOUND,
    ) -> TokenPair:
        settings = self._settings
        key = self._ring.signing_key()
        end = min(now_us + settings.access_ttl_s * _US, family.expires_us) // _US
        idle_end = min(now_us + settings.refresh_idle_s * _US, family.expires_us) // _US
        common = {
            "iss": settings.issuer,
            "sub": family.subject,
            "iat": now_us // _US,
            "fam": family.id,
            "gen": family.generation,
        }
        own = msgspec.json.decode(family.claims, type=dict[str, Any])
        if family.scope:
            own["scope"] = family.scope
        bound = {"cnf": own["cnf"]} if "cnf" in own else {}
        if shown and not bound:
            own["cnf"] = _confirmation(shown)
        access_token, access = self._signed(
            {**common, "aud": settings.audience, "exp": end, "jti": uuid7(now_us), **own,
             "client_id": family.client_id},
            ACCESS_TYP,
            key,
        )  # fmt: skip
        refresh_token, refresh = self._signed(
            {**common, "aud": settings.issuer, "exp": idle_end, "jti": family.jti, **bound},
            REFRESH_TYP,
            key,
        )
        return TokenPair(
            access_token=access_token,
            refresh_token=refresh_token,
            token_type=token_type_of(access),
            expires_in=end - now_us // _US,
            scope=family.scope,
            access=access,
            refresh=refresh,
            parent=parent,
            repeated=repeated,
        )

    def _signed(self, payload: dict[str, Any], typ: str, key: SigningKey) -> tuple[str, Claims]:
        """The token, and its claims read back by the verifier's own eyes: what it would refuse is never issued."""
        token = jwt.encode(payload, key.private, key.alg, headers={"typ": typ, "kid": key.kid})
        if len(token) > self._settings.max_token_bytes:
            raise TokenError(
                "token_too_large",
                f"the token would have {len(token)} bytes",
                where="claims",
                hint=f"at most {self._settings.max_token_bytes} are accepted: put less into the token",
            )
        signed = Signed(key.alg, key.kid, typ, kind_of_type(typ))
        try:
            claims = read_at_length(_json(payload).encode(), signed, (), fingerprint_of(token.encode()))
        except Refusal as refusal:
            raise TokenError(
                refusal.reason,
                "a claim has a value that no verifier takes",
                where="claims",
                hint="see RFC 7519",
            ) from None
        return token, claims


def _confirmation(binding: Binding) -> dict[str, str]:
    """`cnf` (RFC 7800 section 3.1).

    Raises:
        TokenError: not the SHA-256 of anything.
    """
    made = {name: value for name, value in (("jkt", binding.jkt), ("x5t#S256", binding.x5t)) if value}
    for name, value in made.items():
        if not _THUMBPRINT.fullmatch(value):
            raise TokenError(
                "claim_invalid",
                f"no thumbprint: {name}",
                where="binding",
                hint="SHA-256 as base64url, 43 characters",
            )
    return made


def _rows(pair: TokenPair, source: str, now_us: int) -> tuple[IssuedToken, IssuedToken]:
    """What is remembered of a pair until it expires."""

    def row(claims: Claims, client_id: str) -> IssuedToken:
        return IssuedToken(
            jti=claims.jti,
            subject=claims.sub,
            kind=claims.kind,
            at_us=now_us,
            exp_us=int((claims.exp or 0) * _US),
            family=claims.family,
            client_id=client_id,
            kid=claims.kid,
            source=source,
        )

    client_id = pair.access.client_id
    return row(pair.access, client_id), row(pair.refresh, client_id)


def _checked_claims(sub: str, claims: Mapping[str, Any]) -> dict[str, Any]:
    flags: set[str] = set()
    if not sub or len(sub) > MAX_SUBJECT or (clean(sub, flags) and flags):
        raise TokenError(
            "claim_invalid", "not a subject", where="sub", hint=f"1 to {MAX_SUBJECT} printable characters"
        )
    if taken := RESERVED.intersection(claims):
        raise TokenError(
            "claim_invalid",
            f"{', '.join(sorted(taken))} is set by the issuer",
            where="claims",
            hint="rename it",
        )
    return dict(claims)


def _json(claims: dict[str, Any]) -> str:
    try:
        return msgspec.json.encode(claims).decode()
    except (TypeError, ValueError, OverflowError) as error:
        raise TokenError("claim_invalid", str(error), where="claims", hint="JSON values only") from error
