"""The groups of one rule: found, made, forgotten, and never more than a named number or a share of a named memory."""

from collections.abc import Iterator

from jwtrail.detect.windows import Group

__all__ = ["ENTRY_BYTES", "GROUP_BYTES", "MAX_BYTES", "MAX_GROUPS", "Budget", "Groups"]

MAX_GROUPS = 20_000
"""Groups a rule remembers."""

MAX_BYTES = 256 << 20
"""Memory of all groups of all rules together, as `GROUP_BYTES` and `ENTRY_BYTES` reckon it. Everyday traffic of some
thousand users needs a tenth."""

GROUP_BYTES = 900
"""What a group without entries takes, with a key of usual length (`fields.MAX_KEY` bounds it)."""

ENTRY_BYTES = 300
"""What an entry of a group takes: a counted value, an id and a time."""


BARS_ENTRY = 8
"""Numbers of a past that take as much as one entry."""

EXACT = 64
"""A group that was touched within such a part of its life does not change its place among the others."""


class Budget:
    """Memory that the groups of several rules share.

    Who grows when it is used up gives way itself, unless it has less than its part: a flood that one rule sees costs no
    other rule its memory.
    """

    def __init__(self, most: int = MAX_BYTES) -> None:
        self.most = most
        self.used = 0
        self.sharers = 0


class Groups:
    """A bounded table of groups by key, least recently touched first, as exactly as `EXACT` says.

    Who comes often may look with `find`, and touches a group that is not there or that was touched `grain_us` ago.

    Args:
        life_us: a group that has seen nothing for so long has nothing left to say, and leaves for free.
        most: when more than this many are alive the least recently touched one is evicted, and counted, unless `counts` is
            false: then so many is all that anybody was promised.
    """

    counts = True

    def __init__(self, life_us: int, most: int = MAX_GROUPS) -> None:
        self._groups: dict[str, Group] = {}
        self.find = self._groups.get
        self.grain_us = life_us // EXACT
        self._life_us = life_us
        self._most = most
        self._budget = Budget()
        self.used = 0
        self.evicted = 0

    def share(self, budget: Budget) -> None:
        """From now on this memory is shared with others."""
        self._budget = budget
        budget.sharers += 1
        budget.used += self.used

    def __len__(self) -> int:
        return len(self._groups)

    def touch(self, key: str, now_us: int) -> Group:
        """The group of this key, made when it is new, as the one that was touched last."""
        group = self._groups.pop(key, None)
        if group is None:
            self._make_room(now_us)
            group = Group()
            self._grow(GROUP_BYTES)
        group.touched_us = now_us
        self._groups[key] = group
        return group

    def weigh(self, group: Group, now_us: int) -> None:
        """To be told when a group that was just touched has more or fewer entries than its `size` says."""
        entries = len(group.seen) + len(group.terms) + len(group.samples) + len(group.bars) // BARS_ENTRY
        if group.others is not None:
            entries += len(group.others.seen)
        self._grow((entries - group.size) * ENTRY_BYTES)
        group.size = entries
        if self._budget.used > self._budget.most:
            self._make_room(now_us, spared=1)  # not the one that grew

    def _make_room(self, now_us: int, spared: int = 0) -> None:
        """Two looks at the oldest for each new group: the expired go faster than new ones come."""
        for _ in range(2):
            if len(self._groups) <= spared:
                return
            oldest = next(iter(self._groups))
            group = self._groups[oldest]
            expired = max(group.latest_us + self._life_us, group.quiet_us) < now_us
            if not expired and len(self._groups) < self._most and not self._is_too_large():
                return
            del self._groups[oldest]
            self._grow(-GROUP_BYTES - group.size * ENTRY_BYTES)
            self.evicted += not expired and self.counts

    def _is_too_large(self) -> bool:
        budget = self._budget
        return budget.used > budget.most and self.used * budget.sharers >= budget.used

    def _grow(self, by: int) -> None:
        self.used += by
        self._budget.used += by

    def dump(self) -> dict[str, Group]:
        """The groups as they are; not a copy."""
        return self._groups

    def restore(self, groups: dict[str, Group], evicted: int) -> None:
        """Take over the groups of a snapshot."""
        self._groups.clear()
        self._groups.update(groups)
        self._grow(sum(GROUP_BYTES + group.size * ENTRY_BYTES for group in groups.values()) - self.used)
        self.evicted = evicted

    def __iter__(self) -> Iterator[str]:
        return iter(self._groups)
