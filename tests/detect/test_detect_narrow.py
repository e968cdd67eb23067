"""A replay that leaves out what cannot matter says what a detector says that saw everything."""

import random
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from itertools import accumulate
from pathlib import Path

import pytest
from click.testing import CliRunner
from detect_kit import BASES, SECOND, START_US, ruleset
from msgspec.structs import replace

from jwtrail import clock
from jwtrail.cli.main import cli
from jwtrail.detect import Alert, Detector
from jwtrail.detect.endings import LATENESS_US
from jwtrail.detect.relevant import (
    Crowded,
    Fresh,
    Linked,
    Peaked,
    Silent,
    Stepped,
    Summed,
    Turned,
    needs_of,
)
from jwtrail.ecs import Event, event_for
from jwtrail.query.files import TrailFiles
from jwtrail.runtime.history import replayed
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.layout import Layout
from jwtrail.trail.settings import TrailSettings
from jwtrail.trail.writer import TrailWriter


def one(number: int, kind: str, more: str) -> str:
    return (
        f"title: {kind} {number}\nid: bbbbbbbb-0000-4000-8000-{number:012}\ncorrelation:\n  type: {kind}\n"
        f"  group-by: [user.id]\n{more}\n"
    )


def watching(number: int, more: str) -> str:
    return (
        f"title: Watch {number}\nid: cccccccc-0000-4000-8000-{number:012}\nlogsource: {{product: x}}\n"
        f"detection: {{s: {{event.action|startswith: ''}}, condition: s}}\njwtrail: {{{more}}}\n"
    )


RULES = ruleset(
    BASES.replace("event.action: a", "event.action: login")
    .replace("event.action: b", "event.action: logout")
    .replace("event.action: c", "event.action: token-issued"),
    "---\n".join(
        [
            one(1, "event_count", "  rules: [a]\n  timespan: 20s\n  condition: {gte: 6}"),
            one(2, "value_count", "  rules: [a]\n  timespan: 40s\n  condition: {gte: 4, field: url.path}"),
            one(3, "value_count", "  rules: [a, b]\n  timespan: 4s\n  condition: {gte: 2, field: url.path}"),
            one(
                4, "value_sum", "  rules: [a]\n  timespan: 30s\n  condition: {gt: 90, field: jwtrail.records}"
            ),
            one(5, "temporal", "  rules: [a, c]\n  timespan: 3s"),
            one(6, "temporal_ordered", "  rules: [c, b, a]\n  timespan: 10s"),
            one(7, "event_count", "  rules: [a]\n  timespan: 10s\n  condition: {lt: 2}"),
            one(
                8,
                "event_count",
                "  rules: [a]\n  timespan: 60s\n  condition: {gte: 5}\njwtrail: {share: {against: b, percent: 60}}",
            ),
            one(9, "temporal", "  timespan: 5s\n  condition: (a or b) and c"),
            one(
                10,
                "event_count",
                "  rules: [a]\n  timespan: 15s\n  condition: {gte: 3}\njwtrail: {suppress: none}",
            ),
            watching(1, "group-by: [user.id], new-terms: {fields: [url.path], history: 90s}"),
            watching(2, "group-by: [user.id], new-terms: {fields: [url.path], history: 30d}"),
            watching(3, "group-by: [jwtrail.writer], step: {field: jwtrail.writer_seq, over: 1}"),
            watching(
                4,
                "group-by: [user.id], statistical: {measure: sum, field: jwtrail.records, bucket: 30s, "
                "history: 10, percentile: 50, factor: 1.5, floor: 60, learn: 2}",
            ),
            watching(5, "group-by: [user.id], absence: 60s"),
            watching(6, 'group-by: [jwtrail.writer], step: {field: "@timestamp", back: 1s}'),
            watching(7, "group-by: [user.id], dormant: {idle: 90s, count: 2, within: 20s, history: 30d}"),
            watching(8, "group-by: [user.id], travel: {distance: 500, speed: 900, within: 30s}"),
            watching(
                9,
                "group-by: [user.id], stepping: {field: jwtrail.object.id, count: 3, percent: 60, within: 60s}",
            ),
            watching(
                10,
                "group-by: [user.id], suppress: 5s, statistical: {measure: each, field: http.response.bytes, bucket: 30s, "
                "samples: 3, learn: 1, percentile: 50, factor: 2, floor: 900}",
            ),
            watching(
                11,
                "group-by: [url.path], statistical: {measure: percentile, field: http.response.bytes, of: 80, bucket: 60s, "
                "samples: 6, learn: 1, percentile: 50, factor: 1.2, floor: 300}",
            ),
            watching(
                12,
                "group-by: [url.path], statistical: {measure: distinct, field: user.id, bucket: 20s, empty: true, learn: 2, "
                "factor: 1.5}",
            ),
        ]
    ),
)
PACES = {"in order": 0.0, "a little late": 3.0, "very late": 400.0}


def traffic(seed: int, late_s: float, hasty: str = "abc" * 10) -> list[Event]:
    """Quiet users and hasty ones, now and then an event that comes later than its time."""
    chance = random.Random(seed)
    at, made = 0.0, []
    for _ in range(780):
        at += chance.choice((0.1, 0.1, 0.5, 1, 1, 2, 20))
        event = event_for(
            chance.choice(("login", "login", "login", "logout", "token-issued")),
            at_us=START_US
            + round((at + 500 - (chance.random() * late_s if chance.random() < 0.2 else 0)) * SECOND),
            event_outcome="success",
            user_id=chance.choice((*hasty, *map(str, range(20)), None)),
            url_path=chance.choice(("/1", "/2", "/3", "/4", None)),
            jwtrail_records=chance.choice((None, 5, 10, 40)),
            jwtrail_flags=("self_inflicted",) if chance.random() < 0.05 else None,
            source_geo_location=chance.choices(("37.57,126.98", "52.37,4.90", None), (30, 1, 5))[0],
            jwtrail_object_id=str(chance.randint(1, 6)),
            http_response_bytes=chance.choice((10, 80, 100, 120, 400, 1_000)),
            event_duration=chance.choice((None, 1_000_000, 900_000_000)),
        )
        made.append(event)
    return made


def recorded(root: Path, events: list[Event]) -> tuple[TrailFiles, list[Event]]:
    """A trail of them, the last ones not sealed, and the events as a detector gets them."""
    layout = Layout(root)
    layout.create()
    settings = TrailSettings(seal_events=200)
    keeper, writer = Keeper(layout, settings), TrailWriter(layout, settings)
    sequenced: list[Event] = []

    def put(some: list[Event]) -> None:
        for event in some:
            writer.put(event, "batch" if event is not some[-1] else "sync")

    for start in range(0, 600, 200):
        put(events[start : start + 200])
        while len(keeper.segments) <= start // 200:
            sequenced += keeper.step(clock.now_us())
    put(events[600:])
    writer.close()
    for batch in iter(lambda: keeper.step(clock.now_us()), []):
        sequenced += batch
    keeper.close()
    source = TrailFiles(layout)
    assert len(source.segments()) == 3
    assert len(source.unsealed()) > 100
    return source, sequenced


@pytest.mark.parametrize("pace", PACES)
def test_leaving_out_what_cannot_matter_changes_no_alert(tmp_path, pace):
    source, events = recorded(tmp_path, traffic(0, PACES[pace]))
    before = [replace(event, event_sequence=None) for event in traffic(100, 1.0)[:40]]
    live = Detector(RULES)
    live.feed([replace(event, event_sequence=number - 41) for number, event in enumerate(before)])
    wanted = live.feed(events)
    wanted += live.advance(max(segment.max_us for segment in source.segments()) + 3600 * SECOND)
    narrow = replayed(source, RULES, before=before, often=0.0)
    whole = replayed(source, RULES, before=before, often=2.0)
    # Live closes windows by the time of any event, a replay by that of those it reads: late events may count there.
    timed = {"event_count 7", "Watch 5"}
    assert told(narrow.alerts, timed) == told(whole.alerts, timed) == told(wanted, timed)
    if pace == "in order":
        assert told(narrow.alerts) == told(whole.alerts) == told(wanted)
    assert len({alert.name for alert in narrow.alerts}) > 10
    times = [clock.parse_iso(event.timestamp) for event in (*before, *events)]
    late = [newest - at_us > LATENESS_US for at_us, newest in zip(times, accumulate(times, max), strict=True)]
    assert narrow.late == whole.late == sum(late[len(before) :])
    assert any(late) or pace == "in order"


def told(alerts: Sequence[Alert], without: AbstractSet[str] = frozenset()) -> list[Alert]:
    """Alerts in an order that does not depend on when a window was closed."""
    return sorted(
        (alert for alert in alerts if alert.name not in without), key=lambda one: (one.at_us, one.id)
    )


def test_every_test_is_tried_above():
    tests = {type(need.test) for need in needs_of(RULES.active())}
    assert tests == {Crowded, Fresh, Linked, Peaked, Silent, Stepped, Summed, Turned, type(None)}


def test_the_command_says_how_many_events_came_late(tmp_path):
    source, _ = recorded(tmp_path, traffic(2, max(PACES.values())))
    late = replayed(source, RULES).late
    said = CliRunner().invoke(cli, ["detect", "--data", str(tmp_path)]).stderr
    assert late > 0
    assert f"{late} events came later than 2 s" in said


def test_groups_that_cannot_fire_are_not_read(tmp_path):
    source, events = recorded(tmp_path, traffic(5, 0.0, "ab" * 40))
    counting = ruleset(
        BASES.replace("event.action: a", "event.action: login"),
        one(1, "event_count", "  rules: [a]\n  timespan: 20s\n  condition: {gte: 6}"),
    )
    narrow = replayed(source, counting, often=0.0)
    assert narrow.alerts
    assert narrow.read < replayed(source, counting, often=2.0).read < len(events)


@pytest.mark.parametrize("often", [0.0, 2.0])
def test_what_was_imported_is_looked_at_in_the_order_of_time(tmp_path, often):
    chance = random.Random(3)
    events = [replace(event, tags=("imported",), jwtrail_flags=None) for event in traffic(1, 0.0)]
    shuffled = events[500:] + events[:200] + chance.sample(events[200:500], 300)
    source, sequenced = recorded(tmp_path, shuffled)
    places = {event.event_id: event.event_sequence for event in sequenced}
    timely = sorted(sequenced, key=lambda event: (event.timestamp, event.event_sequence))
    live = Detector(RULES)
    wanted = live.feed(replace(event, event_sequence=number) for number, event in enumerate(timely))
    wanted += live.advance(max(segment.max_us for segment in source.segments()) + 3600 * SECOND)
    replay = replayed(source, RULES, often=often)
    assert replay.read == len(sequenced)
    assert replay.late == 0
    found = replay.alerts
    steps = {"Watch 3", "Watch 6"}  # gaps in the numbers of a log are about the order of the trail
    assert [alert.id for alert in told(found, steps)] == [alert.id for alert in told(wanted, steps)]
    assert {places[alert.events[-1]] for alert in found if alert.name == "event_count 1"} == {
        alert.sequence for alert in found if alert.name == "event_count 1"
    }
    assert len({alert.name for alert in found}) > 10
