"""How much a channel is told: what is above that is held back, and one message says how much it was and where to look.

All of it lies in the outbox: a held alert, its summary and what the summary says are each one transaction, so that a crash
loses none, and every alert is told either by itself or in a summary, at least once.
"""

from collections.abc import Mapping
from hashlib import sha256

import msgspec
from msgspec.structs import replace

from jwtrail import clock
from jwtrail.clock import Clock
from jwtrail.respond.notify.notice import Notice
from jwtrail.state.outbox import Delivery, Outbox

__all__ = ["SUMMARY_US", "WINDOW_US", "Quota"]

WINDOW_US = 3_600_000_000
"""The time in which a channel is told no more than its limit, µs; it slides."""

SUMMARY_US = 600_000_000
"""How long what is held back is collected before a summary goes out, µs: six an hour are not a flood."""

MAX_NAMED = 10
"""Rules that a summary names; the others are counted."""

_LEVELS = ("critical", "high", "medium", "low", "informational")


class Room:
    """What a channel may still be told now: critical alerts have as much room of their own, so that no flood of others hides one."""

    def __init__(self, critical: int, others: int) -> None:
        self._left = {True: critical, False: others}

    def takes(self, delivery: Delivery) -> bool:
        """Whether it may go out."""
        return not delivery.alert or self._left[_is_critical(delivery)] > 0

    def used(self, delivery: Delivery) -> None:
        """One more went out."""
        if delivery.alert and delivery.state == "sent":
            self._left[_is_critical(delivery)] -= 1


class Quota:
    """The limits of all channels.

    Args:
        limits: messages in `WINDOW_US` by channel; those that are not in it have none.
        console: its public address, for a link.
    """

    def __init__(
        self, outbox: Outbox, limits: Mapping[str, int], *, console: str = "", now_us: Clock = clock.now_us
    ) -> None:
        self._outbox = outbox
        self._limits = limits
        self._console = console
        self._now_us = now_us

    def room(self, channel: str) -> Room | None:
        """What may still be told; None where nothing limits it."""
        if channel not in self._limits:
            return None
        critical, others = self._outbox.sent_since(channel, self._now_us() - WINDOW_US)
        return Room(self._limits[channel] - critical, self._limits[channel] - others)

    def hold(self, delivery: Delivery) -> None:
        """Keep it for the next summary of its channel."""
        now = self._now_us()
        number = sha256(f"summary\0{delivery.channel}\0{delivery.id}".encode()).hexdigest()[:32]
        begun = Delivery(
            id=number, channel=delivery.channel, alert="", doc="", at_us=now, due_us=now + SUMMARY_US
        )
        self._outbox.hold(delivery, begun)

    def ready(self, delivery: Delivery) -> Delivery:
        """The delivery; a summary is closed before its first try, and says the same in each."""
        if delivery.doc:
            return delivery
        held = self._outbox.held_for(delivery.id)
        count = sum(how_often for _, _, how_often in held)
        worst = next((level for level in _LEVELS if any(level == one for _, one, _ in held)), _LEVELS[-1])
        notice = Notice(
            id=delivery.id,
            alert="",
            code="",
            rule="",
            title=f"{count:,} more alert{'' if count == 1 else 's'}",
            level=worst,
            at=clock.iso(self._now_us()),
            description=self._story(delivery, held),
            count=count,
            held=count,
            link=f"{self._console.rstrip('/')}/alerts" if self._console else "",
        )
        closed = replace(delivery, doc=msgspec.json.encode(notice).decode())
        self._outbox.put(closed)
        return closed

    def _story(self, delivery: Delivery, held: list[tuple[str, str, int]]) -> str:
        named = ", ".join(f"{title} ({how_often:,})" for title, _, how_often in held[:MAX_NAMED])
        others = f" and {len(held) - MAX_NAMED:,} other rules" if len(held) > MAX_NAMED else ""
        return (
            f"More than {self._limits.get(delivery.channel, 0):,} messages within an hour: since {clock.iso(delivery.at_us)} these were "
            f"not told one by one: {named}{others}. See jwtrail alerts list, and jwtrail alerts deliveries --state held."
        )


def _is_critical(delivery: Delivery) -> bool:
    return msgspec.json.decode(delivery.doc, type=Notice).level == "critical"
