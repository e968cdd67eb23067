"""The keys of all groups that an event belongs to, read by one function that is written for the rules it fits."""

from collections.abc import Callable, Iterable
from typing import Any

from jwtrail.detect.fields import MAX_KEY, SEPARATOR, key_of, key_reader
from jwtrail.ecs import Event
from jwtrail.ecs.catalogue import resolve

__all__ = ["keys_reader"]


def keys_reader(groups: Iterable[tuple[str, ...]]) -> Callable[[Event], tuple[str | None, ...]]:
    """For each of these lists of fields the key (`fields.key_of`) of the event's group; None when one of them is missing.

    Each text is fetched once. The source only holds names of attributes, which are those of the catalogue.
    """
    space: dict[str, Any] = {"cut": _cut}
    texts: dict[str, str] = {}
    keys = ""
    for number, fields in enumerate(groups):
        attributes = [_text_attribute(name) for name in fields]
        if None in attributes or not fields:
            space[f"read{number}"] = _reader(fields)
            keys += f"read{number}(e), "
            continue
        names = [texts.setdefault(str(attribute), f"t{len(texts)}") for attribute in attributes]
        missing = " or ".join(f"{name} is None" for name in names)
        joined = f"f'{SEPARATOR.join(f'{{{name}}}' for name in names)}'" if len(names) > 1 else names[0]
        keys += f"None if {missing} else k if len(k := {joined}) <= {MAX_KEY} else cut(k), "
    fetched = "".join(f"    {name} = e.{attribute}\n" for attribute, name in texts.items())
    exec(compile(f"def read(e):\n{fetched}    return ({keys})", "<keys>", "exec"), space)  # noqa: S102  # see above
    return space["read"]  # type: ignore[no-any-return]


def _text_attribute(name: str) -> str | None:
    """The attribute of a field that is one text of its own."""
    found = resolve(name)
    return found[0].attribute if found and not found[1] and found[0].sql_type == "VARCHAR" else None


def _cut(key: str) -> str:
    return key_of(tuple(key.split(SEPARATOR)))


def _reader(fields: tuple[str, ...]) -> Callable[[Event], str | None]:
    parts_of = key_reader(fields) if fields else lambda _event: ("",)
    return lambda event: None if (parts := parts_of(event)) is None else key_of(parts)
