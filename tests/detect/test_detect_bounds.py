"""State is bounded: floods of invented keys and values cost a known amount, and what had to go is counted."""

import tracemalloc

import pytest
from detect_kit import correlation, event

from jwtrail.detect import Detector
from jwtrail.detect.alert import MAX_EVENTS
from jwtrail.detect.fields import MAX_VALUE
from jwtrail.detect.groups import MAX_GROUPS, Groups
from jwtrail.detect.windows import KEPT, Group, counted, kept_for, see


def test_groups_beyond_the_limit_push_out_the_least_recently_touched_and_are_counted():
    groups = Groups(life_us=1_000, most=3)
    for number in range(5):
        groups.touch(f"g{number}", number).latest_us = number
        groups.touch("kept", number).latest_us = number
    assert list(groups) == ["g3", "g4", "kept"]
    assert groups.evicted == 3


def test_an_expired_group_leaves_for_free():
    groups = Groups(life_us=10, most=3)
    for number in range(100):
        groups.touch(f"g{number}", number * 100).latest_us = number * 100
    assert len(groups) <= 3
    assert groups.evicted == 0


def test_a_quiet_group_is_not_forgotten_before_its_quiet_time_ends():
    groups = Groups(life_us=10, most=3)
    groups.touch("quiet", 0).quiet_us = 10_000
    groups.touch("other", 5_000)
    assert groups.touch("quiet", 5_001).quiet_us == 10_000


def test_a_flood_of_keys_is_flat_and_seen():
    detector = Detector(correlation("event_count", span="1h", condition="{gte: 3}"))
    flood = [event(number, number / 1000, user=f"u{number}") for number in range(MAX_GROUPS + 500)]
    assert detector.feed(flood) == []
    stats = detector.stats()
    assert (stats.groups, stats.evicted) == (MAX_GROUPS, 500)


def test_a_group_keeps_no_more_entries_than_it_needs():
    group = Group()
    for number in range(1_000):
        see(group, f"v{number}", number, f"e{number}", span_us=10_000, kept=kept_for(5))
    assert len(group.seen) == KEPT
    assert counted(group).count == KEPT
    for number in range(1_000):
        see(group, f"v{number}", number + 1_000, f"e{number}", span_us=10_000, kept=kept_for(250))
    assert len(group.seen) == 250


def test_an_alert_lists_a_bounded_number_of_events():
    rules = correlation("event_count", span="1h", condition="{gte: 150}")
    alert = Detector(rules).feed([event(number, number) for number in range(150)])[0]
    assert alert.count == 150
    assert len(alert.events) == MAX_EVENTS
    assert alert.events[-1] == "e149"
    assert alert.first_event == "e0"


def test_a_flood_of_long_names_and_values_takes_no_more_memory_than_allowed_and_takes_none_from_others():
    memory = 2 << 20
    rules = correlation(
        "value_count",
        span="1d",
        condition="{gte: 2000, field: url.path}",
        more="""
---
title: Other
id: bbbbbbbb-0000-4000-8000-000000000002
correlation: {type: event_count, rules: [b], group-by: [source.ip], timespan: 1d, condition: {gte: 20}}
""",
    )
    detector = Detector(rules, memory=memory)
    detector.feed([event(number, number, "b", source_ip="10.0.0.1") for number in range(19)])
    tracemalloc.start()
    for start in range(1_000, 13_000, 1_000):
        detector.feed(
            event(
                number,
                number / 1000,
                user=f"{number % 3_000}" + "u" * 900,
                url_path=f"/{number}" + "p" * 2_000,
            )
            for number in range(start, start + 1_000)
        )
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    stats = detector.stats()
    assert stats.evicted > 0
    assert stats.bytes < memory * 1.1
    assert taken < 2 * memory
    assert len(detector.snapshot()) < 2 * memory
    [alert] = detector.feed([event(50_000, 60, "b", source_ip="10.0.0.1")])
    assert (alert.name, alert.count) == ("Other", 20)


def test_long_names_that_differ_late_are_different_groups_and_values():
    rules = correlation("value_count", condition="{gte: 2, field: url.path}")
    one, other = "u" * 900 + "1", "u" * 900 + "2"
    assert (
        Detector(rules).feed([event(0, 0, user=one, url_path="/1"), event(1, 1, user=other, url_path="/2")])
        == []
    )
    [alert] = Detector(rules).feed(
        [event(0, 0, user=one, url_path=one), event(1, 1, user=one, url_path=other)]
    )
    assert alert.group == {"user.id": one}


def test_a_silent_group_of_a_long_name_is_named_by_its_beginning():
    rules = correlation("event_count", condition="{lt: 2}")
    [alert] = Detector(rules).feed([event(0, 0, user="u" * 900), event(1, 60, user="v")])
    assert alert.group["user.id"].startswith("uuuu")
    assert len(alert.group["user.id"]) == MAX_VALUE


@pytest.mark.parametrize("batch", [1, 50, 300])
def test_who_has_to_go_when_memory_is_used_up_does_not_depend_on_batches_and_restarts(batch):
    rules = correlation(
        "event_count",
        span="1h",
        condition="{gte: 3}",
        more="""
---
title: Values
id: bbbbbbbb-0000-4000-8000-000000000002
correlation: {type: value_count, rules: [a], group-by: [source.ip], timespan: 1h, condition: {gte: 4, field: user.id}}
""",
    )
    flood = [
        event(number, number / 100, user=f"u{number * number % 997}", source_ip=f"10.0.0.{number % 211}")
        for number in range(3_000)
    ]
    memory = 700_000
    whole = Detector(rules, memory=memory)
    wanted = whole.feed(flood)
    assert wanted
    assert whole.stats().evicted
    detector, alerts = Detector(rules, memory=memory), []
    for start in range(0, len(flood), batch):
        alerts += detector.feed(flood[start : start + batch])
        if start % 7 == 0:
            detector = Detector(rules, detector.snapshot(), memory=memory)
    assert alerts == wanted
    assert detector.snapshot() == whole.snapshot()
