"""The lifecycle policy as Elasticsearch itself reads it: its parser and its checks are in the minimal build, what acts on it is not."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from elasticsearch_server import ELASTICSEARCH
from engine_server import Unavailable, alone

from jwtrail import config
from jwtrail.elastic.features import Features, Product
from jwtrail.elastic.lifecycle import Keeping
from jwtrail.elastic.plan import plan_for

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

PRODUCT = Product("elasticsearch", (8, 19, 21))
FEATURES = Features(True, "ilm", "/_pit", "", True, "flattened", True)


def read(policy: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    try:
        with alone():
            home, java = ELASTICSEARCH.home(), ELASTICSEARCH.java()
    except Unavailable as missing:
        if config.is_ci():
            raise
        pytest.skip(str(missing))
    words = [str(java / "bin/java"), "-cp", f"{home}/lib/*:{home}/modules/x-pack-core/*", "PolicyCheck.java"]
    text = json.dumps(policy)
    return subprocess.run(
        words, cwd=Path(__file__).parent, input=text, capture_output=True, text=True, check=False
    )


def body(days: int) -> dict[str, Any]:
    plan = plan_for(PRODUCT, FEATURES, Keeping(days), "default")
    (step,) = (one for one in plan.steps if one.kind == "policy")
    assert step.body is not None
    return step.body


@pytest.mark.parametrize("days", [0, 365])
def test_elasticsearch_reads_the_policy_as_it_is_meant(days: int) -> None:
    done = read(body(days))
    assert done.returncode == 0, done.stderr
    understood = json.loads(done.stdout)["phases"]
    rollover = understood["hot"]["actions"]["rollover"]
    assert (rollover["max_age"], rollover["max_primary_shard_size"]) == ("30d", "50gb")
    assert set(understood) == ({"hot", "delete"} if days else {"hot"})
    if days:
        assert (understood["delete"]["min_age"], "delete" in understood["delete"]["actions"]) == (
            "365d",
            True,
        )


def test_a_policy_that_is_none_is_refused() -> None:
    wrong = body(365)
    wrong["policy"]["phases"]["hot"]["actions"]["rollover"]["max_agee"] = "1d"
    assert "unknown field [max_agee]" in read(wrong).stderr
