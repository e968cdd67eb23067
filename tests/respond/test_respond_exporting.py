"""Alerts as other systems read them: each format held to what its own specification says."""

import json
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from respond_kit import MINUTE, NOW_US, WHO, alert

from jwtrail.detect import Targets
from jwtrail.respond.cef import cef_of
from jwtrail.respond.exporting import line_of
from jwtrail.respond.ocsf import ocsf_of
from jwtrail.respond.risk import HALF_LIFE_US, WEIGHTS, groups_of, risks_of
from jwtrail.state.records import AlertRow

REQUIRED = {
    "activity_id", "category_uid", "class_uid", "finding_info", "metadata", "severity_id", "time", "type_uid",
}  # fmt: skip
KNOWN = REQUIRED | {
    "activity_name", "category_name", "class_name", "comment", "count", "end_time", "evidences", "is_alert", "message",
    "observables", "severity", "start_time", "status", "status_id", "type_name", "unmapped",
}  # fmt: skip
FINDING = {
    "analytic", "attacks", "created_time", "desc", "first_seen_time", "last_seen_time", "modified_time", "title",
    "types", "uid",
}  # fmt: skip


def row(one=None, **changes):
    one = one or alert(
        "B2", techniques=("T1550.001",), tactics=("lateral-movement",), tags=("attack.t1550.001",)
    )
    return AlertRow(
        id=one.id,
        severity=one.level,
        group="user.id=alice",
        doc=msgspec.json.encode(one).decode(),
        **{"rule": one.rule, "at_us": one.at_us, **changes},
    )


def finding(**changes):
    made = row(**changes)
    return json.loads(line_of(made, "ocsf"))


@pytest.mark.parametrize(
    ("changes", "activity", "status"),
    [
        ({}, 1, 1),
        ({"status": "acknowledged", "changed_us": NOW_US}, 2, 2),
        ({"status": "in_progress", "changed_us": NOW_US}, 2, 2),
        ({"status": "closed", "reason": "false_positive", "changed_us": NOW_US}, 3, 3),
        ({"status": "closed", "reason": "malicious", "changed_us": NOW_US, "note": "it was"}, 3, 4),
    ],
)
def test_a_detection_finding_has_what_the_class_wants_and_nothing_it_does_not_know(changes, activity, status):
    made = finding(**changes)
    assert made.keys() >= REQUIRED
    assert made.keys() <= KNOWN
    assert (made["class_uid"], made["category_uid"]) == (2004, 2)
    assert made["type_uid"] == 200400 + activity
    assert (made["activity_id"], made["status_id"]) == (activity, status)
    assert made["time"] == NOW_US // 1000
    assert made["finding_info"].keys() <= FINDING
    assert made["finding_info"]["analytic"]["type_id"] == 1
    assert {"version", "product"} <= made["metadata"].keys()
    assert made["metadata"]["product"].keys() >= {"name", "vendor_name"}
    for attack in made["finding_info"]["attacks"]:
        assert attack.keys() & {"tactic", "technique", "sub_technique"}  # the object's constraint
    for seen in made["observables"]:
        assert {"name", "type_id"} <= seen.keys()
        assert _at(made, seen["name"]) == seen["value"]


def _at(value, path):
    for name, number in re.findall(r"(\w+)(?:\[(\d+)\])?", path):
        value = value[name]
        if number:
            value = value[int(number)]
    return value


def test_levels_and_an_alert_about_nobody():
    numbers = [
        ocsf_of(row(), alert(level=name))["severity_id"]
        for name in ("informational", "low", "medium", "high", "critical")
    ]
    assert numbers == [1, 2, 3, 4, 5]
    made = ocsf_of(row(), alert(targets=Targets(), group={}))
    assert "evidences" not in made
    assert made["observables"] == []


def test_ecs_and_ndjson_carry_the_triage_of_today():
    made = row(status="closed", reason="benign")
    ecs = json.loads(line_of(made, "ecs"))
    assert (ecs["event.kind"], ecs["rule.name"], ecs["jwtrail.alert.status"]) == (
        "alert",
        "B2 A rule",
        "closed",
    )
    whole = json.loads(line_of(made, "ndjson"))
    assert (whole["reason"], whole["group"], whole["events"]) == (
        "benign",
        {"user.id": "alice"},
        ["e0", "e1"],
    )


def _cef(line):
    """A reader written from the standard: header fields by unescaped pipes, then key=value up to the next key."""
    header, rest = [], line
    for _ in range(7):
        field = re.match(r"((?:[^\\|]|\\[\\|])*)\|", rest)
        assert field is not None, rest
        header.append(re.sub(r"\\([\\|])", r"\1", field[1]))
        rest = rest[field.end() :]
    found = re.findall(r"(?:^| )(\w+)=((?:[^\\=]|\\[\\=nr])*?)(?= \w+=|$)", rest)
    pairs = {
        key: re.sub(r"\\([\\=nr])", lambda match: {"n": "\n", "r": "\r"}.get(match[1], match[1]), value)
        for key, value in found
    }
    assert " ".join(f"{key}={value}" for key, value in found) == rest
    return header, pairs


def test_a_cef_line():
    header, pairs = _cef(cef_of(alert("B2", description="one\ntwo")))
    assert header[0] == "CEF:0"
    assert header[4:] == ["B2", "B2 A rule", "8"]
    assert (pairs["suid"], pairs["src"], pairs["cs3"]) == ("alice", "203.0.113.7", "jti-1")
    assert (pairs["cs1"], pairs["cs1Label"]) == ("user.id=alice", "group")
    assert pairs["msg"] == "one two"
    v6 = _cef(cef_of(alert(targets=Targets(source="2001:db8::1"))))[1]
    assert (v6["c6a2"], "src" in v6) == ("2001:db8::1", False)


hostile = st.text(alphabet=st.sampled_from("a|\\=\n\r nr\u2028\x85é"), max_size=30)


@given(name=hostile, user=hostile)
def test_no_text_breaks_out_of_its_place_in_a_cef_line(name, user):
    line = cef_of(alert("B2", name=name, targets=msgspec.structs.replace(WHO, user=user)))
    assert len(line.splitlines()) == 1
    header, pairs = _cef(line)
    assert header[5] == re.sub(r"\r\n|[\r\n\x85\u2028]", " ", f"B2 {name}".strip())
    if (
        "=" not in user and " " not in user
    ):  # a reader of CEF guesses where a value ends; ours wants no guess here
        assert pairs.get("suid", "") == re.sub(r"\r\n|[\r\n\x85\u2028]", "\n", user)
    assert pairs["externalId"] == alert().id


def test_alerts_of_a_rule_and_a_group_come_together():
    rows = [row(alert("D1", number=n, at_us=NOW_US + n), rule="d1") for n in range(3)]
    rows.append(row(alert("D1", number=9, at_us=NOW_US + 9), rule="d1", status="closed"))
    rows.append(row(alert("A1", number=5, at_us=NOW_US - 5), rule="a1"))
    first, second = groups_of(rows)
    assert (first.alerts, first.open, first.first_us, first.last_us) == (4, 3, NOW_US, NOW_US + 9)
    assert (first.id, second.title) == (alert(number=9).id, "A1 A rule")


def test_risk_weighs_level_and_age_and_forgets_what_was_harmless():
    high = row(alert("D1", number=1, level="high"))
    old = row(alert("D1", number=2, level="high", at_us=NOW_US - HALF_LIFE_US))
    [both] = risks_of([high, old], "user", NOW_US)
    assert (both.value, both.score, both.alerts) == ("alice", WEIGHTS["high"] * 1.5, 2)
    assert risks_of([row(alert("D1"), reason="false_positive", status="closed")], "user", NOW_US) == ()
    assert risks_of([row(alert("D1", held="I1"))], "user", NOW_US) == ()
    # A name that only an unverified token says is no target, so it has no score.
    assert risks_of([row(alert("A1", targets=Targets(source="192.0.2.1")))], "user", NOW_US) == ()
    [source] = risks_of([row(alert("A1", targets=Targets(source="192.0.2.1")))], "source", NOW_US + MINUTE)
    assert source.value == "192.0.2.1"
