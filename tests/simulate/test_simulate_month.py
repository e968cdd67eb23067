"""The simulated month: the same seed gives the same events, and the shipped rules find its attacks and leave its life alone."""

import msgspec
import pytest
from click.testing import CliRunner

from jwtrail.cli.main import cli
from jwtrail.config import DetectSettings
from jwtrail.detect import Detector
from jwtrail.detect.ruleset import configured
from jwtrail.errors import ConfigError
from jwtrail.simulate import KNOWN, Found, Label, Plan, scored, simulated
from jwtrail.simulate.attacks import ATTACKS


def alerts_of(events):
    return [
        Found(alert.code, alert.events)
        for alert in Detector(configured(DetectSettings(**KNOWN))).feed(events)
    ]


@pytest.fixture(scope="module")
def fortnight():
    return simulated(Plan(days=12, people=120, seed=5))


def test_every_attack_is_found_and_life_is_left_alone(fortnight):
    events, labels = fortnight
    score = scored(labels, alerts_of(events), len(events))
    assert score.attacks == len(ATTACKS)
    assert score.missed == ()
    assert score.idle_per_10k < 1, score.idle_by


def test_the_same_plan_gives_the_same_events(fortnight):
    plan = Plan(days=2, people=100, seed=3, rounds=1)
    assert simulated(plan)[0] == simulated(plan)[0]
    assert simulated(plan)[0] != simulated(msgspec.structs.replace(plan, seed=4))[0]


def test_events_come_in_order_and_labels_name_them(fortnight):
    events, labels = fortnight
    assert [event.timestamp for event in events] == sorted(event.timestamp for event in events)
    ids = [event.event_id for event in events]
    assert len(set(ids)) == len(ids)
    assert {one for label in labels for one in label.events} <= set(ids)


def test_peace_has_no_attack():
    assert simulated(Plan(days=1, people=100, rounds=0))[1] == []


@pytest.mark.parametrize("plan", [Plan(days=0), Plan(days=401), Plan(people=99), Plan(people=20_001)])
def test_a_plan_has_bounds(plan):
    with pytest.raises(ConfigError, match="cannot be simulated"):
        simulated(plan)


def test_a_score_counts_what_was_missed_and_what_was_said_in_vain():
    labels = [Label("A1", "one", ("A1",), ["e1"]), Label("B2", "two", ("B2",), ["e2", "e3"])]
    alerts = [Found("A1", ("e1",)), Found("C1", ("e2",)), Found("H7", ("e9",))]
    score = scored(labels, alerts, 10_003)
    assert (score.found, score.missed, score.idle, score.idle_by) == (1, ("B2 two",), 1, {"H7": 1})
    assert (score.recall, round(score.precision, 3), score.idle_per_10k) == (0.5, 0.667, 1.0)


def test_written_imported_detected_and_scored_from_the_command_line(tmp_path):
    def run(*words):
        result = CliRunner().invoke(cli, [*map(str, words)])
        assert result.exit_code == 0, result.output
        return result.stdout

    month, data, alerts = tmp_path / "month", tmp_path / "data", tmp_path / "alerts.ndjson"
    run("simulate", "write", month, "--days", 2, "--people", 100, "--seed", 2)
    run("import", "--format", "ecs", "--data", data, month / "events.ndjson")
    alerts.write_text(run("detect", "--config", month / "jwtrail.toml", "--data", data, "--ndjson"))
    score = msgspec.json.decode(run("simulate", "score", month, alerts, "--json"))
    assert score["attacks"] == len(ATTACKS)
    assert score["recall"] > 0.9  # two days are too short for the rules that compare with the past
    assert (month / "events.ndjson").stat().st_mode & 0o777 == 0o600
