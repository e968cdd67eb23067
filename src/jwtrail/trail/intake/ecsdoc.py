"""ECS documents, one JSON object a line: as we write them, as Filebeat does, flat or nested.

What the catalogue knows becomes that field. What it does not know, what its field cannot hold, and what another trail gave the
event (`event.sequence`, `event.hash`, `jwtrail.writer`, …), is kept in `labels`, so nothing is lost and our own sequence stays
the only one. What one field says of another is filled in: rules read `url.query`, whoever wrote only `url.original`.
"""

import re
import uuid
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from jwtrail import clock
from jwtrail.ecs import CATALOGUE, Event, Field, event_for
from jwtrail.ecs.clean import redact_query
from jwtrail.ecs.vocabulary import Dataset
from jwtrail.trail.intake.line import Line, Unreadable, is_ip, provenance, redacted_url
from jwtrail.trail.intake.spelling import ALIASES, action_of, reason_of, renamed, user_of

__all__ = ["parse"]

MAX_DEPTH = 12
"""Nested objects; ECS has five."""

MAX_LATITUDE = 90
MAX_LONGITUDE = 180
"""Degrees."""

FIRST_FAILURE = 400
"""Status from which a request failed."""

MAX_NAMES = 4096
"""Names of fields whose place is remembered: a file has some dozens, a hostile one as many as it has lines."""

_PARSED = ("long", "boolean", "date", "geo_point")

_WKT = re.compile(r"\s*POINT\s*\(\s*(\S{1,24})\s+(\S{1,24})\s*\)\s*", re.IGNORECASE)

DATASETS: tuple[Dataset, ...] = ("jwtrail.access", "jwtrail.audit", "jwtrail.alerts")
_FLATTENED = tuple(name for name, field in CATALOGUE.items() if field.type == "flattened")
_OURS_WHOLE = frozenset(name for name, field in CATALOGUE.items() if field.type in ("flattened", "geo_point"))
_WHOLE = _OURS_WHOLE | {name for name, ours in ALIASES.items() if ours in _OURS_WHOLE}
_OURS = frozenset(
    {"@timestamp", "event.id", "event.action", "event.module", "ecs.version", "jwtrail.wal", "@version"}
)
_KEPT_AS_IS = ("event.kind", "event.dataset")


def parse(line: Line, query_allow: frozenset[str] = frozenset()) -> Event:
    """One document.

    Args:
        query_allow: names of query parameters whose values are kept, as `http.query_allow` has them.

    Raises:
        Unreadable: not an object of JSON, nested too deep, or without a time.
    """
    try:
        raw = msgspec.json.decode(line.text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Unreadable(f"not JSON: {error}") from None
    if not isinstance(raw, dict):
        raise Unreadable("not an object")
    doc: dict[str, Any] = {}
    _flatten(raw, "", 0, doc)
    renamed(doc)
    action = action_of(doc)
    labels: dict[str, str] = {}
    flags: set[str] = set(_texts(doc.pop("jwtrail.flags", None)))
    fields: dict[str, Any] = {}
    for name, value in doc.items():
        if value is not None and value not in ([], {}):
            _place(name, value, fields, labels)
    _complete(action, fields)
    _redact(fields, flags, query_allow)
    if isinstance(said := doc.get("event.action"), str) and said != action:
        labels["original.event.action"] = said
    if (created := fields.pop("event_created", None)) is not None:
        labels["original.event.created"] = created
    origin = provenance(line, "ecs", labels | fields.pop("labels", {}))
    origin["tags"] = tuple(dict.fromkeys((*origin.pop("tags"), *fields.pop("tags", ()))))  # type: ignore[misc]
    event = event_for(action, at_us=_micros(doc.get("@timestamp")), flags=flags, **fields, **origin)
    return _identified(event, doc)


def _flatten(value: dict[str, Any], prefix: str, depth: int, found: dict[str, Any]) -> None:
    """Dotted names and values; a flattened field and a point stay an object."""
    if depth > MAX_DEPTH:
        raise Unreadable(f"objects are nested more than {MAX_DEPTH} deep")
    for key, inner in value.items():
        name = prefix + key
        if type(inner) is dict and name not in _WHOLE:
            _flatten(inner, name + ".", depth + 1, found)
        else:
            found[name] = inner


class _Place(Struct, frozen=True):
    """Where a name of a document goes.

    Args:
        field: the catalogue's; None when it has no such name.
        leaf: the key in it, when it is flattened and the name is dotted further (`labels.env`).
        ours: nothing is taken over: we say it ourselves, or it is taken elsewhere.
    """

    field: Field | None = None
    leaf: str = ""
    ours: bool = False


@lru_cache(maxsize=MAX_NAMES)
def _place_of(name: str) -> _Place:
    if name in _OURS or name in _KEPT_AS_IS:
        return _Place(ours=True)
    base = next((base for base in _FLATTENED if name.startswith(base + ".")), None)
    if base is not None:
        return _Place(CATALOGUE[base], name.removeprefix(base + "."))
    return _Place(CATALOGUE.get(name))


def _place(name: str, value: Any, fields: dict[str, Any], labels: dict[str, str]) -> None:
    place = _place_of(name)
    field = place.field
    if place.ours:
        return
    if field is None:
        labels[name] = _text(value)
    elif place.leaf:
        fields.setdefault(field.attribute, {})[place.leaf] = _text(value)
    elif field.klass == "derived" or (field.type == "ip" and not all(map(is_ip, _texts(value)))):
        labels[f"original.{name}"] = _text(value)
    elif field.type == "flattened":
        fields.setdefault(field.attribute, {}).update(
            {key: _text(leaf) for key, leaf in _object(name, value).items()}
        )
    elif type(value) is str and field.type not in _PARSED and not field.many:
        fields[field.attribute] = value
    else:
        try:
            fields[field.attribute] = _converted(field, value)
        except Unreadable:
            labels[f"original.{name}"] = _text(value)


def _converted(field: Field, value: Any) -> Any:
    if field.many:
        return tuple(map(_text, value)) if isinstance(value, list) else (_text(value),)
    if field.type == "geo_point":
        return _point(value)
    if isinstance(value, list):
        if len(value) != 1:
            raise Unreadable(f"{field.name} has {len(value)} values, not one")
        value = value[0]
    try:
        if field.type == "long":
            return msgspec.convert(value, int, strict=False)
        if field.type == "boolean":
            return msgspec.convert(value, bool, strict=False)
    except msgspec.ValidationError:
        raise Unreadable(f"{field.name} is not a {field.type}: {_text(value)[:40]}") from None
    return clock.iso(_micros(value)) if field.type == "date" else _text(value)


def _point(value: Any) -> str:
    """`lat,lon` of the forms Elasticsearch reads: that text, an object, `[lon, lat]`, WKT, GeoJSON, also as a list of one."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, dict):
        value = value.get("coordinates") or [value.get("lon"), value.get("lat")]
    elif isinstance(value, str):
        wkt = _WKT.fullmatch(value)
        value = list(wkt.groups()) if wkt else value.split(",")[::-1]
    try:
        longitude, latitude = (float(part) for part in value[:2])
    except (TypeError, ValueError):
        raise Unreadable(f"not a point: {_text(value)[:40]}") from None
    if not (abs(latitude) <= MAX_LATITUDE and abs(longitude) <= MAX_LONGITUDE):  # not a number among them
        raise Unreadable(f"not on Earth: {_text(value)[:40]}")
    return f"{latitude:.4f},{longitude:.4f}"


def _complete(action: str, fields: dict[str, Any]) -> None:
    """Add what other fields say: path and query of the whole target, the source of the client, the outcome of the status,
    the user of the name under which somebody was let in.
    """
    target = fields.get("url_original")
    if target is not None:
        target = re.sub(r"^[a-z][a-z0-9+.-]*://[^/?#]*", "", target, count=1, flags=re.IGNORECASE)
        path, _, query = target.partition("?")
        if path.startswith("/"):
            fields.setdefault("url_path", unquote(path, errors="replace"))
        if query:
            fields.setdefault("url_query", query)
    if "source_ip" not in fields and "client_ip" in fields:
        fields["source_ip"] = fields["client_ip"]
    status = fields.get("http_response_status_code")
    outcome = fields["event_outcome"] = fields.get("event_outcome", "unknown").lower()
    if status is not None and outcome not in ("success", "failure"):
        fields["event_outcome"] = "success" if status < FIRST_FAILURE else "failure"
    if "event_reason" in fields:
        fields["event_reason"] = reason_of(fields["event_reason"])
    if "user_id" not in fields and (user := user_of(action, fields)) is not None:
        fields["user_id"] = user


def _redact(fields: dict[str, Any], flags: set[str], query_allow: frozenset[str]) -> None:
    """No value of a query string enters the trail but the allowed, wherever it was recorded."""
    for name in ("url_original", "http_request_referrer"):
        if name in fields:
            fields[name] = redacted_url(fields[name], flags)
    if "url_query" in fields:
        fields["url_query"] = redact_query(fields["url_query"].removeprefix("?"), query_allow, flags) or None


def _identified(event: Event, doc: Mapping[str, Any]) -> Event:
    """With the id the event had, when that is a UUID, and its kind and data set when we have such."""
    changes: dict[str, Any] = {}
    if doc.get("event.kind") in ("event", "alert", "metric"):
        changes["event_kind"] = doc["event.kind"]
    if doc.get("event.dataset") in DATASETS:
        changes["event_dataset"] = doc["event.dataset"]
    try:
        changes["event_id"] = str(uuid.UUID(doc.get("event.id", "")))
    except (ValueError, AttributeError, TypeError):
        if identity := doc.get("event.id"):
            changes["labels"] = dict(
                sorted({**(event.labels or {}), "original.event.id": _text(identity)[:200]}.items())
            )
    return msgspec.structs.replace(event, **changes)


def _micros(value: Any) -> int:
    """µs since the epoch of a date: text, or a number of milliseconds as Elasticsearch reads it."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    try:
        if isinstance(value, str):
            at_us = clock.parse_iso(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            at_us = int(value * 1000)
        else:
            at_us = -1
        clock.iso(at_us)
    except (ValueError, OverflowError):
        raise Unreadable(f"not a time: {_text(value)[:40]}") from None
    return at_us


def _object(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unreadable(f"{name} is not an object")
    return value


def _texts(value: Any) -> list[str]:
    return (
        [_text(item) for item in value]
        if isinstance(value, list)
        else []
        if value is None
        else [_text(value)]
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
