"""Provisioning of complete engines: policies from the retention period, roles, and what a user may not look at.

What engines from Maven Central can do is tested on them in tests/engines; they have no policies and no roles.
"""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from elastic_standin import Full, standin

from jwtrail.cli.main import cli
from jwtrail.elastic.client import connect
from jwtrail.elastic.lifecycle import Keeping
from jwtrail.elastic.provision import Report, provision
from jwtrail.elastic.roles import ROLES
from jwtrail.errors import ConfigError, EngineError

FLAVOURS = ("elasticsearch", "opensearch")
POLICIES = {"elasticsearch": "/_ilm/policy/jwtrail", "opensearch": "/_plugins/_ism/policies/jwtrail"}
SECURITY = {"elasticsearch": "/_security/role", "opensearch": "/_plugins/_security/api/roles"}


def provisioned(full: Full, keeping: Keeping | None = None) -> Report:
    with standin(full) as server, connect(f"http://127.0.0.1:{server.port}") as engine:
        return provision(engine, keeping)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_complete_engine_gets_everything_once(flavour: str) -> None:
    full = Full(flavour)
    first = provisioned(full, Keeping(365))
    assert first.left_out == ()
    assert {POLICIES[flavour], *(f"{SECURITY[flavour]}/{role.name}" for role in ROLES)} <= set(full.objects)
    assert provisioned(full, Keeping(365)).changes == ()


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_another_period_changes_the_policy_alone(flavour: str) -> None:
    full = Full(flavour)
    provisioned(full)
    assert "delete" not in json.dumps(full.objects[POLICIES[flavour]])
    changes = provisioned(full, Keeping(730)).changes
    assert [(one.action, one.kind) for one in changes] == [("update", "policy")]
    assert "730d" in json.dumps(full.objects[POLICIES[flavour]])
    assert provisioned(full, Keeping(730)).changes == ()


def test_both_policies_count_from_the_rollover() -> None:
    full = Full("opensearch")
    provisioned(full, Keeping(365))
    policy = full.objects[POLICIES["opensearch"]]["policy"]
    hot, delete = policy["states"]
    assert hot["transitions"] == [{"state_name": "delete", "conditions": {"min_rollover_age": "365d"}}]
    assert delete["actions"] == [{"delete": {}}]
    assert policy["ism_template"] == [{"index_patterns": ["logs-jwtrail.*-*"], "priority": 500}]
    full = Full("elasticsearch")
    provisioned(full, Keeping(365))
    phases = full.objects[POLICIES["elasticsearch"]]["policy"]["phases"]
    assert phases["delete"] == {"min_age": "365d", "actions": {"delete": {}}}
    settings = full.objects["/_component_template/jwtrail-events"]["template"]["settings"]
    assert settings["index.lifecycle.name"] == "jwtrail"


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_role_of_somebody_else_is_not_replaced(flavour: str) -> None:
    full = Full(flavour)
    provisioned(full)
    role = f"{SECURITY[flavour]}/jwtrail_reader"
    full.objects[role] = {"description": "ours", "cluster": ["all"]}
    before = dict(full.objects)
    with pytest.raises(EngineError, match="taken by something that jwtrail did not make"):
        provisioned(full, Keeping(30))
    assert full.objects == before  # looked at first, changed later


def test_what_a_user_may_not_see_is_left_out_and_said() -> None:
    report = provisioned(Full("elasticsearch", forbidden=("/_security", "/_ilm")))
    assert {one.what: one.why.split(":")[0] for one in report.left_out} == {
        "policy": "this user may not ask for them",
        "roles": "this user may not ask for them",
    }


def test_nobody_may_change_events_who_only_ships_or_reads() -> None:
    writer, reader, keeper = ROLES
    for role in (writer, reader):
        assert not {"write", "index", "delete", "all", "manage", "create"} & set(role.indices)
        assert not {"write", "crud", "delete", "indices_all", "manage"} & set(role.actions)
    assert "delete" in keeper.indices


@pytest.mark.parametrize(
    ("text", "retention", "days"),
    [("never", 0, 0), ("never", 365, 0), ("retention", 365, 365), ("days-90", 0, 90), ("days-730", 365, 730)],
)
def test_periods(text: str, retention: int, days: int) -> None:
    assert Keeping.parse(text, retention_days=retention).days == days


@pytest.mark.parametrize(("text", "retention"), [("retention", 0), ("days-364", 365), ("days-0", 0), ("", 0)])
def test_periods_that_cannot_be(text: str, retention: int) -> None:
    with pytest.raises(ConfigError):
        Keeping.parse(text, retention_days=retention)


def test_the_command_takes_the_period_from_the_settings(tmp_path: Path) -> None:
    (tmp_path / "jwtrail.toml").write_text(
        '[trail]\nretention = "kr-2y"\n[engine]\ndelete_after = "retention"\n'
    )
    full = Full("elasticsearch")
    with standin(full) as server:
        words = ["provision", f"http://127.0.0.1:{server.port}", "--config", str(tmp_path / "jwtrail.toml")]
        done = CliRunner().invoke(cli, [*words, "--json"])
        assert done.exit_code == 0, done.output
        report = json.loads(done.stdout)
        assert report["engine"] == "Elasticsearch 8.12.2"
        assert full.objects[POLICIES["elasticsearch"]]["policy"]["phases"]["delete"]["min_age"] == "730d"


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("part", ["version", "catalogue", "fields"])
def test_what_a_later_program_made_stays(flavour: str, part: str) -> None:
    full = Full(flavour)
    provisioned(full)
    kind = f"{SECURITY[flavour]}/jwtrail_keeper"
    made = json.dumps(full.objects[kind])
    if flavour == "elasticsearch":
        full.objects[kind]["metadata"][part] += 1
    else:
        number = next(word for word in made.split() if f"{part}=" in word).partition("=")[2]
        full.objects[kind] = json.loads(made.replace(f"{part}={number}", f"{part}={int(number) + 1}"))
    with pytest.raises(EngineError, match="made by a newer jwtrail"):
        provisioned(full, Keeping(30))
