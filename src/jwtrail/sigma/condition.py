"""Conditions of correlations: comparisons with numbers, and Sigma 2.2's conditions on the rules that were seen."""

from typing import Any, cast, get_args

from sigma.correlations import (
    CorrelationConditionAND,
    CorrelationConditionItem,
    CorrelationConditionNOT,
    SigmaExtendedCorrelationCondition,
    SigmaRuleReference,
)

from jwtrail.sigma.document import Document
from jwtrail.sigma.shapes import (
    Bound,
    Op,
    TemporalCondition,
    TemporalOrdered,
)

__all__ = ["MAX_COUNT", "bounds_of", "ordered_of", "sooner", "temporal_of"]

MAX_COUNT = 100_000
"""Highest threshold of what is counted: a group keeps that many entries."""

PATH = ("correlation", "condition")


def bounds_of(document: Document, *, counted: bool) -> tuple[Bound, ...]:
    """The comparisons of a condition; several are a range.

    Args:
        counted: they are about a number of things, not about a measured value.

    Raises:
        RuleError: none, an impossible range, or a threshold out of bounds.
    """
    given = document.data["correlation"]["condition"]
    made = tuple(
        Bound(cast("Op", op), _number(document, op, value, counted=counted))
        for op, value in given.items()
        if op in get_args(Op)
    )
    low = max((one.value for one in made if one.op in ("gt", "gte")), default=float("-inf"))
    high = min((one.value for one in made if one.op in ("lt", "lte")), default=float("inf"))
    if low > high:
        raise document.error(f"no number is above {low} and below {high}", PATH)
    return made


def sooner(bounds: tuple[Bound, ...]) -> bool:
    """Whether a growing number that fulfils them goes on doing so: then nobody has to wait for the window's end."""
    return all(bound.op in ("gt", "gte") for bound in bounds)


def _number(document: Document, op: str, value: Any, *, counted: bool) -> int | float:
    path = (*PATH, op)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise document.error(f"{value!r} is not a number", path)
    if counted and not (isinstance(value, int) and 0 <= value <= MAX_COUNT):
        raise document.error(f"the threshold must be a whole number from 1 to {MAX_COUNT}", path)
    return value


def temporal_of(parsed: SigmaExtendedCorrelationCondition, numbers: dict[str, int]) -> TemporalCondition:
    """A condition in any order; `numbers` are the rules' by the names they have in it."""
    made: list[int | str] = []
    _postfix(parsed.parsed, numbers, made)
    return TemporalCondition(condition=tuple(made), at_end="not" in made)


def _postfix(item: Any, numbers: dict[str, int], made: list[int | str]) -> None:
    if isinstance(item, SigmaRuleReference):
        made.append(numbers[item.reference])
        return
    word = "and" if isinstance(item, CorrelationConditionAND) else "or"
    for place, part in enumerate(item.args):
        _postfix(part, numbers, made)
        if isinstance(item, CorrelationConditionNOT):
            made.append("not")
        elif place:
            made.append(word)


def ordered_of(
    document: Document, parsed: SigmaExtendedCorrelationCondition, numbers: dict[str, int]
) -> TemporalOrdered:
    """A condition in order: rules joined by `and`; `not` before one that must not come between its neighbours.

    Raises:
        RuleError: it has another form.
    """
    steps, guards = 0, []
    parts = parsed.parsed.args if isinstance(parsed.parsed, CorrelationConditionAND) else [parsed.parsed]
    for part in parts:
        negative = isinstance(part, CorrelationConditionNOT)
        rule = part.args[0] if isinstance(part, CorrelationConditionItem) and negative else part
        if not isinstance(rule, SigmaRuleReference):
            raise document.error("in order there are only rules, `and`, and `not` before a rule", PATH)
        if negative:
            guards.append((numbers[rule.reference], steps - 1))
        steps += not negative
    if any(step < 0 or step == steps - 1 for _, step in guards):
        raise document.error(
            "in order, `not` stands between two rules", PATH, "for what must not follow at all use temporal"
        )
    return TemporalOrdered(guards=tuple(guards))
