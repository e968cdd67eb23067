"""The machines that know silence, places, steps of ids, percentiles and clocks."""

import math

from detect_kit import START_US, at, event, fed, ruleset
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from jwtrail.clock import iso
from jwtrail.detect import Detector
from jwtrail.detect.groups import BARS_ENTRY, ENTRY_BYTES, GROUP_BYTES, MAX_GROUPS
from jwtrail.detect.percentiles import DIGITS, percentile_of, rounded
from jwtrail.detect.places import kilometres, place_of

DAY = 86_400.0
SEOUL, BUSAN, AMSTERDAM = "37.57,126.98", "35.18,129.08", "52.37,4.90"


def watching(words):
    return ruleset(
        "title: W\nid: cccccccc-0000-4000-8000-000000000001\nlogsource: {product: jwtrail}\n"
        f"detection: {{selection: {{event.action: a}}, condition: selection}}\njwtrail: {{group-by: [user.id], {words}}}\n"
    )


def said(words, events):
    return [alert.sequence for alert in fed(watching(words), events)]


def test_silence_longer_than_idle_wakes_and_a_new_group_does_not():
    rule = "dormant: {idle: 90d, history: 400d}"
    assert said(rule, at([0, 89 * DAY, 180 * DAY])) == [2]
    assert said(rule, at([0, 89 * DAY, 178 * DAY])) == []
    assert said(rule, at([200 * DAY])) == []
    assert said(rule, at([0, 399 * DAY])) == [1]


def test_who_wakes_must_do_enough_at_once():
    rule = "dormant: {idle: 14d, count: 3, within: 5m, history: 90d}"
    woken = 20 * DAY
    assert said(rule, at([0, woken, woken + 10, woken + 300])) == [3]
    assert said(rule, at([0, woken, woken + 10, woken + 301, woken + 302])) == []
    assert said(rule, at([0, woken, woken + 10, 40 * DAY, 40 * DAY + 1, 40 * DAY + 2])) == [5]


def test_too_many_silent_groups_are_forgotten_without_an_alarm():
    detector = Detector(watching("dormant: {idle: 14d, history: 90d}"))
    detector.feed([event(n, n, user=f"u{n}") for n in range(MAX_GROUPS + 100)])
    stats = detector.stats()
    assert (stats.groups, stats.evicted) == (MAX_GROUPS, 0)


def seen(*places):
    return [event(n, seconds, source_geo_location=place) for n, (seconds, place) in enumerate(places)]


def test_nobody_travels_faster_than_a_plane():
    rule = "travel: {distance: 500, speed: 900, within: 12h}"
    hours = kilometres(place_of(SEOUL), place_of(AMSTERDAM)) / 900
    assert said(rule, seen((0, SEOUL), (hours * 3600 - 60, AMSTERDAM))) == [1]
    assert said(rule, seen((0, SEOUL), (hours * 3600 + 60, AMSTERDAM))) == []
    assert said(rule, seen((0, SEOUL), (0, AMSTERDAM))) == [1]
    assert said(rule, seen((0, SEOUL), (1, BUSAN), (2, SEOUL))) == []
    assert said(rule, seen((0, SEOUL), (5, None), (10, AMSTERDAM), (20, SEOUL))) == [2]  # then it is quiet
    assert said(rule, seen((0, SEOUL), (5, "nowhere"), (6, "99,999"), (7, "1"), (8, "nan,nan"))) == []


def test_an_event_that_comes_late_is_compared_by_its_own_time():
    rule = "travel: {distance: 500, speed: 900, within: 12h}"
    assert said(rule, seen((36_000, SEOUL), (35_990, AMSTERDAM))) == [1]
    [alert] = fed(watching(rule), seen((36_000, SEOUL), (35_990, AMSTERDAM)))
    assert (alert.first_event, alert.events) == ("e1", ("e1", "e0"))


@settings(max_examples=50, deadline=None)
@given(
    st.tuples(st.floats(-90, 90), st.floats(-180, 180)), st.tuples(st.floats(-90, 90), st.floats(-180, 180))
)
def test_distances_are_those_of_the_law_of_cosines(one, other):
    lat, lat2, turn = math.radians(one[0]), math.radians(other[0]), math.radians(other[1] - one[1])
    cosine = math.sin(lat) * math.sin(lat2) + math.cos(lat) * math.cos(lat2) * math.cos(turn)
    assert abs(kilometres(one, other) - 6371 * math.acos(max(-1.0, min(1.0, cosine)))) < 1


def asked(*ids, every=10.0):
    return [event(n, n * every, jwtrail_object_id=str(one)) for n, one in enumerate(ids)]


def test_ids_that_are_counted_up_or_down():
    rule = "stepping: {field: jwtrail.object.id, count: 5, percent: 80, within: 10m}"
    assert said(rule, asked(7, 8, 9, 10, 11)) == [4]
    assert said(rule, asked(11, 10, 9, 8, 7)) == [4]
    assert said(rule, asked(7, 7, 8, 8, 9, 9, 10, 10, 11)) == [8]
    assert said(rule, asked(7, 8, 9, 50, 51)) == []  # three of four steps
    assert said(rule, asked(*[7, 8] * 9)) == []
    assert said(rule, asked("a1", "a2", "a3", "a4", "a5", "9" * 40)) == []
    assert said(rule, asked(7, 8, 9, 10, 11, every=200)) == []


def numbers(field, *values, every=1.0):
    return [event(n, n * every, **{field: value}) for n, value in enumerate(values)]


EACH = (
    "statistical: {measure: each, field: http.response.bytes, of: 95, samples: 20, bucket: 1m, learn: 1, "
    "percentile: 90, factor: 10, floor: 5000}"
)


def test_a_number_far_above_the_past_of_its_group():
    known = [100] * 99 + [3_000]
    assert said(EACH, numbers("http_response_bytes", *known, 6_000)) == [100]
    assert said(EACH, numbers("http_response_bytes", *known, 4_999)) == []  # below the floor
    assert said(EACH, numbers("http_response_bytes", *[1_000] * 100, 9_000)) == []
    assert said(EACH, numbers("http_response_bytes", *[100] * 19, 6_000)) == []  # too few are known
    assert said(EACH, numbers("http_response_bytes", *[100] * 30, 6_000, every=20.0)) == [
        30
    ]  # a quiet group learns too


SLOW = (
    "statistical: {measure: percentile, field: event.duration, of: 80, samples: 10, bucket: 1m, learn: 2, "
    "percentile: 50, factor: 3, floor: 100}"
)


def test_a_percentile_of_the_running_bucket_against_earlier_ones():
    known = [100] * 120
    jump = said(SLOW, numbers("event_duration", *known, *[500] * 20))
    assert jump == [129]
    assert said(SLOW, numbers("event_duration", *known, *[250] * 20)) == []
    assert (
        said(SLOW, numbers("event_duration", *known, *[100, 100, 100, 100, 900] * 6)) == []
    )  # a fifth of them
    assert said(SLOW, numbers("event_duration", *known[:60], *[500] * 20)) == []  # one bucket is known


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=60), st.integers(1, 100))
def test_a_percentile_of_counts_is_that_of_the_rounded_numbers(values, percentile):
    counts = {}
    for value in values:
        counts[str(rounded(value))] = counts.get(str(rounded(value)), 0) + 1
    rank = -(-percentile * len(values) // 100)
    assert percentile_of(counts, percentile) == sorted(map(rounded, values))[rank - 1]
    assert all(value - value / 2 ** (DIGITS - 1) <= rounded(value) <= value for value in values)


def test_a_bucket_of_percentiles_takes_a_few_counts_whatever_comes_and_the_past_is_reckoned():
    detector = Detector(watching(SLOW.replace("learn: 2", "learn: 2, history: 64")))
    detector.feed([event(n, n / 10, event_duration=(n * 7919) % 10**9) for n in range(60_000)])
    assert GROUP_BYTES + 8 * ENTRY_BYTES < detector.stats().bytes < GROUP_BYTES + 500 * ENTRY_BYTES
    assert 64 // BARS_ENTRY == 8


def test_buckets_in_which_nothing_happened_count_when_the_rule_says_so():
    rule = "statistical: {measure: distinct, field: source.ip, bucket: 1m, factor: 2, floor: 3, learn: 5, empty: true}"
    quiet = [event(n, n * 60.0, user="v", source_ip="10.0.0.1") for n in range(6)]
    burst = [event(6 + n, 360.0 + n, user="u", source_ip=f"10.1.0.{n}") for n in range(4)]
    assert said(rule, [*quiet, *burst]) == [8]
    assert said(rule.replace(", empty: true", ""), [*quiet, *burst]) == []
    assert (
        said(rule, [*quiet[:2], *[replace(one, timestamp=iso(START_US + 200_000_000)) for one in burst]])
        == []
    )


def test_a_clock_that_goes_back_is_told_from_what_took_long():
    rule = 'step: {field: "@timestamp", back: 2s}'

    def written(*moments):
        return [event(n, begin, event_duration=round(took * 1e9)) for n, (begin, took) in enumerate(moments)]

    assert said(rule, written((100, 0.1), (60, 0.1), (61, 0.1), (62, 0.1), (50, 0.1))) == [1, 4]
    assert said(rule, written((100, 0.1), (60, 40), (101, 0.1))) == []
    assert said(rule, written((60, 40), (61, 0.1), (62, 0.1))) == []
    assert said(rule, written((100, 0.1), (98.5, 0.1))) == []


def test_a_clock_that_goes_back_is_told_by_the_numbers_of_its_writer():
    rule = 'step: {field: "@timestamp", back: 2s, by: jwtrail.writer_seq}'

    def read(*moments):
        return [event(n, at, jwtrail_writer_seq=number) for n, (number, at) in enumerate(moments)]

    assert said(rule, read((1, 0), (2, 10), (3, 5), (4, 20))) == [2]
    assert said(rule, read((1, 0), (3, 5), (2, 10), (4, 20))) == [2]  # the same, in the order of time
    assert said(rule, read((7, 100), (8, 101), (1, 0), (2, 10), (3, 11))) == []  # the older file last
    assert said(rule, read((1, 0), (2, 10), (3, 8.5))) == []


def test_a_rule_that_asks_for_alerts_sees_them_and_no_other_does():
    late = "title: L\nid: dddddddd-0000-4000-8000-00000000000{}\nlogsource: {{product: jwtrail}}\ndetection: {{s: {{{}event.action: alert-raised}}, condition: s}}\n"
    rules = ruleset(late.format(1, "event.kind: alert, "), late.format(2, ""))
    raised = replace(event(0, 0, "alert-raised"), event_kind="alert")
    assert [alert.rule[-1] for alert in fed(rules, [raised])] == ["1"]
