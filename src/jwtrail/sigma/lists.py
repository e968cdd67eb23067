"""Placeholders (`%name%` with the modifier `expand`): lists of values that the operator sets."""

import copy
from collections.abc import Mapping, Sequence

from sigma.types import (
    Placeholder,
    SigmaExpansion,
    SigmaRegularExpression,
    SigmaString,
    SigmaType,
    SpecialChars,
)

from jwtrail.sigma.errors import LowerError

__all__ = ["MAX_EXPANDED", "Lists", "expanded"]

Lists = Mapping[str, Sequence[str]]
"""Values by the name of their placeholder. `*` and `?` in a value are wildcards, as in a rule."""

MAX_EXPANDED = 2_000
"""Texts that one value with placeholders may come to."""

_Part = str | SpecialChars | Placeholder


def expanded(value: SigmaType, lists: Lists, field: str | None) -> SigmaType:
    """The value with every placeholder that has a list written out; one without a list stays, and is refused later.

    Raises:
        LowerError: more than `MAX_EXPANDED` texts, or a placeholder in a regular expression.
    """
    if isinstance(value, SigmaExpansion):
        return SigmaExpansion([expanded(item, lists, field) for item in value.values])
    if isinstance(value, SigmaRegularExpression) and value.contains_placeholder():
        raise LowerError("a placeholder in a regular expression", field=field, hint="use contains|expand")
    if not isinstance(value, SigmaString) or not value.contains_placeholder():
        return value
    made: list[tuple[_Part, ...]] = [()]
    for part in value.s:
        choices = _choices(part, lists)
        if len(made) * len(choices) > MAX_EXPANDED:
            raise LowerError(f"more than {MAX_EXPANDED} values in place of one", field=field)
        made = [(*before, *choice) for before in made for choice in choices]
    return SigmaExpansion([_like(value, parts) for parts in made])


def _choices(part: _Part, lists: Lists) -> list[tuple[_Part, ...]]:
    if isinstance(part, Placeholder) and part.name in lists:
        return [tuple(SigmaString(text).s) for text in lists[part.name]]
    return [(part,)]


def _like(value: SigmaString, parts: tuple[_Part, ...]) -> SigmaString:
    """A text of these parts of the same class, so that `cased` is kept."""
    made = copy.copy(value)
    made.s = list(parts)
    return made
