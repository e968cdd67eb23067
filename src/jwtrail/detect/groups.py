"""The groups of one rule: found, made, forgotten, and never more than a named number."""

from collections.abc import Iterator

from jwtrail.detect.windows import Group

__all__ = ["MAX_GROUPS", "Groups"]

MAX_GROUPS = 20_000
"""Groups a rule remembers. At some 1 KB for a small group a flood of invented keys costs 20 MB a rule, not more."""


class Groups:
    """A bounded table of groups by key, least recently touched first.

    Args:
        life_us: a group that has seen nothing for so long has nothing left to say, and leaves for free.
        most: when more than this many are alive the least recently touched one is evicted, and counted.
    """

    def __init__(self, life_us: int, most: int = MAX_GROUPS) -> None:
        self._groups: dict[str, Group] = {}
        self._life_us = life_us
        self._most = most
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._groups)

    def touch(self, key: str, now_us: int) -> Group:
        """The group of this key, made when it is new."""
        group = self._groups.pop(key, None)
        if group is None:
            self._make_room(now_us)
            group = Group()
        self._groups[key] = group
        return group

    def get(self, key: str) -> Group | None:
        """The group of this key, if it is remembered; not a touch."""
        return self._groups.get(key)

    def _make_room(self, now_us: int) -> None:
        """Two looks at the oldest for each new group: the expired go faster than new ones come."""
        for _ in range(2):
            if not self._groups:
                return
            oldest = next(iter(self._groups))
            expired = self._expired(self._groups[oldest], now_us)
            if not expired and len(self._groups) < self._most:
                return
            del self._groups[oldest]
            self.evicted += not expired

    def _expired(self, group: Group, now_us: int) -> bool:
        return max(group.latest_us + self._life_us, group.quiet_us) < now_us

    def dump(self) -> dict[str, Group]:
        """The groups as they are; not a copy."""
        return self._groups

    def restore(self, groups: dict[str, Group], evicted: int) -> None:
        """Take over the groups of a snapshot."""
        self._groups = groups
        self.evicted = evicted

    def __iter__(self) -> Iterator[str]:
        return iter(self._groups)
