"""The doors without a framework, with Django inside; the pages of the docs as they are written."""

import json
import re
import sys
from io import BytesIO
from pathlib import Path
from types import ModuleType
from wsgiref.util import setup_testing_defaults

import pytest
import starlette.testclient

from jwtrail import wsgi
from jwtrail.ecs import Event, decode_line
from jwtrail.errors import ConfigError

PAGES = Path(__file__).parents[2] / "docs/how-to"


def snippets(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (PAGES / page).read_text(), re.DOTALL)


def ask(app, path, *, method="GET", body=b"", **headers):
    environ = {"PATH_INFO": path, "REQUEST_METHOD": method, "REMOTE_ADDR": "192.0.2.1", "SCRIPT_NAME": ""}
    environ |= {"CONTENT_LENGTH": str(len(body)), "wsgi.input": BytesIO(body), **headers}
    setup_testing_defaults(environ)
    said = []
    answer = app(environ, lambda status, headers: said.extend((int(status[:3]), dict(headers))))
    text = b"".join(answer)
    answer.close()
    return said[0], text


def requests(data: Path) -> list[Event]:
    return recorded(data, "http-request")


def logins(data: Path) -> list[Event]:
    return recorded(data, "login")


def recorded(data: Path, action: str) -> list[Event]:
    lines = [line for path in data.rglob("*.ndjson") for line in path.read_bytes().splitlines()]
    events = [decode_line(line) for line in lines if b'"event.id"' in line]
    return [event for event in events if event.event_action == action]


@pytest.fixture
def django(tmp_path, monkeypatch):
    """A project made of the page's snippets."""
    from django.conf import settings
    from django.urls import clear_url_caches

    clear_url_caches()  # of the project that the test before had made
    monkeypatch.chdir(tmp_path)
    page = snippets("wsgi.md")
    shop, trail, views = ModuleType("shop"), ModuleType("shop.trail"), ModuleType("shop.views")
    for module in (shop, trail, views):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(page[0], trail.__dict__)
    exec(
        f"from django.http import JsonResponse\nfrom django.urls import path\nfrom shop.trail import trail\n{page[3]}\n{page[4]}\n"
        "def boom(request): raise RuntimeError\n"
        "class Staff:\n"
        "    pk = 'u42'\n"
        "    def authenticate(self, request, username, password): return self if password == 'good' else None\n"
        "from django.urls import re_path\n"
        "urlpatterns = [path('orders/<int:order_id>', order), path('login', login), path('boom', boom),"
        r" re_path(r'^api/notes/(?P<pk>[^/.]+)\.(?P<format>[a-z]+)/?\Z', boom)]",
        views.__dict__,
    )
    made: dict = {}
    exec(page[2], made)
    if not settings.configured:
        settings.configure(
            ROOT_URLCONF="shop.views",
            MIDDLEWARE=made["MIDDLEWARE"],
            AUTHENTICATION_BACKENDS=["shop.views.Staff"],
            ALLOWED_HOSTS=["*"],
            LOGGING_CONFIG=None,
            USE_TZ=True,
        )
    project = ModuleType("project")
    exec(page[1] + page[5], project.__dict__)
    yield project.application, trail.trail
    trail.trail.close()


def test_a_django_application_is_recorded(django, tmp_path):
    application, trail = django
    token = trail.issue("u42", scope="orders:read").access_token
    assert ask(application, "/orders/7", HTTP_AUTHORIZATION=f"Bearer {token}") == (
        200,
        b'{"order": 7, "for": "u42"}',
    )
    assert ask(application, "/orders/7")[0] == 401
    weak = trail.issue("u42", scope="orders:write").access_token
    assert ask(application, "/orders/7", HTTP_AUTHORIZATION=f"Bearer {weak}") == (
        403,
        b'{"error": "forbidden"}',
    )
    assert ask(application, "/orders/7", HTTP_AUTHORIZATION="Bearer a.b.c") == (
        401,
        b'{"error":"invalid_token"}',
    )
    assert ask(application, "/boom")[0] == 500
    assert ask(application, "/none")[0] == 404
    assert ask(application, "/api/notes/7.json")[0] == 500
    trail.close()
    served, missing, forbidden, bad, boom, none, note = requests(tmp_path)
    assert (missing.event_reason, forbidden.event_reason) == ("token_missing", "scope_insufficient")
    assert (note.http_route, note.jwtrail_object_type) == ("/api/notes/{pk}.{format}/", None)
    assert (bad.http_route, bad.jwtrail_object_id) == ("/orders/{order_id}", "7")
    assert (served.user_id, served.http_route, served.jwtrail_object_id) == ("u42", "/orders/{order_id}", "7")
    assert (missing.http_response_status_code, bad.event_reason) == (401, "malformed_base64")
    assert (boom.http_response_status_code, boom.http_route) == (500, "/boom")
    assert (none.http_response_status_code, none.http_route) == (404, None)


def test_people_sign_in_to_a_django_application_and_exchange_their_tokens(django, tmp_path):
    application, trail = django
    wrong, right = (json.dumps({"name": "kim", "password": word}).encode() for word in ("bad", "good"))
    assert ask(application, "/login", method="POST", body=wrong) == (401, b'{"error": "sign-in failed"}')
    status, text = ask(application, "/login", method="POST", body=right)
    assert status == 200
    pair = json.loads(text)
    bearer = f"Bearer {pair['access_token']}"
    assert ask(application, "/orders/7", HTTP_AUTHORIZATION=bearer) == (200, b'{"order": 7, "for": "u42"}')
    body = f"refresh_token={pair['refresh_token']}".encode()
    form = {"CONTENT_TYPE": "application/x-www-form-urlencoded"}
    assert ask(application, "/token/refresh", method="POST", body=body, **form)[0] == 200
    trail.close()
    failed, good = logins(tmp_path)
    assert (failed.user_name, failed.event_outcome, failed.event_reason) == (
        "kim",
        "failure",
        "bad_credentials",
    )
    assert (good.user_name, good.user_id, good.event_outcome) == ("kim", "u42", "success")


def test_a_django_application_under_asgi(django, tmp_path):
    from django.core.asgi import get_asgi_application

    from jwtrail import asgi
    from jwtrail.django import find_route

    other = asgi.Trail(data=str(tmp_path / "other"))
    app = other.wrap(get_asgi_application(), resolve=find_route)
    client = starlette.testclient.TestClient(app, raise_server_exceptions=False)  # Django has no lifespan
    assert client.get("/boom").status_code == 500
    assert client.get("/orders/7", headers={"Authorization": "Bearer a.b.c"}).status_code == 401
    other.close()
    boom, bad = requests(tmp_path / "other")
    assert (boom.http_response_status_code, boom.http_route) == (500, "/boom")
    assert (bad.event_reason, bad.http_route) == ("malformed_base64", "/orders/{order_id}")


def test_a_request_past_the_trail_is_told_from_one_without_a_token(tmp_path):
    trail = wsgi.Trail(data=str(tmp_path / "data"))
    with pytest.raises(ConfigError, match="did not come through the trail"):
        trail.claims({"PATH_INFO": "/"})
    trail.close()


def test_the_flask_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made: dict = {"__name__": "shop"}
    exec(snippets("flask.md")[0], made)
    client = made["app"].test_client()
    assert client.post("/login", json={"name": "kim", "password": "x"}).status_code == 401
    pair = client.post("/login", json={"name": "kim", "password": "correct horse"}).get_json()
    bearer = {"Authorization": f"Bearer {pair['access_token']}"}
    assert client.get("/orders/7", headers=bearer).get_json() == {"order": 7, "for": "u42"}
    made["trail"].close()
    assert [event.http_route for event in requests(tmp_path)] == ["/login", "/login", "/orders/{order_id}"]


def test_the_token_routes_without_a_framework(tmp_path):
    trail = wsgi.Trail(data=str(tmp_path / "data"))
    app = trail.wrap(trail.routes)
    pair = trail.issue("u42")
    body = f"refresh_token={pair.refresh_token}".encode()
    status, text = ask(
        app, "/token/refresh", method="POST", body=body, CONTENT_TYPE="application/x-www-form-urlencoded"
    )
    assert status == 200
    assert json.loads(text)["access_token"]
    assert ask(app, "/token/refresh")[0] == 405
    assert ask(app, "/other")[0] == 404
    assert ask(app, "/token/refresh", method="POST", body=b"x" * 80_000)[0] == 413
    assert ask(app, "/token/refresh", method="POST", CONTENT_LENGTH="-1")[0] == 413
    assert json.loads(ask(app, "/.well-known/jwks.json")[1])["keys"]
    trail.close()
