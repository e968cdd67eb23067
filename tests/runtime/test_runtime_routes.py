"""The token routes: refresh, revoke (RFC 7009), introspect (RFC 7662), keys, and cookies with their CSRF token."""

from pathlib import Path
from typing import Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from jwtrail.asgi import Trail
from jwtrail.ecs import decode_line
from jwtrail.errors import ConfigError
from jwtrail.fastapi import Claims, JWTrail, TokenPair
from jwtrail.middleware.cookies import ACCESS, CSRF, REFRESH


def fastapi_shop(data: Path, **settings: Any) -> FastAPI:
    app = FastAPI()
    trail = JWTrail(app, data=str(data), **settings)
    app.include_router(trail.router())

    @app.post("/login")
    def login(scope: str = "") -> TokenPair:
        return trail.issue("u1", scope=scope)

    @app.post("/login/cookies")
    async def login_cookies() -> str:
        return trail.set_cookies(trail.issue("u1"))

    @app.get("/me")
    @app.post("/me")
    def me(who: Claims = Depends(trail.require())) -> str:  # noqa: B008, FAST002
        return who.sub

    return app


def starlette_shop(data: Path, **settings: Any):
    trail = Trail(data=str(data), **settings)

    async def login(request: Request):
        pair = trail.issue("u1", scope=request.query_params.get("scope", ""))
        return PlainTextResponse(
            f'{{"access_token":"{pair.access_token}","refresh_token":"{pair.refresh_token}"}}'
        )

    async def me(request: Request):
        who = trail.claims(request.scope)
        return PlainTextResponse(f'"{who.sub}"' if who else "no", 200 if who else 401)

    routes = [
        Route("/login", login, methods=["POST"]),
        Route("/me", me),
        Mount("/", trail.routes),
    ]
    return trail.wrap(Starlette(routes=routes))


@pytest.fixture(params=[fastapi_shop, starlette_shop])
def client(request, tmp_path):
    with TestClient(request.param(tmp_path / "data"), base_url="https://shop") as opened:
        opened.data = tmp_path / "data"
        yield opened


def signed_in(client, scope=""):
    return client.post("/login", params={"scope": scope}).json()


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def events(client, action):
    logs = (client.data / "wal").rglob("*.ndjson")
    lines = [line for log in logs for line in log.read_bytes().splitlines() if b'"event.id"' in line]
    return [event for event in map(decode_line, lines) if event.event_action == action]


def test_refresh_takes_forms_and_json(client):
    pair = signed_in(client)
    again = client.post("/token/refresh", data={"refresh_token": pair["refresh_token"]})
    assert (again.status_code, again.headers["cache-control"]) == (200, "no-store")
    third = client.post("/token/refresh", json={"refresh_token": again.json()["refresh_token"]}).json()
    assert client.get("/me", headers=bearer(third["access_token"])).json() == "u1"
    assert client.post("/token/refresh", data={"refresh_token": "x"}).json() == {"error": "invalid_grant"}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "application/x-www-form-urlencoded"),
        (b"token=a&token=b", "application/x-www-form-urlencoded"),
        (b"nonsense", "application/x-www-form-urlencoded"),
        (b"\xff=\xff", "application/x-www-form-urlencoded"),
        (b"&".join(b"a%d=1" % n for n in range(9)), "application/x-www-form-urlencoded"),
        (b"[1]", "application/json"),
        (b'{"token":7}', "application/json"),
        (b"{", "application/json"),
    ],
)
def test_a_body_that_is_no_form(client, body, kind):
    for path in ("/token/refresh", "/token/revoke"):
        answer = client.post(path, content=body, headers={"Content-Type": kind})
        assert (answer.status_code, answer.json()) == (400, {"error": "invalid_request"})


def test_a_body_that_is_too_large(client):
    assert client.post("/token/revoke", content=b"x" * 80_000).status_code == 413


def test_an_access_token_is_revoked_alone(client):
    pair = signed_in(client)
    assert client.post("/token/revoke", data={"token": pair["access_token"]}).status_code == 200
    assert client.get("/me", headers=bearer(pair["access_token"])).status_code == 401
    assert client.post("/token/refresh", data={"refresh_token": pair["refresh_token"]}).status_code == 200
    assert [event.user_id for event in events(client, "token-revoked")] == ["u1"]


def test_a_refresh_token_is_revoked_with_its_sign_in(client):
    pair = signed_in(client)
    answer = client.post("/token/revoke", data={"token": pair["refresh_token"], "token_type_hint": "x"})
    assert answer.status_code == 200
    assert client.get("/me", headers=bearer(pair["access_token"])).status_code == 401
    assert client.post("/token/refresh", data={"refresh_token": pair["refresh_token"]}).status_code == 400
    assert len(events(client, "family-revoked")) == 1


def test_a_token_that_does_not_count_is_revoked_without_a_word(client):
    assert client.post("/token/revoke", data={"token": "nonsense"}).status_code == 200
    assert events(client, "token-revoked") == []


def test_introspection_is_for_those_who_may(client):
    pair, caller = signed_in(client, "a b"), signed_in(client, "introspect")
    asked = {"data": {"token": pair["access_token"]}}
    assert client.post("/token/introspect", **asked).status_code == 401
    assert client.post("/token/introspect", headers=bearer(pair["access_token"]), **asked).status_code == 403
    told = client.post("/token/introspect", headers=bearer(caller["access_token"]), **asked).json()
    assert (told["active"], told["sub"], told["scope"], told["token_type"]) == (True, "u1", "a b", "Bearer")
    assert told["exp"] - told["iat"] == 900
    assert (told["token_use"], told["iss"], told["aud"]) == ("access", "jwtrail", ["api"])
    assert "cnf" not in told


def test_introspection_sees_what_is_over(client):
    caller = bearer(signed_in(client, "introspect")["access_token"])
    pair = signed_in(client)

    def active(token):
        told = client.post("/token/introspect", headers=caller, data={"token": token}).json()
        if not told["active"]:
            assert told == {"active": False}
        return told["active"]

    assert active(pair["refresh_token"])
    renewed = client.post("/token/refresh", data={"refresh_token": pair["refresh_token"]}).json()
    assert not active(pair["refresh_token"])
    assert active(renewed["refresh_token"])
    client.post("/token/revoke", data={"token": renewed["refresh_token"]})
    assert not active(renewed["refresh_token"])
    assert not active(renewed["access_token"])
    assert not active("nonsense")
    assert client.post("/token/introspect", headers=caller).status_code == 400


def test_the_keys_may_be_kept_for_a_while(client):
    answer = client.get("/.well-known/jwks.json")
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert [key["kty"] for key in answer.json()["keys"]] == ["OKP"]


def test_other_methods_and_paths(client):
    assert client.get("/token/revoke").status_code == 405
    assert client.post("/token/nothing").status_code == 404


def test_a_token_in_the_url_does_not_count_and_is_named(tmp_path):
    with TestClient(fastapi_shop(tmp_path / "data")) as client:
        client.data = tmp_path / "data"
        token = signed_in(client)["access_token"]
        assert client.get("/me", params={"access_token": token}).status_code == 401
        request = events(client, "http-request")[-1]
        assert request.event_reason == "token_in_query"
        assert token not in str(request)


# cookies


@pytest.fixture
def browser(tmp_path):
    with TestClient(
        fastapi_shop(tmp_path / "data", **{"http.cookies": True}), base_url="https://shop"
    ) as opened:
        opened.data = tmp_path / "data"
        yield opened


def test_cookies_are_hidden_from_scripts_and_from_other_sites(browser):
    headers = browser.post("/login/cookies").headers.get_list("set-cookie")
    told = {line.partition("=")[0]: line for line in headers}
    assert set(told) == {ACCESS, REFRESH, CSRF}
    for name, line in told.items():
        assert "; Secure;" in line
        assert "SameSite=Strict" in line
        assert ("HttpOnly" in line) is (name != CSRF)
        assert "Domain" not in line
    assert "Path=/token;" in told[REFRESH]


def test_reading_needs_the_cookie_and_writing_the_csrf_token_too(browser):
    csrf = browser.post("/login/cookies").json()
    assert browser.get("/me").json() == "u1"
    refused = browser.post("/me")
    assert (refused.status_code, refused.json()) == (403, {"error": "csrf"})
    assert browser.post("/me", headers={"X-CSRF-Token": "guessed"}).status_code == 403
    assert browser.post("/me", headers={"X-CSRF-Token": "é".encode()}).status_code == 403
    assert browser.post("/me", headers={"X-CSRF-Token": csrf}).json() == "u1"
    assert csrf == browser.cookies[CSRF]
    reasons = [event.event_reason for event in events(browser, "http-request") if event.event_reason]
    assert reasons == ["csrf_missing", "csrf_mismatch", "csrf_mismatch"]


def test_the_csrf_token_of_another_sign_in_does_not_fit(browser):
    other = browser.post("/login/cookies").json()
    browser.cookies.clear()
    browser.post("/login/cookies")
    assert browser.post("/me", headers={"X-CSRF-Token": other}).status_code == 403


def test_a_header_counts_before_the_cookie_and_needs_no_csrf_token(browser):
    token = signed_in(browser)["access_token"]
    browser.post("/login/cookies")
    assert browser.post("/me", headers=bearer(token)).json() == "u1"
    assert browser.get("/me", headers=bearer("x.y.z")).status_code == 401


def test_refresh_from_cookie_to_cookie_shows_no_token(browser):
    csrf = browser.post("/login/cookies").json()
    before = browser.cookies[ACCESS]
    assert browser.post("/token/refresh").status_code == 403
    answer = browser.post("/token/refresh", headers={"X-CSRF-Token": csrf})
    assert (answer.status_code, set(answer.json())) == (200, {"expires_in", "scope"})
    assert browser.cookies[ACCESS] != before
    assert browser.cookies[CSRF] == csrf
    assert browser.post("/me", headers={"X-CSRF-Token": csrf}).json() == "u1"


def test_signing_out_takes_the_cookies_away(browser):
    csrf = browser.post("/login/cookies").json()
    kept = dict(browser.cookies)
    assert browser.post("/logout", headers={"X-CSRF-Token": csrf}).status_code == 204
    assert dict(browser.cookies) == {}
    assert browser.get("/me", headers={"Cookie": f"{ACCESS}={kept[ACCESS]}"}).status_code == 401


@pytest.mark.parametrize(
    "cookie", ["", "x", f"{ACCESS}=", f"{ACCESS}={'a' * 40_000}", f"{ACCESS}=\x01", "=;;=", f"a={ACCESS}"]
)
def test_odd_cookies_are_no_credential(browser, cookie):
    assert browser.get("/me", headers={"Cookie": cookie}).status_code == 401


def test_cookies_must_be_turned_on(tmp_path):
    app = fastapi_shop(tmp_path / "data")
    with TestClient(app) as client, pytest.raises(ConfigError):
        client.post("/login/cookies")
    with pytest.raises(ConfigError):
        JWTrail(FastAPI(), data=str(tmp_path), **{"http.cookies": True, "http.cookie_refresh_path": "/;x"})
