"""Several issuers at once: each token is judged by the keys and the policy of the issuer it names."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from functools import partial

import msgspec

from jwtrail.tokens import base64url, discovery
from jwtrail.tokens.dpop import ALGORITHMS
from jwtrail.tokens.facts import rejected
from jwtrail.tokens.refusal import Refusal
from jwtrail.tokens.remote import Fetched, KeyNews, RemoteKeys
from jwtrail.tokens.remotesettings import RemoteIssuer
from jwtrail.tokens.revocation import Revocations
from jwtrail.tokens.settings import TokenSettings, VerifyPolicy, normal_typ
from jwtrail.tokens.verdict import Rejected, Verdict
from jwtrail.tokens.verifier import Verifier, fingerprint_of

__all__ = ["WAIT_S", "FederatedVerifier", "RemoteVerifier", "remote_verifiers"]

WAIT_S = 6.0
"""How long a request whose key is not known yet waits for a fetch: a little more than the fetch may take."""

_HELPED = frozenset(("kid_unknown", "kid_missing", "jwks_unavailable"))
"""Reasons that new keys may undo. A wrong signature under a known `kid` is none: keys do not change under their name."""


class _Named(msgspec.Struct):
    iss: str = ""


_iss_of = msgspec.json.Decoder(_Named).decode


class RemoteVerifier:
    """Judges the tokens of one remote issuer.

    Args:
        policy: what is asked of a token.
        keys: of the issuer.
    """

    def __init__(
        self,
        policy: VerifyPolicy,
        keys: RemoteKeys,
        revoked: Revocations | None = None,
        *,
        cache_size: int = 10_000,
    ) -> None:
        self.keys = keys
        self._verifier = Verifier(policy, keys, revoked, cache_size=cache_size)

    def verify(self, token: str | bytes, now_us: int | None = None) -> Verdict:
        """See `Verifier.verify`; `jwks_unavailable` while the issuer has no keys."""
        if not self.keys.current().keys:
            raw = token if isinstance(token, bytes) else token.encode("utf-8", "surrogatepass")
            return rejected("jwks_unavailable", raw, fingerprint_of(raw))
        return self._verifier.verify(token, now_us)


class FederatedVerifier:
    """Our own tokens and those of others, by `iss`. The claim is only a label until the signature holds, and the policy
    of each issuer compares it again.

    Args:
        own: judges everything that names no remote issuer.
        remote: by issuer.
        max_token_bytes: longer tokens are left to `own`, which refuses them unread.
    """

    def __init__(
        self, own: Verifier, remote: Mapping[str, RemoteVerifier], *, max_token_bytes: int = 8192
    ) -> None:
        self._own = own
        self._remote = dict(remote)
        self._max_token_bytes = max_token_bytes

    def verify(self, token: str | bytes | None, now_us: int | None = None) -> Verdict:
        """The verdict with the keys that are known; never waits."""
        remote = self._of(token)
        return (
            remote.verify(token, now_us) if remote is not None and token else self._own.verify(token, now_us)
        )

    async def second_look(self, token: str | bytes, verdict: Rejected, now_us: int | None = None) -> Verdict:
        """When new keys may help, fetch them (once for all who wait) and judge again; the same verdict otherwise."""
        flight = self._flight(token, verdict)
        if flight is None:
            return verdict
        await asyncio.wait([asyncio.wrap_future(flight)], timeout=WAIT_S)
        return self.verify(token, now_us)

    def second_look_blocking(
        self, token: str | bytes, verdict: Rejected, now_us: int | None = None
    ) -> Verdict:
        """As `second_look`, for code without an event loop."""
        flight = self._flight(token, verdict)
        if flight is None:
            return verdict
        try:
            flight.result(WAIT_S)
        except FutureTimeoutError:
            return verdict
        return self.verify(token, now_us)

    def start(self) -> None:
        """Fetch every issuer's keys ahead of the first request, without waiting."""
        for verifier in self._remote.values():
            verifier.keys.current()

    def _flight(self, token: str | bytes, verdict: Rejected) -> Future[None] | None:
        remote = self._of(token) if verdict.reason in _HELPED else None
        return remote.keys.ask() if remote is not None else None

    def _of(self, token: str | bytes | None) -> RemoteVerifier | None:
        if not token or len(token) > self._max_token_bytes:
            return None
        raw = token if isinstance(token, bytes) else token.encode("utf-8", "surrogatepass")
        try:
            return self._remote.get(_iss_of(base64url.decode(raw.split(b".", 2)[1])).iss)
        except (Refusal, ValueError, IndexError, RecursionError):
            return None


def remote_verifiers(
    settings: TokenSettings,
    revoked: Revocations | None,
    on_news: Callable[[KeyNews], None] | None = None,
) -> dict[str, RemoteVerifier]:
    """A verifier for each of `tokens.issuers`."""
    made = {}
    for issuer, remote in settings.issuers.items():
        keys = RemoteKeys(
            issuer,
            partial(_fetch, issuer, remote),
            refresh_s=remote.refresh_s,
            max_stale_s=remote.max_stale_s,
            on_news=on_news,
        )
        made[issuer] = RemoteVerifier(
            _policy(issuer, remote, settings), keys, revoked, cache_size=settings.cache_size
        )
    return made


def _policy(issuer: str, remote: RemoteIssuer, settings: TokenSettings) -> VerifyPolicy:
    return VerifyPolicy(
        issuer=issuer,
        audience=remote.audience or (settings.audience,),
        algorithms=frozenset(remote.algorithms or ALGORITHMS),
        types=tuple(normal_typ(typ) for typ in remote.types),
        required=remote.required,
        leeway_s=settings.leeway_s,
        max_token_bytes=settings.max_token_bytes,
        max_lifetime_s=remote.max_lifetime_s,
        use="access",
    )


def _fetch(issuer: str, remote: RemoteIssuer) -> Fetched:
    """Metadata, unless the address of the keys is set, then the keys.

    Raises:
        TokenError: `jwks_unavailable` or `key_set_ambiguous`.
    """
    from jwtrail.tokens.remotehttp import fetch  # noqa: PLC0415  # http.client: only those with remote issuers load it

    uri = remote.jwks_uri or discovery.jwks_uri_of(
        issuer, lambda url: fetch(url, allow_private=remote.allow_private).body
    )
    document = fetch(uri, allow_private=remote.allow_private)
    read = discovery.read_keys(document.body, uri)
    return Fetched(read.keys, document.max_age_s, read.skipped)
