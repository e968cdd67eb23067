"""What Prometheus may ask of the daemon. It sees every event of every worker, so it counts for all of them.

No label holds a user, a token, an address or a path: what there can be is bounded by tables of ours and by the rules.
"""

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal

from msgspec import Struct
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from jwtrail import __version__
from jwtrail.ecs import REASONS, Event
from jwtrail.respond.events import CAUGHT_UP

__all__ = ["CONTENT_TYPE", "METRICS", "Gauges", "Meter", "Metrics"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Of the page; every Prometheus reads this format."""

Kind = Literal["counter", "gauge", "histogram"]


class Row(Struct, frozen=True):
    """One metric: its name without suffix, what it is, its labels and what it says."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    doc: str


METRICS = {
    row.name: row
    for row in (
        Row("jwtrail_verifications", "counter", ("outcome", "reason"), "Requests with a token, accepted or rejected, and why."),
        Row("jwtrail_tokens_issued", "counter", ("kind",), "Tokens issued, exchanges among them."),
        Row("jwtrail_revocations", "counter", ("cause",), "Revocations: by a detector, the reuse of a refresh token, a sign-out, an operator."),
        Row("jwtrail_events_written", "counter", ("dataset",), "Events that got their place in the trail."),
        Row("jwtrail_events_dropped", "counter", ("cause",), "Events that were lost before they reached the trail, as workers told."),
        Row("jwtrail_alerts", "counter", ("rule", "severity"), "Alerts raised."),
        Row("jwtrail_detection_lag_seconds", "histogram", (), "From the event that completed a detection to its alert."),
        Row("jwtrail_trail_size", "gauge", (), "Events in the trail."),
        Row("jwtrail_trail_intact", "gauge", (), "1 while the last audit found the trail whole, 0 when it did not; absent before the first."),
        Row("jwtrail_trail_last_verified_timestamp_seconds", "gauge", (), "When the last audit ended."),
        Row("jwtrail_disk_used_ratio", "gauge", (), "Part of the trail's disk that is in use, 0 to 1; absent when the disk cannot be asked."),
        Row("jwtrail_disk_free_bytes", "gauge", (), "Bytes of that disk that are free to the daemon."),
        Row("jwtrail_witness_up", "gauge", (), "1 while the witness cosigns, 0 when it refuses or cannot be asked; absent without one."),
        Row("jwtrail_witness_size", "gauge", (), "Events that the witness has seen the checkpoint of."),
        Row("jwtrail_ship_lag_events", "gauge", ("target",), "Events that a target does not have yet."),
        Row("jwtrail_ship_sent", "counter", ("target",), "Documents that a target took."),
        Row("jwtrail_ship_refused", "counter", ("target",), "Documents that a target would not take."),
        Row("jwtrail_ship_retries", "counter", ("target",), "Tries after the first, of any batch."),
        Row("jwtrail_build_info", "gauge", ("version",), "Always 1; the label says which version runs."),
    )
}  # fmt: skip
"""Every metric by its name; the reference page is made from it. Prometheus adds `_total` to counters."""

LAG_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds; the promise is 0.1."""

MAX_RULES = 2_000
"""Names of rules that are told apart; more rules than that share the name `other`."""

_CAUSES = {
    "response-revoke": "detector",
    "refresh-reused": "reuse",
    "logout": "logout",
    "token-revoked": "operator",
    "family-revoked": "operator",
    "subject-revoked": "operator",
    "client-revoked": "operator",
    "key-revoked": "operator",
}
_OF_SIGN_IN = frozenset(code for code, reason in REASONS.items() if reason.klass == "sign_in")

Labels = tuple[str, ...]


class Gauges(Struct, frozen=True, kw_only=True):
    """What is true at this moment, not counted.

    Args:
        intact: None before the first audit.
        verified_us: when the last audit ended, µs; 0 before the first.
        disk: bytes in use and free; None when unknown.
        witness: whether it cosigns, and the size it has seen; None before the first answer.
        ships: by target: (events it lacks, sent, refused, tries after the first).
    """

    size: int = 0
    intact: bool | None = None
    verified_us: int = 0
    disk: tuple[int, int] | None = None
    witness: tuple[bool, int] | None = None
    ships: Mapping[str, tuple[int, int, int, int]] = {}


class Meter:
    """Counts events as they pass. One thread counts, others may read."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[Labels]] = {
            name: Counter() for name, row in METRICS.items() if row.kind == "counter"
        }
        self._lags = [0] * (len(LAG_BOUNDS) + 1)
        self._lag_sum = 0.0
        self._rules: set[str] = set()
        self._lock = threading.Lock()

    def see(self, events: Sequence[Event]) -> None:
        """Count these events, each once."""
        with self._lock:
            for event in events:
                self._see(event)

    def counts(self) -> dict[str, Counter[Labels]]:
        """Counters by name and labels, so far."""
        with self._lock:
            return {name: Counter(counts) for name, counts in self._counts.items()}

    def lags(self) -> tuple[list[int], float]:
        """How many alerts came within each of `LAG_BOUNDS` and later, and the sum of their lags in seconds."""
        with self._lock:
            return list(self._lags), self._lag_sum

    def _see(self, event: Event) -> None:
        counts, action = self._counts, event.event_action or ""
        counts["jwtrail_events_written"][event.event_dataset or "",] += 1
        if action == "http-request":
            if verdict := _verdict(event):
                counts["jwtrail_verifications"][verdict] += 1
        elif action in {"token-issued", "token-refreshed"}:
            if event.event_outcome == "success":
                counts["jwtrail_tokens_issued"][event.jwt_kind or "access",] += 1
        elif cause := _CAUSES.get(action):
            if not event.jwtrail_response_dry_run:
                counts["jwtrail_revocations"][cause,] += 1
        elif action == "logging-gap":
            counts["jwtrail_events_dropped"]["queue_full",] += event.jwtrail_records or 0
        elif action == "alert-raised":
            self._alert(event)

    def _alert(self, event: Event) -> None:
        rule = event.rule_name or ""
        if rule not in self._rules:
            if len(self._rules) < MAX_RULES:
                self._rules.add(rule)
            else:
                rule = "other"
        self._counts["jwtrail_alerts"][rule, event.jwtrail_alert_severity or ""] += 1
        if event.jwtrail_flags and CAUGHT_UP in event.jwtrail_flags:
            return
        seconds = (event.jwtrail_lag_ms or 0) / 1000
        self._lags[bisect_left(LAG_BOUNDS, seconds)] += 1
        self._lag_sum += seconds


def _verdict(event: Event) -> Labels | None:
    reason = event.event_reason or ""
    if event.http_response_status_code == 401 and reason in REASONS and reason not in _OF_SIGN_IN:
        return ("rejected", reason)
    return ("accepted", "") if event.jwt_jti else None


class Metrics(Collector):
    """The page that Prometheus reads.

    Args:
        meter: what was counted.
        gauges: what is true now; called once for each page.
    """

    def __init__(self, meter: Meter, gauges: Callable[[], Gauges]) -> None:
        self._meter = meter
        self._gauges = gauges
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def page(self) -> bytes:
        """The text exposition format, version 0.0.4."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Every metric; `prometheus_client` calls it."""
        now = self._gauges()
        ships = now.ships.items()
        counters: dict[str, Mapping[Labels, int]] = {
            **self._meter.counts(),
            "jwtrail_ship_sent": {(target,): figures[1] for target, figures in ships},
            "jwtrail_ship_refused": {(target,): figures[2] for target, figures in ships},
            "jwtrail_ship_retries": {(target,): figures[3] for target, figures in ships},
        }
        for name, counts in counters.items():
            yield _family(CounterMetricFamily, name, counts.items())
        yield self._lag()
        gauges: dict[str, Mapping[Labels, float]] = {
            "jwtrail_trail_size": {(): now.size},
            "jwtrail_ship_lag_events": {(target,): figures[0] for target, figures in ships},
            "jwtrail_build_info": {(__version__,): 1},
        }
        if now.intact is not None:
            gauges["jwtrail_trail_intact"] = {(): int(now.intact)}
            gauges["jwtrail_trail_last_verified_timestamp_seconds"] = {(): now.verified_us / 1_000_000}
        if now.disk is not None:
            used, free = now.disk
            gauges["jwtrail_disk_used_ratio"] = {(): used / max(1, used + free)}
            gauges["jwtrail_disk_free_bytes"] = {(): free}
        if now.witness is not None:
            up, size = now.witness
            gauges["jwtrail_witness_up"] = {(): int(up)}
            gauges["jwtrail_witness_size"] = {(): size}
        for name, values in gauges.items():
            yield _family(GaugeMetricFamily, name, values.items())

    def _lag(self) -> HistogramMetricFamily:
        row = METRICS["jwtrail_detection_lag_seconds"]
        found, total = self._meter.lags()
        so_far, buckets = 0, []
        for bound, count in zip((*map(str, LAG_BOUNDS), "+Inf"), found, strict=True):
            so_far += count
            buckets.append((bound, float(so_far)))
        return HistogramMetricFamily(row.name, row.doc, buckets=buckets, sum_value=total)


def _family(
    kind: type[CounterMetricFamily] | type[GaugeMetricFamily],
    name: str,
    values: Iterable[tuple[Labels, float]],
) -> Metric:
    row = METRICS[name]
    made = kind(row.name, row.doc, labels=row.labels)
    for labels, value in values:
        made.add_metric(labels, value)
    return made
