"""The room that is left on the disk of the trail: told before it is gone, and a last piece of it kept back."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from jwtrail.ecs import Event, event_for
from jwtrail.errors import JwtrailError
from jwtrail.runtime.ticking import Ticker
from jwtrail.trail.durable import FILE_MODE
from jwtrail.trail.layout import Layout

__all__ = ["ALARMS", "RESERVE_BYTES", "LowWater"]

EVERY_S = 5.0
ALARMS = (75, 90)
"""Per cent of the disk in use at which it is told."""

RESERVE_BYTES = 8 * 1024 * 1024
"""Held by a file and given up when no more than that is free: some ten thousand events, among them those that say what happened."""

AGAIN = 8
"""So many times the reserve must be free before it is taken again."""


class LowWater:
    """Looks at the disk, records `disk-low` and `disk-recovered`, and keeps the reserve file.

    Args:
        layout: whose disk.
        record: puts an event into the trail.
        room: (bytes in use, bytes free to us) of the disk of a path.

    Attributes:
        room: what the last look found; None before it, and when the disk could not be asked.
    """

    def __init__(
        self,
        layout: Layout,
        record: Callable[[Event], None],
        room: Callable[[Path], tuple[int, int]] | None = None,
    ) -> None:
        self._layout = layout
        self._record = record
        self._room = room or _room
        self._told = 0
        self.room: tuple[int, int] | None = None
        self._ticker = Ticker("jwtrail-lowwater", self.look, EVERY_S)

    def start(self) -> None:
        """Begin to look."""
        self._ticker.start()

    def close(self) -> None:
        """Stop."""
        self._ticker.close()

    def look(self) -> None:
        """Look once."""
        try:
            used, free = self._room(self._layout.root)
        except OSError:  # who writes there will say so
            self.room = None
            return
        self.room = used, free
        self._keep_reserve(free)
        percent = 100 * used // max(1, used + free)
        level = sum(percent >= alarm for alarm in ALARMS)
        if level != self._told:
            self._tell(percent, free, worse=level > self._told)
            self._told = level

    def _keep_reserve(self, free: int) -> None:
        reserve = self._layout.reserve
        with suppress(OSError):  # it is a comfort: the trail does without
            if free <= RESERVE_BYTES:
                reserve.unlink(missing_ok=True)
            elif free > AGAIN * RESERVE_BYTES and not reserve.exists():
                _allocate(reserve)

    def _tell(self, percent: int, free: int, *, worse: bool) -> None:
        with suppress(JwtrailError):
            self._record(
                event_for(
                    "disk-low" if worse else "disk-recovered",
                    service_name="jwtrail",
                    event_outcome="failure" if worse else "success",
                    message=f"{percent} % of the disk is in use, {free // 1_000_000:,} MB are free",
                )
            )


def _room(path: Path) -> tuple[int, int]:
    found = os.statvfs(path)
    return (found.f_blocks - found.f_bfree) * found.f_frsize, found.f_bavail * found.f_frsize


def _allocate(path: Path) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    try:
        os.posix_fallocate(fd, 0, RESERVE_BYTES)
    finally:
        os.close(fd)
