"""`jwtrail provision` on real engines: made once, then nothing to do; older is updated, newer and foreign refused."""

import json

import pytest
from click.testing import CliRunner
from engine_server import Server

from jwtrail.cli.main import cli
from jwtrail.config import DetectSettings
from jwtrail.detect.ruleset import configured
from jwtrail.elastic.client import Engine, connect
from jwtrail.elastic.plan import EVENTS
from jwtrail.elastic.provision import provision
from jwtrail.elastic.template import index_body, index_template
from jwtrail.errors import EngineAway, EngineError
from jwtrail.ship.saved.detections import elastic_rules

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]


@pytest.fixture
def engine(server: Server):
    with connect(server.url) as made:
        yield made


def templates(engine: Engine) -> dict:
    found = engine.request("GET", "/_component_template/jwtrail-*", allow=(404,)).json
    return {one["name"]: one["component_template"] for one in found.get("component_templates", ())}


def emptied(engine: Engine) -> None:
    """Take away what other tests made: the server is one for all."""
    engine.request("DELETE", "/_index_template/jwtrail", allow=(404,))
    engine.request("DELETE", "/_component_template/jwtrail-*", allow=(404,))


def test_the_command_makes_everything_once(server: Server, engine: Engine) -> None:
    emptied(engine)
    planned = CliRunner().invoke(cli, ["provision", server.url, "--dry-run"])
    assert planned.exit_code == 0, planned.output
    requests = [json.loads(line) for line in planned.stdout.splitlines()]
    assert {"_component_template", "_index_template"} <= {one["path"].split("/")[1] for one in requests}
    assert templates(engine) == {}  # it only looked

    made = CliRunner().invoke(cli, ["provision", server.url])
    assert made.exit_code == 0, made.output
    assert len(made.stdout.splitlines()) == len(requests)
    assert set(templates(engine)) == {EVENTS, "jwtrail-custom"}

    again = CliRunner().invoke(cli, ["provision", server.url])
    assert again.stdout == ""
    assert "nothing to do" in again.stderr


def test_what_the_build_lacks_is_said(server: Server, engine: Engine) -> None:
    left_out = {one.what for one in provision(engine, dry_run=True).left_out}
    missing = {"policy", "roles"}  # in both distributions of Maven Central
    if server.what.name == "elasticsearch":
        missing |= {"wildcard fields", "our analyzer", "data streams"}
    assert left_out == missing


def test_documents_go_where_the_templates_are_for_and_strangers_are_refused(engine: Engine) -> None:
    provision(engine)
    lines = [
        {"create": {"_id": "good"}},
        {"@timestamp": "2026-01-01T00:00:00.000001Z", "source.ip": "testclient", "url.path": "/a"},
        {"create": {"_id": "strange"}},
        {"@timestamp": "2026-01-01T00:00:00.000001Z", "unknown": "x"},
    ]
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    answer = engine.request("POST", "/logs-jwtrail.access-strict/_bulk?refresh=true", ndjson=body).json
    good, strange = (item["create"] for item in answer["items"])
    assert good["status"] == 201
    assert good["_index"].startswith(".ds-logs-jwtrail.access-strict-")
    assert strange["error"]["type"] == "strict_dynamic_mapping_exception"


def test_an_older_template_is_brought_up_to_date_and_reaches_the_index_in_use(engine: Engine) -> None:
    provision(engine, namespace="older")
    document = b'{"create":{}}\n{"@timestamp":"2026-01-01T00:00:00Z"}\n'
    engine.request("POST", "/logs-jwtrail.audit-older/_bulk", ndjson=document)
    there = templates(engine)[EVENTS]
    there["_meta"] |= {"version": 0, "sha256": "0" * 16}
    engine.request("PUT", f"/_component_template/{EVENTS}", body=there)

    changes = provision(engine, namespace="older").changes
    assert [(one.action, one.name) for one in changes if one.kind == "component template"] == [
        ("update", EVENTS)
    ]
    assert "logs-jwtrail.audit-older" in [one.name for one in changes if one.action == "extend"]
    assert provision(engine, namespace="older").changes == ()


def test_a_newer_template_and_a_foreign_one_are_left_alone(engine: Engine) -> None:
    provision(engine)
    mine = templates(engine)[EVENTS]
    newer = {**mine, "_meta": {**mine["_meta"], "version": 999}}
    engine.request("PUT", f"/_component_template/{EVENTS}", body=newer)
    with pytest.raises(EngineError, match="newer jwtrail"):
        provision(engine)
    foreign = {key: value for key, value in mine.items() if key != "_meta"}
    engine.request("PUT", f"/_component_template/{EVENTS}", body=foreign)
    with pytest.raises(EngineError, match="taken by something"):
        provision(engine)
    assert templates(engine)[EVENTS].get("_meta") is None
    engine.request("PUT", f"/_component_template/{EVENTS}", body=mine)
    assert provision(engine).changes == ()


def test_the_operators_own_settings_win_and_stay(engine: Engine) -> None:
    provision(engine)
    own = {"template": {"settings": {"index": {"number_of_replicas": 0}}}}
    engine.request("PUT", "/_component_template/jwtrail-custom", body=own)
    assert provision(engine).changes == ()
    simulated = engine.request("POST", "/_index_template/_simulate_index/logs-jwtrail.access-own").json
    assert simulated["template"]["settings"]["index"]["number_of_replicas"] == "0"
    engine.request("PUT", "/_component_template/jwtrail-custom", body={"template": {}})


def test_the_client_names_what_is_wrong(server: Server, engine: Engine) -> None:
    assert engine.product.flavour == server.what.name
    assert ".".join(map(str, engine.version)) == server.what.version
    with pytest.raises(EngineError) as refused:
        engine.request("GET", "/no-such-index/_search")
    assert (refused.value.status, refused.value.kind) == (404, "index_not_found_exception")
    other = "elasticsearch" if server.what.name == "opensearch" else "opensearch"
    with pytest.raises(EngineError, match="answers, not"):
        connect(server.url.replace(server.what.name, other))
    with pytest.raises(EngineAway) as plain:
        connect(f"{server.what.name}://127.0.0.1:{server.port}")
    assert f"{server.what.name}+http" in plain.value.hint or "+http" in plain.value.hint


def test_a_whole_template_of_its_own_is_composed_as_ours(engine: Engine) -> None:
    """What `index_template` makes of a body alone is taken too: the differential test uses it."""
    features = engine.features
    body = index_body(
        engine.flavour, wildcard=features.wildcard, flat=bool(features.flat), words=features.words
    )
    made = index_template(body)
    simulated = engine.request("POST", "/_index_template/_simulate", body={**made, "priority": 499})
    assert simulated.json["template"]["mappings"]["properties"]["user"]["properties"]["id"] == {
        "type": "keyword"
    }


def test_every_exported_rule_is_a_query_that_the_engine_takes(engine: Engine) -> None:
    provision(engine, namespace="rules")
    engine.request(
        "POST",
        "/logs-jwtrail.audit-rules/_bulk?refresh=true",
        ndjson=b'{"create":{}}\n{"@timestamp":"2026-01-01T00:00:00Z"}\n',
    )
    asked = [
        rule["filters"][0]["query"]
        for rule in elastic_rules(configured(DetectSettings())).rules
        if rule["filters"]
    ]
    lines = b"".join(b"{}\n" + json.dumps({"size": 0, "query": query}).encode() + b"\n" for query in asked)
    answer = engine.request("POST", "/logs-jwtrail.audit-rules/_msearch", ndjson=lines).json
    assert [one["error"] for one in answer["responses"] if "error" in one] == []
    assert len(answer["responses"]) == len(asked) > 50
