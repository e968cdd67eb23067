"""Rules for Elastic Security: exact or refused, and every rule of the pack accounted for."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from jwtrail.cli.main import cli
from jwtrail.config import DetectSettings
from jwtrail.detect.ruleset import configured, load_ruleset
from jwtrail.ecs import CATALOGUE
from jwtrail.errors import PredicateError
from jwtrail.predicate.dsl import to_dsl
from jwtrail.predicate.ir import And, Cidr, Contains, Equals, Exists, Glob, Not, Or, Predicate, Range, Regex
from jwtrail.ship.saved.detections import EVERY_S, elastic_rules
from jwtrail.ship.saved.eql import to_eql

RULESET = configured(DetectSettings())
EXPORTED = elastic_rules(RULESET)
BY_CODE = {rule["name"].split(" ")[0]: rule for rule in EXPORTED.rules}


def test_every_rule_is_there_or_named() -> None:
    here = {rule["rule_id"] for rule in EXPORTED.rules}
    there = {one.id for one in EXPORTED.left_out}
    assert here | there == RULESET.active().alerting
    assert here & there == set()
    assert all(one.why for one in EXPORTED.left_out)
    assert len(here) >= 70


def test_every_kind_is_used_and_every_field_exists() -> None:
    kinds = {rule["type"] for rule in EXPORTED.rules}
    assert kinds == {"query", "threshold", "new_terms", "eql"}
    for rule in EXPORTED.rules:
        fields = rule.get("new_terms_fields", [])
        if "threshold" in rule:
            fields = [
                *rule["threshold"]["field"],
                *(one["field"] for one in rule["threshold"].get("cardinality", ())),
            ]
        assert set(fields) <= set(CATALOGUE)
        assert len(fields) <= 4
        assert not rule["enabled"]
        assert rule["severity"] in ("low", "medium", "high", "critical")


def test_a_single_event_is_asked_as_our_own_searches_ask_it() -> None:
    (alg_none,) = (rule for rule in RULESET.rules if rule.meta.code == "A1")
    assert BY_CODE["A1"]["filters"][0]["query"] == to_dsl(alg_none.predicate)


def test_counts_look_back_as_far_as_their_window_and_one_asking() -> None:
    brute = BY_CODE["C1"]
    assert brute["threshold"]["value"] == 10
    assert brute["from"] == f"now-{600 + EVERY_S}s"
    walk = BY_CODE["D1"]["threshold"]
    assert walk["cardinality"] == [{"field": "jwtrail.object.id", "value": 30}]


def test_steps_are_joined_by_the_field_that_each_calls_its_own() -> None:
    steps = BY_CODE["G2"]["query"].splitlines()
    assert steps[0] == "sequence with maxspan=14400s"
    assert [step.rpartition("] by ")[2] for step in steps[1:]] == [
        "user.target.id",
        "user.id",
        "user.target.id",
    ]


def test_the_operators_choice_is_exported() -> None:
    settings = DetectSettings(disabled=("A1",), break_glass=("911",))
    rules = elastic_rules(configured(settings)).rules
    assert "A1" not in {rule["name"].split(" ")[0] for rule in rules}
    (glass,) = (rule for rule in rules if rule["name"].startswith("G8 "))
    assert '"911"' in json.dumps(glass["filters"])


@pytest.mark.parametrize(
    ("predicate", "eql"),
    [
        (Equals(field="event.action", value="login"), 'event.action == "login"'),
        (Equals(field="event.action", value="Login", fold=True), 'event.action : "Login"'),
        (Equals(field="http.response.status_code", value=401), "http.response.status_code == 401"),
        (Equals(field="jwt.known", value=False), "jwt.known == false"),
        (Equals(field="user.id", value='a"\\b'), r'user.id == "a\"\\b"'),
        (Glob(field="http.route", pattern=("/admin/", None, 0), fold=True), 'http.route : "/admin/*?"'),
        (Glob(field="http.route", pattern=("/a", None)), 'http.route like "/a*"'),
        (Range(field="event.severity", op="gte", value=50), "event.severity >= 50"),
        (Cidr(field="source.ip", network="10.0.0.0/8"), 'cidrMatch(source.ip, "10.0.0.0/8")'),
        (Not(item=Exists(field="user.id")), "not (user.id != null)"),
        (
            Not(item=Equals(field="user.id", value="a")),  # a missing field makes it true, here and there
            'not (user.id != null and user.id == "a")',
        ),
        (
            And(
                items=(
                    Exists(field="user.id"),
                    Or(items=(Equals(field="jwt.alg", value="none"), And(items=()))),
                )
            ),
            '(user.id != null and (jwt.alg == "none" or true))',
        ),
    ],
)
def test_eql(predicate: Predicate, eql: str) -> None:
    assert to_eql(predicate) == eql


@pytest.mark.parametrize(
    "predicate",
    [
        Equals(field="user.roles", value="admin"),  # a list
        Equals(field="message", value="x"),  # a text
        Equals(field="jwt.claims.tenant", value="x"),  # flattened
        Equals(field="user.id", value="a*", fold=True),
        Equals(field="user.id", value="É", fold=True),
        Equals(field="user.id", value="a\n"),
        Glob(field="user.id", pattern=("a?", None)),
        Regex(field="user.id", pattern="a+"),
        Contains(text="x"),
        Range(field="user.id", op="gt", value="a"),
    ],
)
def test_what_eql_says_otherwise_is_refused(predicate: Predicate) -> None:
    with pytest.raises(PredicateError):
        to_eql(predicate)
    with pytest.raises(PredicateError):
        to_eql(Not(item=predicate))


def test_the_command_writes_what_is_imported_and_names_the_rest(tmp_path: Path) -> None:
    file = tmp_path / "rules.ndjson"
    done = CliRunner().invoke(cli, ["rules", "export", "--elastic", "--output", str(file)])
    assert done.exit_code == 0, done.output
    rules = [json.loads(line) for line in file.read_bytes().splitlines()]
    assert [rule["rule_id"] for rule in rules] == [rule["rule_id"] for rule in EXPORTED.rules]
    assert (
        "not expressed: E1 SQL injection pattern: engines spell regular expressions differently"
        in done.stderr
    )
    assert f"{len(rules)} rules, {len(EXPORTED.left_out)} cannot be expressed there." in done.stderr
    assert load_ruleset().refused == ()
