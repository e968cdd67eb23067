"""Who the alerts are about: groups of alerts, and a score for each user, token and source. Pure."""

from collections.abc import Iterable
from typing import Literal

import msgspec
from msgspec import Struct

from jwtrail.detect import Alert
from jwtrail.detect.alert import SEVERITY, titled
from jwtrail.sigma import Level
from jwtrail.state.records import AlertRow

__all__ = ["HALF_LIFE_US", "MAX_COUNTED", "WEIGHTS", "AlertGroup", "Risk", "RiskKey", "groups_of", "risks_of"]

RiskKey = Literal["user", "token", "source"]

WEIGHTS: dict[Level, float] = {"informational": 0, "low": 2, "medium": 10, "high": 30, "critical": 80}
"""What one alert adds on the day it is raised: three of a level weigh about as much as one of the next."""

HALF_LIFE_US = 3 * 86_400 * 1_000_000
"""After so long an alert counts half, µs."""

MAX_COUNTED = 20_000
"""Alerts that groups and scores are made of."""

HARMLESS = frozenset({"false_positive", "benign", "testing"})
"""Reasons of closing that take an alert out of the score."""

_TARGETS: dict[RiskKey, str] = {"user": "user", "token": "jti", "source": "source"}

_decode = msgspec.json.Decoder(Alert).decode


class AlertGroup(Struct, frozen=True, kw_only=True):
    """Alerts of one rule for one group.

    Args:
        id: of the newest alert.
        open: how many are not closed.
    """

    rule: str
    title: str
    level: Level
    group: str
    id: str
    alerts: int
    open: int
    first_us: int
    last_us: int


class Risk(Struct, frozen=True, kw_only=True):
    """What the alerts about one user, token or source come to.

    Args:
        score: sum of the alerts' weights, each halved every `HALF_LIFE_US`.
        rules: titles, the heaviest first.
    """

    key: RiskKey
    value: str
    score: float
    alerts: int
    worst: Level
    last_us: int
    rules: tuple[str, ...]


def groups_of(rows: Iterable[AlertRow]) -> tuple[AlertGroup, ...]:
    """Alerts put together by rule and group; those with the newest alert first."""
    found: dict[tuple[str, str], list[AlertRow]] = {}
    for row in rows:
        found.setdefault((row.rule, row.group), []).append(row)
    made = []
    for ones in found.values():
        newest = max(ones, key=_moment)
        alert = _decode(newest.doc)
        made.append(
            AlertGroup(
                rule=newest.rule,
                title=titled(alert),
                level=alert.level,
                group=newest.group,
                id=newest.id,
                alerts=len(ones),
                open=sum(row.status != "closed" for row in ones),
                first_us=min(row.at_us for row in ones),
                last_us=newest.at_us,
            )
        )
    return tuple(sorted(made, key=lambda one: (-one.last_us, one.id)))


def risks_of(rows: Iterable[AlertRow], key: RiskKey, now_us: int) -> tuple[Risk, ...]:
    """Everyone that alerts are about, the highest score first.

    Only verified identities and sources count: nobody gets a score because an attacker wrote their name into a token.
    Alerts that were closed as harmless, or held back by a health rule, count nothing.
    """
    found: dict[str, list[tuple[float, Alert]]] = {}
    for row in rows:
        alert = _decode(row.doc)
        value: str = getattr(alert.targets, _TARGETS[key])
        if not value or alert.held or row.reason in HARMLESS:
            continue
        weight = WEIGHTS[alert.level] * 0.5 ** (max(0, now_us - row.at_us) / HALF_LIFE_US)
        found.setdefault(value, []).append((weight, alert))
    made = [_risk(key, value, weighed) for value, weighed in found.items()]
    return tuple(sorted(made, key=lambda one: (-one.score, one.value)))


def _risk(key: RiskKey, value: str, weighed: list[tuple[float, Alert]]) -> Risk:
    by_rule: dict[str, float] = {}
    for weight, alert in weighed:
        by_rule[titled(alert)] = by_rule.get(titled(alert), 0) + weight
    return Risk(
        key=key,
        value=value,
        score=round(sum(by_rule.values()), 1),
        alerts=len(weighed),
        worst=max((alert.level for _, alert in weighed), key=SEVERITY.__getitem__),
        last_us=max(alert.at_us for _, alert in weighed),
        rules=tuple(sorted(by_rule, key=lambda name: (-by_rule[name], name))),
    )


def _moment(row: AlertRow) -> tuple[int, str]:
    return row.at_us, row.id
