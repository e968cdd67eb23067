"""A Sigma rule's detection as one predicate."""

from typing import Any

from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.rule import SigmaRule

from jwtrail.predicate import ir
from jwtrail.predicate.python import compile_predicate
from jwtrail.sigma.errors import LowerError
from jwtrail.sigma.lists import Lists, expanded
from jwtrail.sigma.values import keyword, lower_value

__all__ = ["MAX_CONDITION", "lower_rule"]

MAX_CONDITION = 4096
"""Characters of one condition; the parser behind it recurses."""


def lower_rule(rule: SigmaRule, lists: Lists) -> ir.Predicate:
    """What the rule's detection means; several conditions are alternatives.

    Args:
        lists: values of placeholders (`%name%` with the modifier `expand`).

    Raises:
        LowerError: a part has no exact predicate.
        sigma.exceptions.SigmaError: the condition does not parse or names what does not exist.
        PredicateError: larger than a predicate may be, or of a value that its field cannot have.
    """
    made = []
    for condition in rule.detection.parsed_condition:
        if len(condition.condition) > MAX_CONDITION:
            raise LowerError(f"a condition longer than {MAX_CONDITION} characters", field=None)
        made.append(_lower(condition.parse(), lists))
    predicate = made[0] if len(made) == 1 else ir.Or(items=tuple(made))
    compile_predicate(predicate)  # a rule that no back end takes must not take the others down with it
    return predicate


def _lower(item: Any, lists: Lists) -> ir.Predicate:
    if isinstance(item, ConditionFieldEqualsValueExpression):
        return lower_value(item.field, expanded(item.value, lists, item.field))
    if isinstance(item, ConditionValueExpression):
        return keyword(expanded(item.value, lists, None))
    if isinstance(item, ConditionAND):
        return ir.And(items=tuple(_lower(part, lists) for part in item.args))
    if isinstance(item, ConditionOR):
        return ir.Or(items=tuple(_lower(part, lists) for part in item.args))
    if isinstance(item, ConditionNOT):
        return ir.Not(item=_lower(item.args[0], lists))
    raise LowerError(f"a condition of the kind {type(item).__name__} is not supported", field=None)
