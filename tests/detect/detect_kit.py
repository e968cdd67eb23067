"""Events and rules for the tests of this room."""

from collections.abc import Iterable, Sequence
from typing import Any

from jwtrail.clock import iso
from jwtrail.detect import Alert, Detector, RuleSet
from jwtrail.ecs import Event
from jwtrail.sigma import load_rules

START_US = 1_767_225_600_000_000
SECOND = 1_000_000

BASES = """
title: A
id: aaaaaaaa-0000-4000-8000-000000000001
name: a
logsource: {product: jwtrail}
detection: {selection: {event.action: a}, condition: selection}
---
title: B
id: aaaaaaaa-0000-4000-8000-000000000002
name: b
logsource: {product: jwtrail}
detection: {selection: {event.action: b}, condition: selection}
---
title: C
id: aaaaaaaa-0000-4000-8000-000000000003
name: c
logsource: {product: jwtrail}
detection: {selection: {event.action: c}, condition: selection}
"""


def ruleset(*texts: str) -> RuleSet:
    """Rules made of texts; they must all load."""
    loaded = load_rules({f"{number}.yml": text for number, text in enumerate(texts)})
    assert loaded.refused == ()
    return RuleSet(rules=loaded.rules, correlations=loaded.correlations)


def correlation(
    kind: str, *, rules: str = "[a]", span: str = "10s", condition: str = "", more: str = ""
) -> RuleSet:
    """The rules A, B and C (actions a, b and c) under one correlation by user.id."""
    text = f"""
title: The correlation
id: bbbbbbbb-0000-4000-8000-000000000001
correlation:
  type: {kind}
  rules: {rules}
  group-by: [user.id]
  timespan: {span}
"""
    return ruleset(BASES, text + (f"  condition: {condition}\n" if condition else "") + more)


def event(sequence: int, seconds: float, action: str = "a", user: str | None = "u", **fields: Any) -> Event:
    """An event at `seconds`, with its place in the trail."""
    return Event(
        timestamp=iso(START_US + round(seconds * SECOND)),
        event_id=f"e{sequence}",
        event_sequence=sequence,
        event_action=action,
        event_kind="event",
        user_id=user,
        **fields,
    )


def at(times: Iterable[float], **fields: Any) -> list[Event]:
    """One event for each time, in this order in the trail."""
    return [event(number, seconds, **fields) for number, seconds in enumerate(times)]


def word(actions: str, **fields: Any) -> list[Event]:
    """One event a second for each letter."""
    return [event(number, number, action, **fields) for number, action in enumerate(actions)]


def fed(rules: RuleSet, events: Sequence[Event]) -> list[Alert]:
    """The alerts of a fresh detector."""
    return Detector(rules).feed(events)
