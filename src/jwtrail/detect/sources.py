"""How many users share an address: one behind which an office or a carrier sits is never blocked."""

from jwtrail.clock import parse_iso
from jwtrail.ecs import Event

__all__ = ["MAX_SOURCES", "MEMORY_US", "SHARED", "SourceUsers"]

SHARED = 4
"""Users behind one address from which on it counts as shared (RULES.md: more than three); no more are remembered."""

MEMORY_US = 86_400_000_000
"""How long a user is remembered behind an address, µs: a day."""

MAX_SOURCES = 50_000
"""Addresses remembered, the latest ones; some 20 MB."""


class SourceUsers:
    """For each address the users seen from it, with the time each was seen last.

    Args:
        seen: what `dump` gave.
    """

    def __init__(self, seen: dict[str, dict[str, int]] | None = None) -> None:
        self._seen = seen or {}
        self._latest_us = max((at for users in self._seen.values() for at in users.values()), default=0)

    def note(self, event: Event) -> None:
        """An event with a verified user and an address."""
        assert event.source_ip is not None
        assert event.user_id is not None
        users = self._seen.get(event.source_ip)
        if users is None:
            if len(self._seen) >= MAX_SOURCES:
                del self._seen[next(iter(self._seen))]
            users = self._seen[event.source_ip] = {}
        try:
            at_us = parse_iso(event.timestamp)
        except ValueError:
            return
        self._latest_us = max(self._latest_us, at_us)
        users.pop(event.user_id, None)
        users[event.user_id] = at_us
        if len(users) > SHARED:
            del users[next(iter(users))]

    def count(self, source: str) -> int:
        """Users seen from this address within `MEMORY_US` of the newest event, at most `SHARED`."""
        users = self._seen.get(source, {})
        return sum(at_us >= self._latest_us - MEMORY_US for at_us in users.values())

    def dump(self) -> dict[str, dict[str, int]]:
        """The state, for a snapshot."""
        return self._seen
