"""The sign-ins of a user, as the user or an operator would list them."""

from typing import Protocol

from msgspec import Struct

from jwtrail.state.records import Family, Revocation, RevocationKind
from jwtrail.tokens.settings import TokenSettings

__all__ = ["MAX_DEVICE", "Session", "sessions_of"]

MAX_DEVICE = 120
"""Characters of a device's label: it comes from the client and is shown to people."""

_US = 1_000_000


class Session(Struct, frozen=True, kw_only=True):
    """One sign-in that can still be used.

    Args:
        id: of the refresh family; `Issuer.end` ends it.
        device: what the application called the device at sign-in; may be empty.
        source: address of the last exchange.
        created_us: when it began; `used_us`: the last exchange.
        ends_us: when it ends unless it is used again before, at the latest at its absolute end.
    """

    id: str
    device: str
    client_id: str
    scope: str
    source: str
    created_us: int
    used_us: int
    ends_us: int


class SignIns(Protocol):
    """What is asked of the store."""

    def families_of(self, subject: str) -> list[Family]:
        """The sign-ins of a user, the last used first."""

    def revoked(self, pairs: list[tuple[RevocationKind, str]], now_us: int) -> list[Revocation]:
        """Of these, what is revoked."""


def sessions_of(store: SignIns, settings: TokenSettings, subject: str, now_us: int) -> tuple[Session, ...]:
    """The sign-ins of a user that are not over: neither ended, nor revoked, nor too old, nor idle for too long.

    Raises:
        StateError: the store cannot be read.
    """
    families = store.families_of(subject)
    pairs: list[tuple[RevocationKind, str]] = [("family", family.id) for family in families]
    revoked = store.revoked([*pairs, ("subject", subject)], now_us)
    dead = {row.value for row in revoked if row.kind == "family"}
    cut_us = max((row.at_us for row in revoked if row.kind == "subject"), default=-1)
    return tuple(
        session
        for family in families
        if family.id not in dead and family.rotated_us > cut_us
        if (session := _session(family, settings)).ends_us > now_us
    )


def _session(family: Family, settings: TokenSettings) -> Session:
    return Session(
        id=family.id,
        device=family.device,
        client_id=family.client_id,
        scope=family.scope,
        source=family.source,
        created_us=family.created_us,
        used_us=family.rotated_us,
        ends_us=min(family.expires_us, family.rotated_us + settings.refresh_idle_s * _US),
    )
