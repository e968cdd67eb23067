"""Throttles and blocks that answer an attack, held in memory."""

from collections.abc import Iterable, Mapping
from math import ceil

from msgspec import Struct

from jwtrail.state.records import Restraint

__all__ = ["BURST_S", "Held", "RestraintView"]

BURST_S = 10
"""A throttle lets through at once what it would in so many seconds, so that a page with its pictures still loads."""


class Held(Struct, frozen=True):
    """A request that is not let through.

    Args:
        retry_after_s: seconds, at least 1 (RFC 9110 section 10.2.3).
        id: of the restraint; `alert` is the alert it answers.
    """

    retry_after_s: int
    id: str
    alert: str = ""


class RestraintView:
    """The live restraints of this host, each with a token bucket of this process.

    **Per process:** with n workers up to n times `per_minute` gets through; a bucket shared by processes would cost a
    round trip on every request to slow down somebody who is under suspicion anyway. A block is exact. There is no lock for
    the same reason: two threads may take the same last token, which harms nobody.
    """

    def __init__(self, rows: Iterable[Restraint] = ()) -> None:
        self._rows: dict[tuple[str, str | None], tuple[Restraint, ...]] = {}
        self._buckets: dict[str, _Bucket] = {}
        self.load(rows)

    def load(self, rows: Iterable[Restraint]) -> None:
        """Replace everything at once; a restraint that stays keeps its bucket."""
        grouped: dict[tuple[str, str | None], tuple[Restraint, ...]] = {}
        ids = set()
        for row in rows:
            key = (row.field, row.value)
            grouped[key] = (*grouped.get(key, ()), row)
            ids.add(row.id)
        self._buckets = {name: bucket for name, bucket in self._buckets.copy().items() if name in ids}
        self._rows = grouped

    @property
    def active(self) -> bool:
        """False when nobody is held, so that a caller can save itself the facts."""
        return bool(self._rows)

    def check(
        self,
        facts: Mapping[str, str | None],
        route: str,
        authenticated: bool,
        now_us: int,
        *,
        entrance: bool = False,
    ) -> Held | None:
        """None when the request may pass; each throttle that applies is charged for it.

        Args:
            facts: ECS fields of the request and their values: `source.ip`, `user.id`, `jwt.jti`, `jwt.family`; None
                fits no restraint.
            route: the template of the route; empty when none matched.
            authenticated: the request has a verified token.
            entrance: on this path credentials are given (`http.open_paths`). A token that somebody holds already is no reason
                to let them go on guessing at others there, so `unauthenticated_only` spares nobody.
        """
        rows = self._rows
        held = None
        for fact in facts.items() if rows else ():
            for row in rows.get(fact, ()):
                if _applies(row, route, authenticated and not entrance, now_us):
                    wait_s = self._wait_s(row, now_us)
                    if wait_s and (held is None or wait_s > held.retry_after_s):
                        held = Held(wait_s, row.id, row.alert)
        return held

    def _wait_s(self, row: Restraint, now_us: int) -> int:
        """Seconds to wait; 0 lets pass. Never beyond the end of the restraint."""
        left_s = max(1, ceil((row.until_us - now_us) / 1_000_000))
        if row.per_minute <= 0:
            return left_s
        bucket = self._buckets.get(row.id) or self._buckets.setdefault(
            row.id, _Bucket(row.per_minute, now_us)
        )
        return min(left_s, bucket.take(now_us))


class _Bucket:
    """Starts full; fills evenly."""

    def __init__(self, per_minute: int, now_us: int) -> None:
        self._per_us = per_minute / 60_000_000
        self._size = max(1.0, per_minute * BURST_S / 60)
        self._level = self._size
        self._at_us = now_us

    def take(self, now_us: int) -> int:
        """Take one: 0, or the seconds until there is one."""
        passed_us = max(0, now_us - self._at_us)
        self._at_us = max(self._at_us, now_us)
        self._level = min(self._size, self._level + passed_us * self._per_us)
        if self._level >= 1:
            self._level -= 1
            return 0
        return max(1, ceil((1 - self._level) / self._per_us / 1_000_000))


def _applies(row: Restraint, route: str, authenticated: bool, now_us: int) -> bool:
    if now_us >= row.until_us or (row.route and row.route != route):
        return False
    return not (row.unauthenticated_only and authenticated)
