"""What can be set, read off the Structs themselves: the one source of the reference page, `config show` and the checks."""

import re
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import Struct

__all__ = ["Setting", "rows_of"]


class Setting(Struct, frozen=True):
    """One row of the table of settings."""

    name: str
    type: str
    default: Any
    doc: str


def _struct_of(kind: Any) -> type[Struct] | None:
    return kind if isinstance(kind, type) and issubclass(kind, Struct) else None


def rows_of(struct: type[Struct], prefix: str = "") -> list[Setting]:
    """Every field, those of inner Structs by dotted names, in order.

    Args:
        prefix: stands in front of each name.
    """
    meanings = _meanings(struct)
    rows: list[Setting] = []
    for field in msgspec.structs.fields(struct):
        if (inner := _struct_of(field.type)) is not None:
            rows += rows_of(inner, f"{prefix}{field.name}.")
            continue
        default = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
        rows.append(
            Setting(prefix + field.name, _type_name(field.type), default, meanings.get(field.name, ""))
        )
    return rows


def _type_name(kind: Any) -> str:
    """What stands there, in words for people who write TOML."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _type_name(inner[0]) + "".join(
            _bounds(one) for one in inner[1:] if isinstance(one, msgspec.Meta)
        )
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in inner)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(_type_name(one) for one in inner if one is not NoneType))
    if origin is tuple:
        return f"list of {_type_name(inner[0])}"
    if origin is dict:
        first, *rest = _type_name(inner[1]).split(" ")
        return " ".join((f"{first}s", *rest, "by name"))
    return "table" if _struct_of(kind) else _NAMES.get(kind, str(kind))


def _bounds(meta: msgspec.Meta) -> str:
    least = "" if meta.ge is None else f" from {meta.ge:,}"
    return least if meta.le is None else f"{least} to {meta.le:,}"


_NAMES = {str: "text", int: "int", float: "number", bool: "bool", Path: "path"}


def _meanings(struct: type[Struct]) -> dict[str, str]:
    """Meaning of each setting, from the `Args:` of its Struct's docstring."""
    _, _, args = (struct.__doc__ or "").partition("Args:")
    found: dict[str, str] = {}
    name = ""
    for line in args.splitlines():
        if entry := re.match(r" {8}(\w+): (.*)", line):
            name = entry[1]
            found[name] = entry[2]
        elif name and line.strip():
            found[name] += " " + line.strip()
    return found
