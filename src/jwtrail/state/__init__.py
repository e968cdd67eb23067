"""The state that all processes of a host share: revocations, restraints, sign-ins, alerts; one SQLite file."""

from jwtrail.state.records import (
    AlertRow,
    AlertStatus,
    BlastRadius,
    Family,
    IssuedToken,
    Restraint,
    Revocation,
    RevocationKind,
)
from jwtrail.state.store import StateStore
from jwtrail.state.watch import Watch

__all__ = [
    "AlertRow",
    "AlertStatus",
    "BlastRadius",
    "Family",
    "IssuedToken",
    "Restraint",
    "Revocation",
    "RevocationKind",
    "StateStore",
    "Watch",
]
