"""What a detector said about a simulated time, against the labels."""

from collections.abc import Iterable

from msgspec import Struct

from jwtrail.simulate.month import Label

__all__ = ["Found", "Score", "scored"]


class Found(Struct, frozen=True):
    """What counts of an alert: the code of its rule and the ids of its events."""

    code: str
    events: tuple[str, ...]


class Score(Struct, frozen=True):
    """Alerts against labels.

    Args:
        attacks, found: attacks that happened, and those of which a rule meant for them spoke.
        missed: titles of the others, with their code.
        alerts, idle: all alerts, and those that touch no event of an attack; `idle_by` counts these by code.
        recall: share of attacks that were found, 0 to 1; 1 without attacks.
        precision: share of alerts that touch an attack, 0 to 1; 1 without alerts.
        idle_per_10k: idle alerts for 10,000 events of everyday life.
    """

    attacks: int
    found: int
    missed: tuple[str, ...]
    alerts: int
    idle: int
    idle_by: dict[str, int]
    recall: float
    precision: float
    idle_per_10k: float


def scored(labels: Iterable[Label], alerts: Iterable[Found], events: int) -> Score:
    """Count.

    Args:
        events: how many events there were in all.
    """
    labels, alerts = list(labels), list(alerts)
    attack_of = {event: number for number, label in enumerate(labels) for event in label.events}
    hit: set[int] = set()
    idle: dict[str, int] = {}
    for alert in alerts:
        touched = {attack_of[event] for event in alert.events if event in attack_of}
        hit |= {number for number in touched if alert.code in labels[number].found_by}
        if not touched:
            idle[alert.code] = idle.get(alert.code, 0) + 1
    false = sum(idle.values())
    return Score(
        attacks=len(labels),
        found=len(hit),
        missed=tuple(
            f"{label.code} {label.title}" for number, label in enumerate(labels) if number not in hit
        ),
        alerts=len(alerts),
        idle=false,
        idle_by=dict(sorted(idle.items(), key=lambda pair: -pair[1])),
        recall=len(hit) / len(labels) if labels else 1.0,
        precision=1 - false / len(alerts) if alerts else 1.0,
        idle_per_10k=false * 10_000 / max(1, events - len(attack_of)),
    )
