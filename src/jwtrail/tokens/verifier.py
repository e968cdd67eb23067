"""From the text of a token to a verdict. The order of the checks is fixed: the first that fails names the reason."""

from contextlib import suppress
from hashlib import sha256
from typing import Protocol

import msgspec

from jwtrail import clock
from jwtrail.tokens import base64url
from jwtrail.tokens.algorithms import Check
from jwtrail.tokens.claims import ClaimsReader, check_claims, kind_of_type
from jwtrail.tokens.facts import rejected
from jwtrail.tokens.header import Header, check_header, read_header
from jwtrail.tokens.keys import Key, Keys
from jwtrail.tokens.refusal import Refusal
from jwtrail.tokens.revocation import Revocations
from jwtrail.tokens.settings import VerifyPolicy
from jwtrail.tokens.shapes import Shapes
from jwtrail.tokens.verdict import ABSENT, Accepted, Claims, Signed, Verdict

__all__ = ["CACHE_US", "MAX_HEADERS", "KeySource", "Verifier", "fingerprint_of", "signed_payload"]

CACHE_US = 60_000_000
"""Longest time a verified token is remembered."""

MAX_HEADERS = 256
"""Headers remembered; an issuer uses a few, one a key and type."""


_DOT = ord(".")


class KeySource(Protocol):
    """Where the keys of an issuer come from. Whoever answers must not block and must not raise."""

    def current(self) -> Keys:
        """The keys now; the same object until they change."""


class _Known(msgspec.Struct, frozen=True):
    """A token that was verified: counts in `[since_us, until_us)` and while the keys are the same."""

    accepted: Accepted
    keys: Keys
    since_us: int
    until_us: int


class _Signer(msgspec.Struct, frozen=True):
    """A header that passed, with what checks the signatures and reads the payloads below it; holds while the keys are the
    same.
    """

    keys: Keys
    check: Check
    reader: ClaimsReader


class Verifier:
    """Judges tokens. Threads may share one.

    Args:
        policy: what is asked of a token.
        keys: who may have signed.
        revoked: what no longer counts; None when nothing can be revoked.
        cache_size: accepted tokens remembered, by SHA-256, until they expire or for `CACHE_US`; the oldest goes first.
            Revocation and keys are looked at every time.
    """

    def __init__(
        self,
        policy: VerifyPolicy,
        keys: KeySource,
        revoked: Revocations | None = None,
        *,
        cache_size: int = 10_000,
    ) -> None:
        self._policy = policy
        self._limit = policy.max_token_bytes
        self._keys = keys
        self._revoked = revoked
        self._cache_size = cache_size
        self._cache: dict[bytes, _Known] = {}
        self._signers: dict[bytes, _Signer] = {}
        self._shapes = Shapes()

    def verify(self, token: str | bytes | None, now_us: int | None = None) -> Verdict:
        """The verdict. Never raises, whatever the token.

        Args:
            token: the compact serialisation (RFC 7515 section 7.1); None when none came.
            now_us: the time to judge at; the clock's when absent.
        """
        if token is None:
            return ABSENT
        limit = self._limit
        if len(token) > limit:  # before it is copied
            return rejected("token_too_large", b"")
        raw = token if isinstance(token, bytes) else token.encode("utf-8", "surrogatepass")
        if not 0 < len(raw) <= limit:
            return rejected("token_too_large" if raw else "token_missing", b"")
        now_us = clock.now_us() if now_us is None else now_us
        digest = sha256(raw).digest()
        keys = self._keys.current()
        known = self._cache.get(digest)
        if known is not None and known.keys is keys and known.since_us <= now_us < known.until_us:
            accepted = known.accepted
        else:
            try:
                accepted = Accepted(self._verified(raw, digest, keys, now_us))
            except Refusal as refusal:
                return rejected(refusal.reason, raw, _fingerprint(digest), refusal.claims)
            if self._cache_size:
                self._remember(digest, accepted, keys, now_us)
        if (
            self._revoked is not None
            and (revoked := self._revoked.check(accepted.claims, now_us)) is not None
        ):
            claims = accepted.claims
            return rejected(revoked.reason, raw, claims.fingerprint, claims, revoked)
        return accepted

    def _verified(self, raw: bytes, digest: bytes, keys: Keys, now_us: int) -> Claims:
        """Everything that does not change while the token lives, in the order of the vocabulary."""
        message, _, signature = raw.rpartition(b".")
        head, dot, payload = message.partition(b".")
        signer = self._signers.get(head)
        # A known header, and one dot behind it: then the form is right as well.
        if signer is None or signer.keys is not keys or not dot or _DOT in payload:
            _check_form(raw)
            signer = self._signer(head, keys)
        if not signature:
            raise Refusal("signature_missing")
        signer.check(message, base64url.decode(signature))
        claims = signer.reader.read(base64url.decode(payload), _fingerprint(digest))
        check_claims(claims, self._policy, now_us)
        return claims

    def _signer(self, segment: bytes, keys: Keys) -> _Signer:
        """The header and the key it names. Few headers are in use, so what was found is remembered."""
        key, header = _key_of(segment, self._policy, keys)
        signed = Signed(header.alg, header.kid or key.kid, header.typ, kind_of_type(header.typ))
        reader = ClaimsReader(signed, self._policy.required, self._shapes)
        signer = _Signer(keys, key.checker(header.alg), reader)
        if len(self._signers) >= MAX_HEADERS:
            self._signers.clear()
        self._signers[segment] = signer
        return signer

    def _remember(self, digest: bytes, accepted: Accepted, keys: Keys, now_us: int) -> None:
        until_us = now_us + CACHE_US
        if accepted.claims.exp is not None:
            until_us = min(until_us, int(accepted.claims.exp * 1_000_000))
        while len(self._cache) >= self._cache_size:
            # Other threads come and go in the cache: then the oldest is looked for again.
            with suppress(RuntimeError, StopIteration):
                self._cache.pop(next(iter(self._cache)), None)
        self._cache[digest] = _Known(accepted, keys, now_us, until_us)


def signed_payload(token: bytes, policy: VerifyPolicy, keys: Keys) -> bytes:
    """The payload of a JWS, whatever it is: every check up to the signature (RFC 7515 section 5.2), none of a JWT.

    Raises:
        Refusal: with the first reason that applies.
    """
    if not token:
        raise Refusal("token_missing")
    if len(token) > policy.max_token_bytes:
        raise Refusal("token_too_large")
    message, _, signature = token.rpartition(b".")
    head, _, payload = message.partition(b".")
    _check_form(token)
    key, header = _key_of(head, policy, keys)
    check = key.checker(header.alg)
    if not signature:
        raise Refusal("signature_missing")
    check(message, base64url.decode(signature))
    return base64url.decode(payload)


def fingerprint_of(token: bytes) -> str:
    """What stands for a token in the trail: 16 bytes of its SHA-256, base64url; 22 characters."""
    return _fingerprint(sha256(token).digest())


def _fingerprint(digest: bytes) -> str:
    return base64url.encode(digest[:16])


def _key_of(segment: bytes, policy: VerifyPolicy, keys: Keys) -> tuple[Key, Header]:
    """The header, and the key that it names."""
    header = read_header(segment)
    check_header(header, policy, keys)
    return keys.choose(header.alg, header.kid), header


def _check_form(raw: bytes) -> None:
    """Header, payload and signature (RFC 7515 section 3.1)."""
    if raw.lstrip()[:1] == b"{":  # CVE-2022-39227: a JSON text may hide a compact one
        raise Refusal("unsupported_serialization")
    dots = raw.count(_DOT)
    if dots == 4:
        raise Refusal("encrypted_token_unexpected")
    if dots != 2:
        raise Refusal("malformed_segments")
