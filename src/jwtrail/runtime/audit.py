"""Checks the trail in the background: at start and every hour, with the same auditor as `jwtrail trail verify`."""

from collections.abc import Callable

from msgspec import Struct

from jwtrail import clock
from jwtrail.ecs import Event, event_for
from jwtrail.errors import JwtrailError
from jwtrail.runtime.ticking import Ticker
from jwtrail.trail import fsck
from jwtrail.trail.layout import Layout
from jwtrail.trail.settings import TrailSettings

__all__ = ["Audit", "Auditor"]

EVERY_S = 3600.0
FIRST_S = 5.0
"""After the start, when the first requests have been served."""


class Audit(Struct, frozen=True):
    """The outcome of the last check. `ok` is None before the first."""

    ok: bool | None = None
    at_us: int = 0
    detail: str = "not checked yet"


class Auditor:
    """Runs fsck in a thread and records `trail-verified` or `trail-broken`."""

    def __init__(self, layout: Layout, settings: TrailSettings, record: Callable[[Event], None]) -> None:
        self.last = Audit()
        self._layout = layout
        self._settings = settings
        self._record = record
        self._ticker = Ticker("jwtrail-auditor", self._tell, EVERY_S, FIRST_S)

    def start(self) -> None:
        """Begin; the first check comes after `FIRST_S`."""
        self._ticker.start()

    def close(self) -> None:
        """Stop; a check that runs is waited for, at most half a minute."""
        self._ticker.close()

    def check(self) -> Audit:
        """Check now."""
        try:
            report = fsck.verify(self._layout.root, mirror=self._settings.mirror)
        except JwtrailError as error:
            self.last = Audit(False, clock.now_us(), str(error))
        else:
            detail = (
                f"{report.size} events"
                if report.ok
                else "; ".join(str(finding) for finding in report.findings[:3])
            )
            self.last = Audit(report.ok, clock.now_us(), detail)
        return self.last

    def _tell(self) -> None:
        audit = self.check()
        action = "trail-verified" if audit.ok else "trail-broken"
        outcome = "success" if audit.ok else "failure"
        self._record(event_for(action, service_name="jwtrail", event_outcome=outcome, message=audit.detail))
