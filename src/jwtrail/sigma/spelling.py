"""Spellings of Sigma that pySigma does not know, written as those it knows."""

from typing import Any

__all__ = ["spelled"]

_MODIFIERS = {"utf16le": "wide"}
"""Names of one modifier: Sigma 2.1 has `utf16le` and its older name `wide`, pySigma only the latter."""


def spelled(data: dict[str, Any]) -> dict[str, Any]:
    """The rule or filter with every modifier under the name pySigma knows; the given one is not changed."""
    return {key: _part(value) if key in ("detection", "filter") else value for key, value in data.items()}


def _part(value: Any) -> Any:
    if isinstance(value, dict):
        return {_key(key): _part(inner) for key, inner in value.items()}
    return [_part(item) for item in value] if isinstance(value, list) else value


def _key(key: Any) -> Any:
    if not isinstance(key, str) or "|" not in key:
        return key
    field, *modifiers = key.split("|")
    return "|".join((field, *(_MODIFIERS.get(modifier, modifier) for modifier in modifiers)))
