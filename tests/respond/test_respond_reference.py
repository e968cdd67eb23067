"""The page of the rules is made from the rules."""

from pathlib import Path

from jwtrail.config import DetectSettings
from jwtrail.detect.ruleset import configured
from jwtrail.respond.reference import rules_page

PAGE = Path(__file__).parents[2] / "docs/reference/rules.md"


def test_the_page_is_current():
    assert PAGE.read_text(encoding="utf-8") == rules_page(configured(DetectSettings()))


def test_every_rule_has_its_section():
    page = rules_page(configured(DetectSettings()))
    for meta in configured(DetectSettings()).metas():
        assert f"\n### {meta.code} {meta.title}\n" in page
