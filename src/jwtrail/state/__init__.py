"""The state that all processes of a host share: revocations, restraints, sign-ins, alerts; one SQLite file, or Redis."""

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
from jwtrail.state.shared import Follower, SharedState
from jwtrail.state.split import open_state
from jwtrail.state.store import StateStore
from jwtrail.state.watch import Watch

__all__ = [
    "AlertRow",
    "AlertStatus",
    "BlastRadius",
    "Family",
    "Follower",
    "IssuedToken",
    "Restraint",
    "Revocation",
    "RevocationKind",
    "SharedState",
    "StateStore",
    "Watch",
    "open_state",
]
