"""A service over many days in seconds: the life of its people, its incidents, and attacks that are labelled."""

from jwtrail.simulate.month import KNOWN, Label, Month, Plan, simulated
from jwtrail.simulate.score import Found, Score, scored

__all__ = ["KNOWN", "Found", "Label", "Month", "Plan", "Score", "scored", "simulated"]
