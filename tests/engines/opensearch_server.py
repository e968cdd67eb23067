"""A real OpenSearch: the last release whose complete distribution is on Maven Central."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from engine_server import Client, Distribution, Server, Unavailable, server_of

__all__ = ["OPENSEARCH", "Client", "Server", "Unavailable", "running", "serving"]

OPENSEARCH = Distribution(
    name="opensearch",
    version="3.8.0",
    group="org.opensearch.distribution.integ-test-zip",
    prefix="OPENSEARCH",
    min_java=21,
)


@contextmanager
def serving() -> Iterator[Server]:
    """The server; see `engine_server.server_of`."""
    with server_of(OPENSEARCH) as server:
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
