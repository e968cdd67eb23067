"""Every panel, asked as the engine would be asked by Kibana, counts what was recorded."""

from collections import Counter
from typing import Any

import msgspec
import pytest
from engine_server import Server

from jwtrail.clock import parse_iso
from jwtrail.ecs import CATALOGUE, Event, document, event_for
from jwtrail.elastic.client import Engine, connect
from jwtrail.elastic.provision import provision
from jwtrail.elastic.streams import pattern_of, stream_of
from jwtrail.kql import compile_kql
from jwtrail.predicate.dsl import to_dsl
from jwtrail.predicate.python import compile_predicate
from jwtrail.ship.saved.panel import Measure, Panel, Split
from jwtrail.ship.saved.panels import PANELS
from jwtrail.ship.saved.searches import SEARCHES

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

START_US = parse_iso("2026-01-05T00:00:00Z")
NAMESPACE = "panels"

WHO = {"user_id": "ada", "source_ip": "198.51.100.7", "user_agent_original": "curl/8"}
TOKEN = {"jwt_alg": "EdDSA", "jwt_kid": "k1", "jwt_client_id": "web"}
PAGE = {
    "http_route": "/orders/{id}",
    "http_request_method": "GET",
    "event_duration": 2_000_000,
    "http_response_bytes": 512,
}
RULE = {
    "rule_name": "Forged token",
    "jwtrail_alert_severity": "high",
    "threat_technique_id": ("T1606", "T1550"),
}

RECORDED: tuple[tuple[str, int, dict[str, Any]], ...] = (
    ("http-request", 5, {**WHO, **TOKEN, **PAGE, "http_response_status_code": 200}),
    ("http-request", 3, {**WHO, **TOKEN, **PAGE, "user_id": "bob", "http_response_status_code": 204}),
    ("http-request", 2, {**WHO, **PAGE, "http_response_status_code": 500, "event_outcome": "failure"}),
    ("http-request", 4, {**WHO, "event_reason": "alg_none", "jwt_alg": "none", "http_response_status_code": 401}),
    ("http-request", 2, {**WHO, "event_reason": "expired", "http_response_status_code": 401}),
    ("http-request", 1, {**WHO, "event_reason": "signature_invalid", "http_response_status_code": 401}),
    ("http-request", 1, {**WHO, "event_reason": "malformed_segments", "http_response_status_code": 401}),
    ("login", 3, WHO),
    ("login", 2, {**WHO, "user_name": "eve", "event_reason": "bad_credentials", "event_outcome": "failure"}),
    ("token-issued", 3, WHO),
    ("token-refreshed", 2, WHO),
    ("refresh-reused", 1, {**WHO, "event_outcome": "failure"}),
    ("token-revoked", 1, WHO),
    ("family-revoked", 1, WHO),
    ("alert-raised", 3, {**RULE, "jwtrail_alert_group": "source.ip=198.51.100.7"}),
    ("response-revoke", 2, {**RULE, "jwtrail_response_kind": "revoke", "jwtrail_response_target": "user.id=ada", "jwtrail_lag_ms": 40}),
    ("response-block", 1, {**RULE, "jwtrail_response_kind": "block", "jwtrail_response_target": "source.ip=198.51.100.7"}),
    ("response-throttle", 1, {**RULE, "jwtrail_response_kind": "throttle", "jwtrail_response_target": "user.id=ada", "jwtrail_response_dry_run": True}),
    ("data-exported", 2, {**WHO, "jwtrail_records": 120}),
    ("role-granted", 1, {**WHO, "user_target_id": "bob"}),
    ("trail-verified", 2, {}),
    ("logging-gap", 1, {"event_outcome": "failure"}),
)  # fmt: skip

EVENTS = [
    event_for(action, at_us=START_US + (number * 7 + copy) * 1_000_000, **fields)
    for number, (action, count, fields) in enumerate(RECORDED)
    for copy in range(count)
]


@pytest.fixture(scope="module")
def engine(server: Server):
    with connect(server.url) as made:
        provision(made, namespace=NAMESPACE)
        lines = b"".join(
            b'{"create":{"_index":"%s"}}\n%s\n'
            % (stream_of(str(event.event_dataset), NAMESPACE).encode(), msgspec.json.encode(document(event)))
            for event in EVENTS
        )
        answer = made.request("POST", "/_bulk?refresh=true", ndjson=lines).json
        assert not answer["errors"], answer
        yield made


def asked(query: str) -> dict[str, Any]:
    return to_dsl(compile_kql(query, START_US))


def aggregations(panel: Panel, splits: tuple[Split, ...]) -> dict[str, Any]:
    """What Kibana makes of a panel: buckets within buckets, and the measures in the innermost."""
    if not splits:
        return {str(n): measured(one) for n, one in enumerate(panel.measures, 1) if one.kind != "count"}
    split, inner = splits[0], aggregations(panel, splits[1:])
    if split.kind == "time":
        made: dict[str, Any] = {
            "date_histogram": {"field": split.field, "fixed_interval": "30s", "min_doc_count": 1}
        }
    elif split.kind == "terms":
        order = {"_key": "asc"} if split.by_key else {"_count": "desc"}
        made = {"terms": {"field": split.field, "size": split.size, "order": order}}
    else:
        made = {"filters": {"filters": {label: asked(query) for label, query in split.filters}}}
    return {"split": {**made, "aggs": inner} if inner else made}


def measured(measure: Measure) -> dict[str, Any]:
    more = {"percents": list(measure.percents)} if measure.percents else {}
    return {measure.kind: {"field": measure.field, **more}}


def rows(buckets: Any) -> list[tuple[Any, dict[str, Any]]]:
    if isinstance(buckets, dict):
        return list(buckets.items())
    return [(bucket["key"], bucket) for bucket in buckets]


def values(event: Event, field: str) -> tuple[Any, ...]:
    value = getattr(event, CATALOGUE[field].attribute)
    return () if value is None else value if isinstance(value, tuple) else (value,)


def expected(split: Split, events: list[Event]) -> Counter[Any] | None:
    """Events in each outermost bucket; None for time, whose buckets only have to hold all of them."""
    if split.kind == "time":
        return None
    if split.kind == "terms":
        counted = Counter(value for event in events for value in values(event, split.field))
        return counted if len(counted) <= split.size else None
    return Counter(
        {
            label: sum(map(compile_predicate(compile_kql(query, START_US)), events))
            for label, query in split.filters
        }
    )


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.id)
def test_panel(engine: Engine, panel: Panel) -> None:
    events = list(filter(compile_predicate(compile_kql(panel.query, START_US)), EVENTS))
    assert events, "nothing recorded for this panel"
    body = {
        "size": 0,
        "track_total_hits": True,
        "query": asked(panel.query),
        "aggs": aggregations(panel, panel.splits),
    }
    answer = engine.request("POST", f"/{pattern_of(NAMESPACE)}/_search", body=body).json
    assert answer["hits"]["total"]["value"] == len(events)
    level = [answer["aggregations"]]
    for number, split in enumerate(panel.splits):
        found = [row for one in level for row in rows(one["split"]["buckets"])]
        counts = Counter({key: bucket["doc_count"] for key, bucket in found})
        if number == 0:
            want = expected(split, events)
            assert counts == want if want is not None else counts.total() == len(events)
        assert counts.total() > 0
        level = [bucket for _, bucket in found if bucket["doc_count"]]
    for n, measure in enumerate(panel.measures, 1):
        if measure.kind == "percentiles":
            assert any(None not in one[str(n)]["values"].values() for one in level), measure
        elif measure.kind != "count":
            assert any(one[str(n)]["value"] for one in level), measure


def test_every_search_finds_something(engine: Engine) -> None:
    for search in SEARCHES:
        here = sum(map(compile_predicate(compile_kql(search.query, START_US)), EVENTS))
        body = {"size": 100, "query": asked(search.query), "_source": list(search.columns)}
        there = engine.request(
            "POST", f"/{pattern_of(NAMESPACE)}/_search?track_total_hits=true", body=body
        ).json
        assert there["hits"]["total"]["value"] == here > 0, search.id
