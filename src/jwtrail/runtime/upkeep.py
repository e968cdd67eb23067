"""What changes a trail as a whole is done by one process alone, and announced before it is done."""

from jwtrail import clock
from jwtrail.config import Settings
from jwtrail.ecs import Event
from jwtrail.errors import LockedError
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.layout import Layout
from jwtrail.trail.writer import TrailWriter

__all__ = ["CROWD", "CURSOR", "announce", "keeper_alone", "seal_all"]

CURSOR = "detect"
CROWD = "crowd"
"""Names of what is kept in `state.db`: the detector's snapshot, and who shares an address."""

MAX_DRAINS = 1000
"""Looks at the logs: only an application that writes without pause needs more than a few."""


def keeper_alone(layout: Layout, settings: Settings) -> Keeper:
    """The keeper of a trail whose daemon is stopped.

    Raises:
        LockedError: it runs; the hint says what to do.
    """
    try:
        return Keeper(layout, settings.trail)
    except LockedError as error:
        raise LockedError(
            error.message,
            where=error.where,
            hint="stop jwtrail serve for a moment; the application may go on",
        ) from error


def seal_all(keeper: Keeper) -> None:
    """Order and seal everything that is in the logs now."""
    for _ in range(MAX_DRAINS):
        if not keeper.step(clock.now_us()):
            break
    keeper.seal(clock.now_us())


def announce(layout: Layout, settings: Settings, event: Event) -> None:
    """Write an event that is on the disk when this returns: an audit takes what no event speaks of for tampering.

    Raises:
        WriteError: it is not.
    """
    writer = TrailWriter(layout, settings.trail)
    try:
        done = writer.put(event, "sync")
        if done is not None:
            done.result()
    finally:
        writer.close()
