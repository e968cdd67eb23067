"""What people do in the console, as events of the same trail."""

import threading
from collections import OrderedDict
from typing import Any

from jwtrail.ecs import event_for
from jwtrail.web.call import Call

__all__ = ["MAX_REMEMBERED", "QUIET_US", "Searches", "record"]

QUIET_US = 300_000_000
"""The same search by the same person is recorded again after five minutes: a page that refreshes is one search."""

MAX_REMEMBERED = 1024
"""Searches remembered for that."""


def record(call: Call, action: str, message: str, **fields: Any) -> None:
    """One event: who, from where, what. `message` is for people; the facts are in `fields`."""
    call.services.record(
        event_for(
            action,
            at_us=call.services.now_us(),
            user_id=call.session.user,
            source_ip=call.source or None,
            message=message,
            **fields,
        )
    )


class Searches:
    """Records searches, but not their repetition."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: OrderedDict[tuple[str, str, str], int] = OrderedDict()

    def record(self, call: Call, q: str, span: str, hits: int) -> None:
        """A search for `q` over `span` (as typed) that gave a page of `hits`."""
        key = (call.session.id, q, span)
        now = call.services.now_us()
        with self._lock:
            if now - self._seen.get(key, -QUIET_US) < QUIET_US:
                return
            self._seen[key] = now
            self._seen.move_to_end(key)
            while len(self._seen) > MAX_REMEMBERED:
                self._seen.popitem(last=False)
        record(
            call,
            "console-search",
            f"searched: {q or '(everything)'}",
            labels={"query": q, "range": span},
            jwtrail_records=hits,
        )
