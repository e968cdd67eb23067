"""The API over a real trail: every endpoint answers what the table says, and refuses with a place."""

import base64
import csv
import io
import itertools
import json

import msgspec
import pytest

from jwtrail.state.records import IssuedToken, Restraint
from jwtrail.tlog.note import Verifier
from jwtrail.tlog.tlogproof import verify_proof
from jwtrail.web.api import ENDPOINTS
from jwtrail.web.app import HANDLERS, STREAMS
from jwtrail.web.prooftext import split_entry

V1 = "/api/v1"
HOUR = {"from": "2026-11-23T11:00:00Z", "to": "2026-11-23T12:00:00Z"}
REQUESTS = {**HOUR, "q": "event.action: http-request"}


def test_every_endpoint_has_its_function():
    assert {end.name for end in ENDPOINTS} == {*HANDLERS, *STREAMS, "logout"}


def test_answers_fit_their_description(signed_in, world):
    world.add_alert(99)
    path = {"/alerts/{id}": f"{99:032x}"}
    for end in ENDPOINTS:
        if end.method != "GET" or end.kind != "json" or end.name == "prove_event":
            continue
        url = V1 + end.path.replace("{id}", path.get(end.path, world.ids[3]))
        query = {
            "top": "?field=user.id",
            "field_stats": "?field=user.id",
            "entities": "?kind=user",
            "preview_revocation": "?kind=jti&value=jti-0",
        }.get(end.name, "")
        answer = signed_in.get(url + query)
        assert answer.status_code == 200, (end.name, answer.text)
        msgspec.json.decode(answer.content, type=end.answer)


def test_events_come_newest_first_in_pages(signed_in, world):
    seen, cursor = [], ""
    for _ in range(4):
        page = signed_in.get(
            f"{V1}/events", params={**HOUR, "q": "user.id: alice", "limit": 3, "cursor": cursor}
        ).json()
        seen += [event["url.path"] for event in page["events"]]
        cursor = page["next"]
    assert seen == [f"/orders/{number}" for number in range(27, -1, -3)]
    assert cursor is None
    assert page["to_us"] - page["from_us"] == 3_600_000_000


def test_a_bad_query_says_where(signed_in):
    answer = signed_in.get(f"{V1}/events", params={"q": "user.idd: alice"})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["code"] == "kql_invalid"
    assert (error["line"], error["column"], error["start"]) == (1, 1, 0)
    assert error["caret"].splitlines()[1].startswith("^")
    assert "user.id" in error["hint"]


@pytest.mark.parametrize(
    "query",
    [
        {"from": "yesterday-ish"},
        {"from": "now", "to": "now-1h"},
        {"limit": "501"},
        {"limit": "0"},
        {"limit": "ten"},
        {"cursor": "made-up"},
        {"q": "x" * 8193},
        {"colour": "red"},
    ],
)
def test_bad_parameters_are_refused(signed_in, query):
    answer = signed_in.get(f"{V1}/events", params=query)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


def test_the_histogram_counts_by_outcome(signed_in):
    made = signed_in.get(f"{V1}/histogram", params={**REQUESTS, "buckets": 30}).json()
    assert sum(bar["success"] for bar in made["buckets"]) == 24
    assert sum(bar["failure"] for bar in made["buckets"]) == 6
    starts = [bar["start_us"] for bar in made["buckets"]]
    assert {b - a for a, b in itertools.pairwise(starts)} == {made["interval_us"]}


def test_top_values(signed_in):
    made = signed_in.get(
        f"{V1}/top", params={**HOUR, "field": "user.id", "size": 2, "q": "not user.id: bob"}
    ).json()
    assert made["values"] == [{"value": "alice", "count": 10}, {"value": "mallory", "count": 10}]
    assert signed_in.get(f"{V1}/top", params={"field": "user.naam"}).status_code == 400
    assert signed_in.get(f"{V1}/top").status_code == 400


def test_one_event_and_what_stands_around_it(signed_in, world):
    assert signed_in.get(f"{V1}/events/{world.ids[4]}").json()["url.path"] == "/orders/4"
    around = signed_in.get(f"{V1}/events/{world.ids[4]}/around?n=2").json()["events"]
    assert [event["url.path"] for event in around] == [f"/orders/{number}" for number in range(2, 7)]
    for path in ("nothing", "nothing/around", "nothing/proof"):
        answer = signed_in.get(f"{V1}/events/{path}")
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "event_not_found"


def test_a_proof_holds_anywhere(signed_in, world):
    proof = signed_in.get(f"{V1}/events/{world.ids[4]}/proof").json()
    assert proof["verified"]
    entry = base64.b64decode(proof["entry"])
    text, carried = split_entry(proof["proof"])
    assert carried == entry
    checkpoint = verify_proof(text, entry, Verifier.parse(proof["vkey"]))
    assert checkpoint.size == proof["size"] > proof["index"]


def test_csv_is_safe_to_open(signed_in, world):
    answer = signed_in.get(f"{V1}/events/export", params={**REQUESTS, "format": "csv"})
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 30
    assert "'=cmd|' /C calc'!A0" in {row["user_agent.original"] for row in rows}
    assert world.actions() == ["console-export"]
    assert signed_in.get(f"{V1}/events/export", params={"q": "("}).status_code == 400


def test_ndjson_has_everything(signed_in, world):
    answer = signed_in.get(f"{V1}/events/export", params=REQUESTS)
    ids = [json.loads(line)["event.id"] for line in answer.text.splitlines()]
    assert sorted(ids) == sorted(world.ids)


def test_a_search_is_recorded_once(signed_in, world):
    for _ in range(3):
        signed_in.get(f"{V1}/events", params={"q": "user.id: alice"})
        signed_in.get(f"{V1}/histogram", params={"q": "user.id: alice"})
        signed_in.get(f"{V1}/status")
    assert world.actions() == ["console-search"]
    (event,) = world.recorded
    assert event.user_id == "operator"
    assert event.labels["query"] == "user.id: alice"


def test_revoke_look_first_then_do_then_undo(signed_in, world):
    now = world.services.now_us()
    world.state.issued(
        IssuedToken(jti="j1", subject="eve", kind="access", at_us=now, exp_us=now + 1000, family="f1"),
        IssuedToken(jti="j2", subject="eve", kind="access", at_us=now, exp_us=now + 1000, family="f2"),
    )
    target = {"kind": "subject", "value": "mallory"}
    preview = signed_in.get(f"{V1}/revocations/preview", params=target).json()
    assert preview["last_source"] == "192.0.2.1"
    assert preview["last_seen_us"] < now
    assert not preview["revoked"]
    target["value"] = "eve"
    preview = signed_in.get(f"{V1}/revocations/preview", params=target).json()
    assert (preview["live_tokens"], preview["families"], preview["subjects"]) == (2, 2, 1)

    answer = signed_in.post(
        f"{V1}/revocations", json={**target, "reason": "stolen laptop"}, headers=signed_in.csrf
    )
    assert answer.json()["by"] == "operator"
    assert answer.json()["until_us"] == now + (90 * 86_400 + 30) * 1_000_000  # as long as its tokens can live
    assert signed_in.get(f"{V1}/revocations").json()["revocations"][0]["value"] == "eve"
    assert signed_in.get(f"{V1}/revocations/preview", params=target).json()["revoked"]

    undo = f"{V1}/revocations/subject/eve"
    assert signed_in.request("DELETE", undo, headers=signed_in.csrf).status_code == 204
    assert signed_in.request("DELETE", undo, headers=signed_in.csrf).status_code == 404
    assert world.actions() == ["subject-revoked", "revocation-undone"]
    assert world.recorded[0].jwtrail_ticket == "stolen laptop"


def test_a_subject_with_slashes_and_quotes_can_be_revoked(signed_in, world):
    value = 'auth0|a/b "c"\\d'
    body = {"kind": "subject", "value": value, "reason": "test"}
    assert (
        signed_in.get(f"{V1}/revocations/preview", params={"kind": "subject", "value": value}).status_code
        == 200
    )
    assert signed_in.post(f"{V1}/revocations", json=body, headers=signed_in.csrf).status_code == 200
    url = f"{V1}/revocations/subject/auth0%7Ca%2Fb%20%22c%22%5Cd"
    assert signed_in.request("DELETE", url, headers=signed_in.csrf).status_code == 204


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"kind":"jti","value":"x"}',
        b'{"kind":"jti","value":"x","reason":""}',
        b'{"kind":"planet","value":"x","reason":"y"}',
        b'{"kind":"jti","value":"","reason":"y"}',
        b'{"kind":"jti","value":"x","reason":"y","until":1}',
    ],
)
def test_a_bad_revocation_changes_nothing(signed_in, world, body):
    answer = signed_in.post(f"{V1}/revocations", content=body, headers=signed_in.csrf)
    assert answer.status_code == 400
    assert world.actions() == []


def test_a_long_body_is_refused(signed_in):
    answer = signed_in.post(f"{V1}/revocations", content=b" " * 70_000, headers=signed_in.csrf)
    assert answer.status_code == 413


def test_a_throttle_can_be_lifted(signed_in, world):
    now = world.services.now_us()
    world.state.restrain(
        Restraint(
            id="r1", field="source.ip", value="192.0.2.9", at_us=now, until_us=now + 10_000, per_minute=0
        )
    )
    assert signed_in.get(f"{V1}/revocations").json()["restraints"][0]["field"] == "source.ip"
    assert signed_in.request("DELETE", f"{V1}/restraints/r1", headers=signed_in.csrf).status_code == 204
    assert signed_in.request("DELETE", f"{V1}/restraints/r1", headers=signed_in.csrf).status_code == 404
    assert world.actions() == ["restraint-lifted"]


def test_alerts_are_listed_opened_and_closed(signed_in, world):
    for number in (1, 2, 3):
        world.add_alert(number)
    page = signed_in.get(f"{V1}/alerts?limit=2").json()
    assert [alert["id"][-1] for alert in page["alerts"]] == ["1", "2"]
    rest = signed_in.get(f"{V1}/alerts?limit=2&before={page['next']}").json()
    assert rest["alerts"][0]["id"][-1] == "3"
    assert page["counts"]["open"] >= 3

    url = f"{V1}/alerts/{1:032x}"
    detail = signed_in.get(url).json()
    assert [event["url.path"] for event in detail["events"]] == ["/orders/0", "/orders/9"]
    assert detail["alert"]["targets"]["jti"] == "jti-0"

    def change(**body):
        return signed_in.post(url, json=body, headers=signed_in.csrf)

    assert change(status="closed").status_code == 400
    assert change(status="acknowledged", assignee="kim").json()["assignee"] == "kim"
    closed = change(status="closed", reason="false_positive", note="pen test").json()
    assert (closed["status"], closed["reason"], closed["assignee"]) == ("closed", "false_positive", "kim")
    assert change(status="open").json()["reason"] == ""
    assert world.actions() == ["alert-changed"] * 3
    assert signed_in.get(f"{V1}/alerts/none").status_code == 404
    assert signed_in.post(f"{V1}/alerts/none", json={}, headers=signed_in.csrf).status_code == 404


def test_alerts_of_one_moment_stay_on_one_page(signed_in, world):
    for number in range(200, 205):
        world.add_alert(
            number, at_us=world.services.now_us() - (9_000_000_000 if number < 202 else 9_500_000_000)
        )
    before = world.services.now_us() - 8_000_000_000
    seen = []
    while before is not None:
        page = signed_in.get(f"{V1}/alerts?limit=4&before={before}").json()
        seen += [int(alert["id"], 16) for alert in page["alerts"]]
        before = page["next"]
    assert sorted(number for number in seen if number >= 200) == [200, 201, 202, 203, 204]


def test_rules_show_their_source(signed_in):
    page = signed_in.get(f"{V1}/rules").json()
    assert page["refused"] == []
    assert all(rule["source"].strip() and rule["code"] for rule in page["rules"])


def test_fields_offer_closed_values(signed_in):
    fields = {field["name"]: field for field in signed_in.get(f"{V1}/fields").json()["fields"]}
    assert "alg_none" in fields["event.reason"]["values"]
    assert fields["source.ip"]["type"] == "ip"


def test_the_description_is_served(signed_in):
    assert signed_in.get(f"{V1}/openapi.json").json()["openapi"] == "3.1.0"


def test_an_unknown_path_is_json(signed_in):
    answer = signed_in.get(f"{V1}/nothing")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "path_unknown"


def test_what_nobody_foresaw_tells_nothing(signed_in, world, monkeypatch, caplog):
    def broken():
        raise RuntimeError("/secret/path")

    monkeypatch.setitem(HANDLERS, "list_rules", lambda call: broken())
    answer = signed_in.get(f"{V1}/rules")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "secret" in caplog.text
