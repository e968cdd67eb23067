"""The stores that must keep the same promises."""

import pytest

from jwtrail.state import StateStore
from redis_server import Server, patient


@pytest.fixture(scope="session")
def redis_server():
    server = Server()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.engine)])
def open_shared(request, tmp_path, monkeypatch):
    """Opens the store under test; every call gives another connection to the same data."""
    if request.param == "sqlite":
        opened = [lambda: StateStore(tmp_path / "state.db")]
    else:
        from jwtrail.state.redisstore import RedisStore

        patient(monkeypatch)
        server = request.getfixturevalue("redis_server")
        server.clear()
        opened = [lambda: RedisStore(server.url)]
    stores = []

    def made():
        stores.append(opened[0]())
        return stores[-1]

    yield made
    for store in stores:
        store.close()
