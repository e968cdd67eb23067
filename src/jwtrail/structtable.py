"""What can be set, read off the Structs themselves: the one source of the reference page, `config show` and the checks."""

import re
from typing import Any

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
    text = kind.__name__ if isinstance(kind, type) and not hasattr(kind, "__origin__") else str(kind)
    return (
        "list of text"
        if text.startswith("tuple[str")
        else re.sub(r"\bstr\b", "text", re.sub(r"\b(?:typing|jwtrail(?:\.\w+)*)\.", "", text))
    )


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
