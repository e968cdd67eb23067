"""How long an engine keeps the events: policies of Elasticsearch (ILM) and OpenSearch (ISM).

Both count from the rollover of an index, so each event stays at least as long as asked for, and a month more at the most.
"""

import re
from typing import Any

from msgspec import Struct

from jwtrail.elastic.streams import PATTERN
from jwtrail.errors import ConfigError

__all__ = ["MAX_DAYS", "ROLLOVER_DAYS", "ROLLOVER_GB", "Keeping", "ilm_policy", "ism_policy"]

ROLLOVER_DAYS = 30
"""An index is closed off after so many days: what deletion can be late by."""

ROLLOVER_GB = 50
"""Or at this size of a primary shard, which both makers recommend as the most."""

MAX_DAYS = 36_500

_DAYS = re.compile(r"days-([1-9][0-9]{0,4})")


class Keeping(Struct, frozen=True):
    """What becomes of old events in the engine.

    Args:
        days: they are deleted after so many; 0 keeps them for ever.
    """

    days: int = 0

    @classmethod
    def parse(cls, text: str, *, retention_days: int) -> "Keeping":
        """`never`, `retention` (when the trail's own period is over), or `days-N`.

        Raises:
            ConfigError: none of them, or shorter than the retention period.
        """
        if text == "never":
            return cls()
        if text == "retention" and retention_days:
            return cls(retention_days)
        found = _DAYS.fullmatch(text)
        days = int(found[1]) if found else 0
        if not 0 < days <= MAX_DAYS:
            raise ConfigError(
                "there is no retention period" if text == "retention" else f"{text!r} is no period",
                where="engine.delete_after",
                hint="set trail.retention"
                if text == "retention"
                else f"never, retention, or days-N up to {MAX_DAYS}",
            )
        if days < retention_days:
            raise ConfigError(
                f"{days} days are less than the {retention_days} that trail.retention asks for",
                where="engine.delete_after",
                hint=f"days-{retention_days} or more",
            )
        return cls(days)


def ilm_policy(keeping: Keeping) -> dict[str, Any]:
    """`policy` of `PUT _ilm/policy/…`."""
    rollover = {"max_age": f"{ROLLOVER_DAYS}d", "max_primary_shard_size": f"{ROLLOVER_GB}gb"}
    phases: dict[str, Any] = {"hot": {"min_age": "0ms", "actions": {"rollover": rollover}}}
    if keeping.days:
        phases["delete"] = {"min_age": f"{keeping.days}d", "actions": {"delete": {}}}
    return {"phases": phases}


def ism_policy(keeping: Keeping) -> dict[str, Any]:
    """`policy` of `PUT _plugins/_ism/policies/…`; its template attaches it to our data streams."""
    rollover = {"min_index_age": f"{ROLLOVER_DAYS}d", "min_primary_shard_size": f"{ROLLOVER_GB}gb"}
    deleting = {"state_name": "delete", "conditions": {"min_rollover_age": f"{keeping.days}d"}}
    states: list[dict[str, Any]] = [
        {
            "name": "hot",
            "actions": [{"rollover": rollover}],
            "transitions": [deleting] if keeping.days else [],
        }
    ]
    if keeping.days:
        states.append({"name": "delete", "actions": [{"delete": {}}], "transitions": []})
    return {
        "default_state": "hot",
        "states": states,
        "ism_template": [{"index_patterns": [PATTERN], "priority": 500}],
    }
