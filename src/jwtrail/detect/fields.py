"""Reading fields of an event by name: values to count, keys to group by."""

from collections.abc import Callable
from hashlib import sha256
from operator import attrgetter
from typing import Any

from jwtrail.ecs import Event
from jwtrail.ecs.catalogue import resolve

__all__ = [
    "MAX_KEY",
    "MAX_VALUE",
    "SEPARATOR",
    "bounded_key",
    "bounded_value",
    "key_of",
    "key_reader",
    "number_reader",
    "value_reader",
    "values_reader",
    "whole_key_reader",
]

SEPARATOR = "\x1f"
"""Between the parts of a key. No text in an event holds a control character (`ecs.clean`), so it cannot be forged."""


MAX_KEY = 512
"""Characters of a group's key; of a longer one each part is cut and told apart by a digest."""

MAX_VALUE = 128
"""Characters of a counted value, and of a part of a key that is cut."""

MAX_DIGITS = 19
"""Of a number in a label: what a `long` holds."""


def _cut(text: str) -> str:
    return f"{text[: MAX_VALUE - 44]}…{sha256(text.encode()).hexdigest()[:43]}"


def key_of(parts: tuple[str, ...]) -> str:
    """The parts as one key, of bounded length; different parts never give the same key."""
    key = parts[0] if len(parts) == 1 else SEPARATOR.join(parts)
    if len(key) <= MAX_KEY:
        return key
    return SEPARATOR.join(part if len(part) <= MAX_VALUE else _cut(part) for part in parts)


def bounded_key(key: str) -> str:
    """`key_of` of a key that is as long as its parts are."""
    return key if len(key) <= MAX_KEY else key_of(tuple(key.split(SEPARATOR)))


def field_reader(name: str) -> Callable[[Event], Any]:
    """What the event holds in a field."""
    found = resolve(name)
    assert found is not None, "rules name only fields of the catalogue"
    field, leaf = found
    whole = attrgetter(field.attribute)
    if not leaf:
        return whole
    return lambda event: (whole(event) or {}).get(leaf)


def _is_text(name: str) -> bool:
    """A text of its own, which needs no care."""
    found = resolve(name)
    return found is not None and not found[1] and found[0].sql_type == "VARCHAR"


def key_reader(fields: tuple[str, ...]) -> Callable[[Event], tuple[str, ...] | None]:
    """The values of some single-valued fields, as text; None when any of them is missing. Case and form are kept."""
    readers = [field_reader(name) for name in fields]
    if not readers:
        return lambda _event: ()
    if len(readers) == 1:
        only = readers[0]
        return lambda event: None if (value := only(event)) is None else (str(value),)
    if all(map(_is_text, fields)):
        together = attrgetter(*(found[0].attribute for name in fields if (found := resolve(name))))
        return lambda event: None if None in (values := together(event)) else values

    def read(event: Event) -> tuple[str, ...] | None:
        values = [reader(event) for reader in readers]
        return None if None in values else tuple(map(str, values))

    return read


def whole_key_reader(fields: tuple[str, ...]) -> Callable[[Event], str | None]:
    """The key of an event's group, as long as it is: `bounded_key` cuts it. None when a part of it is missing."""
    if len(fields) == 1 and _is_text(fields[0]):
        return field_reader(fields[0])
    parts_of = key_reader(fields)
    return lambda event: None if (parts := parts_of(event)) is None else SEPARATOR.join(parts)


def values_reader(fields: tuple[str, ...]) -> Callable[[Event], tuple[str, ...]]:
    """What a value count counts in an event: the field's value, each item of a list, or the values of several together."""
    if len(fields) > 1:
        together = key_reader(fields)
        return lambda event: () if (key := together(event)) is None else (bounded_value(SEPARATOR.join(key)),)
    only = field_reader(fields[0])

    def read(event: Event) -> tuple[str, ...]:
        value = only(event)
        if type(value) is str:
            return (value if len(value) <= MAX_VALUE else _cut(value),)
        if value is None:
            return ()
        if isinstance(value, tuple):
            return tuple(bounded_value(str(item)) for item in value)
        return (bounded_value(str(value)),)

    return read


def bounded_value(value: str) -> str:
    """A counted value, cut and told apart by a digest when it is longer than `MAX_VALUE`."""
    return value if len(value) <= MAX_VALUE else _cut(value)


def value_reader(fields: tuple[str, ...]) -> Callable[[Event], str | None] | None:
    """The one value that `values_reader` reads where there is never more than one, of any length; None for other fields."""
    found = resolve(fields[0]) if len(fields) == 1 else None
    if found is None or found[0].many or found[0].type == "flattened":
        return None
    read = field_reader(fields[0])
    if found[0].sql_type == "VARCHAR":
        return read
    return lambda event: None if (value := read(event)) is None else str(value)


def number_reader(field: str) -> Callable[[Event], int | None]:
    """The number in a field, or in a label whose text is one."""
    read = field_reader(field)
    found = resolve(field)
    if found is None or not found[1]:
        return read

    def number(event: Event) -> int | None:
        text = read(event)
        return int(text) if text and len(text) <= MAX_DIGITS and text.isdecimal() else None

    return number
