"""What runs inside the application's process: verify, issue, record. It never touches a column store or a rule."""

import fcntl
import os
import platform
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from jwtrail import clock, config
from jwtrail.enrich.enricher import Enricher
from jwtrail.errors import TokenError, WriteError
from jwtrail.middleware.bindings import Bindings
from jwtrail.middleware.cookies import Cookies
from jwtrail.middleware.exchange import current
from jwtrail.middleware.frame import Frame, Resolve
from jwtrail.middleware.gate import Gate, Judge
from jwtrail.middleware.identity import fields_of_claims, fields_of_issued, fields_of_verdict
from jwtrail.middleware.observed import Identify, Observer
from jwtrail.middleware.places import Places
from jwtrail.middleware.recorder import Recorder, Service
from jwtrail.state.split import open_state
from jwtrail.tokens.federation import FederatedVerifier, remote_verifiers
from jwtrail.tokens.issuer import Issuer
from jwtrail.tokens.keyring import KeyRing
from jwtrail.tokens.live import LiveState
from jwtrail.tokens.nonce import Nonces, nonce_secret
from jwtrail.tokens.pairs import RefreshError, TokenPair, token_type_of
from jwtrail.tokens.remote import KeyNews
from jwtrail.tokens.verdict import UNBOUND, Accepted, Binding, Claims, Rejected
from jwtrail.tokens.verifier import Verifier
from jwtrail.trail.layout import Layout
from jwtrail.trail.writer import TrailWriter

__all__ = ["Worker"]

DAEMON_END_S = 60
"""How long the daemon that this process started may take to order, sign and save what is there when it ends."""


class Worker:
    """The parts of one worker process, wired.

    Nothing here starts a thread before the first request, so that servers that fork after import stay safe.
    """

    def __init__(
        self,
        settings: config.Settings,
        *,
        daemon: list[str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.settings = settings
        self.layout = Layout(settings.root)
        self.layout.create()
        self.store = open_state(self.layout.state, settings.state_url)
        self.ring = KeyRing(
            self.layout.keys / "tokens", algorithm=settings.tokens.algorithm, passphrase=settings.passphrase
        )
        self.ring.ensure()
        self.live = LiveState(self.store, on_health=self._state_health)
        own = Verifier(
            settings.tokens.access_policy(),
            self.ring,
            self.live.revocations,
            cache_size=settings.tokens.cache_size,
        )
        self.federation = self._federation(own)
        self.verifier = self.federation or own
        self.refresh_verifier = Verifier(
            settings.tokens.refresh_policy(), self.ring, self.live.revocations, cache_size=0
        )
        self.cookies = self._cookies()
        self.gate = self._gate()
        self.issuer = Issuer(settings.tokens, self.ring, self.store)
        enricher = Enricher(settings.enrich)
        self.writer = TrailWriter(self.layout, settings.trail, enricher if enricher.active else None)
        service = settings.service
        self.recorder = Recorder(
            self.writer,
            Service(service.name, service.version, service.environment, platform.node()),
        )
        self._daemon_command = daemon
        self._daemon_env = env or {}
        self._daemon: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._started_in = 0

    @classmethod
    def from_settings(cls, overrides: Mapping[str, Any], *, file: Path | None, daemon: bool) -> "Worker":
        """Read the settings and wire a worker.

        Raises:
            ConfigError: see `config.load`.
        """
        settings = config.load(overrides, file=file).settings
        if not daemon:
            return cls(settings)
        command = [sys.executable, "-m", "jwtrail", "serve", *(["--config", str(file)] if file else [])]
        # The same settings for both, and by the environment: a passphrase has no place in a list of processes.
        return cls(settings, daemon=command, env=config.as_environ({**overrides, "data": str(settings.root)}))

    def start(self) -> None:
        """Called when the server has started this process, or with its first request: begin to watch for revocations,
        start the daemon if asked. Once a process, however often it is called; who calls meanwhile waits, for nobody may be let
        in before it is known what is revoked.

        Raises:
            StateError: what is revoked cannot be read; the next call tries again.
        """
        if self._started_in == os.getpid():
            return
        with self._lock:
            if self._started_in == os.getpid():
                return
            self.live.start()
            if self.federation is not None:
                self.federation.start()
            if self._daemon_command is not None:
                self._daemon = self._start_daemon(self._daemon_command)
            self._started_in = os.getpid()

    def close(self) -> None:
        """Write what is queued, stop the watchers, stop the daemon this process started. Idempotent."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self.live.close()
        self.writer.close()
        if self._daemon is not None:
            self._daemon.terminate()
            self._daemon.wait(timeout=DAEMON_END_S)
        self.store.close()

    def sign_in(self, subject: str, *, name: str, **about: Any) -> TokenPair:
        """Issue the first pair of a family and record `login` and `token-issued`.

        Raises:
            TokenError: see `Issuer.issue`.
        """
        pair = self.issuer.issue(subject, source=_source(), **about)
        token = fields_of_issued(pair, clock.now_us())
        self.record("login", user_name=name, **(token | {"related_user": tuple(sorted({subject, name}))}))
        if (exchange := current.get()) is not None:  # RFC 6749 section 5.1: no cache may keep a token
            exchange.answer_headers.append((b"cache-control", b"no-store"))
        self.record("token-issued", **token)
        return pair

    def refresh(self, refresh_token: str, shown: Binding = UNBOUND) -> TokenPair:
        """Exchange a refresh token and record what came of it.

        Args:
            shown: what the client has proved to hold.

        Raises:
            RefreshError: with its reason; a reused token has ended its whole family by then.
        """
        try:
            pair = self.issuer.refresh(refresh_token, source=_source(), shown=shown)
        except RefreshError as error:
            self._refresh_failed(error)
            raise
        self.record("token-refreshed", **fields_of_issued(pair, clock.now_us()))
        return pair

    def _refresh_failed(self, error: RefreshError) -> None:
        # Claims are there only when the signature held: nobody else may be named.
        who = fields_of_claims(error.claims, clock.now_us()) if error.claims is not None else {}
        if error.rejected is not None:
            who |= fields_of_verdict(error.rejected, clock.now_us())
        if error.alert:  # what our own answer caused must not feed the detector
            who["jwtrail_flags"] = ("self_inflicted",)
            if (exchange := current.get()) is not None:
                exchange.flags.add("self_inflicted")
        action = "refresh-reused" if error.reason == "refresh_reused" else "token-refreshed"
        self.record(action, **who, event_outcome="failure", event_reason=error.reason)
        if error.revoked is not None:
            self.live.refresh()
            ended = {name: who.get(name) for name in ("user_id", "jwt_family")}
            self.record("family-revoked", event_reason="refresh_reused", **ended)

    def sign_out(self, claims: Claims) -> None:
        """End the family of this token (or the token alone when it has none) on every worker."""
        if claims.family:
            self.issuer.end(claims.family, cause="logout", by=claims.sub)
        else:
            self.issuer.revoke("jti", claims.jti, cause="logout", by=claims.sub)
        self.live.refresh()
        self.record("logout", **fields_of_claims(claims, clock.now_us()))

    def sign_out_everywhere(self, subject: str) -> None:
        """End every sign-in of a subject on every worker, and record `subject-revoked`."""
        exchange = current.get()
        by = (
            exchange.verdict.claims.sub
            if exchange is not None and isinstance(exchange.verdict, Accepted)
            else "jwtrail"
        )
        self.issuer.end_all(subject, cause="logout", by=by)
        self.live.refresh()
        self.record(
            "subject-revoked", user_target_id=subject, related_user=(subject,), event_reason="revoked_subject"
        )

    def pair_of(self, access_token: str, refresh_token: str) -> TokenPair:
        """The pair of two tokens that were issued here and still count, with their claims.

        Raises:
            TokenError: with the reason of the one that does not count.
        """
        found: list[Claims] = []
        for verifier, token in ((self.verifier, access_token), (self.refresh_verifier, refresh_token)):
            verdict = verifier.verify(token)
            if not isinstance(verdict, Accepted):
                raise TokenError(verdict.reason if isinstance(verdict, Rejected) else "token_missing")
            found.append(verdict.claims)
        access, refresh = found
        return TokenPair(
            access_token=access_token,
            refresh_token=refresh_token,
            token_type=token_type_of(access),
            expires_in=max(0, int(access.exp or 0) - clock.now_us() // 1_000_000),
            scope=" ".join(access.scope),
            access=access,
            refresh=refresh,
        )

    def frame(
        self,
        *,
        identify: Identify | None = None,
        verifier: Judge | None = None,
        resolve: Resolve | None = None,
    ) -> Frame:
        """What a middleware needs of this process; see `Frame` and `observer`."""
        return Frame(
            gate=self.gate,
            restraints=self.live.restraints,
            recorder=self.recorder,
            settings=self.settings.http,
            observer=self._observer(identify, verifier),
            resolve=resolve,
        )

    def _observer(self, identify: Identify | None, verifier: Judge | None) -> Observer | None:
        """What watches an application that judges tokens itself; None unless `http.bad_token` is `observe`.

        Args:
            verifier: knows the application's keys; ours when absent.
        """
        if not self.gate.observes:
            return None
        judge = verifier or self.verifier
        places = Places(self.settings.http.token_places)
        return Observer(lambda token: judge.verify(token, clock.now_us()), identify, places)

    def live_claims(self, token: str) -> Claims | None:
        """Claims of a token that counts now: an access token, or the refresh token that is due next; else None.

        Raises:
            StateError: whether a sign-in lives cannot be told.
        """
        access = self.verifier.verify(token)
        if isinstance(access, Accepted):
            return access.claims
        refresh = self.refresh_verifier.verify(token)
        if not isinstance(refresh, Accepted):
            return None
        family = self.store.family(refresh.claims.family)
        return refresh.claims if family is not None and family.jti == refresh.claims.jti else None

    def revoke_shown(self, token: str) -> None:
        """End a token that somebody shows (RFC 7009): an access token alone, a refresh token with its sign-in.

        Raises:
            StateError: it could not be revoked.
        """
        verdict = self.verifier.verify(token)
        if not isinstance(verdict, Accepted):
            verdict = self.refresh_verifier.verify(token)
        if not isinstance(verdict, Accepted):
            return
        claims = verdict.claims
        if claims.kind == "refresh":
            self.issuer.end(claims.family, cause="client", by=claims.sub)
        elif claims.jti:
            self.issuer.revoke("jti", claims.jti, cause="client", by=claims.sub)
        self.live.refresh()
        action = "family-revoked" if claims.kind == "refresh" else "token-revoked"
        self.record(action, **fields_of_claims(claims, clock.now_us()))

    def record(self, action: str, **fields: Any) -> None:
        """See `Recorder.record`; identity of the running request is filled in unless given."""
        exchange = current.get()
        if exchange is not None:
            fields = {
                **fields_of_verdict(exchange.verdict, clock.now_us()),
                **{k: v for k, v in fields.items() if v is not None},
            }
        self.recorder.record(action, **fields)

    def jwks(self) -> dict[str, Any]:
        """The public keys (RFC 7517 section 5)."""
        return self.ring.jwks()

    def _state_health(self, failing: str) -> None:
        """Revocations cannot be followed any more, or can be again."""
        with suppress(WriteError):  # the writer tells of that itself, and this thread must go on following
            self.record(
                "revocation-check-failed",
                event_outcome="failure" if failing else "success",
                error_type="StateError" if failing else None,
                error_message=failing or None,
                message=None if failing else "the shared state can be read again",
            )

    def _federation(self, own: Verifier) -> FederatedVerifier | None:
        tokens = self.settings.tokens
        if not tokens.issuers:
            return None
        remote = remote_verifiers(tokens, self.live.revocations, self._key_news)
        return FederatedVerifier(own, remote, max_token_bytes=tokens.max_token_bytes)

    def _gate(self) -> Gate:
        settings = self.settings
        bindings = Bindings(
            self.store, settings.http, leeway_s=settings.tokens.leeway_s, nonces=self._nonces()
        )
        return Gate(
            self.verifier,
            bindings,
            settings.http,
            cookies=self.cookies,
            second_look=self.federation.second_look if self.federation is not None else None,
            away=lambda: self.live.failing,
        )

    def _key_news(self, news: KeyNews) -> None:
        """What became of fetching an issuer's keys."""
        failed = news.action == "jwks-failed"
        with suppress(WriteError):
            self.record(
                news.action,
                event_outcome="failure" if failed else "success",
                event_reason="jwks_unavailable" if failed else None,
                jwt_iss=news.issuer,
                message=news.message,
            )

    def _cookies(self) -> Cookies | None:
        if not self.settings.http.cookies:
            return None
        return Cookies(nonce_secret(self.layout.keys / "csrf"), self.settings.http)

    def _nonces(self) -> Nonces | None:
        wanted = self.settings.http.dpop_nonce
        return Nonces(nonce_secret(self.layout.keys / "dpop-nonce")) if wanted else None

    def _start_daemon(self, command: list[str]) -> subprocess.Popen[bytes] | None:
        """One daemon a data directory: the first worker that gets the lock file starts it, the others find it taken."""
        handle = os.open(self.layout.root / "daemon.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The child holds the lock as long as it lives, whatever becomes of us.
            return subprocess.Popen(  # noqa: S603  # our own command, no shell
                command, stdin=subprocess.DEVNULL, env=config.child_env(self._daemon_env), pass_fds=(handle,)
            )
        except BlockingIOError:
            return None
        finally:
            os.close(handle)


def _source() -> str:
    exchange = current.get()
    return (exchange.where.ip or "") if exchange is not None else ""
