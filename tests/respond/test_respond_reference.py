"""The page of the rules is made from the rules."""

from pathlib import Path

from jwtrail.detect import load_ruleset
from jwtrail.respond.reference import rules_page

PAGE = Path(__file__).parents[2] / "docs/reference/rules.md"


def test_the_page_is_current():
    assert PAGE.read_text(encoding="utf-8") == rules_page(load_ruleset())


def test_every_rule_has_its_section():
    page = rules_page(load_ruleset())
    for meta in load_ruleset().metas():
        assert f"\n### {meta.code} {meta.title}\n" in page
