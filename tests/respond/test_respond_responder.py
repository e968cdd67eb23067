"""Answers with the real state store: at once or not at all, once and never twice."""

import msgspec
import pytest
from respond_kit import MINUTE, NOW_US, alert

from jwtrail.detect import Alert
from jwtrail.ecs import encode_parts
from jwtrail.respond.responder import REPAIR_WHOLE, Responder
from jwtrail.respond.settings import RespondSettings
from jwtrail.state.store import StateStore


@pytest.fixture
def store(tmp_path):
    with StateStore(tmp_path / "state.db", clock=lambda: NOW_US) as made:
        yield made


def responder(store, trail, settings=None):
    return Responder(settings or RespondSettings(), commit=store.commit, record=trail.append)


def answered(one, alerts, snapshot=b"s", now_us=NOW_US + 250_000):
    return one.answer(alerts, cursor=("detect", snapshot), crowd=lambda _address, _now: 0, now_us=now_us)


def test_snapshot_alert_and_answer_are_there_and_then_the_trail_is_told(store):
    trail = []
    new = answered(responder(store, trail), [alert("B2"), alert("A1", number=2)], b"snapshot")
    assert [one.code for one in new] == ["B2", "A1"]
    assert store.get_cursor("detect") == b"snapshot"
    [revocation] = store.revocations(NOW_US)
    assert (revocation.kind, revocation.value, revocation.alert) == ("family", "fam-1", new[0].id)
    [restraint] = store.restraints(NOW_US)
    assert (restraint.field, restraint.value, restraint.per_minute) == ("source.ip", "203.0.113.7", 0)
    assert [event.event_action for event in trail] == [
        "alert-raised",
        "response-revoke",
        "alert-raised",
        "response-block",
    ]
    assert all(encode_parts(event) for event in trail)


def test_a_response_event_names_its_alert_its_target_and_its_end(store):
    trail = []
    answered(responder(store, trail), [alert("A1")])
    event = trail[1]
    assert event.jwtrail_response_kind == "block"
    assert event.jwtrail_response_target == "source.ip=203.0.113.7"
    assert event.jwtrail_response_alert == alert("A1").id
    assert event.jwtrail_response_until == "2026-01-01T00:10:00.000000Z"
    assert event.jwtrail_response_dry_run is False
    assert event.jwtrail_flags == ("self_inflicted",)
    assert event.jwtrail_lag_ms == 250
    assert "block source.ip=203.0.113.7 until" in event.message


def test_a_dry_run_is_told_and_not_done(store):
    trail = []
    answered(responder(store, trail, RespondSettings(dry_run=True)), [alert("B2")])
    assert store.revocations(NOW_US) == []
    assert trail[1].jwtrail_response_dry_run is True
    assert "would revoke" in trail[1].message


def test_the_row_holds_the_whole_alert(store):
    answered(responder(store, []), [alert("B2")])
    [row] = store.alerts()
    assert msgspec.json.decode(row.doc, type=Alert) == alert("B2")
    assert (row.rule, row.severity, row.group, row.status) == ("rule-B2", "high", "user.id=alice", "open")


def test_an_alert_that_was_answered_is_not_answered_again(store):
    trail = []
    one = responder(store, trail)
    answered(one, [alert("B2")])
    store.unrevoke("family", "fam-1")  # a person decided
    assert answered(one, [alert("B2"), alert("D1", number=2)], b"later") == (alert("D1", number=2),)
    assert [row.kind for row in store.revocations(NOW_US)] == ["jti"]
    assert len(trail) == 4
    assert store.get_cursor("detect") == b"later"


def test_two_alerts_of_one_id_in_a_batch_are_one(store):
    trail = []
    assert len(answered(responder(store, trail), [alert(), alert()])) == 1
    assert len(trail) == 2


class KilledError(BaseException):
    """kill -9, as close as a test can come."""


@pytest.mark.parametrize("dies_after", range(5))
def test_events_that_a_crash_cut_off_are_written_once_at_the_next_start(store, dies_after):
    trail = []

    def record(event):
        if len(trail) == dies_after:
            raise KilledError
        trail.append(event)

    dying = Responder(RespondSettings(), commit=store.commit, record=record)
    alerts = [alert("B2"), alert("A1", number=2)]
    try:
        answered(dying, alerts)
    except KilledError:
        assert dies_after < 4
    rows = (store.revocations(NOW_US), store.restraints(NOW_US))

    again = responder(store, trail)
    answered(again, alerts)  # the detector reads the same events again
    ids = {event.event_id for event in trail}
    missing = again.repair(store, ids.__contains__, now_us=NOW_US + MINUTE)
    assert missing == 4 - min(dies_after, 4)
    assert len({event.event_id for event in trail}) == len(trail) == 4
    assert (store.revocations(NOW_US), store.restraints(NOW_US)) == rows
    ids = {event.event_id for event in trail}
    assert again.repair(store, ids.__contains__, now_us=NOW_US + MINUTE) == 0


def test_a_crash_before_the_commit_leaves_nothing(store):
    def broken(**_):
        raise KilledError

    trail = []
    with pytest.raises(KilledError):
        answered(Responder(RespondSettings(), commit=broken, record=trail.append), [alert()])
    assert (trail, store.alerts(), store.get_cursor("detect")) == ([], [], None)


def test_the_repair_stops_where_all_is_told(store):
    trail, asked = [], []
    one = responder(store, trail)
    answered(one, [alert(number=number, at_us=NOW_US + number) for number in range(1, 60)])
    ids = {event.event_id for event in trail}

    def recorded(event_id):
        asked.append(event_id)
        return event_id in ids

    assert one.repair(store, recorded, now_us=NOW_US) == 0
    assert len(asked) == 2 * REPAIR_WHOLE


def test_the_repair_tells_what_was_planned_then_not_what_would_be_now(store):
    trail = []
    answered(responder(store, []), [alert("A1")])
    changed = responder(store, trail, RespondSettings(dry_run=True))
    assert changed.repair(store, lambda _: False, now_us=NOW_US) == 2
    assert trail[1].jwtrail_response_dry_run is False


def test_the_whole_way_from_events_to_a_revoked_family(store):
    from jwtrail.detect import Detector, load_ruleset
    from jwtrail.detect.examples import events_of

    rules = load_ruleset()
    example = next(meta for meta in rules.metas() if meta.code == "C6a").examples[0]
    trail, detector = [], Detector(rules)
    alerts = detector.feed(events_of(example))
    new = answered(responder(store, trail), alerts, detector.snapshot())
    assert [one.code for one in new] == ["C1", "C6a", "C6c"]
    assert [row.value for row in store.revocations(NOW_US)] == ["fam-9"]
    assert Detector(rules, store.get_cursor("detect")).feed(events_of(example)) == []
