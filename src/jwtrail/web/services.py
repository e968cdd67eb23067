"""What the console needs from the daemon. `runtime` fills it in; nothing here is found or started by the console itself."""

from collections.abc import Callable
from dataclasses import dataclass, field

from msgspec import Struct

from jwtrail import clock
from jwtrail.clock import Clock
from jwtrail.ecs import Event
from jwtrail.query.store import Store
from jwtrail.runtime.explain import Explanation
from jwtrail.state import StateStore
from jwtrail.state.records import RevocationKind
from jwtrail.web.live import Live
from jwtrail.web.shapes import DetectorStatus, Proof, RulesPage, TrailStatus

__all__ = ["Facts", "Services"]


class Facts(Struct, frozen=True, kw_only=True):
    """What only the daemon knows at this moment. Asked for every few seconds by each browser, so it must be cheap.

    Args:
        service: name of the API whose trail this is; empty when several write to it.
        size: events in the trail, also those not signed yet.
        events_per_minute: over the last minute.
    """

    service: str = ""
    size: int = 0
    segments: int = 0
    started_us: int = 0
    events_per_minute: int = 0
    trail: TrailStatus = TrailStatus(state="unverified")
    detector: DetectorStatus = DetectorStatus()


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The rooms below, as the console uses them.

    Args:
        store: searches the trail.
        state: alerts, revocations, issued tokens.
        explain: the story of the event with this id. Raises `EventNotFound`.
        prove: proof of the event with this id. Raises `EventNotFound`, and `ProofError` while it is not signed yet.
        facts: what the daemon knows.
        rules: the rule set that runs.
        record: puts an event into the trail; must not block for long.
        ends: when a revocation made at a time may be forgotten: after the last token that it concerns.
        metrics: the page that Prometheus reads.
        log: a resource of the tiled log by its path below `/tlog/`; None when there is none.
        live: where the daemon publishes new events and alerts.
        now_us: the time.
    """

    store: Store
    state: StateStore
    explain: Callable[[str], Explanation]
    prove: Callable[[str], Proof]
    facts: Callable[[], Facts]
    rules: Callable[[], RulesPage]
    record: Callable[[Event], None]
    ends: Callable[[RevocationKind, str, int], int]
    log: Callable[[str], bytes | None]
    metrics: Callable[[], bytes]
    live: Live = field(default_factory=Live)
    now_us: Clock = clock.now_us
