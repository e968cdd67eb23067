"""Roles and TLS of a real OpenSearch with its security plugin: each user may do what the role says, and no more."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import secured_server
from click.testing import CliRunner, Result
from engine_server import Server, Unavailable

sys.path.append(str(Path(__file__).parents[1] / "ship"))

from ship_worlds import recorded

from jwtrail import config
from jwtrail.cli.main import cli
from jwtrail.trail.layout import Layout
from jwtrail.trail.reader import TrailReader

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

PASSWORD = "Of-one-test-0nly!"
USERS = {"shipper": "writer", "ada": "reader", "eve": "keeper"}


@pytest.fixture(scope="module")
def secured() -> Iterator[Server]:
    try:
        with secured_server.serving() as server:
            yield server
    except Unavailable as missing:
        if config.is_ci():
            raise
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    made = Layout(tmp_path_factory.mktemp("secured") / "data")
    recorded(made, 500)
    return made


@pytest.fixture(scope="module")
def ready(secured: Server) -> Server:
    """Provisioned, with a user for each role."""
    for user in USERS:
        secured.client.call("PUT", f"/_plugins/_security/api/internalusers/{user}", {"password": PASSWORD})
    grants = [word for user, role in USERS.items() for word in ("--grant", f"{role}={user}")]
    first = run(secured, secured_server.ADMIN, "provision", secured.url, *grants)
    assert first.exit_code == 0, first.output
    assert "created role jwtrail_writer" in first.stdout
    assert "created users of the role jwtrail_reader" in first.stdout
    again = run(secured, secured_server.ADMIN, "provision", secured.url, *grants)
    assert (again.stdout, "nothing to do" in again.stderr) == ("", True)
    return secured


def run(server: Server, who: tuple[str, str], *words: str) -> Result:
    """A command as somebody, who trusts the certificate that the server was given."""
    environ = {
        "JWTRAIL_ENGINE__USER": who[0],
        "JWTRAIL_ENGINE__PASSWORD": who[1],
        "JWTRAIL_ENGINE__CA_FILE": str(server.run / "config/node.pem"),
    }
    return CliRunner().invoke(cli, words, env=environ)


def run_as(server: Server, user: str, *words: str) -> str:
    done = run(server, (user, PASSWORD), *words)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_writer_ships_and_deletes_nothing(ready: Server, layout: Layout) -> None:
    said = run_as(ready, "shipper", "ship", ready.url, "--once", "--data", str(layout.root))
    assert "Shipped 502 events" in said
    assert "Shipped 0 events" in run_as(
        ready, "shipper", "ship", ready.url, "--once", "--data", str(layout.root)
    )
    client = ready.what.client(ready.port, ("shipper", PASSWORD))
    with pytest.raises(RuntimeError, match=r"403 .*no permissions for \[indices:admin/data_stream/delete\]"):
        client.call("DELETE", "/_data_stream/logs-jwtrail.access-default")
    (hit,) = client.call("POST", "/logs-jwtrail.*-default/_search?size=1", {})["hits"]["hits"]
    with pytest.raises(RuntimeError, match="403"):
        client.call("DELETE", f"/{hit['_index']}/_doc/{hit['_id']}")
    with pytest.raises(RuntimeError, match="403"):
        client.call("PUT", "/_index_template/mine", {"index_patterns": ["logs-jwtrail.*"]})


def test_a_reader_searches_counts_and_verifies_but_does_not_ship(ready: Server, layout: Layout) -> None:
    run_as(ready, "shipper", "ship", ready.url, "--once", "--data", str(layout.root))
    ready.client.call("POST", "/logs-jwtrail.*-default/_refresh")
    assert "u-7" in run_as(ready, "ada", "search", "user.id: u-7", "--store", ready.url)
    for name in ("user", "address", "url.path"):
        assert '"' in run_as(ready, "ada", "stats", name, "--store", ready.url)
    remote = ("trail", "verify", "--remote", ready.url)
    assert "nothing is wrong" in run_as(ready, "ada", *remote, "--data", str(layout.root))
    alone = ("--checkpoint", str(layout.checkpoint), "--vkey", str(TrailReader(layout).vkey()))
    assert "their root is the signed one" in run_as(
        ready, "ada", *remote, *alone, "--data", str(layout.root / "none")
    )
    done = run(ready, ("ada", PASSWORD), "ship", ready.url, "--once", "--data", str(layout.root))
    assert done.exit_code == 1
    assert "security_exception" in done.stderr
    assert "docs/how-to/elasticsearch.md lists what each task needs" in done.stderr


def test_a_keeper_takes_a_person_out(ready: Server, layout: Layout) -> None:
    run_as(ready, "shipper", "ship", ready.url, "--once", "--data", str(layout.root))
    run_as(ready, "eve", "subject", "erase", "u-1", "--reason", "T-1", "--yes", "--data", str(layout.root))
    run_as(ready, "eve", "ship", ready.url, "--once", "--data", str(layout.root))
    assert '"to_forget":0' in run_as(ready, "eve", "ship", "status", "--data", str(layout.root))
    ready.client.call("POST", "/logs-jwtrail.*-default/_refresh")
    assert 'u-1"' not in run_as(ready, "ada", "search", "user.id: u-1", "--store", ready.url)


def test_who_had_a_role_keeps_it(ready: Server) -> None:
    path = "/_plugins/_security/api/rolesmapping/jwtrail_reader"
    there = ready.client.call("GET", path)["jwtrail_reader"]
    ready.client.call("PUT", path, {"users": there["users"], "backend_roles": ["auditors"]})
    done = run(ready, secured_server.ADMIN, "provision", ready.url, "--grant", "reader=bob")
    assert "updated users of the role jwtrail_reader" in done.stdout
    now = ready.client.call("GET", path)["jwtrail_reader"]
    assert (now["users"], now["backend_roles"]) == (["ada", "bob"], ["auditors"])


def test_a_wrong_password_and_a_wrong_certificate_are_told_apart(ready: Server) -> None:
    wrong = run(ready, ("ada", "wrong"), "search", "--store", ready.url)
    assert "401" in wrong.stderr
    assert "engine.password_file" in wrong.stderr
    stranger = CliRunner().invoke(
        cli, ["search", "--store", ready.url], env={"JWTRAIL_ENGINE__FINGERPRINT": "00" * 32}
    )
    assert "no certificate of its chain has the fingerprint" in stranger.stderr
