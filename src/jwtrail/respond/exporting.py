"""Alerts for other systems, one line each."""

from typing import Any, Literal

import msgspec
from msgspec.structs import asdict

from jwtrail.detect import Alert, event_of
from jwtrail.ecs import document
from jwtrail.respond.cef import cef_of
from jwtrail.respond.ocsf import ocsf_of
from jwtrail.state.records import AlertRow

__all__ = ["MAX_EXPORTED", "AlertFormat", "line_of", "whole"]

AlertFormat = Literal["ecs", "ocsf", "cef", "ndjson"]
"""`ecs`: the event as the trail holds it, with today's triage; `ocsf`: Detection Finding 2004; `cef`: for old SIEMs; `ndjson`:
everything we know."""

MAX_EXPORTED = 100_000
"""Alerts of one export; narrower spans give the rest."""

_decode = msgspec.json.Decoder(Alert).decode


def line_of(row: AlertRow, form: AlertFormat) -> bytes:
    """One alert as one line, with its end."""
    match form:
        case "ecs":
            made: Any = _ecs(row)
        case "ocsf":
            made = ocsf_of(row, _decode(row.doc))
        case "cef":
            return cef_of(_decode(row.doc)).encode() + b"\n"
        case "ndjson":
            made = whole(row)
    return msgspec.json.encode(made) + b"\n"


def whole(row: AlertRow) -> dict[str, Any]:
    """The alert as it was raised and what was planned, with its triage on top."""
    alert: dict[str, Any] = msgspec.json.decode(row.doc)
    triage = asdict(row)
    del triage["doc"]
    return {**alert, **triage, "group": alert.get("group", row.group)}


def _ecs(row: AlertRow) -> dict[str, Any]:
    doc = document(event_of(_decode(row.doc)))
    doc["jwtrail.alert.status"] = row.status
    return doc
