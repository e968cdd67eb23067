"""What only the end of a window tells: one test for each semantic (docs/reference/rules.md)."""

import pytest
from detect_kit import BASES, START_US, at, correlation, event, fed, ruleset, word

from jwtrail.detect import Detector
from jwtrail.detect.groups import MAX_GROUPS

TICK = 100.0
"""When a last event, of nobody, tells that time has gone on."""


def tick(number, seconds=TICK):
    return event(number, seconds, "tick", user=None)


def ended(rules, events):
    return fed(rules, [*events, tick(len(events))])


@pytest.mark.parametrize(
    ("condition", "counts"),
    [
        ("{lt: 3}", {1, 2}),
        ("{lte: 3}", {1, 2, 3}),
        ("{eq: 3}", {3}),
        ("{neq: 3}", {1, 2, 4}),
        ("{gte: 2, lt: 4}", {2, 3}),
    ],
)
def test_a_comparison_is_judged_when_the_window_ends(condition, counts):
    rules = correlation("event_count", condition=condition)
    fired = {count for count in range(1, 5) if ended(rules, at(range(count)))}
    assert fired == counts


def test_it_fires_at_the_end_of_the_window_and_not_before():
    rules = correlation("event_count", condition="{lt: 3}")
    alert = ended(rules, at([0, 4]))[0]
    assert (alert.at_us - START_US, alert.count, alert.events) == (10_000_000, 2, ("e0", "e1"))
    assert (alert.first_event, alert.sequence) == ("e0", 1)
    assert fed(rules, [*at([0]), tick(1, 12)]) == []  # allowed lateness: two seconds
    assert len(fed(rules, [*at([0]), tick(1, 12.1)])) == 1


def test_both_ends_belong_to_the_window_and_the_next_match_opens_the_next():
    rules = correlation("event_count", condition="{eq: 2}")
    assert len(ended(rules, at([0, 10]))) == 1
    assert ended(rules, at([0, 10.1])) == []
    assert len(ended(rules, at([0, 10, 10.5, 11]))) == 2


def test_an_event_of_another_process_may_come_late():
    rules = correlation("event_count", condition="{lt: 2}")
    assert fed(rules, [*at([0]), tick(1, 11.5), event(2, 9), tick(3)]) == []


def test_values_and_measures_at_the_end():
    values = correlation("value_count", condition="{lt: 2, field: url.path}")
    assert len(ended(values, [event(n, n, url_path="/x") for n in range(3)])) == 1
    assert ended(values, [event(n, n, url_path=f"/{n}") for n in range(3)]) == []
    mean = correlation("value_avg", condition="{lt: 10, field: http.response.bytes}")
    assert (
        ended(mean, [event(0, 0, http_response_bytes=4), event(1, 1, http_response_bytes=14)])[0].count == 9
    )
    assert ended(mean, [event(0, 0, http_response_bytes=4), event(1, 1, http_response_bytes=16)]) == []


@pytest.mark.parametrize(
    ("actions", "fires"),
    [("a", True), ("ac", True), ("ab", False), ("ba", False), ("c", False), ("b", False)],
)
def test_a_condition_with_not_waits_for_the_end(actions, fires):
    rules = correlation("temporal", rules="[a, b, c]", condition="a and not b and (c or not c)")
    assert bool(ended(rules, word(actions))) is fires


def test_a_condition_without_not_fires_at_once():
    rules = correlation("temporal", rules="[a, b, c]", condition="a and (b or c)")
    assert [alert.sequence for alert in fed(rules, word("bxa"))] == [2]
    assert fed(rules, word("bxc")) == []


@pytest.mark.parametrize(
    ("actions", "fires"), [("ac", True), ("abc", False), ("bac", True), ("abac", True), ("acb", True)]
)
def test_in_order_not_says_what_must_not_come_between(actions, fires):
    rules = correlation("temporal_ordered", rules="[a, b, c]", condition="a and not b and c")
    assert bool(fed(rules, word(actions))) is fires


ABSENT = BASES.split("---")[0] + "jwtrail: {absence: 10s, group-by: [user.id]}\n"


def test_silence_alerts_once_and_again_after_a_sign_of_life():
    events = [event(0, 0), event(1, 8), tick(2, 21), tick(3, 60), event(4, 61), tick(5)]
    alerts = fed(ruleset(ABSENT), events)
    assert [(alert.at_us - START_US) // 1_000_000 for alert in alerts] == [18, 71]
    assert alerts[0].group == {"user.id": "u"}
    assert alerts[0].targets.user == "u"
    assert alerts[0].events == ("e1",)


def test_silence_of_a_group_that_was_never_heard_is_none():
    assert fed(ruleset(ABSENT), [tick(0, 0), tick(1)]) == []


def test_a_restart_keeps_open_windows():
    rules = correlation("event_count", condition="{lt: 3}")
    detector = Detector(rules)
    assert detector.feed(at([0, 1])) == []
    again = Detector(rules, detector.snapshot())
    assert len(again.feed([tick(2)])) == 1
    assert again.feed([tick(3, 200)]) == []


def test_a_flood_of_groups_leaves_no_more_than_their_ends():
    detector = Detector(correlation("event_count", span="1h", condition="{lt: 1}"))
    detector.feed([event(n, n / 1000, user=f"u{n}") for n in range(MAX_GROUPS * 3)])
    assert len(detector._timed[0]._ends) <= 2 * MAX_GROUPS + 64
    assert detector.stats().evicted == MAX_GROUPS * 2
