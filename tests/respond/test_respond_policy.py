"""What is done about an alert, and above all what is not."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from respond_kit import MINUTE, NOW_US, WHO, alert

from jwtrail.detect import Detector, Targets, load_ruleset
from jwtrail.detect.examples import events_of
from jwtrail.respond.action import restraint_of, revocation_of
from jwtrail.respond.policy import plan
from jwtrail.respond.settings import PACKAGED, Answer, RespondSettings

RULES = load_ruleset()


def nobody(_: str) -> int:
    return 0


def one(policy=None, shared=nobody, **fields):
    [action] = plan(policy or RespondSettings(), [alert(**fields)], shared)
    return action


@pytest.mark.parametrize(
    ("code", "kind", "target", "ends_after"),
    [
        ("A1", "block", "source.ip=203.0.113.7", 10 * MINUTE),
        ("A2", "block", "source.ip=203.0.113.7", 10 * MINUTE),
        ("A4", "block", "source.ip=203.0.113.7", 10 * MINUTE),
        ("B2", "revoke", "jwt.family=fam-1", 400 * 1440 * MINUTE),
        ("C6a", "revoke", "jwt.family=fam-1", 400 * 1440 * MINUTE),
        ("C6b", "revoke", "jwt.family=fam-1", 400 * 1440 * MINUTE),
        ("D1", "revoke", "jwt.jti=jti-1", 400 * 1440 * MINUTE),
        ("E6", "throttle", "source.ip=203.0.113.7", 10 * MINUTE),
    ],
)
def test_the_packaged_policy(code, kind, target, ends_after):
    action = one(code=code)
    assert (action.kind, action.target, action.until_us - NOW_US) == (kind, target, ends_after)
    assert not action.dry_run


def test_the_packaged_policy_names_rules_that_exist():
    assert set(PACKAGED) <= {meta.code for meta in RULES.metas()}


def test_a_source_is_held_up_only_without_a_valid_token():
    for code in ("A1", "A2", "A4", "E6"):
        restraint = restraint_of(one(code=code))
        assert restraint is not None
        assert restraint.unauthenticated_only
        assert restraint.per_minute == (30 if code == "E6" else 0)


def test_an_address_that_several_users_share_is_never_blocked():
    action = one(code="A1", shared=lambda address: 4 if address == "203.0.113.7" else 0)
    assert (action.kind, action.per_minute, action.unauthenticated_only) == ("throttle", 30, True)
    assert "share" in action.why
    hard = RespondSettings(answers={"A1": Answer(kind="block", unauthenticated_only=False)})
    assert one(hard, lambda _: 4, code="A1").unauthenticated_only
    assert one(hard, lambda _: 3, code="A1").kind == "block"


def test_a_rule_without_an_answer_only_says_what_it_would_do():
    action = one(code="Z1")
    assert (action.kind, action.dry_run) == ("block", True)
    assert restraint_of(action) is None
    assert plan(RespondSettings(), [alert("Z1", proposal=None)], nobody) == ()


def test_dry_run_turns_every_answer_into_words():
    for policy in (
        RespondSettings(dry_run=True),
        RespondSettings(answers={"B2": Answer(kind="revoke", target="family", dry_run=True)}),
    ):
        action = one(policy)
        assert action.dry_run
        assert revocation_of(action) is None


def test_an_answer_may_be_set_by_code_or_by_id_and_the_others_stay():
    by_id = RespondSettings(
        answers={"rule-D1": Answer(kind="throttle", target="user", per_minute=5, same_route=True)}
    )
    action = one(by_id, code="D1")
    restraint = restraint_of(action)
    assert restraint is not None
    assert (restraint.field, restraint.value, restraint.per_minute) == ("user.id", "alice", 5)
    assert restraint.route == "/orders/{id}"
    assert not restraint.unauthenticated_only
    assert one(by_id, code="B2").kind == "revoke"


def test_when_the_event_does_not_know_the_target_no_wider_one_takes_its_place():
    action = one(code="B2", targets=Targets(user="alice", source="203.0.113.7", jti="j"))
    assert (action.kind, action.target) == ("notify", "")
    assert "no verified jwt.family" in action.why


def test_allow_lists_spare_sources_and_users():
    assert "source" in one(RespondSettings(allow_sources=("203.0.113.0/24",))).why
    assert "user" in one(RespondSettings(allow_users=("alice",))).why
    assert one(RespondSettings(allow_sources=("10.0.0.0/8", "2001:db8::/32"))).why == ""
    assert one(RespondSettings(allow_sources=("10.0.0.0/8",)), targets=Targets(family="f")).kind == "revoke"


def test_no_answer_lasts_longer_than_the_operator_allows():
    policy = RespondSettings(answers={"A1": Answer(kind="block", minutes=600)}, max_minutes=30)
    assert one(policy, code="A1").until_us == NOW_US + 30 * MINUTE


def test_a_user_is_revoked_as_a_cut_off():
    policy = RespondSettings(answers={"B2": Answer(kind="revoke", target="user")})
    row = revocation_of(one(policy))
    assert row is not None
    assert (row.kind, row.value, row.at_us, row.cause) == ("subject", "alice", NOW_US, "alert")


@pytest.mark.parametrize(
    "table",
    [
        {"answers": {"A1": {"kind": "revoke", "target": "source"}}},
        {"answers": {"A1": {"kind": "block", "target": "family"}}},
        {"answers": {"A1": {"kind": "explode"}}},
        {"answers": {"A1": {"kind": "block", "minutes": 0}}},
        {"answers": {"A1": {"kind": "block", "minutes": 60 * 24 * 365}}},
        {"allow_sources": ["10.0.0.1/8"]},
        {"allow_sources": ["office"]},
        {"max_session_s": 60},
        {"dryrun": True},
    ],
)
def test_settings_that_make_no_sense_are_refused(table):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(table, RespondSettings)


_CLAIMED = st.fixed_dictionaries(
    {
        "jwt.unverified.sub": st.text("abc", min_size=1),
        "jwt.unverified.jti": st.text("abc", min_size=1),
        "user.name": st.text("abc", min_size=1),
    }
)


@settings(max_examples=60, deadline=None)
@given(_CLAIMED, st.sampled_from(["jti", "family", "user", "source"]), st.sampled_from(["A1", "A2", "A4"]))
def test_a_claim_of_an_unverified_token_never_chooses_whom_to_act_on(claims, target, code):
    from jwtrail.ecs import decode_document, document

    example = next(meta for meta in RULES.metas() if meta.code == code).examples[0]
    events = [
        decode_document(document(event) | claims | {"jwt.unverified.sub": "victim"})
        for event in events_of(example)
    ]
    raised = Detector(RULES).feed(events)
    kind = "block" if target == "source" else "revoke"
    policy = RespondSettings(answers={code: Answer(kind=kind, target=target)})
    assert raised
    for action in plan(policy, raised, nobody):
        assert action.target in ("", "source.ip=203.0.113.7")


def test_the_id_of_an_action_is_stable_and_tells_targets_apart():
    assert one().id == one().id
    assert one().id != one(targets=Targets(family="fam-2")).id
    assert one().id != one(number=2).id
    assert WHO.family == "fam-1"


def test_settings_and_proposals_speak_the_same_words():
    from typing import get_args

    from jwtrail.respond import settings as ours
    from jwtrail.sigma import records

    assert set(get_args(ours.AnswerKind)) == {*get_args(records.AnswerKind), "exec"}
    assert ours.AnswerTarget == records.AnswerTarget
    assert ours.MAX_MINUTES == records.MAX_MINUTES
