"""Replay equals live: every rule on a real trail, from any point of it."""

import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from jwtrail import clock, config
from jwtrail.cli.main import cli
from jwtrail.clock import iso, parse_iso
from jwtrail.config import DetectSettings
from jwtrail.detect import Alert, Detector, stable_id
from jwtrail.detect.engine import SELF_INFLICTED
from jwtrail.detect.examples import EXAMPLE_START_US, events_of
from jwtrail.detect.ruleset import configured
from jwtrail.ecs import Event, document
from jwtrail.query.files import TrailFiles
from jwtrail.runtime.history import replayed
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.layout import Layout
from jwtrail.trail.settings import TrailSettings
from jwtrail.trail.writer import TrailWriter

PACK = configured(DetectSettings())
DAY_US = 86_400_000_000


def everything() -> list[Event]:
    """The examples of every rule, one after the other in time, an hour between two of them."""
    made: list[Event] = []
    start = EXAMPLE_START_US
    for meta in PACK.metas():
        for number, example in enumerate(meta.examples):
            events = events_of(example)
            for event in events:
                at = parse_iso(event.timestamp) - EXAMPLE_START_US + start
                placed = replace(
                    event,
                    timestamp=iso(at),
                    event_sequence=None,
                    jwtrail_writer=None,
                    jwtrail_writer_seq=None,
                )
                made.append(stable_id(placed, f"{meta.code} {number} {event.event_id}", at))
            start = parse_iso(made[-1].timestamp) + 3_600_000_000
    return made


@pytest.fixture(scope="module")
def trail(tmp_path_factory) -> tuple[Path, list[Event], list[Alert]]:
    """A data directory with all of them, and what the detector said while they were sequenced."""
    layout = Layout(tmp_path_factory.mktemp("data"))
    layout.create()
    settings = TrailSettings(seal_events=1_000)
    keeper, writer, detector = Keeper(layout, settings), TrailWriter(layout, settings), Detector(PACK)
    events, alerts = [], []
    for number, event in enumerate(everything()):
        if (stored := writer.put(event, "batch" if number % 500 else "sync")) is not None:
            stored.result(timeout=60)
            for one in iter(lambda: keeper.step(clock.now_us()), []):
                events += one
                alerts += detector.feed(one)
    writer.close()
    for one in iter(lambda: keeper.step(clock.now_us()), []):
        events += one
        alerts += detector.feed(one)
    while keeper.sealing:  # what is under way at the end is given up
        keeper.step(clock.now_us())
    alerts += detector.advance(max(parse_iso(event.timestamp) for event in events))
    keeper.close()
    return layout.root, events, alerts


def test_the_trail_is_sealed_and_every_rule_fires(trail):
    root, _, alerts = trail
    assert TrailFiles(Layout(root)).segments()
    on = {meta.code for meta in PACK.metas() if PACK.is_on(meta)}
    of_the_trail = {"H2"}  # the trail numbers its events itself
    assert on - {alert.code for alert in alerts} <= of_the_trail


@pytest.mark.parametrize("often", [2.0, 0.0], ids=["all that fits", "groups that could fire"])
def test_a_replay_says_what_was_said_live(trail, often):
    root, _, live = trail
    replay = replayed(TrailFiles(Layout(root)), PACK, often=often)
    order = [(alert.at_us, alert.id) for alert in replay.alerts]
    assert sorted(order) == sorted((alert.at_us, alert.id) for alert in live)
    by_id = {alert.id: alert for alert in live}
    for alert in replay.alerts:
        assert alert == by_id[alert.id]


def test_a_stretch_with_a_warm_up_says_what_was_said_live_in_it(trail):
    root, events, live = trail
    begin = parse_iso(events[len(events) // 2].timestamp)
    end = parse_iso(events[len(events) * 3 // 4].timestamp)
    source = TrailFiles(Layout(root))
    replay = replayed(source, PACK, from_us=begin, to_us=end, warm_up_us=400 * DAY_US)
    wanted = {alert.id for alert in live if begin <= alert.at_us < end}
    found = {alert.id for alert in replay.alerts if alert.at_us < end}
    assert found == wanted
    cold = replayed(source, PACK, from_us=begin, to_us=end)
    assert cold.read < replay.read


def nested(doc):
    """As another program writes it: objects in objects, a time zone, a field that we do not know."""
    made = {"agent": {"type": "filebeat"}}
    for name, value in doc.items():
        *path, last = name.split(".")
        inner = made
        for part in path:
            inner = inner.setdefault(part, {})
        inner[last] = value.replace("Z", "+00:00") if name == "@timestamp" else value
    return made


def test_a_warm_up_from_a_file_tells_first_seen_rules_of_the_past(trail, tmp_path):
    root, events, live = trail
    [first, *_] = [alert for alert in live if alert.code == "B8"]
    begin = first.at_us - 1
    past = [event for event in events if parse_iso(event.timestamp) < begin]
    file = tmp_path / "past.ndjson"
    file.write_bytes(b"\n".join(msgspec.json.encode(document(event)) for event in past))
    settings = config.load({"data": str(root)}, environ={}, cwd=tmp_path).settings
    assert settings.root == root

    def codes(*more):
        arguments = ["detect", "--ndjson", "--data", str(root), "--from", iso(begin), "--to"]
        result = CliRunner().invoke(cli, [*arguments, iso(begin + 3_600_000_000), *more])
        assert result.exit_code == 0, result.output
        return [json.loads(line)["code"] for line in result.stdout.splitlines()]

    assert "B8" not in codes()
    assert "B8" in codes("--warm-up", str(file))
    assert "B8" in codes("--warm-up", "30d")
    file.write_bytes(b"\n".join(msgspec.json.encode(nested(document(event))) for event in past))
    assert "B8" in codes("--warm-up", str(file))


def test_a_backtest_counts_by_day_and_group(trail, tmp_path):
    rule = tmp_path / "own.yml"
    rule.write_text(
        "title: Own\nid: 77777777-0000-4000-8000-000000000009\nlogsource: {product: x}\n"
        "detection: {s: {event.reason: alg_none}, condition: s}\n"
        "jwtrail: {code: Z1, enabled: false, group-by: [source.ip]}\n"
    )
    arguments = ["rules", "backtest", str(rule), "--json", "--data", str(trail[0])]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    made = json.loads(result.stdout)
    directory = CliRunner().invoke(
        cli, ["rules", "backtest", str(tmp_path), "--json", "--data", str(trail[0])]
    )
    assert json.loads(directory.stdout)["alerts"] == made["alerts"]
    [found] = made["rules"]
    assert (found["code"], found["alerts"]) == ("Z1", made["alerts"])
    assert sum(sum(groups.values()) for groups in found["days"].values()) == made["alerts"] > 0
    assert made["events"] == len(trail[1])
    assert made["per_10k"] == pytest.approx(made["alerts"] * 10_000 / made["events"])
    assert "cost" not in found


def test_a_profile_says_what_each_rule_of_a_file_costs(trail, tmp_path):
    rule = tmp_path / "own.yml"
    rule.write_text(
        "title: Alone\nid: 77777777-0000-4000-8000-000000000010\nlogsource: {product: x}\n"
        "detection: {s: {event.reason: alg_none}, condition: s}\njwtrail: {code: Z1}\n---\n"
        "title: Part\nid: 77777777-0000-4000-8000-000000000011\nname: part\nlogsource: {product: x}\n"
        "detection: {s: {event.action: http-request}, condition: s}\njwtrail: {alert: false}\n---\n"
        "title: Many\nid: 77777777-0000-4000-8000-000000000012\njwtrail: {code: Z2}\n"
        "correlation: {type: event_count, rules: [part], group-by: [source.ip], timespan: 1m, condition: {gte: 5000}}\n"
    )
    arguments = ["rules", "backtest", str(rule), "--profile", "--data", str(trail[0])]
    made = CliRunner().invoke(cli, [*arguments, "--json"])
    assert made.exit_code == 0, made.output
    costs = {one["code"]: one["cost"] for one in json.loads(made.stdout)["rules"]}
    events = [one for one in trail[1] if SELF_INFLICTED not in (one.jwtrail_flags or ())]
    assert costs["Z1"]["fitted"] == sum(one.event_reason == "alg_none" for one in events) > 0
    assert costs["Z2"]["fitted"] == sum(one.event_action == "http-request" for one in events)
    assert costs["Z1"]["read"] > 0
    # No window holds as many as Z2 wants, so nothing is read but what is not sealed.
    assert all(cost["read"] < costs["Z2"]["fitted"] for cost in costs.values())
    assert all(cost["cpu_ms"] > 0 for cost in costs.values())


@pytest.mark.parametrize(
    ("text", "says"), [("soon", "neither a file nor a period"), ("5y", "neither a file nor a period")]
)
def test_a_warm_up_that_is_none_is_refused(trail, text, says):
    result = CliRunner().invoke(cli, ["detect", "--data", str(trail[0]), "--warm-up", text])
    assert result.exit_code != 0
    assert says in result.output


def test_a_warm_up_file_with_a_bad_line_is_refused_with_its_place(trail, tmp_path):
    file = tmp_path / "past.ndjson"
    file.write_text('{"event.id": "x", "@timestamp": "2026-01-01T00:00:00.000000Z"}\n{"event.id": 7}\n')
    result = CliRunner().invoke(cli, ["detect", "--data", str(trail[0]), "--warm-up", str(file)])
    assert "past.ndjson:2" in result.output
