"""Reads the text cases of this folder: a query, then what is expected of it; adding one needs no code.

    > user.id: alice            the query
    = user.id: "alice"          its predicate, printed (`predicate.text`)
    : 1 3                       ids of the file's events that fit, in Python and in SQL
    dsl {...}                   its query DSL
    ! 1-7 no field usr.id       refused: first and last wrong character, 1-based, and the beginning of the message
    ? did you mean              part of the hint
    no-dsl ...                  the DSL writer refuses it: the beginning of the message

Lines `event ID {...}` before the first query are the events; `now TIME` is what `now` means; `#` begins a comment.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

from jwtrail.clock import parse_iso
from jwtrail.ecs import Event, decode_document


@dataclass
class Case:
    name: str
    query: str
    now_us: int
    events: list[Event]
    expected: dict[str, str] = field(default_factory=dict)


def read_cases(path: Path) -> list[Case]:
    events: list[Event] = []
    cases: list[Case] = []
    now_us = parse_iso("2026-11-23T12:00:00Z")
    for number, line in enumerate(path.read_text().splitlines(), 1):
        mark, _, rest = line.partition(" ")
        if not line or mark == "#":
            continue
        if mark == "event":
            event_id, _, document = rest.partition(" ")
            base = {"@timestamp": "2026-11-23T10:00:00.000000Z", "event.id": event_id}
            events.append(decode_document(base | json.loads(document)))
        elif mark == "now":
            now_us = parse_iso(rest)
        elif mark == ">":
            cases.append(Case(f"{path.stem}:{number}", rest, now_us, events))
        else:
            cases[-1].expected[mark] = rest
    return cases
