"""What Sigma's modifiers and conditions mean, on real events through the compiled predicate."""

from pathlib import Path

import pytest
import yaml

from jwtrail.ecs import decode_document
from jwtrail.predicate.python import compile_predicate
from jwtrail.sigma import load_rules

CASES = yaml.safe_load((Path(__file__).parent / "sigma_modifiers.yml").read_text())
HEAD = {"title": "x", "id": "e71e2cae-6aa0-4281-91de-8b0df7eacbc5", "logsource": {"product": "jwtrail"}}
BARE = {"@timestamp": "2026-01-01T00:00:00.000000Z", "event.id": "e"}


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_detection_means_what_sigma_says(case):
    loaded = load_rules(
        {"case.yml": yaml.safe_dump(HEAD | {"detection": case["detection"]})}, case.get("lists")
    )
    assert loaded.refused == ()
    fits = compile_predicate(loaded.rules[0].predicate)
    for document in case["match"]:
        assert fits(decode_document(BARE | document)), document
    for document in case["miss"]:
        assert not fits(decode_document(BARE | document)), document


def test_every_modifier_of_pysigma_is_tried():
    from sigma.modifiers import modifier_mapping

    tried = {
        part
        for case in CASES
        for part in str(case["detection"]).replace("'", "|").replace(":", "|").split("|")
    }
    never = {"wide", "utf16", "utf16be"}  # they put NUL into the value, and no text of an event holds one
    short = {"m", "s", "multiline", "dotall"}  # of `re`; a text of an event has one line
    assert set(modifier_mapping) - tried <= never | short
