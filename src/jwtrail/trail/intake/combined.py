"""Access logs of nginx and Apache: common and combined log format."""

import re
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from jwtrail import clock
from jwtrail.ecs import Event, event_for
from jwtrail.ecs.clean import redact_query
from jwtrail.trail.intake.line import Line, Unreadable, is_ip, provenance, redacted_url

__all__ = ["parse"]

_QUOTED = r'"((?:[^"\\]|\\.)*)"'
_LINE = re.compile(
    rf"(\S+) \S+ (.+?) \[([^\]]+)\] {_QUOTED} ([0-9]{{3}}) ([0-9]{{1,15}}|-)(?: {_QUOTED} {_QUOTED})?(?: .*)?"
)
_TIME = re.compile(r"(\d\d)/(\w{3})/(\d{4}):(\d\d:\d\d:\d\d) ([+-]\d\d)(\d\d)", re.ASCII)
_MONTHS = {
    name: f"{number:02d}"
    for number, name in enumerate(
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], 1
    )
}
_REQUEST = re.compile(r"([A-Z]{1,20}) (\S+)(?: HTTP/([0-9.]{1,3}))?")
_ESCAPE = re.compile(r"\\x([0-9A-Fa-f]{2})|\\(.)")


def parse(line: Line) -> Event:
    """One request.

    Raises:
        Unreadable: not a line of the format, or its time is none.
    """
    found = _LINE.fullmatch(line.text)
    if found is None:
        raise Unreadable("not a line of the combined log format")
    host, user, time, request, status, size, referrer, agent = found.groups()
    flags: set[str] = set()
    labels: dict[str, str] = {}
    fields: dict[str, Any] = _request(_plain(request), flags)
    if is_ip(host):
        fields |= {"source_ip": host, "related_ip": (host,)}
    else:
        labels["source.address"] = host
    return event_for(
        "http-request",
        at_us=_time(time),
        flags=flags,
        user_name=None if user in ("-", '""') else _plain(user),
        http_response_status_code=int(status),
        http_response_bytes=None if size == "-" else int(size),
        event_outcome="success" if int(status) < 400 else "failure",
        http_request_referrer=redacted_url(_plain(referrer), flags)
        if referrer not in (None, "-", "")
        else None,
        user_agent_original=_plain(agent) if agent not in (None, "-", "") else None,
        **fields,
        **provenance(line, "combined", labels),
    )


def _request(text: str, flags: set[str]) -> dict[str, Any]:
    found = _REQUEST.fullmatch(text)
    if found is None:  # a scanner's noise; the server answered it, so it happened
        return {"url_original": text or None}
    method, target, version = found.groups()
    path, _, query = target.partition("?")
    return {
        "http_request_method": method,
        "http_version": version,
        "url_path": unquote(path, errors="replace"),
        "url_query": redact_query(query, frozenset(), flags) or None,
        "url_original": redacted_url(target, flags),
    }


def _plain(text: str) -> str:
    """Without the escapes of either server: `\\x22` and `\\"`."""
    if "\\" not in text:
        return text
    return _ESCAPE.sub(lambda one: chr(int(one[1], 16)) if one[1] else one[2], text)


@lru_cache(maxsize=64)
def _time(text: str) -> int:
    found = _TIME.fullmatch(text)
    month = _MONTHS.get(found[2]) if found else None
    try:
        if found and month:
            return clock.parse_iso(f"{found[3]}-{month}-{found[1]}T{found[4]}{found[5]}:{found[6]}")
    except ValueError:
        pass
    raise Unreadable(f"not a time: {text[:40]}")
