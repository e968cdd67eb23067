"""One event as one line or row for people: when, what, who, from where, with what result and why."""

from typing import TYPE_CHECKING, NamedTuple

from jwtrail import clock
from jwtrail.cli.plain import visible

if TYPE_CHECKING:
    from rich.text import Text

    from jwtrail.ecs import Event

__all__ = ["Glance", "ago", "glance", "line", "moment"]

WHAT = 38
WHO = 12
"""Columns of what happened and of who did it."""

_SECOND_US = 1_000_000
_STEPS = ((86_400, "d"), (3600, "h"), (60, "m"), (1, "s"))
_MARKS = {"success": ("✓", "green"), "failure": ("✗", "red"), "unknown": ("?", "yellow")}


class Glance(NamedTuple):
    """The few facts of an event that fit a line; every text is safe to print."""

    when: str
    mark: str
    style: str
    what: str
    who: str
    source: str
    why: str


def glance(event: "Event") -> Glance:
    """An event at a glance."""
    mark, style = _MARKS.get(event.event_outcome or "unknown", _MARKS["unknown"])
    who = event.user_id or event.user_name or event.jwt_unverified_sub or ""
    if not event.user_id and not event.user_name and who:
        who = f"“{who}”"  # claimed by a token that did not verify
    return Glance(
        when=moment(event.timestamp),
        mark=mark,
        style="bold magenta" if event.event_kind == "alert" else style,
        what=visible(_what(event)),
        who=visible(who),
        source=visible(event.source_ip or ""),
        why=visible(event.event_reason or ""),
    )


def line(event: "Event", *, whole: bool = False, dated: bool = False) -> "Text":
    """One line of a list.

    Args:
        whole: long texts push what comes after them, instead of being cut.
        dated: with the day, where events may be of another than today.
    """
    from rich.text import Text  # noqa: PLC0415

    seen = glance(event)
    text = Text()
    text.append((seen.when if dated else seen.when[11:]) + "  ", "dim")
    text.append(seen.mark + " ", seen.style)
    what = seen.what if whole else _cut(seen.what, WHAT)
    text.append(f"{what:<{WHAT}} ", "bold magenta" if event.event_kind == "alert" else "")
    text.append(f"{seen.who if whole else _cut(seen.who, WHO):<{WHO}} ", "cyan")
    text.append(f"{seen.source:<15} ", "dim")
    text.append(seen.why, "red" if event.event_outcome == "failure" else "")
    return text


def _cut(text: str, width: int) -> str:
    """At most so many columns of a terminal, with an ellipsis where something is missing; wide characters take two."""
    from rich.cells import cell_len, set_cell_size  # noqa: PLC0415

    return text if cell_len(text) <= width else set_cell_size(text, width - 1) + "…"


def moment(iso: str) -> str:
    """`2026-11-23 16:46:55.123`: UTC, as everywhere in the trail, to the millisecond."""
    return iso[:23].replace("T", " ")


def ago(us: int, now_us: int) -> str:
    """`3m ago`; the plain time when it lies ahead."""
    seconds = (now_us - us) // _SECOND_US
    if seconds < 0:
        return moment(clock.iso(us))
    size, unit = next(((size, unit) for size, unit in _STEPS if seconds >= size), (1, "s"))
    return f"{seconds // size}{unit} ago"


def _what(event: "Event") -> str:
    if event.event_action == "http-request":
        # The status first: it is what must not be cut off.
        parts = (
            event.http_response_status_code,
            event.http_request_method,
            event.url_path or event.http_route,
        )
        return " ".join(str(part) for part in parts if part)
    if event.rule_name:
        return f"{event.event_action}: {event.rule_name}"
    return event.event_action or event.message or ""
