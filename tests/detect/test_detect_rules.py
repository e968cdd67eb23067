"""The rule pack: it loads, it tests itself, and every rule says what a reader needs."""

import pytest

from jwtrail.config import DetectSettings, Tuning
from jwtrail.detect import Detector, event_of, load_ruleset, run_examples
from jwtrail.detect.alert import SEVERITY
from jwtrail.detect.examples import events_of
from jwtrail.detect.ruleset import configured
from jwtrail.ecs import encode_parts
from jwtrail.errors import ConfigError

PACK = configured(DetectSettings())
RESULTS = run_examples(PACK)


def test_every_packaged_rule_loads():
    assert PACK.refused == ()
    on = [meta.code for meta in PACK.metas() if PACK.is_on(meta)]
    assert len(on) >= 70
    assert len(set(on)) == len(on)


FIRST = """A1 A2 A3 A4 A5 A6 A7 A8 A10 A11 A12 B1 B2 B3 B4 B6 B7 B8 B13 B14 C1 C2 C3 C4 C6a C6b C7 D1 D2 D3 D4 D6 D8 D9 D13
E1 E3 E4 E5 E6 E7 E8 E9 F1 F2 F4 G1 G3 G4 G9 G10 H1 H2 H3 H7 H8 H9 I1 I2 I3 I5 I8 I9 I10"""


def test_the_rules_of_the_first_release_are_on():
    on = {meta.code for meta in PACK.metas() if PACK.is_on(meta)}
    assert set(FIRST.split()) - on == set()


def test_a_rule_that_is_off_says_what_it_waits_for():
    assert [meta.code for meta in PACK.metas() if not meta.enabled and not meta.waits_for] == []


@pytest.mark.parametrize("result", RESULTS, ids=[f"{result.code} {result.example}" for result in RESULTS])
def test_example(result):
    assert result.problem == ""
    assert len(result.alerts) == result.expected


@pytest.mark.parametrize("meta", PACK.metas(), ids=lambda meta: meta.code)
def test_a_rule_says_what_a_reader_needs(meta):
    assert any(example.alerts for example in meta.examples), "an example that matches"
    assert any(not example.alerts for example in meta.examples), "a near miss"
    if not meta.code.startswith("I"):  # health rules find no attacker
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
    assert bool(event.threat_technique_id) is bool(alert.techniques)
    assert len(event.threat_tactic_id or ()) == len(event.threat_tactic_name or ())
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
    assert {"A2", "C6a"} <= codes
    assert not codes & {"A1", "C1"}
    assert any(one.meta.code == "C1" for one in active.correlations)  # C6a is made of it
    assert not any(rule.meta.code == "A1" for rule in active.rules)


def test_a_rule_that_does_not_exist_cannot_be_switched_off():
    with pytest.raises(ConfigError, match=r"did you mean C6[abc]"):
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


def alerts_of(code, number, settings):
    """Alerts of a rule on the events of one of its examples, as the operator set it up."""
    rules = configured(settings)
    meta = next(meta for meta in rules.metas() if meta.code == code)
    return Detector(rules.only(meta.id)).feed(events_of(meta.examples[number]))


def test_the_operator_sets_thresholds_time_spans_and_what_is_left_alone():
    def tuned(**tuning):
        return len(alerts_of("C1", 0, DetectSettings(tune={"C1": Tuning(**tuning)})))

    assert tuned() == 1
    assert tuned(threshold=11) == 0
    assert tuned(minutes=0.1) == 0
    assert tuned(allow={"source.ip": ("203.0.113.0/24",)}) == 0
    assert tuned(allow={"user.name": ("bob", "ali*")}) == 0
    assert tuned(allow={"user.name": ("bob",)}) == 1
    single = DetectSettings(tune={"A1": Tuning(allow={"source.ip": ("203.0.113.7",)})})
    assert alerts_of("A1", 0, single) == []
    assert len(alerts_of("A1", 0, DetectSettings())) == 1


@pytest.mark.parametrize(
    ("code", "tuning", "says"),
    [
        ("A1", Tuning(threshold=3), "single events"),
        ("C1", Tuning(threshold=1.5), "whole number"),
        ("C6a", Tuning(threshold=3), "compares with no number"),
        ("C1", Tuning(minutes=1e9), "32 days"),
        ("C1", Tuning(allow={"user.nam": ("x",)}), "no field user.nam"),
        ("C9999", Tuning(), "no rule 'C9999'"),
    ],
)
def test_tuning_that_makes_no_sense_is_refused_by_name(code, tuning, says):
    with pytest.raises(ConfigError, match=says):
        configured(DetectSettings(tune={code: tuning}))


def test_what_the_operator_knows_of_tokens_and_networks():
    strict = alerts_of("G3", 2, DetectSettings(max_token_ttl_s=600))
    assert [alert.code for alert in strict] == ["G3"]
    assert alerts_of("G3", 2, DetectSettings()) == []
    assert alerts_of("E8", 0, DetectSettings(scanners=("203.0.113.0/24",))) == []
    assert [alert.code for alert in alerts_of("A1", 0, DetectSettings())] == ["A1"]
    assert alerts_of("A1", 0, DetectSettings(scanners=("203.0.113.0/24",))) == []
    assert alerts_of("F1", 2, DetectSettings(batch_clients=("nightly",))) == []
    assert alerts_of("D13", 0, DetectSettings(public_routes=("/ord*",))) == []


def test_what_a_rule_says_to_people_is_text() -> None:
    # `- name: reason` is a mapping in YAML, and would be shown as one.
    import yaml

    from jwtrail.detect.ruleset import packaged_texts

    for name, text in packaged_texts():
        for document in yaml.safe_load_all(text):
            words = [*document.get("falsepositives", ()), *document.get("references", ())]
            assert all(isinstance(word, str) for word in words), name
