"""Whether rows, saved queries and the detector's open windows tell of a person."""

from collections.abc import Iterator
from typing import Any

import msgspec

from jwtrail.detect.fields import MAX_KEY, SEPARATOR, key_of
from jwtrail.errors import KqlError
from jwtrail.kql import compile_kql
from jwtrail.predicate.ir import And, Contains, Equals, Glob, Not, Or, Predicate, Range, Regex, WordGlob
from jwtrail.state.saying import FREE, QUERY, Tells
from jwtrail.trail.person import Finder, Person

__all__ = ["crowd_without", "tells_of", "windows_without"]


def tells_of(finder: Finder) -> Tells:
    """What decides about the rows of state, as it decides about events."""

    def tells(field: str, text: str) -> bool:
        said = _asked(text) if field == QUERY else [(field, text)]
        return any(finder.in_field(name, value) for name, value in said)

    return tells


def _asked(query: str) -> Iterator[tuple[str, str]]:
    """The fields and values of a query; one that does not parse is words."""
    try:
        yield from _values(compile_kql(query, 0))
    except KqlError:
        yield FREE, query


def _values(asked: Predicate) -> Iterator[tuple[str, str]]:
    match asked:
        case And(items=items) | Or(items=items):
            for item in items:
                yield from _values(item)
        case Not(item=item):
            yield from _values(item)
        case Equals(field=field, value=value) | Range(field=field, value=value):
            yield field, str(value)
        case Glob(field=field, pattern=pattern) | WordGlob(field=field, pattern=pattern):
            yield field, "".join(piece for piece in pattern if isinstance(piece, str))
        case Contains(text=text):
            yield FREE, text
        case Regex(field=field, pattern=regex):
            yield field, regex
            yield FREE, regex


def windows_without(snapshot: bytes, person: Person) -> bytes | None:
    """The detector's snapshot without open windows when the person is in any; None when not.

    All of them: others hold the person's addresses, by which nobody is found. The place in the trail stays, so that
    nothing is detected twice.
    """
    saved = msgspec.msgpack.decode(snapshot)
    holds = _Holds(person)
    groups = (group for machine in saved["machines"].values() for group in machine["groups"].items())
    if not any(map(holds, groups)):
        return None
    return msgspec.msgpack.encode(saved | {"machines": {}, "held": {}})


def crowd_without(crowd: bytes, person: Person) -> bytes | None:
    """Who shares an address, without the person; None when they are not in it."""
    saved = msgspec.msgpack.decode(crowd, type=dict[str, dict[str, int]])
    holds = _Holds(person)
    kept = {
        address: {user: at_us for user, at_us in users.items() if not holds(user)}
        for address, users in saved.items()
    }
    return (
        msgspec.msgpack.encode({address: users for address, users in kept.items() if users})
        if kept != saved
        else None
    )


class _Holds:
    """Looks into what the detector keeps, where no field says what a text is: a whole value counts, and a word that is distinct."""

    def __init__(self, person: Person) -> None:
        self._finder = Finder(person)
        # As the detector cuts long ones: each part of a key that is too long as a whole.
        cut = (key_of((who, "-" * MAX_KEY)).partition(SEPARATOR)[0] for who in person.identifiers)
        self._cut = {part for part in cut if part not in person.identifiers}

    def __call__(self, value: Any) -> bool:
        if isinstance(value, str):
            return any(
                part in self._cut or self._finder.in_field("", part) for part in value.split(SEPARATOR)
            )
        if isinstance(value, dict):
            return any(self(key) or self(member) for key, member in value.items())
        return isinstance(value, list | tuple) and any(map(self, value))
