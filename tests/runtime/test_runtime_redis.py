"""Two workers of two hosts share their revocations through Redis; the trail tells when it is away."""

from pathlib import Path

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from jwtrail.ecs import decode_line
from jwtrail.fastapi import Claims, JWTrail, TokenPair
from redis_server import Server, patient
from waiting import until

pytestmark = pytest.mark.engine


@pytest.fixture
def server(monkeypatch):
    patient(monkeypatch)
    made = Server()
    yield made
    made.stop()


def shop(data: Path, url: str, keys_of: Path | None = None):
    if keys_of is not None:  # both hosts have the same signing keys
        data.mkdir()
        (data / "keys").symlink_to(keys_of / "keys")
    app = FastAPI()
    trail = JWTrail(app, data=str(data), state_url=url, **{"http.strict_paths": "/strict"})
    app.include_router(trail.router())

    @app.post("/login")
    def login() -> TokenPair:
        return trail.issue("u1")

    @app.get("/open")
    @app.get("/strict")
    def things(who: Claims = Depends(trail.require())) -> str:  # noqa: B008, FAST002
        return who.sub

    return app


def events(data: Path, action: str):
    lines = [line for log in (data / "wal").rglob("*.ndjson") for line in log.read_bytes().splitlines()]
    made = [decode_line(line) for line in lines if b'"event.action"' in line]
    return sorted(
        (event for event in made if event.event_action == action), key=lambda event: event.timestamp
    )


def test_a_sign_out_on_one_host_counts_on_the_other(server, tmp_path):
    with (
        TestClient(shop(tmp_path / "a", server.url)) as here,
        TestClient(shop(tmp_path / "b", server.url, tmp_path / "a")) as there,
    ):
        pair = here.post("/login").json()
        bearer = {"Authorization": f"Bearer {pair['access_token']}"}
        assert there.get("/open", headers=bearer).status_code == 200
        exchanged = there.post("/token/refresh", json={"refresh_token": pair["refresh_token"]})
        assert exchanged.status_code == 200
        assert here.post("/logout", headers=bearer).status_code == 204
        until(lambda: there.get("/open", headers=bearer).status_code == 401)


def test_the_server_goes_away_and_comes_back(server, tmp_path):
    data = tmp_path / "a"
    with TestClient(shop(data, server.url)) as client:
        bearer = {"Authorization": f"Bearer {client.post('/login').json()['access_token']}"}
        server.stop()
        until(lambda: events(data, "revocation-check-failed"))
        assert client.get("/open", headers=bearer).status_code == 200
        assert client.get("/strict", headers=bearer).status_code == 503
        assert client.post("/login").status_code == 503
        server.start()
        until(lambda: len(events(data, "revocation-check-failed")) == 2)
        assert client.get("/strict", headers=bearer).status_code == 200
    gone, back = events(data, "revocation-check-failed")
    assert (gone.event_outcome, back.event_outcome) == ("failure", "success")
    assert "secret-word" not in str(gone)
