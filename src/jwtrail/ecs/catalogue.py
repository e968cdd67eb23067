"""The catalogue of fields, read off `Event`: the one source of columns, index templates, completion, docs and checks."""

import difflib
from typing import Literal, cast

import msgspec

from jwtrail.ecs.event import DOCS, Event

__all__ = [
    "CATALOGUE",
    "CATALOGUE_VERSION",
    "DEFAULT_FIELDS",
    "Field",
    "FieldClass",
    "FieldType",
    "field_hint",
    "near_miss",
    "resolve",
]

FieldType = Literal["keyword", "text", "wildcard", "date", "long", "boolean", "ip", "geo_point", "flattened"]
FieldClass = Literal["public", "personal", "derived"]

CATALOGUE_VERSION = 1
"""Raised when a field changes its class or type; segments carry it, so old canonical bytes never change."""

DEFAULT_FIELDS = (
    "message",
    "url.path",
    "user.id",
    "user.name",
    "source.ip",
    "event.action",
    "event.reason",
    "user_agent.original",
)
"""Where a bare word of a query is looked for."""


class Field(msgspec.Struct, frozen=True):
    """One field.

    Args:
        name: dotted ECS name.
        type: type in an Elasticsearch index template.
        many: the field holds a list.
        klass: `public`, `personal` or `derived` (see `ecs.event`).
        attribute: name of the attribute of `Event`.
        doc: what it means.
    """

    name: str
    type: FieldType
    many: bool
    klass: FieldClass
    attribute: str
    doc: str

    @property
    def sql_type(self) -> str:
        """DuckDB column type; a flattened field is its canonical JSON as text."""
        base = {"date": "TIMESTAMP", "long": "BIGINT", "boolean": "BOOLEAN"}.get(self.type, "VARCHAR")
        return f"{base}[]" if self.many else base


def _read() -> dict[str, Field]:
    fields: dict[str, Field] = {}
    klass: FieldClass = "public"
    previous = ""
    for column in cast("msgspec.inspect.StructType", msgspec.inspect.type_info(Event)).fields:
        if column.encode_name == "jwtrail.wal":
            klass, previous = "personal", ""
            continue
        if klass == "personal" and column.encode_name < previous:
            klass = "derived"
        previous = column.encode_name
        kind = column.type
        assert isinstance(kind, msgspec.inspect.Metadata)
        assert kind.extra is not None
        inner = kind.type
        many = isinstance(inner, msgspec.inspect.UnionType) and any(
            isinstance(member, msgspec.inspect.VarTupleType) for member in inner.types
        )
        fields[column.encode_name] = Field(
            column.encode_name, kind.extra["type"], many, klass, column.name, DOCS[column.encode_name]
        )
    return fields


CATALOGUE: dict[str, Field] = _read()


def resolve(name: str) -> tuple[Field, str] | None:
    """The field of a dotted name, and the key inside it when it is a leaf of a flattened field (`jwt.claims.tenant`)."""
    if (found := CATALOGUE.get(name)) is not None:
        return found, ""
    for base in ("jwt.claims", "labels"):
        if name.startswith(base + ".") and len(name) > len(base) + 1:
            return CATALOGUE[base], name[len(base) + 1 :]
    return None


def near_miss(name: str) -> str:
    """`did you mean …?` for a field that does not exist, or an empty text."""
    close = difflib.get_close_matches(name, CATALOGUE, n=1, cutoff=0.6)
    if not close:
        close = [known for known in CATALOGUE if known.endswith("." + name)][:1]
    return f"did you mean {close[0]}?" if close else ""


def field_hint(name: str) -> str:
    """What helps somebody who asked for a field that does not exist."""
    return near_miss(name) or "`jwtrail fields` lists them all"
