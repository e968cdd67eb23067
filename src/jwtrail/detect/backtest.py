"""What the rules of one file would have said about a stretch of the trail, by rule, day and group; and what each costs."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from jwtrail.clock import iso
from jwtrail.detect.alert import Alert, group_text
from jwtrail.detect.engine import SELF_INFLICTED, sees_everything
from jwtrail.detect.ruleset import Choices, RuleSet, configured
from jwtrail.errors import ConfigError
from jwtrail.predicate.ir import And, Equals, Not, Or, Predicate

__all__ = ["MAX_GROUPS", "Backtest", "RuleCost", "RuleCount", "alone", "fitting", "summary"]

MAX_GROUPS = 100
"""Groups that are told of each rule and day, those with most alerts first."""


_PASSED_OVER = Or(
    items=(
        Equals(field="event.kind", value="alert"),
        Equals(field="jwtrail.flags", value=SELF_INFLICTED),
    )
)


class RuleCost(Struct, frozen=True, kw_only=True):
    """What one rule costs when it runs over the stretch alone.

    Args:
        fitted: events that fit it, or the rules that it is made of.
        read: events that had to be looked at one by one, among them all that are not sealed yet; the others told it
            nothing new.
        cpu_ms: computed by all threads.
    """

    fitted: int
    read: int
    cpu_ms: int


class RuleCount(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one rule said.

    Args:
        days: by day (UTC) and group, how many alerts; at most `MAX_GROUPS` groups a day.
        cost: only if it was asked for.
    """

    id: str
    code: str
    title: str
    alerts: int
    days: dict[str, dict[str, int]]
    cost: RuleCost | None = None


class Backtest(Struct, frozen=True, kw_only=True):
    """What the rules of a file said.

    Args:
        events: recorded in the stretch; `alerts` on them; `per_10k` alerts on 10,000 events.
        took_ms: what it cost.
    """

    events: int
    alerts: int
    per_10k: float
    took_ms: int
    rules: tuple[RuleCount, ...]

    def rows(self) -> list[tuple[str, str, str, int]]:
        """Day, rule, group and count, in order of days."""
        found = [
            (day, rule.code or rule.title, group, count)
            for rule in self.rules
            for day, groups in rule.days.items()
            for group, count in groups.items()
        ]
        return sorted(found, key=lambda row: (row[0], row[1], -row[3], row[2]))

    def costs(self) -> list[tuple[RuleCount, RuleCost]]:
        """Each rule with what it costs, the dearest first."""
        found = [(rule, rule.cost) for rule in self.rules if rule.cost is not None]
        return sorted(found, key=lambda pair: -pair[1].cpu_ms)


def alone(file: Path, choices: Choices) -> RuleSet:
    """The rules of one file or directory switched on, whatever they say about themselves; all others are only there to be referred to.

    Raises:
        ConfigError: there is no rule in it that alerts; or as `configured`.
    """
    everything = configured(choices, [file])
    own = frozenset(
        rule.meta.id for rule in everything.everything() if rule.meta.alerts and _below(rule.meta.file, file)
    )
    refused = tuple(error for error in everything.refused if _below(error.file, file))
    if not own and not refused:
        raise ConfigError("there is no rule here that alerts", where=str(file))
    others = frozenset(rule.meta.id for rule in everything.everything()) - own
    return replace(everything, disabled=others, enabled=own, refused=refused)


def _below(name: str, file: Path) -> bool:
    return name == str(file) or file in Path(name).parents


def fitting(ruleset: RuleSet) -> Predicate:
    """Events that fit any rule on single events that is in use."""
    return Or(
        items=tuple(
            rule.predicate if sees_everything(rule) else And(items=(rule.predicate, Not(item=_PASSED_OVER)))
            for rule in ruleset.active().rules
        )
    )


def summary(
    ruleset: RuleSet,
    alerts: Sequence[Alert],
    *,
    events: int,
    took_ms: int,
    costs: Mapping[str, RuleCost] | None = None,
) -> Backtest:
    """Alerts counted by rule, day and group; `costs` by a rule's id."""
    counts: dict[str, dict[str, Counter[str]]] = {}
    for alert in alerts:
        day = counts.setdefault(alert.rule, {}).setdefault(iso(alert.at_us)[:10], Counter())
        day[group_text(alert.group)] += 1
    rules = tuple(
        RuleCount(
            id=meta.id,
            code=meta.code,
            title=meta.title,
            alerts=sum(alert.rule == meta.id for alert in alerts),
            days={
                day: dict(groups.most_common(MAX_GROUPS)) for day, groups in counts.get(meta.id, {}).items()
            },
            cost=(costs or {}).get(meta.id),
        )
        for meta in ruleset.metas()
        if ruleset.is_on(meta)
    )
    return Backtest(
        events=events,
        alerts=len(alerts),
        per_10k=10_000 * len(alerts) / events if events else 0.0,
        took_ms=took_ms,
        rules=rules,
    )
