"""An application that accepts the tokens of a provider somewhere else, from its settings file on."""

from pathlib import Path

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from jwtrail.ecs import decode_line
from jwtrail.fastapi import Claims, JWTrail
from provider import Provider
from waiting import until


@pytest.fixture
def provider():
    made = Provider()
    yield made
    made.close()


def events_in(data: Path, action: str):
    lines = [line for log in (data / "wal").rglob("*.ndjson") for line in log.read_bytes().splitlines()]
    events = [decode_line(line) for line in lines if b'"event.id"' in line]
    return [event for event in events if event.event_action == action]


def shop(folder: Path, provider: Provider) -> FastAPI:
    (folder / "jwtrail.toml").write_text(
        f'data = "{folder / "data"}"\n[tokens.issuers."{provider.issuer}"]\nallow_private = true\naudience = ["api"]\n'
    )
    app = FastAPI()
    trail = JWTrail(app, config=folder / "jwtrail.toml")

    @app.get("/me")
    def me(who: Claims = Depends(trail.require())) -> str:  # noqa: B008, FAST002
        return who.sub

    return app


def test_a_providers_token_opens_the_door_and_a_new_key_does_so_at_once(provider, tmp_path):
    with TestClient(shop(tmp_path, provider)) as client:
        assert client.get("/me", headers={"Authorization": f"Bearer {provider.token()}"}).json() == "r1"
        stranger = provider.token(iss="https://evil.example")
        assert client.get("/me", headers={"Authorization": f"Bearer {stranger}"}).status_code == 401
        until(lambda: events_in(tmp_path / "data", "jwks-fetched"))  # told after those who wait are let go
    requests = events_in(tmp_path / "data", "http-request")
    assert (requests[0].user_id, requests[0].jwt_iss) == ("r1", provider.issuer)
    (news,) = events_in(tmp_path / "data", "jwks-fetched")
    assert (news.jwt_iss, news.message) == (provider.issuer, "1 keys: k1")


def test_a_provider_that_is_away_gives_503_and_not_401(provider, tmp_path):
    """The token may well be good: 401 would sign everybody out."""
    provider.pages.clear()
    with TestClient(shop(tmp_path, provider)) as client:
        answer = client.get("/me", headers={"Authorization": f"Bearer {provider.token()}"})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        until(lambda: events_in(tmp_path / "data", "jwks-failed"))
    (request,) = events_in(tmp_path / "data", "http-request")
    assert (request.event_reason, request.event_outcome) == ("jwks_unavailable", "failure")
    news = events_in(tmp_path / "data", "jwks-failed")
    assert news[0].event_reason == "jwks_unavailable"
