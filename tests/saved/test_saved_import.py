"""Import over HTTP: the right header, success read from the body, nothing replaced unasked."""

import pytest
from click.testing import CliRunner, Result
from saved_kibana import kibana

from jwtrail.cli.main import cli
from jwtrail.elastic.settings import EngineSettings
from jwtrail.errors import ConfigError, EngineAway, EngineError
from jwtrail.ship.saved import saved_objects
from jwtrail.ship.saved.kibana import import_objects

OBJECTS = saved_objects()


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["provision", *words])


@pytest.mark.parametrize(("option", "header"), [("--kibana", "kbn-xsrf"), ("--dashboards", "osd-xsrf")])
def test_everything_arrives_once(option: str, header: str) -> None:
    with kibana(header, base="/base/s/team") as server:
        first = run(option, server.url)
        assert first.exit_code == 0, first.output
        assert f"{len(OBJECTS)} objects imported." in first.stderr
        assert len(server.objects) == len(OBJECTS)

        changed = ("dashboard", "jwtrail-overview")
        server.objects[changed] = {"by": "somebody"}
        again = run(option, server.url)
        assert again.exit_code == 0, again.output
        assert f"nothing to do, {len(OBJECTS)} there already" in again.stderr
        assert server.objects[changed] == {"by": "somebody"}

        replaced = run(option, server.url, "--overwrite")
        assert f"{len(OBJECTS)} objects imported." in replaced.stderr
        assert server.objects[changed] != {"by": "somebody"}


def test_the_wrong_door_is_named() -> None:
    with kibana("osd-xsrf") as server:
        done = run("--kibana", server.url)
        assert done.exit_code == 1
        assert "--dashboards" in done.stderr


def test_status_200_is_not_success() -> None:
    with (
        kibana("kbn-xsrf", known=("index-pattern", "search", "visualization")) as server,
        pytest.raises(
            EngineError, match=r"3 objects were refused: dashboard jwtrail-overview: unsupported_type"
        ),
    ):
        import_objects(server.url, "kibana", OBJECTS, EngineSettings(), overwrite=False)


def test_credentials_go_along_but_never_in_the_open() -> None:
    settings = EngineSettings(user="ada", password="s3cret")
    with kibana("kbn-xsrf") as server:
        import_objects(server.url, "kibana", OBJECTS, settings, overwrite=False)
        assert server.authorization == "Basic YWRhOnMzY3JldA=="
    with pytest.raises(ConfigError, match="plain HTTP"):
        import_objects("http://kibana.example:5601", "kibana", OBJECTS, settings, overwrite=False)
    with pytest.raises(ConfigError, match="credentials do not belong") as told:
        import_objects("http://ada:s3cret@127.0.0.1", "kibana", OBJECTS, settings, overwrite=False)
    assert "s3cret" not in str(told.value)


def test_nobody_there() -> None:
    with pytest.raises(EngineAway, match="nobody answers"):
        import_objects("http://127.0.0.1:9", "kibana", OBJECTS, EngineSettings(), overwrite=False)
    with kibana("kbn-xsrf") as server, pytest.raises(EngineError, match="404"):
        import_objects(f"{server.url}/elsewhere", "kibana", OBJECTS, EngineSettings(), overwrite=False)


def test_a_dry_run_imports_nothing() -> None:
    with kibana("kbn-xsrf") as server:
        done = run("--kibana", server.url, "--dry-run")
        assert len(done.stdout.splitlines()) == len(OBJECTS)
        assert server.objects == {}


def test_nothing_asked_for() -> None:
    assert run().exit_code == 2
