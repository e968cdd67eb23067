"""A real Elasticsearch: the minimal build, which has no `GET /`, no ILM, no ingest and no wildcard fields."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from engine_server import Client, Distribution, Server, Unavailable, server_of

__all__ = ["ELASTICSEARCH", "Client", "Server", "Unavailable", "running", "serving"]

ELASTICSEARCH = Distribution(
    name="elasticsearch",
    version="8.19.21",
    group="org.elasticsearch.distribution.integ-test-zip",
    prefix="ES",
    min_java=17,
    settings=("xpack.security.enabled: false",),
)


@contextmanager
def serving() -> Iterator[Server]:
    """The server; see `engine_server.server_of`."""
    with server_of(ELASTICSEARCH) as server:
        yield server


@contextmanager
def running() -> Iterator[Client]:
    """Its HTTP API alone."""
    with serving() as server:
        yield server.client


if __name__ == "__main__":  # a server to try things on, until its standard input ends
    with serving() as made:
        print(made.port, flush=True)
        sys.stdin.read()
