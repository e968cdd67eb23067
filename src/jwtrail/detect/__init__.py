"""Detection: Sigma rules on the stream of events, with the same alerts live, replayed and in tests."""

from jwtrail.detect.alert import Alert, Targets, event_of, group_text, stable_id
from jwtrail.detect.engine import Detector, Stats
from jwtrail.detect.examples import ExampleResult, run_examples
from jwtrail.detect.ruleset import RuleSet, load_ruleset

__all__ = [
    "Alert",
    "Detector",
    "ExampleResult",
    "RuleSet",
    "Stats",
    "Targets",
    "event_of",
    "group_text",
    "load_ruleset",
    "run_examples",
    "stable_id",
]
