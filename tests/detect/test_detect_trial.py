"""Why a rule looked at an event: told of every condition, and never other than the rule itself decides."""

import pytest
from msgspec.structs import replace

from jwtrail.detect.examples import events_of
from jwtrail.detect.ruleset import load_ruleset
from jwtrail.detect.trial import tried
from jwtrail.ecs import event_for
from jwtrail.predicate.python import compile_many


@pytest.fixture(scope="module")
def rules():
    return load_ruleset()


def test_a_match_says_which_conditions_hold(rules):
    event = event_for(
        "http-request",
        event_outcome="failure",
        event_reason="alg_none",
        jwt_alg="none",
        source_ip="192.0.2.1",
    )
    trial = tried(rules, event)
    one = next(one for one in trial.matched if one.code == "A1")
    assert [(c.text, c.holds) for c in one.conditions] == [('event.reason: "alg_none"', True)] or all(
        c.fits for c in one.conditions
    )
    assert one.alone
    assert trial.ignored == ""
    assert trial.rules == len(rules.active().rules)


def test_a_near_miss_is_kept_by_one_exception(rules):
    pruned = event_for("trail-pruned", jwtrail_ticket="CHG-1", user_id="u")
    assert [(one.code, one.matched) for one in tried(rules, pruned).near] == [("H8", False)]
    # An everyday request and what somebody did with the trail are not nearly an attack.
    assert (
        tried(rules, event_for("http-request", event_outcome="success", jwt_jti="j", user_id="u")).near == ()
    )
    assert tried(rules, event_for("trail-exported", user_id="u")).near == ()


def test_a_rule_that_compares_does_not_alert_by_itself(rules):
    event = event_for("http-request", event_outcome="success", user_id="u")
    event = replace(event, jwtrail_writer="w", jwtrail_writer_seq=1)
    (one,) = [one for one in tried(rules, event).matched if one.code == "H2"]
    assert (one.alone, one.compares, one.beside) == (False, True, ("jwtrail.writer",))


def test_what_a_rule_counts_for_is_said(rules):
    event = event_for("login", event_outcome="failure", user_name="bob", source_ip="192.0.2.1")
    feeding = {code for one in tried(rules, event).matched for code in one.feeds}
    assert {"C1", "C2", "C3", "C6a"} <= feeding


def test_our_own_doing_is_said_to_be_ignored(rules):
    event = event_for("http-request", flags={"self_inflicted"}, event_outcome="failure")
    assert tried(rules, event).ignored == "our own answer caused it"
    assert tried(rules, event_for("alert-raised")).ignored == "alerts do not alert"


def test_it_says_what_the_compiled_rules_say_for_every_example(rules):
    """The conditions of a matching rule all fit; of another at least one does not."""
    active = rules.active()
    match = compile_many({rule.meta.id: rule.predicate for rule in active.rules})
    seen = 0
    for meta in rules.metas()[::6]:
        for example in meta.examples[:2]:
            event = events_of(example)[-1]
            trial = tried(rules, event)
            assert {one.rule for one in trial.matched} == set(match(event))
            assert all(condition.fits for one in trial.matched for condition in one.conditions)
            seen += 1
    assert seen > 20
