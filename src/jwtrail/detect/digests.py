"""What gives the state of a rule its meaning, as a digest: a snapshot of another form of the rule is not gone on with."""

from collections.abc import Iterable
from hashlib import sha256

import msgspec

from jwtrail.sigma import Correlation, Rule

__all__ = ["shapes_of"]


def shapes_of(rules: Iterable[Rule], correlations: Iterable[Correlation]) -> dict[str, str]:
    """For each rule a digest of all that gives its state a meaning: its own words and those of the rules below it."""
    shapes = {rule.meta.id: _digest(rule.predicate, rule.watch, rule.meta.group_by) for rule in rules}
    for one in correlations:  # each comes after those it refers to
        below = [shapes[source] for source in one.sources]
        shapes[one.meta.id] = _digest(
            one.shape, one.share, one.allow, below, one.span_us, one.meta.group_by, one.aliases
        )
    return shapes


def _digest(*parts: object) -> str:
    return sha256(msgspec.json.encode(parts)).hexdigest()[:16]
