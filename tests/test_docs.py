"""The documentation is true: pages made from the code are current, snippets run, links lead somewhere."""

import importlib.util
import re
from pathlib import Path

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
