"""Lines of Python's `logging`, such as `2026-11-23 12:00:00,123 INFO shop: User 42 accessed endpoint /x`."""

import re
from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import Any

from jwtrail import clock
from jwtrail.ecs import Event, event_for
from jwtrail.trail.intake.line import Line, Unreadable, provenance, redacted_url

__all__ = ["parser"]

_LEVELS = r"DEBUG|INFO|WARNING|WARN|ERROR|CRITICAL|FATAL"
_TIME = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"
_HEAD = re.compile(
    rf"(?:\[?(?P<time>{_TIME})\]?[\s:|-]+)?(?:\[?(?P<level>{_LEVELS})\]?[\s:|-]+)?(?:(?P<logger>[\w.]{{1,80}})(?::| -)\s?)?(?P<text>.*)",
    re.ASCII | re.DOTALL,
)
_AT = re.compile(rf"\bat ({_TIME})\b", re.ASCII)
_ACCESS = re.compile(
    r"[Uu]ser (?P<user>\S{1,200}) (?:accessed|requested|called|visited)(?: the)?(?: endpoint)? (?:(?P<method>[A-Z]{3,7}) )?(?P<path>/\S*)"
)


def parser(zone: tzinfo) -> Callable[[Line], Event]:
    """A parser of such lines.

    Args:
        zone: of times that name none; `logging` writes local time.
    """

    def parse(line: Line) -> Event:
        found = _HEAD.fullmatch(line.text)
        assert found is not None  # every part is optional
        said = _AT.search(line.text)
        time = said[1] if said else found["time"]
        if time is None:
            raise Unreadable("the line has no time")
        flags: set[str] = set()
        access = _ACCESS.search(found["text"])
        labels = {name: found[name] for name in ("level", "logger") if found[name]}
        return event_for(
            "http-request" if access else "log-message",
            at_us=_micros(time, zone),
            flags=flags,
            event_outcome="unknown",
            message=found["text"],
            **(_access(access, flags) if access else {}),
            **provenance(line, "logging", labels),
        )

    return parse


def _access(found: re.Match[str], flags: set[str]) -> dict[str, Any]:
    path, _, _ = found["path"].partition("?")
    return {
        "user_id": found["user"],
        "related_user": (found["user"],),
        "http_request_method": found["method"],
        "url_path": path,
        "url_original": redacted_url(found["path"], flags),
    }


def _micros(text: str, zone: tzinfo) -> int:
    try:
        moment = datetime.fromisoformat(text.replace(",", "."))
        return clock.parse_iso((moment if moment.tzinfo else moment.replace(tzinfo=zone)).isoformat())
    except (ValueError, OverflowError):
        raise Unreadable(f"not a time: {text}") from None
