"""Measures, shares and the extensions that know what a group usually does."""

import statistics

from detect_kit import BASES, at, correlation, event, fed, ruleset
from hypothesis import given, settings
from hypothesis import strategies as st

from jwtrail.detect import Detector
from jwtrail.detect.measures import MAX_SAMPLES, nearest_rank, take
from jwtrail.detect.windows import Group

DAY = 86_400.0
A, B = BASES.split("---")[:2]


def sized(*pairs, **fields):
    return [event(n, t, http_response_bytes=size, **fields) for n, (t, size) in enumerate(pairs)]


def test_a_sum_slides_with_its_window():
    rules = correlation("value_sum", condition="{gte: 100, field: http.response.bytes}")
    alerts = fed(rules, sized((0, 60), (5, 30), (11, 30), (12, 40)))
    assert [(alert.sequence, alert.count) for alert in alerts] == [(3, 100)]
    assert alerts[0].events == ("e1", "e2", "e3")
    assert fed(rules, [event(n, n) for n in range(9)]) == []  # none has the field


def test_mean_median_and_percentile():
    def fires(kind, limit, more=""):
        condition = f"{{gte: {limit}, field: http.response.bytes{more}}}"
        return bool(fed(correlation(kind, condition=condition), sized((0, 1), (1, 2), (2, 9))))

    assert fires("value_avg", 4)
    assert not fires("value_avg", 4.5)
    assert fires("value_median", 2)
    assert not fires("value_median", 3)
    assert fires("value_percentile", 9, ", percentile: 95")
    assert not fires("value_percentile", 3, ", percentile: 60")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 1000), min_size=1, max_size=40), st.integers(1, 100))
def test_the_percentile_is_the_nearest_rank(values, percentile):
    found = nearest_rank(values, percentile)
    assert sum(value <= found for value in values) * 100 >= percentile * len(values)
    smaller = [value for value in values if value < found]
    assert not smaller or sum(v <= max(smaller) for v in values) * 100 < percentile * len(values)


def test_a_measure_keeps_a_bounded_number_of_samples_and_no_sum_gets_too_small():
    group = Group()
    for number in range(MAX_SAMPLES + 500):
        take(group, 1, number, f"e{number:06}", span_us=10**9, adding=True)
    assert len(group.samples) == MAX_SAMPLES
    assert group.total == MAX_SAMPLES + 500
    means = Group()
    for number in range(MAX_SAMPLES + 500):
        take(means, number, number, f"e{number:06}", span_us=10**9, adding=False)
    assert means.total == statistics.mean(range(500, MAX_SAMPLES + 500)) * MAX_SAMPLES


SHARE = """
title: Mostly A
id: bbbbbbbb-0000-4000-8000-000000000001
correlation: {type: event_count, rules: [a], group-by: [user.id], timespan: 100s, condition: {gte: 6}}
jwtrail: {share: {against: b, percent: 60}}
"""


def test_a_share_holds_a_count_back_while_the_other_side_is_large():
    rules = ruleset(BASES, SHARE)
    many = [event(n, n, "b") for n in range(5)] + [event(n + 5, n + 5) for n in range(8)]
    assert [alert.sequence for alert in fed(rules, many[:11])] == []  # 6 of 11
    assert [alert.sequence for alert in fed(rules, many)] == [12]  # 8 of 13 is 61 %
    assert len(fed(rules, at(range(6)))) == 1
    others = [event(n, n, "b", user="v") for n in range(5)] + [event(n + 5, n + 5) for n in range(6)]
    assert len(fed(rules, others)) == 1
    old = [event(n, n, "b") for n in range(5)] + [event(n + 5, n + 200) for n in range(6)]
    assert len(fed(rules, old)) == 1


NEW = "jwtrail: {group-by: [user.id], new-terms: {fields: [source.geo.country_iso_code], history: 30d}}\n"


def seen(number, days, country, user="u"):
    return event(number, days * DAY, user=user, source_geo_country_iso_code=country)


def test_a_new_term_alerts_once_and_the_first_of_a_group_never():
    rules = ruleset(A + NEW)
    events = [seen(0, 0, "KR"), seen(1, 1, "KR"), seen(2, 2, "BR"), seen(3, 3, "BR"), seen(4, 4, "BR", "v")]
    assert [alert.sequence for alert in fed(rules, events)] == [2]
    assert [
        alert.sequence for alert in fed(rules, [seen(0, 0, "KR"), seen(1, 1, None), seen(2, 2, "KR")])
    ] == []


def test_a_term_is_forgotten_after_the_history():
    rules = ruleset(A + NEW)
    events = [seen(n, n, "KR") for n in range(0, 40, 5)]
    events += [seen(41, 41, "BR"), seen(60, 60, "BR"), seen(72, 72, "KR")]
    assert [alert.sequence for alert in fed(rules, events)] == [41, 72]


def test_a_group_that_showed_nothing_for_the_whole_history_is_new_again():
    rules = ruleset(A + NEW)
    events = [seen(0, 0, "KR"), seen(1, 20, None), seen(2, 31, "BR"), seen(3, 32, "US")]
    assert [alert.sequence for alert in fed(rules, events)] == [3]


def test_a_group_can_be_given_time_to_learn():
    rules = ruleset(A + NEW.replace("30d", "30d, after: 7d"))
    events = [seen(0, 0, "KR"), seen(1, 3, "BR"), seen(2, 8, "US")]
    assert [alert.sequence for alert in fed(rules, events)] == [2]


def test_a_watched_rule_can_be_a_part_and_then_means_what_it_watches_for():
    chain = """
title: New, then B
id: bbbbbbbb-0000-4000-8000-000000000002
correlation: {type: temporal_ordered, rules: [a, b], group-by: [user.id], timespan: 10s}
"""
    rules = ruleset(A + NEW, B, chain)
    known = [seen(0, 0, "KR"), seen(1, 1, "KR"), event(2, DAY + 1, "b")]
    assert fed(rules, known) == []
    fresh = [seen(0, 0, "KR"), seen(1, 1, "BR"), event(2, DAY + 1, "b")]
    assert [alert.name for alert in fed(rules, fresh)] == ["New, then B"]


USUAL = (
    "jwtrail: {group-by: [user.id], suppress: 1h, statistical: "
    "{measure: sum, field: http.response.bytes, bucket: 1h, factor: 5, floor: 100, learn: 3}}\n"
)


def hours(*sizes):
    return [event(n, n * 3600.0, http_response_bytes=size) for n, size in enumerate(sizes)]


def test_more_than_a_group_ever_does_alerts_once_it_is_known():
    rules = ruleset(A + USUAL)
    assert [alert.sequence for alert in fed(rules, hours(40, 30, 50, 45, 251))] == [4]
    assert fed(rules, hours(40, 30, 50, 45, 250)) == []
    assert fed(rules, hours(1, 1, 1, 99)) == []  # below the floor
    assert fed(rules, hours(10, 10, 900)) == []  # not known for long enough


def test_buckets_can_count_events_and_different_values():
    counting = A + USUAL.replace("measure: sum, field: http.response.bytes, ", "").replace("100", "1")
    steady = [event(n, n * 3600.0) for n in range(4)]
    burst = [event(4 + n, 4 * 3600.0 + n) for n in range(6)]
    assert [alert.count for alert in fed(ruleset(counting), steady + burst)] == [6]
    values = A + USUAL.replace("sum, field: http.response.bytes", "distinct, field: url.path").replace(
        "100", "1"
    )
    same = [event(4 + n, 4 * 3600.0 + n, url_path="/x") for n in range(60)]
    usual = [event(n, n * 3600.0, url_path="/x") for n in range(4)]
    assert fed(ruleset(values), usual + same) == []
    walk = [event(4 + n, 4 * 3600.0 + n, url_path=f"/{n}") for n in range(6)]
    assert len(fed(ruleset(values), usual + walk)) == 1


def test_a_step_sees_a_number_that_jumps_within_its_group():
    rules = ruleset(A + "jwtrail: {group-by: [jwtrail.writer], step: {field: jwtrail.writer_seq}}\n")

    def written(*numbers):
        return [event(n, n, jwtrail_writer=w, jwtrail_writer_seq=s) for n, (w, s) in enumerate(numbers)]

    assert fed(rules, written(("x", 1), ("y", 7), ("x", 2), ("y", 8), ("x", 2))) == []
    alert = fed(rules, written(("x", 1), ("y", 7), ("x", 4), ("x", 5)))[0]
    assert (alert.group, alert.sequence, alert.count) == ({"jwtrail.writer": "x"}, 2, 3)


def test_a_step_also_sees_what_we_caused_ourselves():
    rules = ruleset(A + "jwtrail: {group-by: [jwtrail.writer], step: {field: jwtrail.writer_seq}}\n")
    own = {"jwtrail_flags": ("self_inflicted",), "jwtrail_writer": "x"}
    events = [event(0, 0, jwtrail_writer="x", jwtrail_writer_seq=1), event(1, 1, jwtrail_writer_seq=2, **own)]
    assert fed(rules, [*events, event(2, 2, jwtrail_writer="x", jwtrail_writer_seq=3)]) == []
    assert len(fed(rules, [events[0], event(1, 1, jwtrail_writer_seq=5, **own)])) == 1


HEALTH = (
    "jwtrail: {code: I9, suppress: 60s, holds-back: [X1]}\n---\n"
    + B.strip()
    + "\njwtrail: {code: X1, suppress: none}\n"
)


def test_a_health_rule_holds_back_what_it_explains_and_says_so():
    rules = ruleset(A + HEALTH)
    events = [event(0, 0, "b"), event(1, 1, "a"), event(2, 2, "b"), event(3, 62, "b")]
    alerts = fed(rules, events)
    assert [(alert.code, alert.held) for alert in alerts] == [
        ("X1", ""),
        ("I9", ""),
        ("X1", "I9"),
        ("X1", ""),
    ]
    detector = Detector(rules)
    detector.feed(events[:2])
    assert [alert.held for alert in Detector(rules, detector.snapshot()).feed(events[2:])] == ["I9", ""]


def test_a_correlation_may_keep_firing_or_start_anew():
    def sequences(more):
        rules = correlation("event_count", condition="{gte: 3}", more=more)
        return [alert.sequence for alert in fed(rules, at(range(7)))]

    assert sequences("jwtrail: {suppress: none}\n") == [2, 3, 4, 5, 6]
    assert sequences("jwtrail: {suppress: none, reset: true}\n") == [2, 5]
