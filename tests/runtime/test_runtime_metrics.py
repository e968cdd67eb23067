"""What Prometheus reads: every event counted once, for all workers, and nobody named."""

from prometheus_client.parser import text_string_to_metric_families

from jwtrail.config import Settings
from jwtrail.ecs import event_for
from jwtrail.runtime.daemon import Daemon
from jwtrail.runtime.metrics import LAG_BOUNDS, MAX_RULES, METRICS, Gauges, Meter, Metrics


def samples(meter, gauges=None):
    page = Metrics(meter, lambda: gauges or Gauges()).page().decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def call(status, **fields):
    return event_for("http-request", http_response_status_code=status, **fields)


def test_verifications_are_told_apart_by_their_reason():
    meter = Meter()
    meter.see([
        call(200, jwt_jti="j1", user_id="u1"),
        call(403, jwt_jti="j1", event_reason="role_denied"),
        call(401, event_reason="alg_none"),
        call(401, event_reason="bad_credentials"),
        call(200),
        call(401, event_reason="made up by an application"),
    ])  # fmt: skip
    found = samples(meter)
    assert found["jwtrail_verifications_total", "accepted", ""] == 2
    assert found["jwtrail_verifications_total", "rejected", "alg_none"] == 1
    assert sum(value for (name, *_), value in found.items() if name == "jwtrail_verifications_total") == 3
    assert found["jwtrail_events_written_total", "jwtrail.access"] == 6


def test_tokens_revocations_losses_and_alerts_are_counted():
    meter = Meter()
    meter.see([
        event_for("token-issued", jwt_kind="refresh"),
        event_for("token-refreshed", event_outcome="failure"),
        event_for("logout"),
        event_for("response-revoke"),
        event_for("response-revoke", jwtrail_response_dry_run=True),
        event_for("logging-gap", jwtrail_records=17),
        event_for("alert-raised", rule_name="A1 Unsigned", jwtrail_alert_severity="high", jwtrail_lag_ms=30),
        event_for("alert-raised", rule_name="A1 Unsigned", jwtrail_alert_severity="high", jwtrail_lag_ms=60_000),
    ])  # fmt: skip
    found = samples(meter)
    assert found["jwtrail_tokens_issued_total", "refresh"] == 1
    assert found["jwtrail_revocations_total", "logout"] == 1
    assert found["jwtrail_revocations_total", "detector"] == 1
    assert found["jwtrail_events_dropped_total", "queue_full"] == 17
    assert found["jwtrail_alerts_total", "A1 Unsigned", "high"] == 2
    assert found["jwtrail_detection_lag_seconds_bucket", "0.05"] == 1
    assert found["jwtrail_detection_lag_seconds_bucket", str(LAG_BOUNDS[-1])] == 1
    assert found["jwtrail_detection_lag_seconds_bucket", "+Inf"] == 2
    assert round(found[("jwtrail_detection_lag_seconds_sum",)], 3) == 60.03


def test_rules_without_end_are_one_label():
    meter = Meter()
    meter.see([event_for("alert-raised", rule_name=f"rule {number}") for number in range(MAX_RULES + 50)])
    rules = [labels for name, *labels in samples(meter) if name == "jwtrail_alerts_total"]
    assert len(rules) == MAX_RULES + 1
    assert ["other", ""] in rules


def test_gauges_say_what_is_true_now():
    ships = {"opensearch://search.example": (12, 100, 3, 4)}
    found = samples(
        Meter(),
        Gauges(size=5, intact=False, verified_us=2_000_000, ships=ships, disk=(30, 10), witness=(False, 4)),
    )
    assert found[("jwtrail_disk_used_ratio",)] == 0.75
    assert found[("jwtrail_disk_free_bytes",)] == 10
    assert (found[("jwtrail_witness_up",)], found[("jwtrail_witness_size",)]) == (0, 4)
    assert ("jwtrail_witness_up",) not in samples(Meter())
    assert found[("jwtrail_trail_size",)] == 5
    assert found[("jwtrail_trail_intact",)] == 0
    assert found[("jwtrail_trail_last_verified_timestamp_seconds",)] == 2
    assert found["jwtrail_ship_lag_events", "opensearch://search.example"] == 12
    assert found["jwtrail_ship_refused_total", "opensearch://search.example"] == 3
    assert ("jwtrail_trail_intact",) not in samples(Meter())


def test_every_metric_of_the_table_is_on_the_page():
    meter = Meter()
    page = (
        Metrics(meter, lambda: Gauges(intact=True, disk=(1, 1), witness=(True, 1), ships={"a": (0, 0, 0, 0)}))
        .page()
        .decode()
    )
    assert {
        line.split()[2].removesuffix("_total") for line in page.splitlines() if line.startswith("# TYPE")
    } == {*METRICS}


def test_the_daemon_counts_what_passes(tmp_path):
    daemon = Daemon(Settings(data=str(tmp_path / "data")))
    daemon.start()
    try:
        daemon.record(event_for("logout"))
    finally:
        daemon.close()
    assert daemon.meter.counts()["jwtrail_revocations"]["logout",] == 1
