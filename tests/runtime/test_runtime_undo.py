"""Taking back an answer where that is sound, and the story of one event, on a real trail with its daemon."""

import msgspec
import pytest

from jwtrail import clock, config
from jwtrail.ecs import event_for
from jwtrail.errors import AlertNotFound, EventNotFound
from jwtrail.respond.action import Action
from jwtrail.runtime.daemon import Daemon
from jwtrail.runtime.explain import explain
from jwtrail.runtime.undo import undo
from jwtrail.state.records import AlertRow, Restraint, Revocation
from jwtrail.trail.writer import TrailWriter
from waiting import until

ALERT = "a" * 32
HOUR = 3_600_000_000


@pytest.fixture
def daemon(tmp_path):
    made = Daemon(config.load({"data": str(tmp_path / "data"), "respond.dry_run": True}).settings)
    made.start()
    yield made
    made.close()


@pytest.fixture
def now():
    return clock.now_us()


def _answered(daemon, now, *rows):
    daemon.state.commit(
        alerts=[AlertRow(id=ALERT, rule="r", severity="high", group="", at_us=now, doc="{}")],
        revocations=[row for row in rows if isinstance(row, Revocation)],
        restraints=[row for row in rows if isinstance(row, Restraint)],
    )


def _undone(daemon, now, told=None):
    return undo(
        daemon.state,
        daemon.store,
        ALERT,
        by="kim",
        record=(told if told is not None else []).append,
        now_us=now,
    )


def _revoked(kind, value, at, alert=ALERT):
    return Revocation(kind=kind, value=value, at_us=at, until_us=at + HOUR, cause="alert", alert=alert)


def _held(number, now, alert=ALERT):
    return Restraint(
        id=number,
        field="source.ip",
        value="192.0.2.1",
        at_us=now,
        until_us=now + HOUR,
        per_minute=0,
        alert=alert,
    )


def _put(daemon, action, **fields):
    writer = TrailWriter(daemon.layout, daemon.settings.trail)
    event = event_for(action, **fields)
    writer.put(event, "sync").result(60)
    writer.close()
    until(lambda: daemon.store.get(event.event_id), "the event did not arrive")
    return event.event_id


def test_throttles_and_revocations_are_taken_back_once_and_told(daemon, now):
    _answered(daemon, now, _revoked("jti", "j1", now), _revoked("family", "f1", now), _held("h1", now))
    daemon.state.restrain(_held("of another", now, alert="b" * 32))
    told = []
    done = _undone(daemon, now, told)
    assert sorted(done.undone) == ["jwt.family=f1", "jwt.jti=j1", "source.ip=192.0.2.1"]
    assert done.kept == ()
    assert daemon.state.revocations(now) == []
    assert [row.id for row in daemon.state.restraints(now)] == ["of another"]
    assert {event.event_action for event in told} == {"response-undone"}
    assert {event.user_id for event in told} == {"kim"}
    again = _undone(daemon, now, told)
    assert (again.undone, again.kept, len(told)) == ((), (), 3)


def test_a_sign_in_that_somebody_else_ended_too_stays_ended(daemon, now):
    actions = ("refresh-reused", "logout", "family-revoked")
    for action in actions:
        _put(daemon, action, jwt_family=action, event_outcome="failure")
    _answered(daemon, now, *(_revoked("family", action, now) for action in actions))
    done = _undone(daemon, now)
    assert done.undone == ()
    assert {(target, why.split(" ")[0]) for target, why in done.kept} == {
        (f"jwt.family={action}", action) for action in actions
    }
    assert {row.value for row in daemon.state.revocations(now)} == set(actions)


def test_a_sign_in_that_somebody_else_had_ended_before_the_answer_stays_and_is_said(daemon, now):
    action = Action(
        alert=ALERT,
        rule="r",
        rule_name="B2",
        kind="revoke",
        at_us=now,
        until_us=now + HOUR,
        field="jwt.family",
        value="f1",
    )
    doc = msgspec.json.encode({"actions": [action]}).decode()
    theirs = Revocation(kind="family", value="f1", at_us=now, until_us=now + HOUR, cause="refresh_reused")
    daemon.state.commit(
        alerts=[AlertRow(id=ALERT, rule="r", severity="high", group="", at_us=now, doc=doc)],
        revocations=[theirs],
    )
    done = _undone(daemon, now)
    assert not done.undone
    [(target, why)] = done.kept
    assert (target, why.split(",")[0]) == ("jwt.family=f1", "refresh_reused ended it too")
    assert [row.value for row in daemon.state.revocations(now)] == ["f1"]


def test_a_cut_off_goes_back_to_the_one_before(daemon, now):
    earlier = now - HOUR
    _put(daemon, "subject-revoked", at_us=earlier, user_target_id="alice")
    _answered(daemon, now, _revoked("subject", "alice", now), _revoked("subject", "bob", now))
    assert sorted(_undone(daemon, now).undone) == ["user.id=alice", "user.id=bob"]
    [row] = daemon.state.revocations(now)
    assert (row.value, row.at_us) == ("alice", earlier)


def test_an_alert_that_is_none(daemon, now):
    with pytest.raises(AlertNotFound):
        _undone(daemon, now)


def test_the_story_of_a_reused_refresh_token(daemon):
    told = {"jwt_jti": "j1", "jwt_family": "f1", "user_id": "alice", "jwt_iss": "jwtrail"}
    event_id = _put(
        daemon,
        "refresh-reused",
        event_outcome="failure",
        event_reason="refresh_reused",
        **told,
        source_ip="192.0.2.9",
    )
    later = _put(daemon, "http-request", event_outcome="failure", event_reason="revoked_session", **told)

    def told_whole():
        made = explain(daemon.store, daemon.reader, daemon.rules, event_id)
        whole = made.alerts and made.alerts[0].answers and made.place.signed and made.later
        return made if whole else None

    made = until(told_whole)
    assert (made.verdict.kind, made.verdict.reason) == ("rejected", "refresh_reused")
    assert made.place.index >= 0
    assert made.token["jwt.jti"] == "j1"
    assert any(one.code == "B2" and one.matched for one in made.trial.matched)
    assert made.alerts[0].rule.startswith("B2 ")
    assert "would revoke jwt.family=f1" in made.alerts[0].answers[0]
    assert later in [doc["event.id"] for doc in made.later]
    assert made.ended is None
    refused = explain(daemon.store, daemon.reader, daemon.rules, later)
    assert refused.ended is not None
    assert refused.ended["event.id"] == event_id
    with pytest.raises(EventNotFound):
        explain(daemon.store, daemon.reader, daemon.rules, "no-such-event")


def test_what_was_thought_of_the_token(daemon):
    for fields, kind in (
        ({"jwt_jti": "j", "event_outcome": "success"}, "accepted"),
        ({"jwt_jti": "j", "event_reason": "object_denied"}, "accepted"),
        ({"jwt_jti": "j", "event_reason": "expired"}, "rejected"),
        ({"jwt_jti": "j", "event_reason": "revoked_token"}, "rejected"),
        ({"jwt_alg": "none", "event_reason": "alg_none"}, "rejected"),
        ({"event_reason": "token_missing"}, "absent"),
    ):
        event_id = _put(daemon, "http-request", **fields)
        assert explain(daemon.store, daemon.reader, daemon.rules, event_id).verdict.kind == kind, fields
