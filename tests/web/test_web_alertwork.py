"""Alerts exported, grouped and scored, answers taken back, deliveries sent again: through the API, over a real trail."""

import json

from jwtrail.state.outbox import Delivery, Outbox
from jwtrail.state.records import Restraint

V1 = "/api/v1"
ALERT = f"{7:032x}"


def test_alerts_as_files_for_other_systems_and_the_taking_is_recorded(signed_in, world):
    world.add_alert(7)
    for form, key in (("ecs", "jwtrail.alert.id"), ("ndjson", "id")):
        (line,) = signed_in.get(f"{V1}/alerts/export", params={"format": form}).text.splitlines()
        assert json.loads(line)[key] == ALERT
    assert json.loads(signed_in.get(f"{V1}/alerts/export?format=ocsf").text)["class_uid"] == 2004
    answer = signed_in.get(f"{V1}/alerts/export?format=cef")
    assert answer.text.startswith("CEF:0|")
    assert answer.headers["content-type"].startswith("text/plain")
    assert world.actions().count("console-export") == 4
    assert signed_in.get(f"{V1}/alerts/export?format=xml").status_code == 400
    assert signed_in.get(f"{V1}/alerts/export?from=now&to=now-1d").status_code == 400


def test_groups_and_risk(signed_in, world):
    world.add_alert(7)
    world.add_alert(8)
    (group,) = signed_in.get(f"{V1}/alerts/groups").json()["groups"]
    assert (group["alerts"], group["group"]) == (2, "user.id=mallory")
    for by, value in (("user", "mallory"), ("token", "jti-0"), ("source", "192.0.2.1")):
        (risk,) = signed_in.get(f"{V1}/alerts/risk", params={"by": by}).json()["risks"]
        assert (risk["value"], risk["alerts"]) == (value, 2)
        assert 59 < risk["score"] <= 60


def test_an_answer_is_taken_back_once(signed_in, world):
    world.add_alert(7)
    now = world.services.now_us()
    held = Restraint(
        id="h",
        field="source.ip",
        value="192.0.2.1",
        at_us=now,
        until_us=now + 60_000_000,
        per_minute=0,
        alert=ALERT,
    )
    world.state.restrain(held)
    url = f"{V1}/alerts/{ALERT}/undo"
    assert signed_in.post(url).status_code == 403  # without the CSRF token
    assert signed_in.post(url, headers=signed_in.csrf).json() == {
        "undone": ["source.ip=192.0.2.1"],
        "kept": [],
    }
    assert world.state.restraints(now) == []
    assert signed_in.post(url, headers=signed_in.csrf).json() == {"undone": [], "kept": []}
    assert world.actions().count("response-undone") == 1
    assert signed_in.post(f"{V1}/alerts/none/undo", headers=signed_in.csrf).status_code == 404


def test_deliveries_and_another_try(signed_in, world):
    with Outbox(world.state.path) as outbox:
        outbox.add(
            Delivery(
                id="d1",
                channel="ops",
                alert=ALERT,
                doc='{"secret":1}',
                at_us=1,
                due_us=1,
                state="dead",
                error="away",
            )
        )
    answer = signed_in.get(f"{V1}/deliveries", params={"state": "dead"})
    (row,) = answer.json()["deliveries"]
    assert (row["channel"], row["error"]) == ("ops", "away")
    assert "secret" not in answer.text
    assert signed_in.post(f"{V1}/deliveries/d1/resend", headers=signed_in.csrf).json()["state"] == "waiting"
    assert signed_in.post(f"{V1}/deliveries/d2/resend", headers=signed_in.csrf).status_code == 404


def test_the_story_of_an_event(signed_in, world):
    story = signed_in.get(f"{V1}/events/{world.ids[5]}/explain").json()
    assert story["verdict"]["reason"] == "expired"
    assert story["place"]["signed"] is True
    assert story["trial"]["rules"] > 50
    assert signed_in.get(f"{V1}/events/none/explain").status_code == 404
