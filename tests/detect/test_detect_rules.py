"""The rule pack: it loads, it tests itself, and every rule says what a reader needs."""

import pytest

from jwtrail.detect import event_of, load_ruleset, run_examples
from jwtrail.detect.alert import SEVERITY
from jwtrail.detect.examples import events_of
from jwtrail.ecs import encode_parts
from jwtrail.errors import ConfigError

PACK = load_ruleset()
RESULTS = run_examples(PACK)


def test_every_packaged_rule_loads():
    assert PACK.refused == ()
    assert [meta.code for meta in PACK.metas()] == [
        "A1",
        "A2",
        "A4",
        "B2",
        "C1",
        "C2",
        "C6a",
        "C6b",
        "D1",
        "E6",
    ]


@pytest.mark.parametrize("result", RESULTS, ids=[f"{result.code} {result.example}" for result in RESULTS])
def test_example(result):
    assert result.problem == ""
    assert len(result.alerts) == result.expected


@pytest.mark.parametrize("meta", PACK.metas(), ids=lambda meta: meta.code)
def test_a_rule_says_what_a_reader_needs(meta):
    assert any(example.alerts for example in meta.examples), "an example that matches"
    assert any(not example.alerts for example in meta.examples), "a near miss"
    assert meta.techniques
    assert meta.tactics
    assert meta.owasp
    assert meta.falsepositives
    assert meta.description
    assert meta.response is not None
    assert meta.response.why
    assert meta.file.partition("/")[2].startswith(meta.code.lower() + "_")


def test_an_example_that_names_no_field_is_a_problem_not_a_pass():
    from msgspec.structs import replace

    from jwtrail.detect import RuleSet
    from jwtrail.sigma import Example, ExampleEvents

    rule = next(rule for rule in PACK.rules if rule.meta.code == "A1")
    for wrong in ({"event.reson": "x"}, {"http.response.status_code": "many"}):
        example = Example(name="wrong", alerts=0, events=(ExampleEvents(set=wrong),))
        rules = RuleSet(rules=(replace(rule, meta=replace(rule.meta, examples=(example,))),))
        [result] = run_examples(rules)
        assert result.problem
        assert not result.passed


def test_examples_fill_in_the_number_and_keep_the_order_of_time():
    example = next(meta for meta in PACK.metas() if meta.code == "C6a").examples[0]
    events = events_of(example)
    assert [event.event_sequence for event in events] == list(range(11))
    assert events[-1].event_outcome == "success"


@pytest.mark.parametrize(
    "result", [result for result in RESULTS if result.alerts], ids=lambda result: result.code
)
def test_an_alert_is_an_event_of_the_trail(result):
    alert = result.alerts[0]
    event = event_of(alert, now_us=alert.at_us + 1_500_000)
    assert event.event_dataset == "jwtrail.alerts"
    assert event.event_kind == "alert"
    assert event.rule_id == alert.rule
    assert event.rule_name == f"{alert.code} {alert.name}"
    assert event.threat_technique_id
    assert len(event.threat_tactic_id) == len(event.threat_tactic_name)
    assert event.event_severity == SEVERITY[alert.level]
    assert event.jwtrail_lag_ms == 1500
    assert event.jwtrail_alert_id == alert.id
    assert encode_parts(event)


def test_the_event_of_an_alert_has_a_stable_id():
    from uuid import UUID

    alert = next(result.alerts[0] for result in RESULTS if result.alerts)
    first, again = event_of(alert, now_us=alert.at_us), event_of(alert, now_us=alert.at_us + 99)
    assert first.event_id == again.event_id
    uuid = UUID(first.event_id)
    assert (uuid.version, uuid.variant) == (7, "specified in RFC 4122")
    assert uuid.int >> 80 == alert.at_us // 1000


def test_rules_can_be_switched_off_and_their_parts_go_on_working():
    without = load_ruleset(disabled=["C1", "A1"])
    active = without.active()
    codes = {meta.code for meta in without.metas() if without.is_on(meta)}
    assert codes == {"A2", "A4", "B2", "C2", "C6a", "C6b", "D1", "E6"}
    assert any(one.meta.code == "C1" for one in active.correlations)  # C6a is made of it
    assert not any(rule.meta.code == "A1" for rule in active.rules)


def test_a_rule_that_does_not_exist_cannot_be_switched_off():
    with pytest.raises(ConfigError, match="did you mean C6b"):
        load_ruleset(disabled=["C6"])


def test_own_rules_load_beside_the_packaged_ones_and_bad_files_are_named(tmp_path):
    (tmp_path / "deep").mkdir()
    own = "title: Own\nid: 77777777-0000-4000-8000-000000000001\nlogsource: {product: x}\ndetection: {s: {event.action: own}, condition: s}\n"
    (tmp_path / "deep" / "own.yml").write_text(own)
    (tmp_path / "bad.yaml").write_text(
        own.replace("event.action", "event.akshun").replace("77777777", "77777778")
    )
    (tmp_path / "binary.yml").write_bytes(b"\xff\xfe")
    (tmp_path / "notes.txt").write_text("not a rule")
    made = load_ruleset([tmp_path])
    assert "Own" in [meta.title for meta in made.metas()]
    assert sorted(error.file.rpartition("/")[2] for error in made.refused) == ["bad.yaml", "binary.yml"]
    with pytest.raises(ConfigError, match="no such directory"):
        load_ruleset([tmp_path / "missing"])


def test_a_rule_shipped_disabled_waits_until_it_is_switched_on(tmp_path):
    own = (
        "title: Waits\nid: 77777777-0000-4000-8000-000000000002\nlogsource: {product: x}\n"
        "detection: {s: {event.action: own}, condition: s}\njwtrail: {code: Z9, enabled: false, waits-for: a field}\n"
    )
    (tmp_path / "own.yml").write_text(own)
    off, on = load_ruleset([tmp_path]), load_ruleset([tmp_path], enabled=["Z9"])
    meta = next(meta for meta in off.metas() if meta.code == "Z9")
    assert not off.is_on(meta)
    assert on.is_on(meta)
