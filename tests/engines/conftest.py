"""Real engines, started once; and the worlds and text cases of other rooms, which are asked here too."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path += [str(Path(__file__).parents[1] / room) for room in ("predicate", "kql")]

import elasticsearch_server
import opensearch_server
from engine_server import Server, Unavailable

from jwtrail import config

_SERVING = {"opensearch": opensearch_server.serving, "elasticsearch": elasticsearch_server.serving}


@pytest.fixture(scope="session", params=list(_SERVING))
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Each engine in turn; skipped where it cannot be had, except in CI."""
    try:
        with _SERVING[request.param]() as made:
            yield made
    except Unavailable as missing:
        if config.is_ci():
            raise
        pytest.skip(str(missing))
