"""What somebody who knows only a name, or shares an address, can make the packaged answers do to others: nothing."""

import pytest
from msgspec.structs import replace

from jwtrail import config
from jwtrail.detect import Detector, load_ruleset
from jwtrail.detect.engine import SELF_INFLICTED
from jwtrail.ecs import event_for
from jwtrail.respond.events import response_event
from jwtrail.respond.policy import LONGEST_US, plan
from jwtrail.respond.settings import RespondSettings
from jwtrail.runtime.crowd import Crowd
from jwtrail.tokens.settings import TokenSettings

RULES = load_ruleset()
T0 = 1_800_000_000_000_000
SECOND = 1_000_000
HOME, ELSEWHERE, OFFICE = "198.51.100.1", "203.0.113.66", "198.51.100.200"


class Trail:
    """Events in their order, what detection makes of them, and what is done about it, with the crowd as the daemon keeps it."""

    def __init__(self):
        self.detector, self.crowd = Detector(RULES), Crowd()
        self.number = 0
        self.actions = []

    def sign_in(self, at_s, name, source, *, works):
        fields = (
            {"user_id": name, "jwt_family": f"family-{self.number}"}
            if works
            else {"event_outcome": "failure", "event_reason": "bad_credentials"}
        )
        self.put(event_for("login", at_us=T0 + at_s * SECOND, user_name=name, source_ip=source, **fields))

    def put(self, event):
        event = replace(event, event_sequence=self.number)
        self.number += 1
        self.crowd.see([event])
        now_us = T0 + 3600 * SECOND
        for alert in self.detector.feed([event]):
            for action in plan(RespondSettings(), [alert], lambda source: self.crowd.users(source, now_us)):
                self.actions.append((alert.code, action))
                self.put(response_event(action, alert, now_us=alert.at_us))

    @property
    def revoked(self):
        return [(code, one.value) for code, one in self.actions if one.kind == "revoke" and not one.dry_run]

    def told(self, code):
        return [one.why for name, one in self.actions if name == code and one.kind == "notify"]


@pytest.fixture
def trail():
    return Trail()


def test_guessing_at_a_name_does_not_end_its_owners_sign_ins(trail):
    for round_ in range(6):
        for number in range(10):
            trail.sign_in(round_ * 660 + number, "alice", ELSEWHERE, works=False)
        trail.sign_in(round_ * 660 + 50, "alice", HOME, works=False)  # a slip of the finger under attack
        trail.sign_in(round_ * 660 + 60, "alice", HOME, works=True)
    assert trail.revoked == []
    assert len(trail.told("C6c")) == 6


def test_a_password_found_where_it_was_guessed_is_answered(trail):
    for number in range(10):
        trail.sign_in(number, "alice", ELSEWHERE, works=False)
    trail.sign_in(60, "alice", ELSEWHERE, works=True)
    assert [code for code, _ in trail.revoked] == ["C6a"]


def test_behind_an_address_that_several_share_the_next_colleague_keeps_the_sign_in(trail):
    for number in range(4):
        trail.sign_in(number, f"colleague-{number}", OFFICE, works=True)
    for number in range(20):
        trail.sign_in(10 + number, f"typed-{number}", OFFICE, works=False)
    trail.sign_in(60, "bob", OFFICE, works=True)
    assert trail.revoked == []
    assert "several users share this address" in trail.told("C6b")


def test_a_list_of_found_passwords_does_not_become_a_crowd(trail):
    """Ten accounts found, one after the other: each sign-in ends, the tenth as well as the first."""
    at_s = 0
    for number in range(20):
        at_s += 4
        trail.sign_in(at_s, f"typed-{number}", ELSEWHERE, works=False)
    for found in range(10):
        trail.sign_in(at_s + 2, f"found-{found}", ELSEWHERE, works=True)
        for number in range(4):
            at_s += 4
            trail.sign_in(at_s, f"other-{found}-{number}", ELSEWHERE, works=False)
    assert [code for code, _ in trail.revoked].count("C6b") == 10
    assert trail.crowd.users(ELSEWHERE, T0 + 3600 * SECOND) == 0


def test_what_is_told_of_an_answer_is_nobody_seen_at_an_address():
    crowd = Crowd()
    for number in range(5):
        told = event_for(
            "response-notify", at_us=T0, flags={SELF_INFLICTED}, user_id=f"u{number}", source_ip=HOME
        )
        crowd.see([told])
    assert crowd.users(HOME, T0) == 0


def test_a_revocation_outlives_whatever_the_settings_allow():
    longest = TokenSettings(refresh_absolute_s=366 * 86_400, max_lifetime_s=366 * 86_400, leeway_s=300)
    assert longest.longest_s * SECOND <= LONGEST_US


def test_the_separate_setting_of_how_long_a_sign_in_lives_is_gone(tmp_path):
    settings = config.load(
        {"data": str(tmp_path), "tokens.refresh_absolute_s": 90 * 86_400}, file=None
    ).settings
    assert not hasattr(settings.respond, "max_session_s")
    assert settings.tokens.longest_s >= 90 * 86_400
