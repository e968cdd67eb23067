"""What runs inside the application's process: verify, issue, record. It never touches a column store or a rule."""

import fcntl
import os
import platform
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jwtrail import clock, config
from jwtrail.errors import TokenError
from jwtrail.middleware.exchange import current
from jwtrail.middleware.identity import fields_of_claims, fields_of_verdict
from jwtrail.middleware.recorder import Recorder, Service
from jwtrail.state.records import Revocation
from jwtrail.state.store import StateStore
from jwtrail.tokens.issuer import Issuer, TokenPair
from jwtrail.tokens.keyring import KeyRing
from jwtrail.tokens.restraint import RestraintView
from jwtrail.tokens.revocation import RevocationView
from jwtrail.tokens.verdict import Claims
from jwtrail.tokens.verifier import Verifier
from jwtrail.trail.layout import Layout
from jwtrail.trail.writer import TrailWriter

__all__ = ["Worker"]


class Worker:
    """The parts of one worker process, wired.

    Nothing here starts a thread before the first request, so that servers that fork after import stay safe.
    """

    def __init__(self, settings: config.Settings, *, daemon: bool = False) -> None:
        self.settings = settings
        self.layout = Layout(settings.root)
        self.layout.create()
        self.store = StateStore(self.layout.state)
        self.ring = KeyRing(
            self.layout.keys / "tokens", algorithm=settings.tokens.algorithm, passphrase=settings.passphrase
        )
        self.revocations = RevocationView(self.store)
        self.restraints = RestraintView(self.store)
        self.verifier = Verifier(settings.tokens, self.ring, self.revocations)
        self.issuer = Issuer(settings.tokens, self.ring, self.store)
        self.writer = TrailWriter(self.layout, settings.trail)
        service = settings.service
        self.recorder = Recorder(
            self.writer,
            Service(service.name, service.version, service.environment, platform.node(), os.getpid()),
        )
        self._daemon_wanted = daemon
        self._daemon: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._closed = False

    @classmethod
    def from_settings(cls, overrides: Mapping[str, Any], *, file: Path | None, daemon: bool) -> "Worker":
        """Read the settings and wire a worker.

        Raises:
            ConfigError: see `config.load`.
        """
        return cls(config.load(overrides, file=file).settings, daemon=daemon)

    def start(self) -> None:
        """Called when the server has started this process: begin to watch for revocations, start the daemon if asked."""
        self.revocations.start()
        self.restraints.start()
        if self._daemon_wanted:
            self._daemon = self._start_daemon()

    def close(self) -> None:
        """Write what is queued, stop the watchers, stop the daemon this process started. Idempotent."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self.revocations.close()
        self.restraints.close()
        self.writer.close()
        if self._daemon is not None:
            self._daemon.terminate()
            self._daemon.wait(timeout=10)
        self.store.close()

    def sign_in(self, subject: str, *, name: str, **about: Any) -> TokenPair:
        """Issue the first pair of a family and record `login` and `token-issued`."""
        source = _source()
        pair = self.issuer.issue(subject, source=source, **about)
        token = pair.access.event_fields()
        self.record("login", user_name=name, related_user=tuple({subject, name}), **token)
        self.record("token-issued", related_user=(subject,), **token)
        return pair

    def refresh(self, refresh_token: str) -> TokenPair:
        """Exchange a refresh token and record what came of it.

        Raises:
            TokenError: with its reason; a reused token has ended its whole family by then.
        """
        try:
            pair = self.issuer.refresh(refresh_token, source=_source(), now_us=clock.now_us())
        except TokenError as error:
            self._refresh_failed(error)
            raise
        self.record("token-refreshed", related_user=(pair.access.sub,), **pair.access.event_fields())
        return pair

    def _refresh_failed(self, error: TokenError) -> None:
        # Only a token whose signature held says whose it is; the issuer sets these for no other.
        who = {
            "user_id": getattr(error, "subject", None) or None,
            "jwt_family": getattr(error, "family", None) or None,
            "jwt_jti": getattr(error, "jti", None) or None,
        }
        action = "refresh-reused" if error.reason == "refresh_reused" else "token-refreshed"
        self.record(action, event_outcome="failure", event_reason=error.reason, jwt_kind="refresh", **who)

    def sign_out(self, claims: Claims) -> None:
        """End the family of this token (or the token alone when it has none) on every worker."""
        now = clock.now_us()
        until = now + self.settings.tokens.refresh_absolute_s * 1_000_000
        kind, value = ("family", claims.family) if claims.family else ("jti", claims.jti)
        self.store.revoke(
            Revocation(kind=kind, value=value, at_us=now, until_us=until, cause="logout", by=claims.sub)  # type: ignore[arg-type]
        )
        if claims.family:
            self.store.end_family(claims.family)
        self.revocations.reload()
        self.record("logout", **claims.event_fields())

    def record(self, action: str, **fields: Any) -> None:
        """See `Recorder.record`; identity of the running request is filled in unless given."""
        exchange = current.get()
        if exchange is not None:
            fields = {**fields_of_verdict(exchange.verdict, clock.now_us()), **{k: v for k, v in fields.items() if v is not None}}
        self.recorder.record(action, **fields)

    def jwks(self) -> dict[str, Any]:
        """The public keys (RFC 7517 section 5)."""
        return self.ring.jwks()

    def _start_daemon(self) -> subprocess.Popen[bytes] | None:
        """One daemon a data directory: the first worker that gets the lock file starts it, the others find it taken."""
        handle = os.open(self.layout.root / "daemon.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        command = [sys.executable, "-m", "jwtrail", "serve", "--data", str(self.layout.root)]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=(handle,))  # noqa: S603


def _source() -> str:
    exchange = current.get()
    return (exchange.where.ip or "") if exchange is not None else ""
