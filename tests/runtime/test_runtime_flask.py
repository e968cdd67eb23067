"""The Flask door end to end, on a real threaded server where that matters."""

import http.client
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jwt
import pytest
from flask import Blueprint, Flask, Response, abort, request
from werkzeug.serving import make_server

from jwtrail import clock
from jwtrail.ecs import Event, decode_line
from jwtrail.errors import ConfigError
from jwtrail.flask import JWTrail
from jwtrail.tokens import KeySet, load_secret

PASSWORD = "correct horse"


class Shop:
    """A small application, its client, and what it wrote."""

    def __init__(self, data: Path, **settings: Any) -> None:
        self.data = data
        self.app = app = Flask("shop")
        self.trail = trail = JWTrail(app, data=str(data), **settings)
        app.register_blueprint(trail.blueprint())

        @app.post("/login")
        def login() -> dict[str, Any]:
            if request.form["password"] != PASSWORD:
                raise trail.login_failed(request.form["username"])
            return trail.issue("u42", name=request.form["username"], scope="orders:read", roles=("buyer",))

        @app.get("/orders/<int:order_id>")
        @trail.require("orders:read")
        def order(order_id: int) -> dict[str, Any]:
            trail.touch(jwtrail_subject_ids=("u7",), jwtrail_records=1)
            assert trail.claims is not None
            return {"for": trail.claims.sub, "id": order_id}

        @app.get("/admin")
        @trail.require("admin")
        def admin() -> str:
            return "never"

        @app.get("/mine/<thing>")
        @trail.require()
        def mine(thing: str) -> str:
            raise trail.denied()

        @app.get("/boom")
        def boom() -> str:
            raise RuntimeError("secret detail")

        @app.get("/stream")
        def stream() -> Response:
            return Response(f"{number}\n" for number in range(3))

        @app.get("/teapot")
        def teapot() -> None:
            abort(418)

        self.client = app.test_client()

    def sign_in(self) -> dict[str, str]:
        pair = self.client.post("/login", data={"username": "kim", "password": PASSWORD}).get_json()
        return {"Authorization": f"Bearer {pair['access_token']}"}

    def events(self) -> list[Event]:
        self.trail.close()
        logs = sorted((self.data / "wal").rglob("*.ndjson"))
        lines = [line for path in logs for line in path.read_bytes().splitlines()]
        return [decode_line(line) for line in lines if b'"event.id"' in line]

    def requests(self) -> list[Event]:
        return [event for event in self.events() if event.event_action == "http-request"]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "data")


def test_signing_in_and_using_the_token(shop):
    answer = shop.client.get("/orders/7", headers=shop.sign_in())
    assert answer.get_json() == {"for": "u42", "id": 7}
    login, used = shop.requests()
    assert (login.http_route, login.http_response_status_code) == ("/login", 200)
    assert (used.http_route, used.jwtrail_object_type, used.jwtrail_object_id) == (
        "/orders/{order_id}",
        "orders",
        "7",
    )
    assert (used.user_id, used.jwtrail_subject_ids, used.jwtrail_policy) == ("u42", ("u7",), "required")


def test_a_token_answer_is_kept_by_no_cache(shop):
    answer = shop.client.post("/login", data={"username": "kim", "password": PASSWORD})
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("path", "status", "reason", "route"),
    [
        ("/orders/7", 401, "token_missing", "/orders/{order_id}"),
        ("/nothing", 404, None, None),
        ("/teapot", 418, None, "/teapot"),
        ("/boom", 500, None, "/boom"),
        ("/stream", 200, None, "/stream"),
    ],
)
def test_each_request_has_one_event_with_what_became_of_it(shop, path, status, reason, route):
    answer = shop.client.get(path)
    assert answer.status_code == status
    assert answer.text
    (event,) = shop.requests()
    assert (event.http_response_status_code, event.event_reason, event.http_route) == (status, reason, route)


@pytest.mark.parametrize(("path", "reason"), [("/admin", "scope_insufficient"), ("/mine/x", "object_denied")])
def test_who_may_not_gets_403_and_the_trail_the_reason(shop, path, reason):
    answer = shop.client.get(path, headers=shop.sign_in())
    assert answer.status_code == 403
    assert reason not in answer.text
    assert shop.requests()[-1].event_reason == reason


def test_a_bad_token_is_refused_before_the_view_and_its_route_is_known(shop):
    answer = shop.client.get("/orders/7", headers={"Authorization": "Bearer a.b.c"})
    assert (answer.status_code, answer.get_json()) == (401, {"error": "invalid_token"})
    (event,) = shop.requests()
    assert (event.event_reason, event.http_route) == ("malformed_base64", "/orders/{order_id}")


def test_a_failed_sign_in_is_told(shop):
    answer = shop.client.post("/login", data={"username": "kim", "password": "guess"})
    assert (answer.status_code, answer.get_json()) == (401, {"detail": "sign-in failed"})
    failed = next(event for event in shop.events() if event.event_action == "login")
    assert (failed.user_name, failed.event_reason) == ("kim", "bad_credentials")


def test_the_routes_for_tokens(shop):
    pair = shop.client.post("/login", data={"username": "kim", "password": PASSWORD}).get_json()
    form = {"refresh_token": pair["refresh_token"]}
    fresh = shop.client.post("/token/refresh", data=form).get_json()
    assert shop.client.get("/orders/1", headers={"Authorization": f"Bearer {fresh['access_token']}"}).json
    assert shop.client.get("/.well-known/jwks.json").get_json()["keys"]
    assert shop.client.post("/token/refresh", data={"refresh_token": "x" * 80_000}).status_code == 413
    bearer = {"Authorization": f"Bearer {fresh['access_token']}"}
    assert shop.client.post("/logout", headers=bearer).status_code == 204
    assert shop.client.get("/orders/1", headers=bearer).status_code == 401
    assert shop.requests()[-1].event_reason == "revoked_session"


def test_cookies(tmp_path):
    shop = Shop(tmp_path / "data", **{"http.cookies": True})

    @shop.app.post("/web/login")
    def web_login() -> dict[str, str]:
        return {"csrf": shop.trail.set_cookies(shop.trail.issue("u42", scope="orders:read"))}

    client = shop.app.test_client()
    csrf = client.post("/web/login", base_url="https://shop").get_json()["csrf"]
    assert client.get("/orders/1", base_url="https://shop").status_code == 200
    assert client.post("/logout", base_url="https://shop").status_code == 403
    assert client.post("/logout", base_url="https://shop", headers={"X-CSRF-Token": csrf}).status_code == 204


def test_many_threads_of_a_real_server_write_one_event_for_each_request(shop):
    server = make_server("127.0.0.1", 0, shop.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    headers = shop.sign_in()

    def ask(number: int) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        bad = {"Authorization": "Bearer a.b.c"}
        connection.request("GET", f"/orders/{number}", headers=headers if number % 2 else bad)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status

    try:
        with ThreadPoolExecutor(8) as pool:
            answered = list(pool.map(ask, range(60)))
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert (answered.count(200), answered.count(401)) == (30, 30)
    events = [event for event in shop.requests() if event.http_route == "/orders/{order_id}"]
    assert sorted(event.jwtrail_object_id for event in events) == sorted(map(str, range(60)))
    assert {event.source_ip for event in events} == {"127.0.0.1"}


def test_a_factory(tmp_path):
    trail = JWTrail(data=str(tmp_path / "data"))
    routes = Blueprint("shop", "shop")

    @routes.get("/me")
    @trail.require()
    def me() -> str:
        assert trail.claims is not None
        return trail.claims.sub

    app = Flask("shop")
    trail.init_app(app)
    app.register_blueprint(routes)
    token = trail.issue("u42")["access_token"]
    assert app.test_client().get("/me", headers={"Authorization": f"Bearer {token}"}).text == "u42"
    with pytest.raises(ConfigError, match="has a trail already"):
        trail.init_app(app)
    with app.test_request_context("/me"), pytest.raises(ConfigError, match="did not come through"):
        me()
    trail.close()


def test_an_answer_in_the_place_of_the_view_has_its_route(tmp_path):
    app = Flask("shop")
    app.before_request(lambda: ("closed", 503))
    trail = JWTrail(app, data=str(tmp_path / "data"))
    app.add_url_rule("/orders/<int:order_id>", "order", lambda order_id: "never")
    assert app.test_client().get("/orders/7").status_code == 503
    trail.close()
    (event,) = events_in(tmp_path)
    assert (event.http_route, event.jwtrail_object_id) == ("/orders/{order_id}", "7")


def test_a_refusal_has_its_route_where_hosts_have_their_own(tmp_path):
    app = Flask("shop", host_matching=True, static_host="static.example")
    trail = JWTrail(app, data=str(tmp_path / "data"))
    app.add_url_rule("/orders/<order_id>", "order", lambda order_id: "never", host="api.example")
    bad = {"Authorization": "Bearer a.b.c"}
    for host in ("api.example", "other.example", "\xff.example", "a" * 70 + ".example"):
        assert app.test_client().get("/orders/7", headers={"Host": host, **bad}).status_code == 401
    trail.close()
    found = [event.http_route for event in events_in(tmp_path)]
    assert found == ["/orders/{order_id}", None, None, None]


def test_a_person_is_stopped_whose_token_names_him_as_simplejwt_does(tmp_path):
    secret = "9f2c1e7ab4d8036f5e1a92c7d4b80f63"
    app = Flask("other")
    keys = KeySet(load_secret(secret.encode(), "HS256"))
    trail = JWTrail(app, keys=keys, data=str(tmp_path), **{"http.bad_token": "observe"})
    app.add_url_rule("/me", "me", lambda: "served")
    now = clock.now_us() // 1_000_000
    token = jwt.encode({"user_id": 7, "jti": "j1", "iat": now - 9, "exp": now + 60}, secret, "HS256")
    headers = {"Authorization": f"Bearer {token}"}
    assert app.test_client().get("/me", headers=headers).status_code == 200
    trail.logout_everywhere("7")
    assert app.test_client().get("/me", headers=headers).status_code == 401
    trail.close()
    stopped = events_in(tmp_path)[1]
    assert (stopped.user_id, stopped.event_reason) == ("7", "revoked_subject")


def test_the_second_thread_waits_until_it_is_known_what_is_revoked(tmp_path, monkeypatch):
    shop = Shop(tmp_path / "data")
    headers = shop.sign_in()
    assert shop.client.post("/logout", headers=headers).status_code == 204
    shop.trail.close()

    again = Shop(tmp_path / "data")
    loading, may_load = threading.Event(), threading.Event()
    load = again.trail._worker.live.refresh

    def slow() -> None:
        loading.set()
        assert may_load.wait(60)
        load()

    monkeypatch.setattr(again.trail._worker.live, "refresh", slow)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(again.app.test_client().get, "/orders/7", headers=headers)
        assert loading.wait(60)
        second = pool.submit(again.app.test_client().get, "/orders/7", headers=headers)
        clock.sleep(0.2)
        assert not second.done()
        may_load.set()
        assert [asked.result(60).status_code for asked in (first, second)] == [401, 401]
    again.trail.close()


def events_in(data: Path) -> list[Event]:
    lines = [line for path in data.rglob("*.ndjson") for line in path.read_bytes().splitlines()]
    return [decode_line(line) for line in lines if b'"http-request"' in line]


def test_an_application_with_a_token_library_of_its_own(tmp_path):
    secret = "9f2c1e7ab4d8036f5e1a92c7d4b80f63"
    app = Flask("other")
    keys = KeySet(load_secret(secret.encode(), "HS256"))
    trail = JWTrail(app, keys=keys, data=str(tmp_path), **{"http.bad_token": "observe"})

    @app.get("/me")
    def me() -> str:
        try:
            claims = jwt.decode(request.headers["Authorization"][7:], secret, ["HS256"])
        except jwt.PyJWTError:
            abort(401)
        trail.seen(claims)
        return str(claims["sub"])

    client = app.test_client()
    now = clock.now_us() // 1_000_000
    for lives, status in ((60, 200), (-600, 401)):
        token = jwt.encode({"sub": "u1", "exp": now + lives}, secret, "HS256")
        assert client.get("/me", headers={"Authorization": f"Bearer {token}"}).status_code == status
    trail.close()
    served, old = events_in(tmp_path)
    assert (served.user_id, old.event_reason) == ("u1", "expired")
