"""The groups of one rule: found, made, forgotten, and never more than a named number or a share of a named memory."""

from collections import OrderedDict
from collections.abc import Iterator

from jwtrail.detect.fields import MAX_KEY, bounded_key
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
    other rule its memory. Until the next look each only knows of its own growth, so it does not matter which rule is
    told first of an event.
    """

    def __init__(self, most: int = MAX_BYTES) -> None:
        self.most = most
        self._sharers: list[Groups] = []

    def join(self, groups: "Groups") -> None:
        """Share with these groups too."""
        self._sharers.append(groups)
        groups.budget, groups.room = self, self.most

    def is_used_up(self, used: int, room: int) -> bool:
        """Whether somebody who uses so much, and had room for so much at the last look, has to give way."""
        return used > room and used * len(self._sharers) >= self.most + used - room

    def look(self) -> None:
        """See how much is used by all."""
        free = self.most - sum(groups.used for groups in self._sharers)
        for groups in self._sharers:
            groups.room = groups.used + free


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
        self._groups = OrderedDict[str, Group]()
        self.find = self._groups.get
        self.grain_us = life_us // EXACT
        self._life_us = life_us
        self._most = most
        self.budget = Budget()
        self.budget.join(self)
        self.used = 0
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._groups)

    def held(self, key: str, now_us: int) -> Group:
        """The group of this key, touched when that is due."""
        group = self.find(key)
        if group is None or now_us - group.touched_us > self.grain_us:
            return self.touch(key, now_us)
        return group

    def touch(self, key: str, now_us: int) -> Group:
        """The group of this key, which may be too long, made when it is new, as the one that was touched last."""
        if len(key) > MAX_KEY:
            key = bounded_key(key)
        group = self._groups.get(key)
        if group is None:
            self._make_room(now_us)
            group = self._groups[key] = Group()
            self.used += GROUP_BYTES
        else:
            self._groups.move_to_end(key)
        group.touched_us = now_us
        return group

    def weigh(self, group: Group, now_us: int) -> None:
        """To be told when a group that was just touched has more or fewer entries than its `size` says."""
        entries = len(group.seen) + len(group.terms) + len(group.samples) + len(group.bars) // BARS_ENTRY
        if group.others is not None:
            entries += len(group.others.seen)
        self.resize(group, entries, now_us)

    def resize(self, group: Group, entries: int, now_us: int) -> None:
        """`weigh` for those who know how many entries there are."""
        self.used += (entries - group.size) * ENTRY_BYTES
        group.size = entries
        if self.used > self.room:
            self._make_room(now_us, spared=1)  # not the one that grew

    def _make_room(self, now_us: int, spared: int = 0) -> None:
        """Two looks at the oldest for each new group: the expired go faster than new ones come."""
        for _ in range(2):
            if len(self._groups) <= spared:
                return
            oldest = next(iter(self._groups))
            group = self._groups[oldest]
            expired = max(group.latest_us + self._life_us, group.quiet_us) < now_us
            if (
                not expired
                and len(self._groups) < self._most
                and not self.budget.is_used_up(self.used, self.room)
            ):
                return
            del self._groups[oldest]
            self.used -= GROUP_BYTES + group.size * ENTRY_BYTES
            self.evicted += not expired and self.counts

    def dump(self) -> dict[str, Group]:
        """The groups as they are, not copies of them, in their order."""
        return dict(self._groups)

    def restore(self, groups: dict[str, Group], evicted: int, room: int) -> None:
        """Take over the groups of a snapshot."""
        self._groups = OrderedDict(groups)
        self.find = self._groups.get
        self.used = sum(GROUP_BYTES + group.size * ENTRY_BYTES for group in groups.values())
        self.evicted, self.room = evicted, room

    def __iter__(self) -> Iterator[str]:
        return iter(self._groups)
