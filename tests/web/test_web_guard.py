"""What a request must pass before any route sees it, tried on a bare application."""

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from jwtrail.web.guard import Guard
from jwtrail.web.security import SignIns
from jwtrail.web.settings import WebSettings

BASE = "http://127.0.0.1:7070"
API = "/api/v1/things"
SETTINGS = WebSettings(port=7070)


def _bare(settings, sign_ins):
    async def answer(_request):
        return PlainTextResponse("reached")

    routes = [Route("/{path:path}", answer, methods=["GET", "POST", "DELETE", "PUT"])]
    return Starlette(routes=routes, middleware=[Middleware(Guard, settings=settings, sign_ins=sign_ins)])


@pytest.fixture
def sign_ins():
    return SignIns(SETTINGS)


@pytest.fixture
def client(sign_ins, browser):
    return browser(_bare(SETTINGS, sign_ins))


@pytest.fixture
def session(sign_ins, client):
    made = sign_ins.redeem(sign_ins.new_key(), "127.0.0.1")
    client.cookies.set(SETTINGS.cookie, made.id)
    return made


def test_the_api_wants_a_session(client):
    answer = client.get(API)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "not_signed_in"


def test_a_session_is_let_through(client, session):
    assert client.get(API).text == "reached"


def test_a_cookie_of_another_console_does_not_count(client, session):
    other = WebSettings(port=7071)
    client.cookies.clear()
    client.cookies.set(other.cookie, session.id)
    assert client.get(API).status_code == 401


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize("token", [None, "", "wrong", "ünïcode".encode()])
def test_unsafe_methods_want_the_csrf_token(client, session, method, token):
    headers = {} if token is None else {"x-csrf-token": token}
    answer = client.request(method, API, headers=headers)
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "csrf_mismatch"


def test_the_right_csrf_token_is_let_through(client, session):
    assert client.post(API, headers={"x-csrf-token": session.csrf}).status_code == 200
    same = {"x-csrf-token": session.csrf, "origin": BASE, "sec-fetch-site": "same-origin"}
    assert client.post(API, headers=same).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_another_site_is_refused_even_with_the_token(client, session, headers):
    answer = client.post(API, headers={"x-csrf-token": session.csrf, **headers})
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "origin_mismatch"


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil", "", "[::2]", "127.0.0.1:x:y", "@127.0.0.1"],
)
def test_a_rebound_name_is_refused(client, session, host):
    answer = client.get(API, headers={"host": host})
    assert answer.status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:7070", "LOCALHOST", "[::1]:7070", "[::1]"])
def test_names_of_this_machine_are_served(client, session, host):
    assert client.get(API, headers={"host": host}).status_code == 200


def test_every_answer_is_sealed(client):
    for path in (API, "/", "/assets/x.js"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_the_policy_is_the_written_one_with_a_fresh_nonce(client):
    first, second = (client.get("/").headers["content-security-policy"] for _ in range(2))
    assert first != second
    nonce = first.split("'nonce-")[1].split("'")[0]
    assert len(nonce) >= 22
    assert first == (
        f"default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; "
        "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


@pytest.mark.parametrize("path", ["/audit/api/v1/things", "/api/v1/things"])
def test_below_a_sub_path_with_or_without_a_stripping_proxy(path, browser):
    settings = WebSettings(root_path="/audit")
    keys = SignIns(settings)
    client = browser(_bare(settings, keys))
    assert client.get(path).status_code == 401
    client.cookies.set(settings.cookie, keys.redeem(keys.new_key(), "127.0.0.1").id)
    assert client.get(path).text == "reached"


def test_polling_is_no_sign_of_life(client, session, sign_ins, monkeypatch):
    touched = []
    find = sign_ins.find
    monkeypatch.setattr(
        sign_ins, "find", lambda cookie, touch=True: touched.append(touch) or find(cookie, touch=touch)
    )
    client.get("/api/v1/status")
    client.get("/api/v1/events/stream")
    client.get("/api/v1/events")
    assert touched == [False, False, True]


def test_the_log_is_for_signed_in_people_unless_the_setting_says_otherwise(world, browser):
    from jwtrail.web.app import build

    closed = browser(world.app)
    assert closed.get("/tlog/checkpoint").status_code == 401
    opened = browser(build(world.services, WebSettings(public_log=True), world.sign_ins))
    checkpoint = opened.get("/tlog/checkpoint")
    assert checkpoint.content == world.reader.signed().note
    assert checkpoint.headers["cache-control"] == "no-store"
    tile = opened.get(f"/tlog/tile/entries/000.p/{world.reader.checkpoint().size}")
    assert len(tile.content) == world.reader.checkpoint().size * 83
    assert tile.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert opened.get("/tlog/tile/0/001").status_code == 404
    assert opened.get("/api/v1/status").status_code == 401


def test_metrics_are_for_signed_in_people_unless_the_setting_says_otherwise(world, browser):
    from jwtrail.web.app import build

    assert browser(world.app).get("/metrics").status_code == 401
    opened = browser(build(world.services, WebSettings(public_metrics=True), world.sign_ins))
    page = opened.get("/metrics")
    assert page.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert f"jwtrail_trail_size {world.reader.size}.0" in page.text.splitlines()
    assert opened.get("/tlog/checkpoint").status_code == 401
    assert opened.get("/api/v1/status").status_code == 401
