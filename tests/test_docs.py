"""The documentation is true: pages made from the code are current, snippets run, links lead somewhere."""

import importlib.util
import re
import shlex
import sys
import types
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(path for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def _build():
    spec = importlib.util.spec_from_file_location("docs_build", ROOT / "docs/build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", list(_build().PAGES))
def test_reference_pages_are_current(name: str) -> None:
    assert (ROOT / "docs/reference" / name).read_text() == _build().PAGES[name](), "run: make docs"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if not target.startswith(("http:", "https:", "mailto:")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_settings_page_says_what_every_setting_means() -> None:
    from jwtrail import config

    assert [row.name for row in config.table() if not row.doc] == []


def test_the_changelog_keeps_its_form() -> None:
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text()


def test_the_rule_of_the_how_to_loads_and_its_examples_hold() -> None:
    from jwtrail.detect.examples import run_examples
    from jwtrail.detect.ruleset import RuleSet
    from jwtrail.sigma import load_rules

    page = (ROOT / "docs/how-to/write-a-rule.md").read_text()
    found = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert found is not None
    loaded = load_rules({"how-to.yml": found[1]})
    assert not loaded.refused
    results = run_examples(RuleSet(rules=loaded.rules, correlations=loaded.correlations))
    assert len(results) == 2
    assert all(result.passed for result in results), results


def _commands() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        if page.parent.name != "reference":
            blocks = re.findall(r"```console\n(.*?)```", page.read_text(), re.DOTALL)
            lines = [
                line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ jwtrail ")
            ]
            found += [(str(page.relative_to(ROOT)), line.split("  #")[0].strip()) for line in lines]
    return found


@pytest.mark.parametrize(("page", "line"), _commands())
def test_commands_in_the_docs_exist_as_they_are_written(page: str, line: str) -> None:
    from jwtrail.cli.main import cli

    words = shlex.split(re.split(r" [<>] ", line, maxsplit=1)[0], comments=True)[1:]
    command: click.Command = cli
    context = click.Context(cli, info_name="jwtrail")
    while isinstance(command, click.Group):
        name, inner, words = command.resolve_command(context, words)
        assert inner is not None, f"{page}: no command {name}"
        command, context = inner, click.Context(inner, info_name=name, parent=context)
    try:
        command.make_context(command.name, words, parent=context.parent)
    except click.BadParameter as error:
        assert "does not exist" in error.message, (
            f"{page}: {error.message}"
        )  # the page's own file names are examples


def test_the_tutorial_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fastapi.testclient import TestClient

    found = re.search(
        r"<!-- snippet: tutorial -->\n```python\n(.*?)```",
        (ROOT / "docs/tutorial/first-hour.md").read_text(),
        re.DOTALL,
    )
    assert found is not None
    monkeypatch.chdir(tmp_path)
    module = types.ModuleType("app")
    monkeypatch.setitem(sys.modules, "app", module)
    exec(compile(found[1], "app.py", "exec"), module.__dict__)
    with TestClient(module.app) as client:
        assert client.post("/login", json={"username": "eve", "password": "x"}).status_code == 401
        pair = client.post("/login", json={"username": "kim", "password": "correct horse"}).json()
        headers = {"Authorization": f"Bearer {pair['access_token']}"}
        assert client.get("/orders/7", headers=headers).json() == {"id": 7, "owner": "u42"}
        first = pair["refresh_token"]
        assert client.post("/token/refresh", data={"refresh_token": first}).status_code == 200
        elsewhere = TestClient(module.app, client=("203.0.113.9", 1))
        assert elsewhere.post("/token/refresh", data={"refresh_token": first}).status_code == 400
        assert client.get("/orders/7", headers=headers).status_code == 401
