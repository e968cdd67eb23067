"""Health rules hold back what they explain: while the keys cannot be fetched, bad signatures are no attack."""

from collections.abc import Iterable

from msgspec.structs import replace

from jwtrail.detect.alert import Alert
from jwtrail.sigma import Meta

__all__ = ["HOLD_US", "Health"]

HOLD_US = 600_000_000
"""How long a health rule without a quiet time of its own holds others back after it fired, µs."""


class Health:
    """Which rules are held back, until when and by whom."""

    def __init__(self, metas: Iterable[Meta]) -> None:
        self._holders = {
            meta.id: (meta.holds_back, meta.suppress_us if meta.suppress_us > 0 else HOLD_US)
            for meta in metas
            if meta.holds_back
        }
        self.held: dict[str, tuple[int, str]] = {}
        """By the code of the rule held back: until when (event time, µs) and the code of the health rule."""

    def judged(self, alert: Alert) -> Alert:
        """The alert, marked when it is held back; an alert of a health rule makes others be held back."""
        if (holder := self._holders.get(alert.rule)) is not None:
            codes, span_us = holder
            for code in codes:
                self.held[code] = (alert.at_us + span_us, alert.code or alert.rule)
        until_us, by = self.held.get(alert.code, (-1, ""))
        return replace(alert, held=by) if alert.at_us <= until_us else alert
