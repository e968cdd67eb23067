"""Which rules look at fields that only a database of addresses fills."""

from collections.abc import Iterator

from jwtrail.detect.ruleset import RuleSet
from jwtrail.predicate import ir
from jwtrail.sigma import Correlation, NewTerms, Rule, Temporal, TemporalOrdered, Travel, ValueCount, Watch

__all__ = ["without_database"]

_FILLED = ("source.geo.", "source.as.")


def without_database(ruleset: RuleSet) -> tuple[str, ...]:
    """Codes of the rules in use that say nothing while no database says where addresses are."""
    active = ruleset.active()
    silent = {rule.meta.id for rule in active.rules if _wanted(rule)}
    for one in active.correlations:  # each stands after those it refers to
        together = isinstance(one.shape, Temporal | TemporalOrdered)
        below = [source in silent for source in one.sources]
        if _counted(one) or (any(below) if together else all(below)):
            silent.add(one.meta.id)
    return tuple(sorted(meta.code for meta in ruleset.metas() if meta.id in silent and ruleset.is_on(meta)))


def _wanted(rule: Rule) -> bool:
    """Whether it cannot fit without such a field."""
    return any(map(_is_filled, (*_watched(rule.watch), *_needed(rule.predicate))))


def _watched(watch: Watch | None) -> tuple[str, ...]:
    match watch:
        case NewTerms(fields=fields):
            return fields
        case Travel(field=field):
            return (field,)
    return ()


def _counted(rule: Correlation) -> bool:
    counted = rule.shape.fields if isinstance(rule.shape, ValueCount) else ()
    return any(map(_is_filled, (*rule.meta.group_by, *counted)))


def _needed(node: ir.Predicate) -> Iterator[str]:
    """Fields that must be there: not those of an alternative, nor of what must not hold."""
    match node:
        case ir.And(items=items):
            for item in items:
                yield from _needed(item)
        case ir.Exists(field=field) | ir.Equals(field=field) | ir.Range(field=field):
            yield field


def _is_filled(field: str) -> bool:
    return field.startswith(_FILLED)
