"""Everything held about one person: handed out, or taken away."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

import msgspec
from msgspec import Struct

from jwtrail import clock
from jwtrail.config import Settings
from jwtrail.detect.alert import stable_id
from jwtrail.ecs import Event, document, event_for
from jwtrail.query.files import TrailFiles
from jwtrail.query.index import QueryIndex
from jwtrail.query.local import LocalStore
from jwtrail.runtime.daemon import CROWD, CURSOR
from jwtrail.runtime.shipping import engines_shipped_to
from jwtrail.runtime.upkeep import announce, keeper_alone, seal_all
from jwtrail.state.erasure import forget, rows_about
from jwtrail.state.split import forget_shared, shared_rows_about
from jwtrail.state.store import StateStore
from jwtrail.trail.erasure import blank_logs, erased_lines, rewrite
from jwtrail.trail.holding import Held, find
from jwtrail.trail.layout import Layout
from jwtrail.trail.person import Finder, Person
from jwtrail.trail.reader import TrailReader
from jwtrail.trail.retention import Retention, refuse_on_hold

__all__ = ["Erased", "erase", "held_about"]

Tell = Callable[[int, int], None]


class Erased(Struct, frozen=True, kw_only=True):
    """What was done.

    Args:
        events: records that no longer tell of the person.
        segments: files written anew.
        log_lines: lines blanked in logs that the application still has open.
        state_rows: rows removed from `state.db`, and from the store shared with other hosts.
        kept_rows: revocations and restraints that still count, and name the person until `kept_until`.
        restricted: records that the retention profile still wants; they are as they were.
        restricted_until: from then on the last of them may be erased; empty when there are none.
        hashes: `event.hash` of the erased records, which is their document id wherever they were shipped to.
    """

    events: int
    segments: int
    log_lines: int
    state_rows: int
    kept_rows: int
    kept_until: str
    restricted: int
    restricted_until: str
    hashes: tuple[str, ...]


def held_about(settings: Settings, subject: str, tell: Tell | None = None) -> Iterator[dict[str, Any]]:
    """Every event and every row of `state.db` that tells of a person, as documents; rows say their table in `_table`.

    Args:
        subject: their `user.id`.

    Raises:
        CorruptionError: a part of the trail cannot be read.
        StateError: `state.db` cannot be read.
    """
    layout = Layout(settings.root)
    reader = TrailReader(layout)
    unsealed = [document(event) for event in reader.unsealed()]
    person, held = find(layout, reader.segments(), subject, tell)
    finder = Finder(person := person.known_by(unsealed))
    for one in held:
        yield from one.docs
    yield from (doc for doc in unsealed if finder.in_event(doc))
    shared = shared_rows_about(settings.state_url, finder.in_text)
    for table, row in chain(rows_about(layout.state, finder.in_text), shared):
        yield {
            "_table": table,
            **{name: value for name, value in row.items() if not isinstance(value, bytes)},
        }


def erase(settings: Settings, subject: str, *, by: str, reason: str, tell: Tell | None = None) -> Erased:
    """Take a person out of the trail and of `state.db`, and record that it was done, without saying who it was.

    Everything is sealed first. Records within the retention period stay; erase again when it is over.

    Args:
        subject: their `user.id`.
        by: who asked for it, for the record.
        reason: ticket or words, for the record; must not name the person.
        tell: called with (segments read, segments to read).

    Raises:
        HoldError: there is a legal hold.
        LockedError: the daemon runs; it must be stopped, while the application may go on.
        CorruptionError: a segment cannot be read; nothing was changed.
        WriteError, StateError: something could not be written; erasing again goes on where this ended.
    """
    layout, now = Layout(settings.root), clock.now_us()
    refuse_on_hold(layout.hold)
    with keeper_alone(layout, settings) as keeper:
        seal_all(keeper)
        person, held = find(layout, keeper.segments, subject, tell)
        kept_for = Retention.parse(settings.trail.retention)
        free, restricted = _divided(
            held, clock.iso(max(0, kept_for.may_go_before(now))) if kept_for.days else ""
        )
        # State first: what leads to it (names, token ids) is known only as long as the segments say it.
        tells = Finder(person).in_text
        state, shared = forget(layout.state, tells, now), forget_shared(settings.state_url, tells, now)
        kept_until_us = max(state.kept_until_us, shared.kept_until_us)
        _forget_windows(layout, person)
        # All new files, then one manifest: an interruption leaves either nothing or everything of this step.
        made = [rewrite(layout, one.segment, {doc["event.sequence"] for doc in one.docs}) for one in free]
        hashes = tuple(doc["event.hash"] for one in free for doc in one.docs)
        for home in engines_shipped_to(layout):  # before it is done: a shipper waits until it is
            home.forget(doc["event.sequence"] for one in free for doc in one.docs)
        # Announced before it is done: an audit takes erased rows that no event speaks of for tampering.
        event = _event(hashes, by, reason)
        if LocalStore(TrailFiles(layout)).get(event.event_id) is None:
            announce(layout, settings, event)
        # The index first: it has these rows too, and the daemon makes it again from what is left.
        QueryIndex(layout.index).forget([one.segment.file for one in free])
        keeper.replace(made)
        lines = blank_logs(layout, erased_lines(layout, keeper.segments))
        seal_all(keeper)
    newest = max(restricted, default="")
    return Erased(
        events=len(hashes),
        segments=len(free),
        log_lines=lines,
        state_rows=state.rows + shared.rows,
        kept_rows=state.kept + shared.kept,
        kept_until=clock.iso(kept_until_us) if kept_until_us else "",
        restricted=len(restricted),
        restricted_until=clock.iso(kept_for.may_go_at(clock.parse_iso(newest))) if newest else "",
        hashes=hashes,
    )


def _divided(held: list[Held], since: str) -> tuple[list[Held], list[str]]:
    """What may go, and the times of what must stay because it is not older than `since`."""
    free, stay = [], []
    for one in held:
        old = tuple(doc for doc in one.docs if not since or doc["@timestamp"] < since)
        stay += [doc["@timestamp"] for doc in one.docs if since and doc["@timestamp"] >= since]
        if old:
            free.append(Held(one.segment, old))
    return free, stay


def _forget_windows(layout: Layout, person: Person) -> None:
    """The detector's open windows and the crowd behind addresses hold names: they begin anew when this one is in them."""
    if not layout.state.exists():
        return
    with StateStore(layout.state) as state:
        names = [name.encode() for name in person.identifiers]
        saved = state.get_cursor(CURSOR)
        if saved and any(name in saved for name in names):
            # Its place in the trail stays, so that nothing is detected twice.
            snapshot = msgspec.msgpack.decode(saved)
            state.commit(cursor=(CURSOR, msgspec.msgpack.encode(snapshot | {"machines": {}, "held": {}})))
        crowd = state.get_cursor(CROWD)
        if crowd and any(name in crowd for name in names):
            state.commit(cursor=(CROWD, msgspec.msgpack.encode({})))


def _event(hashes: Sequence[str], by: str, reason: str) -> Event:
    """Its id follows from what is erased: an erasure that was cut off and is given again is announced once.

    Else every announcement without its erasure would leave room for one that nobody announced.
    """
    events = len(hashes)
    event = event_for(
        "subject-erased",
        user_id=by,
        jwtrail_records=events,
        jwtrail_ticket=reason or None,
        service_name="jwtrail",
        message=f"{events} records no longer tell of a person",
    )
    return stable_id(event, "\n".join(hashes), 0) if hashes else event
