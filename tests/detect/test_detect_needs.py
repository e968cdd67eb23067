"""Rules that are silent without a database are named, and no others."""

from jwtrail.detect.needs import without_database
from jwtrail.detect.ruleset import load_ruleset


def test_rules_that_compare_networks_and_places_are_named():
    found = set(without_database(load_ruleset()))
    assert {"B3", "B3b", "B8", "B9", "B10", "C4", "C5"} <= found
    assert not found & {"A1", "B2", "B4", "C1", "D1", "E6"}
    assert "B8" not in without_database(load_ruleset(disabled=["B8"]))
