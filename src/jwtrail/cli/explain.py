"""`jwtrail explain`: the story of one event."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jwtrail.cli.common import (
    console,
    data_option,
    is_terminal,
    json_line,
    layout_of,
    open_store,
    settings_of,
)
from jwtrail.cli.look import glance, line, moment
from jwtrail.cli.plain import visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from jwtrail.detect.trial import Tried
    from jwtrail.runtime.explain import Explanation

__all__ = ["explain"]

_VERDICTS = {
    "accepted": ("✓ accepted", "bold green"),
    "rejected": ("✗ rejected", "bold red"),
    "absent": ("· no token", "dim"),
    "none": ("· not a request", "dim"),
}
_LABEL = 11
"""Columns of the names at the left."""


@click.command(short_help="One event: token, verdict, proof, rules, alerts, answers.")
@click.argument("event", metavar="EVENT")
@click.option("--json", "as_json", is_flag=True, help="As one JSON document. [default when not a terminal]")
@data_option
def explain(event: str, as_json: bool, data: Path | None) -> None:
    """Why EVENT, an id or a number in the trail, came out as it did, and what followed.

    \b
    jwtrail explain 4711
    jwtrail explain 019ab0c1-5f2e-7b1e-8c55-0d2f6a7e9b10 --json

    Rules are those of the settings as they are now. A rule that counts needs more than one event: it says what it feeds.
    """
    from jwtrail.detect.ruleset import configured  # noqa: PLC0415
    from jwtrail.query.page import SearchRequest  # noqa: PLC0415
    from jwtrail.runtime.explain import explain as story  # noqa: PLC0415
    from jwtrail.trail.reader import TrailReader  # noqa: PLC0415

    settings = settings_of(data)
    store = open_store(settings.root)
    if event.isascii() and event.isdigit():
        found = store.search(SearchRequest(query=f"event.sequence: {event}", limit=1)).events
        event = found[0].event_id if found else event
    made = story(store, TrailReader(layout_of(settings.root)), configured(settings.detect), event)
    if as_json or not is_terminal():
        json_line(made)
        return
    _show(console(), made)


def _show(out: "Console", made: "Explanation") -> None:
    from jwtrail.ecs import decode_document  # noqa: PLC0415

    event = decode_document(made.event)
    out.print(line(event, whole=True, dated=True), soft_wrap=True)
    _title(out, "token")
    for name, value in made.token.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        claimed = "  claimed, not proved" if name.startswith("jwt.unverified.") else ""
        _row(out, name.removeprefix("jwt."), visible(shown) + claimed)
    if not made.token:
        _row(out, "", "none")
    _judged(out, made)
    _title(out, "trail")
    _row(out, "number", "not yet given" if made.place.index < 0 else f"{made.place.index:,}")
    signed = (
        f"yes, of {made.place.size:,} in {visible(made.place.origin)}" if made.place.signed else "not yet"
    )
    _row(out, "signed", signed)
    if made.place.hash:
        _row(out, "hash", made.place.hash)
    _rules(out, made)
    _title(out, "alerts")
    for told in made.alerts:
        _row(out, told.level, f"{visible(told.rule)}  {told.alert[:8]}  {moment(told.at)}", "bold")
        for answer in told.answers:
            _row(out, "", visible(answer))
    if not made.alerts:
        _row(out, "", "none")
    _title(out, "afterwards")
    for doc in made.later:
        out.print("  ", line(decode_document(doc), dated=True), no_wrap=True, overflow="ellipsis")
    if not made.later:
        _row(out, "", "the token was not seen again" if made.token else "it has no token to follow")


def _judged(out: "Console", made: "Explanation") -> None:
    from jwtrail.ecs import decode_document  # noqa: PLC0415

    _title(out, "verdict")
    word, style = _VERDICTS[made.verdict.kind]
    _row(out, "", word, style)
    if made.verdict.reason:
        kind = f"  ({made.verdict.sender.replace('_', ' ')})" if made.verdict.sender else ""
        _row(out, "reason", f"{visible(made.verdict.reason)}: {made.verdict.why}{kind}")
    if made.ended:
        seen, number = glance(decode_document(made.ended)), made.ended.get("event.sequence")
        told = (seen.when, seen.what, seen.why, "" if number is None else f"number {number:,}")
        _row(out, "ended by", "  ".join(filter(None, told)))


def _rules(out: "Console", made: "Explanation") -> None:
    trial = made.trial
    ignored = f"; none counts it: {trial.ignored}" if trial.ignored else ""
    fit = [one for one in trial.matched if not one.compares]
    _title(out, "rules", f"{trial.rules} tried, {len(fit)} fit{ignored}")
    for one in fit:
        _rule(out, one, "✓", "green")
    compared = [one for one in trial.matched if one.compares]
    if compared:
        _title(out, "compared", "these alert only when it is out of the usual")
    for one in compared:
        whose = (
            f"with earlier ones of the same {' and '.join(one.beside)}" if one.beside else "with earlier ones"
        )
        _row(out, f"· {one.code}".strip(), f"{visible(one.title)}  {whose}", "dim")
    if trial.near:
        _title(out, "nearly", "one exception kept these from it")
    for one in trial.near:
        _rule(out, one, "✗", "dim")


def _rule(out: "Console", one: "Tried", mark: str, style: str) -> None:
    feeds = f"  counts for {', '.join(one.feeds)}" if one.feeds else ""
    _row(out, f"{mark} {one.code}".strip(), visible(one.title) + feeds, style)
    for condition in one.conditions:
        if not one.matched and condition.fits:
            continue
        negated = "" if condition.wanted else "not "
        _row(out, "", f"{'✓' if condition.fits else '✗'} {negated}{visible(condition.text)}", "dim")


def _title(out: "Console", name: str, more: str = "") -> None:
    out.print(_text((f"\n{name}", "bold"), (f"  {more}" if more else "", "dim")))


def _row(out: "Console", name: str, value: str, style: str = "") -> None:
    out.print(_text((f"  {visible(name):<{_LABEL}} ", "cyan"), (value, style)), soft_wrap=True)


def _text(*parts: Any) -> "Text":
    from rich.text import Text  # noqa: PLC0415

    return Text.assemble(*parts)
