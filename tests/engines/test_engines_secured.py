"""Roles and TLS of real engines: each user may do what the role says, and no more."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import secured_server
from click.testing import CliRunner, Result
from engine_server import Client, Server, Unavailable
from secured_server import PASSWORD, USERS, Secured

sys.path.append(str(Path(__file__).parents[1] / "ship"))

from ship_worlds import recorded

from jwtrail import config
from jwtrail.cli.main import cli
from jwtrail.trail.layout import Layout
from jwtrail.trail.reader import TrailReader

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

COUNT = 500


class Ready:
    """A server that is provisioned, and a trail that was shipped there.

    Args:
        what: of the server.
    """

    def __init__(self, server: Server, what: Secured, layout: Layout) -> None:
        self.server, self.what, self.layout = server, what, layout
        self.url = server.url

    def run(self, who: tuple[str, str], *words: str) -> Result:
        """A command as somebody, who trusts the server's certificate."""
        environ = {
            "JWTRAIL_ENGINE__USER": who[0],
            "JWTRAIL_ENGINE__PASSWORD": who[1],
            "JWTRAIL_ENGINE__CA_FILE": str(self.server.run / secured_server.CA),
        }
        return CliRunner().invoke(cli, words, env=environ)

    def does(self, user: str, *words: str) -> str:
        done = self.run((user, PASSWORD), *words)
        assert done.exit_code == 0, done.output
        return done.output

    def ships(self, user: str) -> str:
        return self.does(user, "ship", self.url, "--once", "--data", str(self.layout.root))

    def client(self, user: str) -> Client:
        return self.what.client(self.server.port, (user, PASSWORD))


@pytest.fixture(scope="module", params=["opensearch", "elasticsearch"])
def ready(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ready]:
    layout = Layout(tmp_path_factory.mktemp("secured") / "data")
    size = recorded(layout, COUNT)
    try:
        with secured_server.serving(request.param) as server:
            assert isinstance(server.what, Secured)
            made = Ready(server, server.what, layout)
            {"opensearch": provisioned, "elasticsearch": provisioned_by_files}[request.param](made)
            assert f"Shipped {size} events" in made.ships("shipper")
            assert "Shipped 0 events" in made.ships("shipper")
            yield made
    except Unavailable as missing:
        if config.is_ci():
            raise
        pytest.skip(str(missing))


def provisioned(ready: Ready) -> None:
    for user in USERS:
        ready.server.client.call(
            "PUT", f"/_plugins/_security/api/internalusers/{user}", {"password": PASSWORD}
        )
    grants = [word for user, role in USERS.items() for word in ("--grant", f"{role}={user}")]
    first = ready.run(ready.what.admin, "provision", ready.url, *grants)
    assert first.exit_code == 0, first.output
    assert "created role jwtrail_writer" in first.stdout
    assert "created users of the role jwtrail_reader" in first.stdout
    again = ready.run(ready.what.admin, "provision", ready.url, *grants)
    assert (again.stdout, "nothing to do" in again.stderr) == ("", True)

    path = "/_plugins/_security/api/rolesmapping/jwtrail_reader"  # who had a role keeps it
    client = ready.server.client
    client.call("PUT", path, {"users": ["ada"], "backend_roles": ["auditors"]})
    third = ready.run(ready.what.admin, "provision", ready.url, "--grant", "reader=bob")
    assert "updated users of the role jwtrail_reader" in third.stdout
    now = client.call("GET", path)["jwtrail_reader"]
    assert (now["users"], now["backend_roles"]) == (["ada", "bob"], ["auditors"])


def provisioned_by_files(ready: Ready) -> None:
    """Roles are made last, so the rest is there when this build cannot make its index of them."""
    done = ready.run(ready.what.admin, "provision", ready.url)
    assert "/_security/role/jwtrail_writer: status 400" in done.stderr
    assert "pattern_capture" in done.stderr
    refused = ready.run(ready.what.admin, "provision", ready.url, "--grant", "writer=shipper")
    assert "roles are given to users elsewhere" in refused.stderr


def test_a_writer_deletes_nothing_and_changes_no_template(ready: Ready) -> None:
    client = ready.client("shipper")
    hit = client.call("POST", "/logs-jwtrail.*-default/_search?size=1", {})["hits"]["hits"][0]
    for method, path, body in (
        ("DELETE", f"/{hit['_index']}/_doc/{hit['_id']}", None),
        ("DELETE", f"/{hit['_index']}", None),
        ("PUT", "/_index_template/mine", {"index_patterns": ["logs-jwtrail.*"]}),
        ("POST", "/elsewhere/_doc", {"a": 1}),
    ):
        with pytest.raises(RuntimeError, match="403"):
            client.call(method, path, body)


def test_a_writer_replaces_nothing_where_the_engine_can_tell(ready: Ready) -> None:
    client = ready.client("shipper")
    hit = client.call("POST", "/logs-jwtrail.*-default/_search?size=1&seq_no_primary_term=true", {})
    hit = hit["hits"]["hits"][0]
    fresh = f"if_seq_no={hit['_seq_no']}&if_primary_term={hit['_primary_term']}"
    path = f"/{hit['_index']}/_doc/{hit['_id']}?{fresh}"
    if ready.what.name == "elasticsearch":
        with pytest.raises(RuntimeError, match="403"):
            client.call("PUT", path, hit["_source"])
    else:  # its security plugin knows no right to add alone, as docs/how-to/elasticsearch.md says
        assert client.call("PUT", path, hit["_source"])["result"] == "updated"


def test_a_reader_searches_counts_and_verifies_but_does_not_ship(ready: Ready) -> None:
    ready.server.client.call("POST", "/logs-jwtrail.*-default/_refresh")
    assert "u-7" in ready.does("ada", "search", "user.id: u-7", "--store", ready.url)
    for name in ("user", "address", "user.id"):
        assert '"' in ready.does("ada", "stats", name, "--store", ready.url)
    remote = ("trail", "verify", "--remote", ready.url)
    assert "nothing is wrong" in ready.does("ada", *remote, "--data", str(ready.layout.root))
    alone = ("--checkpoint", str(ready.layout.checkpoint), "--vkey", str(TrailReader(ready.layout).vkey()))
    said = ready.does("ada", *remote, *alone, "--data", str(ready.layout.root / "none"))
    assert "their root is the signed one" in said
    done = ready.run(("ada", PASSWORD), "ship", ready.url, "--once", "--data", str(ready.layout.root))
    assert done.exit_code == 1
    assert "security_exception" in done.stderr
    assert "docs/how-to/elasticsearch.md lists what each task needs" in done.stderr


def test_a_keeper_takes_a_person_out(ready: Ready) -> None:
    root = str(ready.layout.root)
    ready.does("eve", "subject", "erase", "u-1", "--reason", "T-1", "--yes", "--data", root)
    if ready.what.name == "elasticsearch":
        said = ready.ships("shipper")
        assert (
            "not done: the documents of 10 erased events are not rewritten yet: 403 security_exception"
            in said
        )
        assert '"to_forget":10' in ready.does("eve", "ship", "status", "--data", root)
    ready.ships("eve")
    assert '"to_forget":0' in ready.does("eve", "ship", "status", "--data", root)
    ready.server.client.call("POST", "/logs-jwtrail.*-default/_refresh")
    assert 'u-1"' not in ready.does("ada", "search", "user.id: u-1", "--store", ready.url)


def test_a_wrong_password_and_a_wrong_certificate_are_told_apart(ready: Ready) -> None:
    wrong = ready.run(("ada", "wrong"), "search", "--store", ready.url)
    assert "401" in wrong.stderr
    assert "engine.password_file" in wrong.stderr
    environ = {"JWTRAIL_ENGINE__FINGERPRINT": "00" * 32}
    stranger = CliRunner().invoke(cli, ["search", "--store", ready.url], env=environ)
    assert "no certificate of its chain has the fingerprint" in stranger.stderr
