"""Records from elsewhere, made into events of the trail."""

from jwtrail.trail.intake.line import Line, Parser, Unreadable, lines_of
from jwtrail.trail.intake.run import Taken, take

__all__ = ["Line", "Parser", "Taken", "Unreadable", "lines_of", "take"]
