"""The same events give the same alerts: in any batches, stopped and resumed anywhere; and as a naive count says."""

import pytest
from detect_kit import BASES as BASE_RULES
from detect_kit import SECOND, START_US, correlation, event, ruleset
from hypothesis import given, settings
from hypothesis import strategies as st

from jwtrail.clock import parse_iso
from jwtrail.detect import Detector
from jwtrail.errors import StateError

RULES = ruleset(
    BASE_RULES,
    """
title: Count
id: bbbbbbbb-0000-4000-8000-000000000001
name: count
jwtrail: {alert: true}
correlation: {type: event_count, rules: [a], group-by: [user.id], timespan: 5s, condition: {gte: 3}}
---
title: Values
id: bbbbbbbb-0000-4000-8000-000000000002
correlation: {type: value_count, rules: [a, b], group-by: [user.id], timespan: 8s, condition: {gte: 3, field: url.path}}
---
title: Any order
id: bbbbbbbb-0000-4000-8000-000000000003
correlation: {type: temporal, rules: [a, b, c], group-by: [user.id], timespan: 6s}
---
title: Ordered
id: bbbbbbbb-0000-4000-8000-000000000004
correlation: {type: temporal_ordered, rules: [a, c, b], group-by: [user.id], timespan: 6s}
---
title: Chain
id: bbbbbbbb-0000-4000-8000-000000000005
correlation: {type: temporal_ordered, rules: [count, b], group-by: [user.id], timespan: 6s}
---
title: Single
id: bbbbbbbb-0000-4000-8000-000000000006
logsource: {product: x}
detection: {selection: {event.action: c}, condition: selection}
jwtrail: {group-by: [user.id], suppress: 3s}
---
title: Few
id: bbbbbbbb-0000-4000-8000-000000000007
correlation: {type: event_count, rules: [a], group-by: [user.id], timespan: 4s, condition: {lt: 3}}
---
title: Not followed
id: bbbbbbbb-0000-4000-8000-000000000008
correlation: {type: temporal, group-by: [user.id], timespan: 4s, condition: a and not b}
---
title: Silent
id: bbbbbbbb-0000-4000-8000-000000000009
logsource: {product: x}
detection: {selection: {event.action: b}, condition: selection}
jwtrail: {group-by: [user.id], absence: 5s}
---
title: Sum
id: bbbbbbbb-0000-4000-8000-000000000010
correlation: {type: value_sum, rules: [a], group-by: [user.id], timespan: 5s, condition: {gte: 10, field: event.sequence}}
---
title: New
id: bbbbbbbb-0000-4000-8000-000000000011
logsource: {product: x}
detection: {selection: {url.path|exists: true}, condition: selection}
jwtrail: {group-by: [user.id], holds-back: [S1], new-terms: {fields: [url.path], history: 6s}}
---
title: Usual
id: bbbbbbbb-0000-4000-8000-000000000012
logsource: {product: x}
detection: {selection: {user.id|exists: true}, condition: selection}
jwtrail: {code: S1, group-by: [user.id], statistical: {bucket: 2s, learn: 2, factor: 1}}
---
title: Mostly
id: bbbbbbbb-0000-4000-8000-000000000013
correlation: {type: event_count, rules: [a], group-by: [user.id], timespan: 5s, condition: {gte: 2}}
jwtrail: {share: {against: b, percent: 60}}
""",
    "---".join(
        f"""
title: Watch {number}
id: bbbbbbbb-0000-4000-8000-0000000001{number:02}
logsource: {{product: x}}
detection: {{selection: {{user.id|exists: true}}, condition: selection}}
jwtrail: {{group-by: [user.id], {watch}}}
"""
        for number, watch in enumerate(
            (
                "dormant: {idle: 2s, count: 2, within: 5s, history: 60s}",
                "travel: {distance: 500, speed: 900, within: 20s}",
                "stepping: {field: event.sequence, count: 3, percent: 50, within: 9s}",
                "statistical: {measure: each, field: event.sequence, bucket: 1s, samples: 2, learn: 1, factor: 1.1}",
                "statistical: {measure: percentile, field: event.sequence, of: 50, bucket: 2s, samples: 2, learn: 1, factor: 1.1}",
                "statistical: {measure: distinct, field: url.path, bucket: 1s, learn: 2, factor: 1, empty: true}",
                'step: {field: "@timestamp", back: 1s}',
            )
        )
    ),
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 0.001, 0.5, 1, 1, 3, -0.5, -2]),
        st.sampled_from("aaabc"),
        st.sampled_from(["u", "u", "v", None]),
        st.sampled_from(["/1", "/2", "/3", None]),
    ),
    max_size=60,
)


def trail(steps):
    seconds, events = 100.0, []
    for number, (step, action, user, path) in enumerate(steps):
        seconds += step
        where = None if path is None else f"{number * 7 % 80},{len(path)}.5"
        events.append(event(number * 2, seconds, action, user, url_path=path, source_geo_location=where))
    return events


@settings(max_examples=80, deadline=None)
@given(STEPS, st.lists(st.integers(0, 60), max_size=6), st.lists(st.booleans(), min_size=6, max_size=6))
def test_batches_and_restarts_change_nothing(steps, cuts, restarts):
    events = trail(steps)
    whole = Detector(RULES)
    wanted = whole.feed(events)
    detector, alerts, begin = Detector(RULES), [], 0
    for cut, restart in zip([*sorted(cuts), len(events)], [*restarts, False], strict=False):
        alerts += detector.feed(events[begin:cut])
        if restart:
            detector = Detector(RULES, detector.snapshot())
        begin = max(0, cut - 3)  # some events again: they are passed over
    alerts += detector.feed(events)
    assert alerts == wanted
    assert len({alert.id for alert in alerts}) == len(alerts)
    assert detector.snapshot() == whole.snapshot()


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([0, 1, 2, 4, 7]), st.sampled_from("uv")), max_size=40),
    st.integers(1, 4),
)
def test_a_count_fires_exactly_when_a_naive_count_says(steps, threshold):
    seconds, events = 0.0, []
    for number, (step, user) in enumerate(steps):
        seconds += step
        events.append(event(number, seconds, "a", user))
    rules = correlation("event_count", condition=f"{{gte: {threshold}}}")
    span, quiet, naive = 10 * SECOND, {}, []
    for position, one in enumerate(events):
        now = parse_iso(one.timestamp)
        before = [
            e
            for e in events[: position + 1]
            if e.user_id == one.user_id and now - span <= parse_iso(e.timestamp)
        ]
        if len(before) >= threshold and now > quiet.get(one.user_id, START_US - 1):
            quiet[one.user_id] = now + span
            naive.append(one.event_sequence)
    assert [alert.sequence for alert in Detector(rules).feed(events)] == naive


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([0, 1, 2, 4, 7]), st.sampled_from("123456")), max_size=40),
    st.integers(1, 5),
)
def test_values_fire_exactly_when_a_naive_count_says(steps, threshold):
    seconds, events = 0.0, []
    for number, (step, path) in enumerate(steps):
        seconds += step
        events.append(event(number, seconds, "a", url_path=path))
    rules = correlation("value_count", condition=f"{{gte: {threshold}, field: url.path}}")
    span, quiet, naive = 10 * SECOND, START_US - 1, []
    for position, one in enumerate(events):
        now = parse_iso(one.timestamp)
        values = {e.url_path for e in events[: position + 1] if now - span <= parse_iso(e.timestamp)}
        if len(values) >= threshold and now > quiet:
            quiet = now + span
            naive.append(one.event_sequence)
    assert [alert.sequence for alert in Detector(rules).feed(events)] == naive


@settings(max_examples=80, deadline=None)
@given(st.text("abcx", max_size=14), st.sampled_from(["2s", "4s", "9s"]))
def test_ordered_fires_exactly_when_a_naive_search_finds_a_sequence(actions, span):
    events = [event(number, number, action) for number, action in enumerate(actions)]
    rules = correlation("temporal_ordered", rules="[a, b, c]", span=span)
    reach, quiet, since, naive = int(span[:-1]), -1, 0, []
    for end, action in enumerate(actions):
        found = action == "c" and any(
            actions[i] == "a" and actions[j] == "b"
            for i in range(max(since, end - reach), end)
            for j in range(i + 1, end)
        )
        if found:
            since = end + 1
            if end > quiet:
                quiet = end + reach
                naive.append(end)
    assert [alert.sequence for alert in Detector(rules).feed(events)] == naive


def test_a_snapshot_goes_on_where_the_rule_is_the_same_and_starts_anew_where_it_changed():
    two = "title: Other\nid: bbbbbbbb-0000-4000-8000-00000000000{}\ncorrelation: {{type: event_count, rules: [a], group-by: [user.id], timespan: {}, condition: {{gte: {}}}}}\n"

    def rules(span):
        return ruleset(BASE_RULES, two.format(8, "10s", 3), two.format(9, span, 3))

    detector = Detector(rules("10s"))
    detector.feed([event(0, 0), event(1, 1)])
    changed = Detector(rules("20s"), detector.snapshot())
    assert [alert.rule[-1] for alert in changed.feed([event(2, 2)])] == ["8"]


def test_a_changed_base_rule_starts_its_correlations_anew():
    before = correlation("event_count", condition="{gte: 3}")
    detector = Detector(before)
    detector.feed([event(0, 0), event(1, 1)])
    from msgspec.structs import replace

    from jwtrail.detect import RuleSet
    from jwtrail.predicate.ir import Equals

    other = replace(before.rules[0], predicate=Equals(field="event.action", value="a"))
    after = RuleSet(rules=(other, *before.rules[1:]), correlations=before.correlations)
    assert Detector(after, detector.snapshot()).feed([event(2, 2)]) == []


@pytest.mark.parametrize("snapshot", [b"", b"junk", b"\x80"])
def test_a_damaged_snapshot_is_refused_with_the_way_out(snapshot):
    with pytest.raises(StateError, match="starts over from the trail"):
        Detector(RULES, snapshot)
