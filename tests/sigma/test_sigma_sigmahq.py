"""SigmaHQ's rules for web servers and proxies load unchanged. They are under DRL 1.1 and not part of this repository."""

from pathlib import Path

import pytest

from jwtrail.predicate.python import compile_many
from jwtrail.predicate.sql import to_sql
from jwtrail.sigma import load_rules

RULES = Path(__file__).parents[3] / "shared/vectors/sigma_web"


@pytest.mark.skipif(
    not RULES.is_dir(), reason="needs SigmaHQ's rules for web servers and proxies beside the checkout"
)
def test_all_of_them_load_and_compile_for_both_back_ends():
    texts = {str(path): path.read_text() for path in sorted(RULES.glob("rules*/**/*.yml"))}
    loaded = load_rules(texts)
    assert loaded.refused == ()
    assert len(loaded.rules) == len(texts) >= 142
    assert compile_many({rule.meta.id: rule.predicate for rule in loaded.rules})
    for rule in loaded.rules:
        assert to_sql(rule.predicate)
