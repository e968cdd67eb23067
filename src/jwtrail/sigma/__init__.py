"""Sigma rules: parsed by pySigma, kept as frozen records, lowered to `predicate.ir`."""

from jwtrail.sigma.load import load_rules
from jwtrail.sigma.records import (
    Correlation,
    EventCount,
    Example,
    ExampleEvents,
    Level,
    Loaded,
    Meta,
    Proposal,
    Rule,
    Shape,
    Temporal,
    TemporalOrdered,
    ValueCount,
)

__all__ = [
    "Correlation",
    "EventCount",
    "Example",
    "ExampleEvents",
    "Level",
    "Loaded",
    "Meta",
    "Proposal",
    "Rule",
    "Shape",
    "Temporal",
    "TemporalOrdered",
    "ValueCount",
    "load_rules",
]
