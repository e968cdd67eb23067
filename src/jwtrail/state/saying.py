"""What a row says of somebody: its texts with the field that each would stand in, had it been an event."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

__all__ = ["FREE", "QUERY", "SILENT", "Tells", "row_tells", "said"]

Tells = Callable[[str, str], bool]
"""Whether a text tells of the person looked for, given the ECS field it stands for, `FREE` or `QUERY`."""

FREE = "message"
"""The field of words that somebody wrote, which may name anybody."""

QUERY = "query"
"""Not a field: KQL, where names of fields are nobody's names."""

SILENT = {
    "revocations": {"kind", "cause", "alert"},
    "restraints": {"id", "field", "route", "alert"},
    "families": {"client_id", "scope"},
    "issued": {"kind", "client_id", "kid"},
    "alerts": {"id", "rule", "severity", "group", "status", "reason"},
    "cursors": {"name"},
    "saved": {"start", "end"},
    "deliveries": {"id", "channel", "alert", "state"},
}
"""Columns that name nobody, or say what another column says too. A person may be called `open`, `subject` or `high`."""

_FIELDS = {
    "revocations": {"by": "user.id"},
    "families": {
        "id": "jwt.family", "subject": "user.id", "jti": "jwt.jti", "previous": "jwt.jti", "source": "source.ip",
    },
    "issued": {"jti": "jwt.jti", "subject": "user.id", "family": "jwt.family", "source": "source.ip"},
    "alerts": {"assignee": "user.id"},
    "saved": {"query": QUERY},
}  # fmt: skip
"""What a column stands for; `FREE` where it is not said, also of tables that come."""

_REVOKED = {
    "jti": "jwt.jti",
    "family": "jwt.family",
    "subject": "user.id",
    "client": "jwt.client_id",
    "key": "jwt.kid",
}

_TARGETS = {"jti": "jwt.jti", "family": "jwt.family", "user": "user.id", "source": "source.ip"}
"""Members of an alert's `targets`."""


def row_tells(table: str, row: Mapping[str, Any], tells: Tells) -> bool:
    """Whether a row tells of a person."""
    return any(tells(field, text) for field, text in said(table, row))


def said(table: str, row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each text of a row that may tell of somebody, behind the field it stands for."""
    silent, fields = SILENT.get(table, ()), _FIELDS.get(table, {})
    for column, text in row.items():
        if not isinstance(text, str) or column in silent or (column, text) == ("by", "jwtrail"):
            continue
        match table, column:
            case "revocations", "value":
                yield _REVOKED.get(row["kind"], FREE), text
            case "restraints", "value":
                yield row["field"], text
            case ("alerts" | "deliveries", "doc") | ("families", "claims"):
                yield from _in_document(column, text)
            case _:
                yield fields.get(column, FREE), text


def _in_document(column: str, text: str) -> Iterator[tuple[str, str]]:
    """Texts inside JSON: never the names of members, and of an alert nothing that its rule says."""
    try:
        doc = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError:  # nobody's form: any word of it counts
        yield FREE, text
        return
    if column == "claims":
        yield from (("jwt.claims", one) for one in _texts(doc))
        return
    group = doc.get("group")
    if isinstance(group, str):
        yield "jwtrail.alert.group", group
    else:
        yield from _pairs(group)
    yield from _pairs({_TARGETS[name]: one for name, one in _members(doc.get("targets")) if name in _TARGETS})
    yield from _pairs(doc.get("event"))
    yield from ((FREE, one) for one in _texts(doc.get("actions")))
    yield from (
        ("jwtrail.response.target", one) for name, one in _pairs(doc.get("action")) if name == "target"
    )


def _pairs(value: Any) -> Iterator[tuple[str, str]]:
    for name, member in _members(value):
        for text in _texts(member):
            yield name, text


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from value.items()


def _texts(value: Any) -> Iterator[str]:
    """Texts of a value, of any depth; not the names of members."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for member in value.values():
            yield from _texts(member)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
