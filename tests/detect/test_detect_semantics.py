"""The decided semantics of correlations, one test each (docs/reference/rules.md)."""

import pytest
from detect_kit import BASES, at, correlation, event, fed, ruleset, word

THREE = correlation("event_count", condition="{gte: 3}")


def test_windows_slide_and_are_not_tied_to_the_clock():
    assert len(fed(THREE, at([7, 12, 16]))) == 1  # over a minute's tenth second


def test_both_ends_of_a_window_are_included():
    assert len(fed(THREE, at([0, 5, 10]))) == 1
    assert fed(THREE, at([0, 5, 10.000001])) == []


def test_a_window_is_anchored_at_each_match():
    alerts = fed(THREE, at([0, 8, 12, 17]))
    assert [alert.sequence for alert in alerts] == [3]
    assert alerts[0].events == ("e1", "e2", "e3")
    assert alerts[0].first_event == "e1"
    assert alerts[0].count == 3


def test_an_event_without_a_group_key_is_ignored_not_grouped_under_null():
    assert fed(THREE, at([0, 1, 2, 3], user=None)) == []


def test_group_keys_compare_exactly():
    events = [event(0, 0, user="Alice"), event(1, 1, user="alice"), event(2, 2, user="alice")]
    assert fed(THREE, events) == []


def test_groups_do_not_mix_even_with_hostile_values():
    rules = ruleset(
        BASES,
        """
title: By two
id: bbbbbbbb-0000-4000-8000-000000000009
correlation: {type: event_count, rules: [a], group-by: [user.id, user.name], timespan: 10s, condition: {gte: 2}}
""",
    )
    assert fed(rules, [event(0, 0, user="a,b", user_name="c"), event(1, 1, user="a", user_name="b,c")]) == []


def test_gt_is_one_more_than_gte():
    assert len(fed(correlation("event_count", condition="{gt: 2}"), at([0, 1, 2]))) == 1


def test_after_an_alert_a_group_is_quiet_for_one_timespan():
    alerts = fed(THREE, at([0, 1, 2, 3, 4, 11, 12, 12.5, 13]))
    assert [alert.at_us % 60_000_000 for alert in alerts] == [2_000_000, 12_500_000]
    assert len({alert.id for alert in alerts}) == 2


def test_the_quiet_time_of_one_group_is_not_that_of_another():
    events = [event(number, number, user=f"u{number % 2}") for number in range(6)]
    assert [alert.group for alert in fed(THREE, events)] == [{"user.id": "u0"}, {"user.id": "u1"}]


def test_the_quiet_time_can_be_set():
    rules = correlation("event_count", condition="{gte: 3}", more="jwtrail: {suppress: 1s}\n")
    alerts = fed(rules, at([0, 1, 2, 2.5, 3, 3.5]))
    assert [alert.sequence for alert in alerts] == [2, 5]
    assert len({alert.id for alert in alerts}) == 2  # though both begin with the same event


def test_value_count_counts_different_values():
    rules = correlation("value_count", condition="{gte: 3, field: url.path}")
    same = [event(number, number, url_path="/x") for number in range(8)]
    assert fed(rules, same) == []
    different = [event(number, number, url_path=f"/{number % 3}") for number in range(3)]
    assert fed(rules, different)[0].count == 3
    assert fed(rules, [event(number, number) for number in range(8)]) == []  # none has the field


def test_a_value_seen_again_stays_in_the_window():
    rules = correlation("value_count", condition="{gte: 3, field: url.path}")
    events = [
        event(n, t, url_path=path) for n, (t, path) in enumerate([(0, "x"), (8, "x"), (12, "y"), (17, "z")])
    ]
    assert len(fed(rules, events)) == 1


def test_value_count_counts_each_item_of_a_list():
    rules = correlation("value_count", condition="{gte: 3, field: jwt.scope}")
    assert len(fed(rules, [event(0, 0, jwt_scope=("r", "w")), event(1, 1, jwt_scope=("admin",))])) == 1


def test_value_count_counts_pairs():
    rules = correlation("value_count", condition="{gte: 2, field: [url.path, http.request.method]}")
    one = {"url_path": "/x", "http_request_method": "GET"}
    assert fed(rules, [event(0, 0, **one), event(1, 1, **one)]) == []
    assert len(fed(rules, [event(0, 0, **one), event(1, 1, **one | {"http_request_method": "PUT"})])) == 1
    assert fed(rules, [event(0, 0, **one), event(1, 1, url_path="/y")]) == []


@pytest.mark.parametrize("actions", ["abc", "cba", "bac", "aabbc"])
def test_temporal_wants_all_rules_in_any_order(actions):
    assert len(fed(correlation("temporal", rules="[a, b, c]"), word(actions))) == 1


@pytest.mark.parametrize("actions", ["ab", "aaa", "a" + "x" * 10 + "bc"])
def test_temporal_wants_all_of_them_within_the_span(actions):
    assert fed(correlation("temporal", rules="[a, b, c]"), word(actions)) == []


def test_temporal_may_want_fewer_than_all():
    assert len(fed(correlation("temporal", rules="[a, b, c]", condition="{gte: 2}"), word("aac"))) == 1


@pytest.mark.parametrize("actions", ["abc", "aabbc", "axbxc", "cabc", "abac", "abaxc", "bcabc"])
def test_ordered_means_one_after_the_other(actions):
    assert len(fed(correlation("temporal_ordered", rules="[a, b, c]"), word(actions))) == 1


@pytest.mark.parametrize("actions", ["acb", "cba", "bac", "bca", "ab", "ac", "a" + "x" * 10 + "bc"])
def test_another_order_does_not_match(actions):
    assert fed(correlation("temporal_ordered", rules="[a, b, c]"), word(actions)) == []


def test_ordered_is_by_the_trail_so_one_instant_is_enough():
    rules = correlation("temporal_ordered", rules="[a, b]")
    assert len(fed(rules, [event(0, 0, "a"), event(1, 0, "b")])) == 1
    assert fed(rules, [event(0, 0, "b"), event(1, 0, "a")]) == []


def test_the_first_step_nearest_to_the_end_is_the_one_that_counts():
    alerts = fed(
        correlation("temporal_ordered", rules="[a, b]"), [*at([0]), event(1, 9, "a"), event(2, 15, "b")]
    )
    assert alerts[0].events == ("e1", "e2")


def test_one_event_is_never_two_steps():
    rules = ruleset(
        BASES,
        """
title: A again
id: aaaaaaaa-0000-4000-8000-000000000004
name: again
logsource: {product: jwtrail}
detection: {selection: {event.action: a}, condition: selection}
---
title: Twice
id: bbbbbbbb-0000-4000-8000-000000000002
correlation: {type: temporal_ordered, rules: [a, again], group-by: [user.id], timespan: 10s}
""",
    )
    assert fed(rules, at([0])) == []
    assert len(fed(rules, at([0, 1]))) == 1


CHAIN = """
title: Many
id: bbbbbbbb-0000-4000-8000-000000000003
name: many
correlation: {type: event_count, rules: [a], group-by: [user.id], timespan: 10s, condition: {gte: 3}}
---
title: Then
id: bbbbbbbb-0000-4000-8000-000000000004
correlation: {type: temporal_ordered, rules: [many, b], group-by: [user.id], timespan: 10s}
"""


def test_a_correlation_may_be_part_of_another():
    alerts = fed(ruleset(BASES, CHAIN), word("aaab"))
    assert [alert.name for alert in alerts] == ["Then"]
    assert alerts[0].group == {"user.id": "u"}
    assert fed(ruleset(BASES, CHAIN), word("aab")) == []
    assert fed(ruleset(BASES, CHAIN), word("baaa")) == []


def test_quiet_time_keeps_alerts_back_not_what_they_are_part_of():
    alerting = CHAIN.replace("name: many", "name: many\njwtrail: {alert: true}")
    events = [*at(range(15)), event(15, 15, "b")]  # Many alerts at 2 and 13; b comes 13 s after the first
    assert [alert.name for alert in fed(ruleset(BASES, alerting), events)] == ["Many", "Many", "Then"]


def test_an_alias_groups_fields_of_different_names():
    rules = ruleset(
        BASES,
        """
title: Alias
id: bbbbbbbb-0000-4000-8000-000000000005
correlation:
  type: temporal_ordered
  rules: [a, b]
  group-by: [who]
  timespan: 10s
  aliases: {who: {a: user.id, b: user.target.id}}
""",
    )
    hit = [event(0, 0, "a", "alice"), event(1, 1, "b", "bob", user_target_id="alice")]
    assert [alert.group for alert in fed(rules, hit)] == [{"who": "alice"}]
    assert fed(rules, [event(0, 0, "a", "alice"), event(1, 1, "b", "alice", user_target_id="bob")]) == []


def test_an_event_that_completes_a_rule_for_two_groups_alerts_for_both():
    rules = ruleset(
        BASES,
        """
title: To whom it was done
id: aaaaaaaa-0000-4000-8000-000000000004
name: done_to
logsource: {product: jwtrail}
detection: {selection: {event.action: a}, condition: selection}
---
title: Who did it, or to whom it was done
id: bbbbbbbb-0000-4000-8000-000000000001
correlation:
  type: event_count
  rules: [a, done_to]
  group-by: [who]
  timespan: 10s
  aliases: {who: {a: user.id, done_to: user.target.id}}
  condition: {gte: 2}
""",
    )
    events = [event(number, number, "a", "alice", user_target_id="bob") for number in range(2)]
    found = [alert.group for alert in fed(rules, events) if alert.name.startswith("Who")]
    assert found == [{"who": "alice"}, {"who": "bob"}]


def test_a_late_event_counts_at_its_own_time():
    assert len(fed(THREE, at([0, 9, 8.5]))) == 1
    assert fed(THREE, at([10, 25, 9, 24])) == []  # 9 lies before the window that ends at 25
    alerts = fed(THREE, at([5, 9, 4, 14.5]))
    assert alerts[0].events == ("e2", "e0", "e1")  # by time


def test_a_late_event_neither_shortens_nor_stretches_an_ordered_sequence():
    rules = correlation("temporal_ordered", rules="[a, b]")
    late_start = [event(0, 20, "a"), event(1, 12, "a"), event(2, 29, "b")]
    assert fed(rules, late_start)[0].events == ("e0", "e2")
    assert fed(rules, [event(0, 20, "a"), event(1, 5, "b")]) == []
    assert len(fed(rules, [event(0, 20, "a"), event(1, 19.5, "b")])) == 1


def test_what_our_own_answer_caused_never_counts():
    events = [event(number, number, jwtrail_flags=("self_inflicted",)) for number in range(9)]
    assert fed(THREE, events) == []


def test_alerts_do_not_alert():
    rules = ruleset(
        "title: Any\nid: aaaaaaaa-0000-4000-8000-000000000007\nlogsource: {product: x}\n"
        "detection: {keywords: [needle], condition: keywords}\n"
    )
    from msgspec.structs import replace

    one = event(0, 0, url_path="/needle")
    assert len(fed(rules, [one])) == 1
    assert fed(rules, [replace(one, event_kind="alert")]) == []


def test_a_rule_on_single_events_alerts_on_each_unless_it_says_otherwise():
    assert len(fed(ruleset(BASES), word("aab"))) == 3
    quiet = BASES.split("---")[0] + "jwtrail: {group-by: [user.id], suppress: 10s}\n"
    events = [
        event(0, 0),
        event(1, 1),
        event(2, 2, user="v"),
        event(3, 10),
        event(4, 10.1),
        event(5, 11, user=None),
    ]
    assert [alert.sequence for alert in fed(ruleset(quiet), events)] == [0, 2, 4, 5]


def test_an_alert_carries_only_verified_identity_as_targets():
    unverified = event(0, 0, user=None, jwt_unverified_sub="root", user_name="root", source_ip="203.0.113.7")
    alert = fed(ruleset(BASES), [unverified])[0]
    assert alert.targets.source == "203.0.113.7"
    assert (alert.targets.user, alert.targets.jti, alert.targets.family) == ("", "", "")


def test_an_event_whose_time_is_no_time_is_passed_over_and_counted():
    from msgspec.structs import replace

    from jwtrail.detect import Detector

    detector = Detector(THREE)
    assert detector.feed([replace(event(0, 0), timestamp="yesterday"), *(event(n, n) for n in (1, 2, 3))])
    assert detector.stats().unreadable == 1


def test_an_event_without_a_place_in_the_trail_is_refused():
    from msgspec.structs import replace

    with pytest.raises(ValueError, match="no place in the trail"):
        fed(THREE, [replace(event(0, 0), event_sequence=None)])
