"""The saved objects are what every Kibana and Dashboards imports; a broken one is seen."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from saved_rules import problems

from jwtrail.cli.main import cli
from jwtrail.errors import ConfigError
from jwtrail.ship.saved import saved_objects, written
from jwtrail.ship.saved.dashboards import COLUMNS, DASHBOARDS, Board, Place, places
from jwtrail.ship.saved.panels import BY_CLASS, PANELS
from jwtrail.ship.saved.searches import SEARCHES


@pytest.mark.parametrize("console", ["", "https://trail.example/console"])
def test_every_object_can_be_imported(console: str) -> None:
    objects = saved_objects(console_url=console)
    assert problems(written(objects)) == []
    assert [one["type"] for one in objects].count("search") >= 8
    assert [one["attributes"]["title"] for one in objects if one["type"] == "dashboard"] == [
        "jwtrail: Overview",
        "jwtrail: Tokens and authentication",
        "jwtrail: Attacks and responses",
    ]


@pytest.mark.parametrize(
    ("old", "new", "seen"),
    [
        (b'"id":"jwtrail-events"', b'"id":"renamed"', "refers to index-pattern"),
        (b'panelRefName\\":\\"panel_1\\"', b'panelRefName\\":\\"panel_99\\"', "asks for"),
        (b'\\"field\\":\\"event.outcome\\"', b'\\"field\\":\\"event.nothing\\"', "unknown field"),
        (b'\\"field\\":\\"http.route\\"', b'\\"field\\":\\"url.path\\"', "cannot be aggregated"),
        (b',\\"title\\":{}', b"", "axis"),
        (b"event.reason: *", b"event.reason: (", "KqlError"),
        (b'"references"', b'"migrationVersion":{"search":"9.0.0"},"references"', "keys"),
        (b'\\"panelIndex\\":\\"1\\"', b'\\"panelIndex\\":\\"2\\"', "named twice"),
    ],
)
def test_the_rules_see_what_is_broken(old: bytes, new: bytes, seen: str) -> None:
    lines = written(saved_objects())
    assert old in lines
    assert any(seen in problem for problem in problems(lines.replace(old, new, 1)))


def test_every_panel_and_search_answers_something_somewhere() -> None:
    used = {name for board in DASHBOARDS for name in (*board.panels, *board.searches)}
    assert {panel.id for panel in PANELS} <= used
    assert used <= {panel.id for panel in PANELS} | {search.id for search in SEARCHES}
    ids = [one.id for one in (*PANELS, *SEARCHES, *DASHBOARDS)]
    assert len(set(ids)) == len(ids) - len(
        {"revocations", "answers", "exports"}
    )  # a search and a panel of one name


@pytest.mark.parametrize("board", DASHBOARDS, ids=lambda board: board.id)
def test_every_row_of_a_dashboard_is_full(board: Board) -> None:
    rows: dict[int, list[Place]] = {}
    for place in places(board):
        rows.setdefault(place.y, []).append(place)
    for row in rows.values():
        assert sum(place.w for place in row) == COLUMNS, row
        assert len({place.h for place in row}) == 1, row


def test_a_value_has_one_colour_on_every_panel() -> None:
    colours: dict[str, set[str]] = {}
    for one in saved_objects():
        state = json.loads(one["attributes"].get("uiStateJSON", "{}"))
        for value, colour in state.get("vis", {}).get("colors", {}).items():
            colours.setdefault(value, set()).add(colour)
    assert set(colours) >= {"success", "failure", "critical", "Forged"}
    assert all(len(found) == 1 for found in colours.values())
    assert {label for label, _ in BY_CLASS.filters} <= set(colours)


def test_titles_are_short_on_a_dashboard_and_say_whose_they_are_in_a_list() -> None:
    titles = {(one["type"], one["id"]): one["attributes"]["title"] for one in saved_objects()}
    for one in saved_objects():
        if one["type"] == "dashboard":
            ids = {reference["name"]: (reference["type"], reference["id"]) for reference in one["references"]}
            for panel in json.loads(one["attributes"]["panelsJSON"]):
                assert titles[ids[panel["panelRefName"]]] == f"jwtrail: {panel['title']}"
                assert len(panel["title"]) <= 40


def test_ids_lead_to_the_console_when_there_is_one() -> None:
    view = saved_objects(console_url="https://trail.example/c/")[0]
    formats = json.loads(view["attributes"]["fieldFormatMap"])
    template = formats["event.id"]["params"]["urlTemplate"]
    assert template == "https://trail.example/c/?screen=discover&event={{value}}"
    assert "event.id" not in json.loads(saved_objects()[0]["attributes"]["fieldFormatMap"])
    with pytest.raises(ConfigError):
        saved_objects(console_url="javascript:alert(1)")


def test_the_command_writes_the_file(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        cli, ["provision", "--out", str(tmp_path / "made"), "--console", "https://trail.example"]
    )
    assert done.exit_code == 0, done.output
    made = (tmp_path / "made/jwtrail-saved-objects.ndjson").read_bytes()
    assert made == written(saved_objects(console_url="https://trail.example"))


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = CliRunner().invoke(cli, ["provision", "--out", str(tmp_path / "file/inside")])
    assert done.exit_code == 2
    assert "cannot write the file" in done.stderr
    dry = CliRunner().invoke(cli, ["provision", "--out", str(tmp_path / "dry"), "--dry-run"])
    assert dry.exit_code == 0
    assert not (tmp_path / "dry").exists()
