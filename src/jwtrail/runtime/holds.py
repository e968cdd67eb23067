"""Legal holds: the file that stops every removal, and what the trail says of it, so that neither goes unseen."""

from collections.abc import Callable

from jwtrail.ecs import Event, event_for
from jwtrail.errors import HoldError
from jwtrail.query.files import TrailFiles
from jwtrail.query.local import LocalStore
from jwtrail.query.page import SearchRequest
from jwtrail.query.store import Store
from jwtrail.trail.layout import Layout
from jwtrail.trail.retention import hold_reason, refuse_on_hold

__all__ = ["BEGUN", "ENDED", "HoldWatch", "announced", "hold_event", "refuse_held"]

BEGUN, ENDED = "legal-hold-begun", "legal-hold-ended"
"""Actions of the events that say so."""

_ASKED = f"event.action: ({BEGUN} or {ENDED}) and not tags: imported"


def announced(layout: Layout) -> Event | None:
    """The event that began a hold which no event ended; None when there is none.

    Raises:
        QueryError: a segment cannot be read.
    """
    return _open(_newest(LocalStore(TrailFiles(layout)), 0))


def _newest(store: Store, first: int) -> Event | None:
    """What was said last of a hold by events from an index on."""
    query = f"event.sequence >= {first} and {_ASKED}" if first else _ASKED
    found = store.search(SearchRequest(query, limit=1)).events
    return found[0] if found else None


def _open(said: Event | None) -> Event | None:
    return said if said is not None and said.event_action == BEGUN else None


def refuse_held(layout: Layout) -> None:
    """Stop when there is a hold: as a file, or said in the trail when somebody removed the file.

    Raises:
        HoldError: it says which.
        QueryError: see `announced`.
    """
    refuse_on_hold(layout.hold)
    begun = announced(layout)
    if begun is not None:
        number = "" if begun.event_sequence is None else f", number {begun.event_sequence}"
        raise HoldError(
            f"a legal hold was begun at {begun.timestamp}{number}, and no event ended it; its file is gone",
            where=str(layout.hold),
            hint="jwtrail trail release --reason … ends it, and an event says so",
        )


def hold_event(action: str, by: str, reason: str) -> Event:
    """Says that a hold began or ended, and why."""
    return event_for(
        action,
        user_id=by,
        jwtrail_ticket=reason or None,
        service_name="jwtrail",
        message="legal hold begun" if action == BEGUN else "legal hold ended",
    )


class HoldWatch:
    """Holds the file against the trail, and records what a hand did.

    Args:
        layout: whose.
        record: puts an event into the trail.
        store: everything in it, nothing hidden.
        size: how many events have an index.
    """

    def __init__(
        self, layout: Layout, record: Callable[[Event], None], store: Store, size: Callable[[], int]
    ) -> None:
        self._layout = layout
        self._record = record
        self._store = store
        self._size = size
        self._looked = 0
        self._said: Event | None = None
        self._seen = self._told = ""

    def look(self) -> None:
        """Look once. What is odd counts at the second look: a command writes file and event one after the other.

        Raises:
            JwtrailError: the trail cannot be read, or written.
        """
        reason, begun = hold_reason(self._layout.hold), self._begun()
        odd = "" if (reason is None) == (begun is None) else "gone" if reason is None else "new"
        if odd and odd == self._seen != self._told:
            self._record(self._event(odd, reason or ""))
            self._told = odd
        if not odd:
            self._told = ""
        self._seen = odd

    def _begun(self) -> Event | None:
        """As `announced`, of what is new since the last look: a trail only grows, and may be large."""
        size = self._size()
        self._said = _newest(self._store, self._looked) or self._said
        self._looked = size
        return _open(self._said)

    def _event(self, odd: str, reason: str) -> Event:
        if odd == "new":
            return hold_event(BEGUN, "jwtrail", reason)
        return event_for(
            "trail-broken",
            service_name="jwtrail",
            event_outcome="failure",
            message="the file of a legal hold is gone, and no event ended it: nothing is removed until `jwtrail trail release`",
        )
