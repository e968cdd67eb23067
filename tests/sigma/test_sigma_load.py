"""Loading: a bad rule is refused with its place, the others load; hostile files cost little."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from jwtrail.sigma import (
    Bound,
    EventCount,
    TemporalCondition,
    TemporalOrdered,
    ValueCount,
    ValueSum,
    load_rules,
)
from jwtrail.sigma.document import MAX_DEPTH, MAX_DOCUMENTS, MAX_TEXT
from waiting import AT_ONCE_S, cost_s

REFUSED = yaml.safe_load((Path(__file__).parent / "sigma_refused.yml").read_text())

GOOD = """
title: Sign-in failed
id: 11111111-1111-4111-8111-111111111111
name: failed
logsource: {product: jwtrail}
detection:
  selection: {event.action: login, event.outcome: failure}
  condition: selection
"""
OTHER = GOOD.replace("1111", "2222").replace("name: failed", "name: worked").replace("failure", "success")
COUNT = """
title: Many
id: 33333333-3333-4333-8333-333333333333
name: many
correlation:
  type: event_count
  rules: [failed]
  group-by: [user.name]
  timespan: 10m
  condition: {gt: 9}
"""
CHAIN = """
title: Then
id: 44444444-4444-4444-8444-444444444444
correlation:
  type: temporal_ordered
  rules: [many, worked]
  group-by: [user.name]
  timespan: 1h
"""


@pytest.mark.parametrize("case", REFUSED, ids=[case["name"] for case in REFUSED])
def test_a_bad_rule_is_refused_where_it_is_wrong_and_the_others_load(case):
    loaded = load_rules({"bad.yml": case["rule"], "good.yml": GOOD.replace("1111", "9999")})
    assert len(loaded.rules) == 1
    assert len(loaded.refused) == 1
    error = loaded.refused[0]
    for words in case["says"]:
        assert words in str(error)
    assert error.file == "bad.yml"
    if line_of := case.get("line_of"):
        lines = case["rule"].split("\n")
        line = next(number for number, text in enumerate(lines, 1) if text.strip(" -").startswith(line_of))
        column = lines[line - 1].index(line_of) + 1
        assert (error.line, error.column) == (line, column)
        assert error.where == f"bad.yml:{line}:{column}"


def test_correlations_load_in_any_order_each_after_what_it_refers_to():
    loaded = load_rules({"a": CHAIN, "b": COUNT, "c": OTHER, "d": GOOD})
    assert loaded.refused == ()
    many, then = loaded.correlations
    assert many.shape == EventCount(count=10)
    assert then.shape == TemporalOrdered()
    assert then.rules == (many.meta.id, "22222222-2222-4111-8111-222222222222")
    assert (many.span_us, then.span_us) == (600_000_000, 3_600_000_000)
    assert then.meta.suppress_us == then.span_us


def test_a_rule_may_be_referred_to_by_its_id():
    loaded = load_rules({"a": GOOD, "b": COUNT.replace("[failed]", "[11111111-1111-4111-8111-111111111111]")})
    assert loaded.refused == ()


def test_correlations_in_a_ring_are_refused():
    ring = (
        COUNT.replace("rules: [failed]", "rules: [third]")
        + "---"
        + CHAIN.replace("title", "name: third\ntitle")
    )
    loaded = load_rules({"ring.yml": ring, "w.yml": OTHER})
    assert loaded.correlations == ()
    assert sorted("is loaded" in str(error) for error in loaded.refused) == [True, True]


def test_a_correlation_on_a_refused_rule_is_refused_as_well():
    loaded = load_rules({"a": GOOD.replace("event.action", "event.acton"), "b": COUNT})
    assert [error.file for error in loaded.refused] == ["a", "b"]


def test_what_only_feeds_a_correlation_raises_no_alert_of_its_own():
    def alerts(*texts):
        loaded = load_rules({str(number): text for number, text in enumerate(texts)})
        return {rule.meta.title: rule.meta.alerts for rule in (*loaded.rules, *loaded.correlations)}

    assert alerts(GOOD) == {"Sign-in failed": True}
    assert alerts(GOOD, COUNT) == {"Sign-in failed": False, "Many": True}
    generate = COUNT.replace("  type:", "  generate: true\n  type:")
    assert alerts(GOOD, generate) == {"Sign-in failed": True, "Many": True}
    assert alerts(GOOD + "jwtrail: {alert: false}\n", generate)["Sign-in failed"] is False
    assert alerts(GOOD + "jwtrail: {alert: true}\n", COUNT)["Sign-in failed"] is True


def test_the_second_of_two_rules_with_one_id_or_name_is_refused():
    same_id = load_rules({"a": GOOD, "b": GOOD.replace("name: failed", "name: again")})
    assert (len(same_id.rules), same_id.refused[0].file) == (1, "b")
    same_name = load_rules({"a": GOOD, "b": OTHER.replace("worked", "failed")})
    assert "the name failed" in str(same_name.refused[0])


def test_a_filter_narrows_the_rules_it_names():
    narrow = """
title: Not the probe
logsource: {product: jwtrail}
filter:
  rules: [failed]
  selection: {user.name: probe}
  condition: not selection
"""
    from jwtrail.ecs import decode_document
    from jwtrail.predicate.python import compile_predicate

    loaded = load_rules({"f": narrow, "r": GOOD})
    assert loaded.refused == ()
    fits = compile_predicate(loaded.rules[0].predicate)
    event = {"@timestamp": "", "event.id": "", "event.action": "login", "event.outcome": "failure"}
    assert fits(decode_document(event | {"user.name": "alice"}))
    assert not fits(decode_document(event | {"user.name": "probe"}))


def test_a_value_count_may_count_pairs_and_aliases_name_fields_by_rule():
    pairs = COUNT.replace("event_count", "value_count").replace(
        "{gt: 9}", "{gte: 2, field: [source.as.number, source.geo.city_name]}"
    )
    loaded = load_rules({"a": GOOD, "b": pairs})
    assert loaded.correlations[0].shape == ValueCount(
        count=2, fields=("source.as.number", "source.geo.city_name")
    )
    alias = COUNT.replace("[user.name]", "[who]") + "  aliases:\n    who: {failed: user.name}\n"
    loaded = load_rules({"a": GOOD, "b": alias})
    assert loaded.correlations[0].aliases == {"who": {"11111111-1111-4111-8111-111111111111": "user.name"}}


def shape(text):
    loaded = load_rules({"a": GOOD, "b": text, "c": OTHER})
    assert loaded.refused == ()
    return loaded.correlations[-1].shape


@pytest.mark.parametrize(
    ("condition", "bounds"),
    [
        ("{lt: 5}", (("lt", 5),)),
        ("{lte: 5}", (("lte", 5),)),
        ("{eq: 5}", (("eq", 5),)),
        ("{neq: 5}", (("neq", 5),)),
        ("{gte: 2, lt: 5}", (("gte", 2), ("lt", 5))),
    ],
)
def test_what_only_the_end_of_a_window_tells_keeps_its_comparisons(condition, bounds):
    made = shape(COUNT.replace("{gt: 9}", condition))
    assert made == EventCount(bounds=tuple(Bound(*one) for one in bounds))


def test_measures_load_with_their_field():
    text = COUNT.replace("event_count", "value_sum").replace("{gt: 9}", "{gt: 9.5, field: sc-bytes}")
    assert shape(text) == ValueSum(field="http.response.bytes", bounds=(Bound("gt", 9.5),))
    assert shape(text.replace("value_sum", "value_avg").replace("gt:", "lt:")).at_end
    percentile = text.replace("value_sum", "value_percentile").replace("{gt:", "{percentile: 95, gt:")
    assert shape(percentile).percentile == 95


def test_conditions_on_the_rules_that_were_seen():
    text = GOOD.replace("1111", "5555").replace("name: failed", "name: other")
    extended = COUNT.replace("event_count", "temporal").replace("  rules: [failed]\n", "")
    loaded = load_rules(
        {
            "a": GOOD,
            "b": extended.replace("{gt: 9}", "(failed or worked) and not other"),
            "c": OTHER,
            "d": text,
            "e": CHAIN.replace("rules: [many, worked]", "condition: failed and not other and worked"),
        }
    )
    assert loaded.refused == ()
    free, ordered = loaded.correlations
    assert free.shape == TemporalCondition(condition=(0, 1, "or", 2, "not", "and"), at_end=True)
    assert ordered.shape == TemporalOrdered(guards=((2, 0),))
    assert [rule[0] for rule in ordered.rules] == ["1", "2", "5"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (COUNT.replace("{gt: 9}", "{gt: 9, lt: 3}"), "no number is above 9 and below 3"),
        (COUNT.replace("event_count", "value_sum").replace("{gt: 9}", "{gt: 9, field: user.id}"), "number"),
        (COUNT.replace("event_count", "temporal").replace("{gt: 9}", "{lt: 1}"), "gt or gte"),
        (CHAIN.replace("rules: [many, worked]", "condition: failed and not worked"), "between two rules"),
        (CHAIN.replace("rules: [many, worked]", "condition: failed or worked"), "only rules, `and`"),
        (COUNT.replace("{gt: 9}", "{lt: 9}") + "---" + CHAIN, "cannot be part of another"),
        (COUNT + "jwtrail: {absence: 5m}\n", "belongs to a rule on single events"),
        (COUNT + "jwtrail: {share: {against: nobody, percent: 5}}\n", "no rule 'nobody'"),
        (OTHER.replace("2222", "6666").replace("worked", "x") + "jwtrail: {absence: 5m, step: {field: jwtrail.records}}", "in one rule"),
        (OTHER.replace("2222", "6666").replace("worked", "x") + "jwtrail: {step: {field: user.id}}", "not a number"),
        (OTHER.replace("2222", "6666").replace("worked", "x") + "jwtrail: {statistical: {measure: sum}}", "of which field"),
        (OTHER.replace("2222", "6666").replace("worked", "x") + "jwtrail: {new-terms: {fields: [user.idd]}}", "user.id"),
        (OTHER.replace("2222", "6666").replace("worked", "x") + "jwtrail: {travel: {field: user.id}}", "user.id is not a place"),
        (OTHER.replace("2222", "6666").replace("worked", "x") + "jwtrail: {travel: {speed: -1}}", "> 0"),
        (OTHER.replace("2222", "6666").replace("worked", "x") + "jwtrail: {dormant: {idle: 90d, history: 30d}}", "shorter than history"),
        (OTHER.replace("2222", "6666").replace("worked", "x") + "jwtrail: {step: {field: jwtrail.records, back: 2s}}", "only @timestamp"),
        (OTHER.replace("2222", "6667").replace("worked", "x") + "jwtrail: {step: {field: jwtrail.records, by: jwtrail.writer_seq}}", "only @timestamp"),
        (OTHER.replace("2222", "6666").replace("worked", "x") + "jwtrail: {step: {field: '@timestamp'}}", "a number and s"),
        (OTHER.replace("2222", "6666").replace("worked", "x") + "jwtrail: {stepping: {field: user.roles.x}}", "no field"),
        (OTHER.replace("2222", "6666").replace("worked", "x") + "jwtrail: {statistical: {measure: each}}", "of which field"),
        (OTHER.replace("2222", "6666").replace("worked", "x") + "jwtrail: {statistical: {measure: percentile, field: event.duration, empty: true}}", "no numbers"),
        (OTHER.replace("2222", "6666").replace("worked", "x") + "jwtrail: {new-terms: {fields: [user.id], history: 500d}}", "400 days"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_by_name(text, says):
    loaded = load_rules({"a": GOOD, "b": text, "c": OTHER})
    assert says in str(loaded.refused[0])


def test_hostile_yaml_is_refused_quickly():
    laughs = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
    deep = "a: " + "[" * 5_000 + "]" * 5_000
    nested = "a: " + "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)
    texts = {
        "laughs": laughs,
        "deep": deep,
        "nested": nested,
        "long": "#" * (MAX_TEXT + 1),
        "many": "---\ntitle: x\n" * (MAX_DOCUMENTS + 1),
        "object": "a: !!python/object/apply:os.system [x]",
        "itself": "a: &a [*a]",
        "list": "- a\n- b",
        "keys": "? [a]\n: b",
        "wide": f"a: [{'x,' * 100_000}]",
        "digits": f"a: {'9' * 5000}",
    }
    loaded = load_rules(texts)
    assert {error.file for error in loaded.refused} == set(texts)
    assert loaded.rules == ()
    for text in texts.values():
        assert cost_s(lambda: load_rules({"a": text})) < AT_ONCE_S  # noqa: B023


_KEYS = st.sampled_from(
    ["title", "id", "name", "detection", "correlation", "filter", "condition", "logsource", "tags", "level", "rules",
     "type", "group-by", "timespan", "aliases", "selection", "event.action", "url.path|re", "user.id|all", "jwtrail",
     "examples", "suppress", "source.ip|cidr", "status", "date", "related", "gte", "field"]
)  # fmt: skip
_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 2**70), st.floats(), st.text(max_size=8), st.dates(),
    st.sampled_from(["selection", "1 of them", "event_count", "not", "(", "*", "5m", "product", "\\", "%x%"]),
)  # fmt: skip
_DATA = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=6),
    max_leaves=20,
)


@settings(max_examples=120, deadline=None)
@given(st.dictionaries(_KEYS, _DATA, max_size=8))
def test_no_document_stops_the_others_from_loading(data):
    base = {"title": "x", "id": "55555555-5555-4555-8555-555555555555", "logsource": {"product": "x"}}
    loaded = load_rules({"bad.yml": yaml.safe_dump(base | data), "good.yml": GOOD})
    assert "Sign-in failed" in [rule.meta.title for rule in loaded.rules]
    assert len(loaded.rules) + len(loaded.correlations) + len(loaded.refused) >= 1
