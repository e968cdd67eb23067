"""Rules that test themselves: every rule carries events that must match and near misses that must not."""

from typing import Any

import msgspec
from msgspec import Struct

from jwtrail.clock import iso
from jwtrail.detect.alert import Alert
from jwtrail.detect.engine import Detector
from jwtrail.detect.ruleset import RuleSet
from jwtrail.ecs import Event, decode_document, near_miss
from jwtrail.ecs.catalogue import resolve
from jwtrail.sigma import Example, ExampleEvents, Meta

__all__ = ["EXAMPLE_START_US", "ExampleResult", "events_of", "run_examples"]

EXAMPLE_START_US = 1_767_225_600_000_000
"""Examples begin at 2026-01-01T00:00:00Z; any other time gives the same."""


class ExampleResult(Struct, frozen=True, kw_only=True):
    """How one example went.

    Args:
        expected: alerts it should give; `alerts` those it gave.
        problem: why it could not be run, else empty.
    """

    rule: str
    code: str
    title: str
    example: str
    expected: int
    alerts: tuple[Alert, ...] = ()
    problem: str = ""

    @property
    def passed(self) -> bool:
        """Whether the rule said what the example wants."""
        return not self.problem and len(self.alerts) == self.expected


def run_examples(ruleset: RuleSet) -> list[ExampleResult]:
    """Every example of every rule, each against its rule alone, in the rules' order. Takes some ms an example."""
    return [_run(ruleset, meta, example) for meta in ruleset.metas() for example in meta.examples]


def events_of(example: Example) -> list[Event]:
    """The example's events in the order of their time, with a place in a trail of their own.

    Raises:
        ValueError: a field that does not exist or holds the wrong type.
    """
    timed = [
        (at_us, _document(source, number))
        for source in example.events
        for number, at_us in enumerate(_times(source), start=1)
    ]
    timed.sort(key=lambda pair: pair[0])
    return [_event(document, at_us, sequence) for sequence, (at_us, document) in enumerate(timed)]


def _run(ruleset: RuleSet, meta: Meta, example: Example) -> ExampleResult:
    alerts: tuple[Alert, ...] = ()
    problem = ""
    try:
        alerts = tuple(Detector(ruleset.only(meta.id)).feed(events_of(example)))
    except ValueError as error:
        problem = str(error)
    return ExampleResult(
        rule=meta.id,
        code=meta.code,
        title=meta.title,
        example=example.name,
        expected=example.alerts,
        alerts=alerts,
        problem=problem,
    )


def _times(source: ExampleEvents) -> list[int]:
    start = EXAMPLE_START_US + round(source.at * 1_000_000)
    return [start + round(source.every * 1_000_000 * number) for number in range(source.repeat)]


def _document(source: ExampleEvents, number: int) -> dict[str, Any]:
    return {name: _filled(value, number) for name, value in source.set.items()}


def _filled(value: Any, number: int) -> Any:
    if isinstance(value, str):
        return value.replace("{n}", str(number))
    return [_filled(item, number) for item in value] if isinstance(value, list) else value


def _event(document: dict[str, Any], at_us: int, sequence: int) -> Event:
    for name in document:
        if resolve(name) is None:
            msg = f"no field {name}; {near_miss(name)}"
            raise ValueError(msg)
    given = {"event.id": f"example-{sequence}", "@timestamp": iso(at_us), "event.kind": "event"}
    try:
        return decode_document(given | document | {"event.sequence": sequence})
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None
