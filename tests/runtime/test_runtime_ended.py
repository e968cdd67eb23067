"""Sign-ins that ended, by their owner or by an answer of ours: nothing comes back, and what we caused is marked."""

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from jwtrail import clock
from jwtrail.config import load
from jwtrail.detect.alert import Alert, Targets
from jwtrail.ecs import decode_line, event_for
from jwtrail.fastapi import JWTrail
from jwtrail.runtime.crowd import Crowd
from jwtrail.runtime.daemon import Daemon

DAY_S = 86_400


@pytest.fixture
def trail(tmp_path):
    app = FastAPI()
    made = JWTrail(app, data=str(tmp_path / "data"))
    app.include_router(made.router())
    with TestClient(app) as made.client:
        yield made


def events(trail, root):
    trail.close()
    lines = [line for path in root.rglob("*.ndjson") for line in path.read_bytes().splitlines()]
    return [decode_line(line) for line in lines if b'"event.id"' in line]


@pytest.mark.parametrize(("cause", "alert", "flagged"), [("alert", "alert-1", True), ("operator", "", False)])
def test_a_client_that_goes_on_refreshing_what_we_ended_is_no_new_attack(
    trail, tmp_path, cause, alert, flagged
):
    pair = trail.issue("u1")
    worker = trail._worker
    family = worker.verifier.verify(pair.access_token).claims.family
    worker.issuer.revoke("family", family, cause=cause, alert=alert)
    answer = trail.client.post("/token/refresh", data={"refresh_token": pair.refresh_token})
    assert answer.status_code == 400
    refused = [one for one in events(trail, tmp_path / "data") if one.event_reason == "revoked_session"]
    assert {one.event_action for one in refused} == {"token-refreshed", "http-request"}
    assert {"self_inflicted" in (one.jwtrail_flags or ()) for one in refused} == {flagged}


def test_a_logout_leaves_a_revocation_of_minutes_and_no_family(trail):
    pair = trail.issue("u1")
    worker = trail._worker
    claims = worker.verifier.verify(pair.access_token).claims
    before_us = clock.now_us()
    assert (
        trail.client.post("/logout", headers={"authorization": f"Bearer {pair.access_token}"}).status_code
        == 204
    )
    [row] = worker.store.revocations(clock.now_us())
    lasts_s = (row.until_us - before_us) / 1_000_000
    assert claims.exp * 1_000_000 < row.until_us
    assert 930 <= lasts_s < 960
    assert worker.store.family(claims.family) is None
    worker.store.prune(row.until_us + 1)
    assert worker.store.revocations(0) == []
    answer = trail.client.post("/token/refresh", data={"refresh_token": pair.refresh_token})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_a_refresh_token_that_is_shown_to_be_ended_leaves_as_little(trail):
    pair = trail.issue("u1")
    trail.client.post("/token/revoke", data={"token": pair.refresh_token})
    [row] = trail._worker.store.revocations(clock.now_us())
    assert row.until_us < clock.now_us() + 960_000_000


def test_an_answer_of_the_daemon_lasts_as_long_as_the_settings_let_a_sign_in_live(tmp_path):
    settings = load(
        {"data": str(tmp_path), "tokens.refresh_absolute_s": 300 * DAY_S, "tokens.leeway_s": 60}, file=None
    ).settings
    daemon = Daemon(settings)
    try:
        now = clock.now_us()
        alert = Alert(
            id="a" * 32,
            rule="r",
            code="B2",
            name="Reuse",
            level="high",
            group={},
            at_us=now,
            first_us=now,
            sequence=1,
            first_event="e",
            events=("e",),
            count=1,
            targets=Targets(family="elsewhere"),
        )
        daemon._responder.answer([alert], cursor=None, crowd=lambda _address, _now: 0, now_us=now)
        [row] = daemon.state.revocations(now)
    finally:
        daemon.close()
    assert row.until_us == now + (300 * DAY_S + 60) * 1_000_000


def test_whoever_an_answer_turned_out_is_not_counted_among_an_addresss_users():
    crowd, now = Crowd(), clock.now_us()
    for user in ("u1", "u2"):
        crowd.see([event_for("login", at_us=now, user_id=user, source_ip="203.0.113.9")])
    for dry_run, left in ((True, 2), (False, 1)):
        crowd.see(
            [
                event_for(
                    "response-revoke",
                    user_id="u1",
                    source_ip="203.0.113.9",
                    jwtrail_response_dry_run=dry_run,
                )
            ]
        )
        assert crowd.users("203.0.113.9", now) == left


def test_a_damaged_memory_of_addresses_starts_anew():
    now = clock.now_us()
    assert Crowd(b"\xff\x00 not msgpack").users("203.0.113.9", now) == 0
