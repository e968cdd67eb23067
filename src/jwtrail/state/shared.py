"""What processes must agree on before a request is served, as a promise that more than one store keeps.

`state.store.StateStore` keeps it in one SQLite file for the processes of a host, `state.redisstore.RedisStore` in Redis or
Valkey for many hosts. One suite of tests holds both to it.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec

from jwtrail.state.records import (
    BlastRadius,
    Family,
    IssuedToken,
    Restraint,
    Revocation,
    RevocationKind,
)

__all__ = ["MAX_SOURCES", "Follower", "SharedState", "merged", "radius_of"]

MAX_SOURCES = 10
"""Addresses told in a blast radius; more is a list nobody reads before a dialog."""


class Follower(Protocol):
    """Calls back soon after any process changed a revocation or a restraint; see `state.watch.Watch`."""

    failing: str
    """Why the store cannot be read at the moment; empty when it can."""

    def start(self) -> None:
        """Begin; again has no effect."""

    def close(self) -> None:
        """Stop, and wait for the thread."""


class SharedState(Protocol):
    """Revocations, restraints, refresh families, issued tokens, and what counts once.

    Raises:
        StateError: (any method) the store cannot be reached, read or written.
    """

    def revoke(self, *revocations: Revocation) -> None:
        """Revoke; again is the same as once, and never shortens what is there (see `merged`)."""

    def unrevoke(self, kind: RevocationKind, value: str) -> bool:
        """Take a revocation back; False when there was none."""

    def revocations(self, now_us: int) -> list[Revocation]:
        """Those that have not ended, oldest first."""

    def revoked(self, pairs: Iterable[tuple[RevocationKind, str]], now_us: int) -> list[Revocation]:
        """The live revocations of these values, asked of the store itself."""

    def restrain(self, restraint: Restraint) -> None:
        """Throttle or block; the same id replaces."""

    def lift(self, restraint_id: str) -> bool:
        """End a restraint now; False when there was none."""

    def restraints(self, now_us: int) -> list[Restraint]:
        """Those that have not ended, oldest first."""

    def add_family(self, family: Family, issued: Sequence[IssuedToken] = ()) -> None:
        """Record a sign-in and the tokens it came with."""

    def family(self, family_id: str) -> Family | None:
        """A live or idle family; None when it ended or never was."""

    def families_of(self, subject: str) -> list[Family]:
        """The sign-ins of a user, the last used first."""

    def rotate_family(
        self, family_id: str, expected_jti: str, new_jti: str, source: str, now_us: int
    ) -> Family | None:
        """Exchange the refresh token: of any number of callers with the same `expected_jti`, exactly one gets a row."""

    def end_family(self, family_id: str) -> bool:
        """Forget a family; False when there was none."""

    def issued(self, *tokens: IssuedToken) -> None:
        """Remember tokens for `blast_radius`."""

    def tokens_of(self, kind: RevocationKind, value: str, now_us: int) -> list[IssuedToken]:
        """Live tokens that a revocation would hit, the newest first."""

    def blast_radius(self, kind: RevocationKind, value: str, now_us: int) -> BlastRadius:
        """How much a revocation would hit."""

    def spend(self, spent_id: str, until_us: int) -> bool:
        """True for the first of any number of callers with this id; remembered until then."""

    def watch(
        self, on_change: Callable[[], None], on_health: Callable[[str], None] | None = None
    ) -> Follower:
        """Follow changes of any process.

        Args:
            on_change: called from the follower's thread.
            on_health: called when reading begins to fail, with the cause, and with an empty text when it works again.
        """

    def close(self) -> None:
        """Close; any use afterwards raises `StateError`."""


def merged(old: Revocation | None, new: Revocation) -> Revocation:
    """What to keep when a value is revoked twice: the first cause and the later end.

    A subject is revoked by a cut-off, so the later moment wins there; so does a new revocation after the old one ended.
    """
    if old is None or old.until_us <= new.at_us or (new.kind == "subject" and new.at_us > old.at_us):
        until_us = max(new.until_us, old.until_us if old else 0)
        return msgspec.structs.replace(new, until_us=until_us)
    return msgspec.structs.replace(old, until_us=max(old.until_us, new.until_us))


def radius_of(tokens: Sequence[IssuedToken]) -> BlastRadius:
    """The numbers of some tokens, the newest first."""
    return BlastRadius(
        live_tokens=len(tokens),
        families=len({token.family for token in tokens if token.family}),
        subjects=len({token.subject for token in tokens}),
        last_issued_us=tokens[0].at_us if tokens else 0,
        sources=tuple(dict.fromkeys(t.source for t in tokens if t.source))[:MAX_SOURCES],
    )
