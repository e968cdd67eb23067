"""Alerts and a store for the tests of this room."""

from typing import Any

from jwtrail.detect import Alert, Targets
from jwtrail.sigma import Proposal

NOW_US = 1_767_225_600_000_000
MINUTE = 60_000_000
WHO = Targets(jti="jti-1", family="fam-1", user="alice", source="203.0.113.7", route="/orders/{id}")


def alert(code: str = "B2", number: int = 1, targets: Targets = WHO, **fields: Any) -> Alert:
    """An alert of a rule."""
    given = {
        "id": f"{number:032x}",
        "rule": f"rule-{code}",
        "code": code,
        "name": "A rule",
        "level": "high",
        "group": {"user.id": "alice"},
        "at_us": NOW_US,
        "first_us": NOW_US - MINUTE,
        "sequence": number,
        "first_event": "e0",
        "events": ("e0", "e1"),
        "count": 2,
        "targets": targets,
        "proposal": Proposal(kind="block"),
    }
    return Alert(**(given | fields))
