"""Signing in, signing out, and the pages that a browser gets."""

import pytest

from jwtrail.web.app import build
from jwtrail.web.security import SignIns
from jwtrail.web.settings import WebSettings
from jwtrail.web.static import BASE_MARK, NONCE_MARK

HTML = f'<base href="{BASE_MARK}"><meta name="csp-nonce" content="{NONCE_MARK}"><div id="root"></div>'


@pytest.fixture
def built(tmp_path):
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text(HTML)
    (tmp_path / "favicon.svg").write_text("<svg/>")
    (tmp_path / "assets" / "app-1a2b.js").write_text("export {}")
    (tmp_path.parent / "outside.txt").write_text("secret")
    return tmp_path


@pytest.fixture
def console(world, built, browser):
    world.recorded.clear()
    keys = SignIns(world.settings, world.services.now_us)
    made = browser(build(world.services, world.settings, keys, built))
    made.keys = keys
    return made


def _sign_in(console):
    return console.get(f"/login?key={console.keys.new_key()}")


def test_a_link_signs_in_once(console, world):
    key = console.keys.new_key()
    answer = console.get(f"/login?key={key}")
    assert answer.status_code == 200
    assert 'http-equiv="refresh" content="0;url=/"' in answer.text
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Path=/" in cookie
    assert console.get("/api/v1/session").json()["user"] == "operator"

    console.cookies.clear()
    again = console.get(f"/login?key={key}")
    assert again.status_code == 401
    assert "set-cookie" not in again.headers
    assert world.actions() == ["console-login", "console-login"]
    assert [event.event_outcome for event in world.recorded] == ["success", "failure"]


def test_no_key_ever_reaches_the_trail(console, world):
    key = console.keys.new_key()
    console.get(f"/login?key={key}")
    assert key not in repr(world.recorded)


def test_whoever_is_signed_in_does_not_use_a_link_up(console):
    _sign_in(console)
    key = console.keys.new_key()
    assert console.get(f"/login?key={key}").status_code == 303
    console.cookies.clear()
    assert console.get(f"/login?key={key}").status_code == 200


def test_a_preview_of_a_link_does_not_use_it_up(console):
    key = console.keys.new_key()
    assert console.request("HEAD", f"/login?key={key}").status_code == 204
    assert "set-cookie" in console.get(f"/login?key={key}").headers


def test_too_many_wrong_links_wait(console):
    for _ in range(10):
        assert console.get("/login?key=wrong").status_code == 401
    answer = console.get("/login?key=wrong")
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "60"
    assert console.get(f"/login?key={console.keys.new_key()}").status_code == 200


def test_signing_out(console, world):
    _sign_in(console)
    csrf = console.get("/api/v1/session").json()["csrf"]
    assert console.post("/api/v1/session/logout").status_code == 403
    assert console.post("/api/v1/session/logout", headers={"x-csrf-token": csrf}).status_code == 204
    assert console.get("/api/v1/session").status_code == 401


@pytest.mark.parametrize("path", ["/", "/discover", "/alerts/abc?x=1"])
def test_without_a_session_every_page_asks_for_a_link(console, path):
    answer = console.get(path)
    assert answer.status_code == 401
    assert "sign-in link" in answer.text
    assert "root" not in answer.text.split("</style>")[1]


def test_the_page_carries_the_nonce_of_its_policy(console):
    _sign_in(console)
    answer = console.get("/discover?q=x")
    assert answer.status_code == 200
    nonce = answer.text.split('csp-nonce" content="')[1].split('"')[0]
    assert f"'nonce-{nonce}'" in answer.headers["content-security-policy"]
    assert "base-uri 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert '<base href="/">' in answer.text


def test_assets_are_kept_for_ever_and_need_no_session(console):
    answer = console.get("/assets/app-1a2b.js")
    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert console.get("/favicon.svg").headers["content-type"].startswith("image/svg")


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../index.html",
        "/assets/%2e%2e/index.html",
        "/assets/..%2f..%2foutside.txt",
        "/..%2foutside.txt",
    ],
)
def test_no_path_leads_out(console, path):
    answer = console.get(path)
    assert answer.status_code in (401, 404)
    assert "secret" not in answer.text


def test_a_missing_asset_is_not_found(console):
    answer = console.get("/assets/none.js")
    assert answer.status_code == 404
    assert answer.headers["cache-control"] == "no-store"


def test_without_a_built_console_the_page_says_how_to_get_one(world, browser, tmp_path):
    keys = SignIns(world.settings, world.services.now_us)
    console = browser(build(world.services, world.settings, keys, tmp_path / "nothing"))
    console.keys = keys
    _sign_in(console)
    answer = console.get("/")
    assert answer.status_code == 503
    assert answer.text.count("<li>") == 3
    assert "JWTRAIL_SKIP_UI" in answer.text


def test_below_a_sub_path(world, built, browser):
    settings = WebSettings(root_path="/audit", https=True, hosts=frozenset({"log.example"}))
    keys = SignIns(settings, world.services.now_us)
    console = browser(build(world.services, settings, keys, built), "https://log.example")
    console.keys = keys
    answer = console.get(f"/audit/login?key={keys.new_key()}")
    assert "Path=/audit/" in answer.headers["set-cookie"]
    assert "Secure" in answer.headers["set-cookie"]
    assert '<base href="/audit/">' in console.get("/audit/discover").text
    assert console.get("/audit/assets/app-1a2b.js").status_code == 200
    assert console.get("/audit/api/v1/status").status_code == 200
