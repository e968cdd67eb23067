"""The auditor: reads a trail as a stranger would and names what is wrong. Shares no code with what wrote it."""

from jwtrail.trail.fsck.audit import verify
from jwtrail.trail.fsck.report import KINDS, Finding, Kind, Report

__all__ = ["KINDS", "Finding", "Kind", "Report", "verify"]
