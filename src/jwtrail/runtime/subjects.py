"""Everything held about one person: handed out, or taken away."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

from msgspec import Struct

from jwtrail import clock
from jwtrail.config import Settings
from jwtrail.detect.alert import stable_id
from jwtrail.ecs import Event, decode_document, document, event_for
from jwtrail.errors import TrailError
from jwtrail.query.files import TrailFiles
from jwtrail.query.hidden import Hidden
from jwtrail.query.index import QueryIndex
from jwtrail.query.local import LocalStore
from jwtrail.runtime.holds import refuse_held
from jwtrail.runtime.restricting import restrict, restricted_event
from jwtrail.runtime.shipping import engines_shipped_to
from jwtrail.runtime.telling import crowd_without, tells_of, windows_without
from jwtrail.runtime.upkeep import CROWD, CURSOR, announce, keeper_alone, seal_all
from jwtrail.state.erasure import forget, rows_about
from jwtrail.state.schema import SPENT_MIGRATIONS
from jwtrail.state.split import forget_shared, shared_rows_about
from jwtrail.state.store import StateStore
from jwtrail.trail.elapsed import elapsed_of
from jwtrail.trail.erasure import blank_logs, erased_lines, rewrite
from jwtrail.trail.holding import Held, find
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.layout import Layout
from jwtrail.trail.manifest import SegmentInfo
from jwtrail.trail.person import Finder, Person
from jwtrail.trail.reader import TrailReader
from jwtrail.trail.retention import Retention, refuse_on_hold

__all__ = ["Erased", "Found", "erase", "held_about", "search", "take_out"]

Tell = Callable[[int, int], None]


class Erased(Struct, frozen=True, kw_only=True):
    """What was done.

    Args:
        events: records that no longer tell of the person.
        segments: files written anew.
        log_lines: lines blanked in logs that the application still has open.
        state_rows: rows removed from `state.db`, and from the store shared with other hosts.
        kept_rows: revocations and restraints that still count, and name the person until `kept_until`.
        kept_until: from then on the last of those may go; empty when there are none.
        restricted: records that the retention profile still wants: hidden now, erased when it is over.
        restricted_until: when the last of them leaves the period, and all are erased; empty when there are none.
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


class Found(Struct, frozen=True):
    """Everything sealed about a person.

    Args:
        person: and what identifies them.
        free: what may be erased.
        waiting: what must still be kept, as documents.
        until_us: when the last of that leaves the retention period; 0 when there is none.
    """

    person: Person
    free: tuple[Held, ...]
    waiting: tuple[dict[str, Any], ...]
    until_us: int


def held_about(
    settings: Settings, subject: str, tell: Tell | None = None, *, hidden: Hidden | None = None
) -> Iterator[dict[str, Any]]:
    """Every event and every row of `state.db` that tells of a person, as documents; rows say their table in `_table`.

    Args:
        subject: their `user.id`.
        hidden: leave out what it hides: this person's own records too, once they are restricted.

    Raises:
        CorruptionError: a part of the trail cannot be read.
        StateError: `state.db` cannot be read.
    """
    layout = Layout(settings.root)
    reader = TrailReader(layout)
    unsealed = [document(event) for event in reader.unsealed()]
    person, held = find(layout, reader.segments(), subject, tell)
    finder = Finder(person := person.known_by(unsealed))
    told = [*chain.from_iterable(one.docs for one in held), *filter(finder.in_event, unsealed)]
    yield from told if hidden is None else map(document, hidden.among([*map(decode_document, told)]))
    tells = tells_of(finder)
    for table, row in chain(rows_about(layout.state, tells), shared_rows_about(settings.state_url, tells)):
        yield {
            "_table": table,
            **{name: value for name, value in row.items() if not isinstance(value, bytes)},
        }


def search(
    layout: Layout,
    settings: Settings,
    segments: Sequence[SegmentInfo],
    subject: str,
    tell: Tell | None = None,
) -> Found:
    """Find what is sealed about a person, and divide it by what the retention profile still wants.

    Raises:
        CorruptionError: a segment cannot be read.
    """
    person, held = find(layout, segments, subject, tell)
    period = Retention.parse(settings.trail.retention)
    if not period.days or not held:
        return Found(person, tuple(held), (), 0)
    elapsed = elapsed_of(layout, segments)

    def until_us(doc: dict[str, Any]) -> int:
        return period.may_go_at(clock.parse_iso(doc["@timestamp"])) + elapsed.uncounted_us(
            doc["event.sequence"]
        )

    free, waiting = _divided(held, lambda doc: until_us(doc) < elapsed.now_us)
    return Found(person, tuple(free), tuple(waiting), max(map(until_us, waiting), default=0))


def erase(settings: Settings, subject: str, *, by: str, reason: str, tell: Tell | None = None) -> Erased:
    """Take a person out of the trail and of `state.db`, and record that it was done, without saying who it was.

    Everything is sealed first. Records within the retention period are hidden, and a running daemon erases them when
    it is over.

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
    layout = Layout(settings.root)
    refuse_on_hold(layout.hold)
    with keeper_alone(layout, settings) as keeper:
        seal_all(keeper)
        refuse_held(layout)
        found = search(layout, settings, keeper.segments, subject, tell)
        # Before what leads to the person is gone: a restriction is made of it.
        restrict(layout.restricted, found.person, found.waiting, found.until_us, by=by, ticket=reason)
        done = take_out(settings, keeper, QueryIndex(layout.index), found, by=by, reason=reason)
        if found.waiting:
            announce(layout, settings, restricted_event(len(found.waiting), by, reason))
        seal_all(keeper)
    return done


def take_out(
    settings: Settings, keeper: Keeper, index: QueryIndex, found: Found, *, by: str, reason: str
) -> Erased:
    """Erase what may be erased of what was found. Called by whoever owns the keeper.

    Raises:
        TrailError: a segment was merged since it was looked through; nothing was changed.
        WriteError, StateError: something could not be written; doing it again goes on where this ended.
    """
    layout, now = Layout(settings.root), clock.now_us()
    free = found.free
    if not {one.segment.file for one in free} <= {info.file for info in keeper.segments}:
        raise TrailError("segments were merged meanwhile", hint="it is tried again")
    # State first: what leads to it (names, token ids) is known only as long as the segments say it.
    tells = tells_of(Finder(found.person))
    state, shared = forget(layout.state, tells, now), forget_shared(settings.state_url, tells, now)
    forget(layout.state.with_name("spent.db"), tells, now, SPENT_MIGRATIONS)
    kept_until_us = max(state.kept_until_us, shared.kept_until_us)
    _forget_windows(layout, found.person, (CURSOR, f"{CURSOR}:{settings.store}"))
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
    index.forget([one.segment.file for one in free])
    keeper.replace(made)
    return Erased(
        events=len(hashes),
        segments=len(free),
        log_lines=blank_logs(layout, erased_lines(layout, keeper.segments)),
        state_rows=state.rows + shared.rows,
        kept_rows=state.kept + shared.kept,
        kept_until=clock.iso(kept_until_us) if kept_until_us else "",
        restricted=len(found.waiting),
        restricted_until=clock.iso(found.until_us) if found.until_us else "",
        hashes=hashes,
    )


def _divided(
    held: list[Held], may_go: Callable[[dict[str, Any]], bool]
) -> tuple[list[Held], list[dict[str, Any]]]:
    """What may go, and what must stay."""
    free, stay = [], []
    for one in held:
        old = tuple(doc for doc in one.docs if may_go(doc))
        stay += [doc for doc in one.docs if not may_go(doc)]
        if old:
            free.append(Held(one.segment, old))
    return free, stay


def _forget_windows(layout: Layout, person: Person, cursors: Sequence[str]) -> None:
    """The detector's open windows and the crowd behind addresses hold names: those with this one are forgotten."""
    if not layout.state.exists():
        return
    with StateStore(layout.state) as state:
        for cursor, without in ((CROWD, crowd_without), *((cursor, windows_without) for cursor in cursors)):
            saved = state.get_cursor(cursor)
            left = without(saved, person) if saved else None
            if left is not None:
                state.commit(cursor=(cursor, left))


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
