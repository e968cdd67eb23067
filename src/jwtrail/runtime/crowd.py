"""How many people share an address. An office or a carrier's NAT must never be blocked because of one of them."""

from collections import OrderedDict
from collections.abc import Iterable

import msgspec

from jwtrail import clock
from jwtrail.ecs import Event

__all__ = ["Crowd"]

DAY_US = 86_400_000_000
MAX_ADDRESSES = 50_000
"""Addresses remembered; the one not seen for longest goes first. About 10 MB."""

MAX_USERS = 8
"""Users remembered of one address: whether it is four or four hundred makes no difference."""


class Crowd:
    """Users seen behind each address within the last day of event time, bounded."""

    def __init__(self, saved: bytes | None = None) -> None:
        try:
            seen = msgspec.msgpack.decode(saved, type=dict[str, dict[str, int]]) if saved else {}
        except msgspec.DecodeError:  # a day fills it again; nothing else hangs on it
            seen = {}
        self._seen: OrderedDict[str, dict[str, int]] = OrderedDict(seen)

    def see(self, events: Iterable[Event]) -> None:
        """Take note of who came from where. Only a verified token says who; whose sign-in an answer ended was not that user,
        so that somebody with a list of found passwords does not become a crowd.
        """
        for event in events:
            if (event.event_action or "").startswith(
                "response-"
            ):  # about the request of somebody, not one itself
                if event.event_action == "response-revoke" and not event.jwtrail_response_dry_run:
                    self._seen.get(event.source_ip or "", {}).pop(event.user_id or "", None)
                continue
            if event.source_ip is None or event.user_id is None or event.event_outcome != "success":
                continue
            users = self._seen.setdefault(event.source_ip, {})
            self._seen.move_to_end(event.source_ip)
            users[event.user_id] = clock.parse_iso(event.timestamp)
            if len(users) > MAX_USERS:
                del users[min(users, key=lambda user: users[user])]
        while len(self._seen) > MAX_ADDRESSES:
            self._seen.popitem(last=False)

    def users(self, address: str, now_us: int) -> int:
        """Users seen behind this address within the day before `now_us`; 8 stands for eight or more."""
        return sum(1 for seen_us in self._seen.get(address, {}).values() if seen_us > now_us - DAY_US)

    def save(self) -> bytes:
        """For the constructor of the next start."""
        return msgspec.msgpack.encode(self._seen)
