"""Attributes of an event, made clean. What many events share is cleaned once and used again."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from jwtrail.ecs.catalogue import CATALOGUE, Field
from jwtrail.ecs.clean import MAX_ITEMS, MAX_TEXT, clean, clean_many

__all__ = ["MAX_LONG", "Cleaned", "cleaned", "plain_fields"]

MAX_LONG = 2**53 - 1
"""RFC 8785 section 3.2.2.3: beyond it not every reader sees the same number."""

_TEXT, _TEXTS, _LONG, _LEAVES = "text", "texts", "long", "leaves"
"""What is done to a field; anything else is taken as it is."""


def _kind(field: Field) -> str:
    if field.many:
        return _TEXTS
    return {"long": _LONG, "flattened": _LEAVES, "boolean": ""}.get(field.type, _TEXT)


_KINDS = {field.attribute: _kind(field) for field in CATALOGUE.values()}


class Cleaned(Struct, frozen=True):
    """Attributes that may stand in an event as they are, and what had to be done for it.

    Args:
        fields: attributes of `Event`; shared, so never changed.
        flags: oddities that the cleaning saw.
    """

    fields: dict[str, Any]
    flags: frozenset[str] = frozenset()


def cleaned(fields: Mapping[str, Any]) -> Cleaned:
    """Every text cleaned and bounded; None leaves the field out."""
    flags: set[str] = set()
    made: dict[str, Any] = {}
    for name, value in fields.items():
        if value is None:
            continue
        match _KINDS.get(name):
            case "text":
                made[name] = clean(value, flags)
            case "texts":
                made[name] = clean_many(value, flags)
            case "long":
                made[name] = max(-MAX_LONG, min(MAX_LONG, value))
            case "leaves":
                made[name] = _flattened(value, flags)
            case _:
                made[name] = value
    return Cleaned(made, frozenset(flags))


def plain_fields(fields: Mapping[str, Any]) -> dict[str, Any] | None:
    """The fields when types and lengths are as they must be, so that only what the texts hold is left to look at; else None."""
    made = {}
    for name, value in fields.items():
        if value is None:
            continue
        kind = _KINDS.get(name)
        if kind is _TEXT:
            if value.__class__ is not str or len(value) > MAX_TEXT:
                return None
        elif kind is _TEXTS:
            if value.__class__ is not tuple or not _are_plain(value):
                return None
        elif kind is _LONG:
            if not -MAX_LONG <= value <= MAX_LONG:
                return None
        elif kind is _LEAVES:
            return None
        made[name] = value
    return made


def _are_plain(texts: tuple[Any, ...]) -> bool:
    for text in texts:
        if text.__class__ is not str or len(text) > MAX_TEXT:
            return False
    return len(texts) <= MAX_ITEMS


def _flattened(leaves: dict[str, Any], flags: set[str]) -> dict[str, str]:
    """Leaves are keywords; names sorted by UTF-16 code units, as RFC 8785 section 3.2.3 wants them."""
    kept = [
        (clean(str(key), flags), clean(str(leaf), flags)) for key, leaf in list(leaves.items())[:MAX_ITEMS]
    ]
    return dict(sorted(kept, key=lambda pair: pair[0].encode("utf-16-be")))
