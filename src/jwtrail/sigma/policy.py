"""How pySigma runs here: regular expressions through RE2, quietly and within bounds."""

from typing import cast

import re2
from sigma.policy import SigmaPolicy
from sigma.policy.regex_engine import RegexEngine, RegexPattern

from jwtrail.predicate.values import regex, regex_source

__all__ = ["POLICY"]


class _BoundedRe2(RegexEngine):
    """pySigma's own RE2 engine writes to standard error and has no bound on memory."""

    def compile(self, pattern: str, flags: int = 0) -> RegexPattern:  # noqa: ARG002  # they cannot make a pattern invalid
        return cast("RegexPattern", regex(regex_source(pattern, "")))

    @property
    def error(self) -> type[Exception]:
        return cast("type[Exception]", re2.error)


POLICY = SigmaPolicy(regex_engine=_BoundedRe2())
