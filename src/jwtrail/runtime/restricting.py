"""Hiding a person whose records must still be kept, and showing them again."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from jwtrail import clock
from jwtrail.ecs import Event, event_for
from jwtrail.errors import EventNotFound
from jwtrail.trail.person import IDENTITY, Person
from jwtrail.trail.restriction import Restriction, change_restrictions

__all__ = ["lift", "restrict", "restricted_event"]


def restrict(
    path: Path, person: Person, waiting: Sequence[dict[str, Any]], until_us: int, *, by: str, ticket: str
) -> None:
    """Hide a person until `until_us`; in the place of an older restriction, which ends when nothing waits any more.

    Args:
        waiting: the records that must still be kept.
        until_us: when all of them may go.

    Raises:
        CorruptionError, WriteError: see `change_restrictions`.
    """
    names = {doc["user.name"] for doc in waiting if doc.get("user.id") == person.id and doc.get("user.name")}
    known = frozenset({person.id, *names})
    made = Restriction(
        person=person.id,
        names=tuple(sorted(names)),
        others=tuple(_runs(doc["event.sequence"] for doc in waiting if not _is_named(doc, known))),
        records=len(waiting),
        at_us=clock.now_us(),
        until_us=until_us,
        by=by,
        ticket=ticket,
    )

    def change(old: tuple[Restriction, ...]) -> tuple[Restriction, ...]:
        rest = tuple(one for one in old if one.person != person.id)
        return (*rest, made) if waiting else rest

    change_restrictions(path, change)


def lift(path: Path, subject: str) -> Restriction:
    """Show a person's records again, and erase them no more.

    Raises:
        EventNotFound: they are not restricted.
        CorruptionError, WriteError: see `change_restrictions`.
    """
    gone: list[Restriction] = []

    def change(old: tuple[Restriction, ...]) -> tuple[Restriction, ...]:
        gone.extend(one for one in old if one.person == subject)
        return tuple(one for one in old if one.person != subject)

    change_restrictions(path, change)
    if not gone:
        raise EventNotFound("nobody of this id is restricted", hint="jwtrail subject list")
    return gone[0]


def restricted_event(records: int, by: str, ticket: str) -> Event:
    """Says that so many records are hidden, and not whose."""
    return event_for(
        "subject-restricted",
        user_id=by,
        jwtrail_records=records,
        jwtrail_ticket=ticket or None,
        service_name="jwtrail",
        message=f"{records} records are hidden until they may be erased",
    )


def _is_named(doc: dict[str, Any], known: frozenset[str]) -> bool:
    values = (doc.get(field) for field in IDENTITY)
    return any(
        value in known if isinstance(value, str) else not known.isdisjoint(value or ()) for value in values
    )


def _runs(indexes: Iterable[int]) -> Iterator[tuple[int, int]]:
    """First and last of neighbours; `indexes` ascend."""
    first = last = -1
    for index in indexes:
        if index != last + 1 or first < 0:
            if first >= 0:
                yield first, last
            first = index
        last = index
    if first >= 0:
        yield first, last
