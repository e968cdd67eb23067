"""The FastAPI door end to end: real tokens, real files, one event for each request."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient

from jwtrail import clock
from jwtrail.ecs import Event, decode_line
from jwtrail.fastapi import Claims, JWTrail, TokenPair
from waiting import until

USERNAME, PASSWORD = "kim", "correct horse"


class Shop:
    """A small application, its client, and what it wrote."""

    def __init__(self, data: Path, **settings: Any) -> None:
        self.data = data
        app = FastAPI()
        self.trail = trail = JWTrail(app, data=str(data), **settings)
        app.include_router(trail.router())

        @app.post("/login")
        def login(username: str, password: str) -> TokenPair:
            if password != PASSWORD:
                raise trail.login_failed(username)
            return trail.issue("u42", name=username, scope="orders:read", roles=("buyer",), tenant="kr")

        @app.get("/orders/{order_id}")
        def order(
            order_id: int, who: Annotated[Claims, Depends(trail.require("orders:read"))]
        ) -> dict[str, str]:
            trail.touch(jwtrail_subject_ids=("u7",), jwtrail_records=1)
            return {"for": who.sub, "id": str(order_id)}

        @app.get("/admin")
        def admin(_: Annotated[Claims, Depends(trail.require("admin"))]) -> None: ...

        @app.get("/staff")
        def staff(_: Annotated[Claims, Depends(trail.require(roles=("staff",)))]) -> None: ...

        @app.get("/mine/{thing}")
        def mine(thing: str, who: Annotated[Claims, Depends(trail.require())]) -> None:
            raise trail.denied()

        @app.post("/logout/everywhere", status_code=204)
        def everywhere(who: Annotated[Claims, Depends(trail.require())]) -> None:
            trail.logout_everywhere(who.sub)

        @app.get("/boom")
        def boom() -> None:
            raise RuntimeError("secret detail")

        @app.get("/teapot")
        def teapot() -> None:
            raise HTTPException(418)

        @app.get("/stream")
        def stream(fail: bool = False) -> StreamingResponse:
            def chunks() -> Iterator[bytes]:
                yield b"one"
                if fail:
                    raise RuntimeError("broken")
                yield b"two"

            return StreamingResponse(chunks(), media_type="text/plain")

        @app.post("/export")
        def export(who: Annotated[Claims, Depends(trail.require())]) -> None:
            trail.record("data-exported", jwtrail_records=12, jwtrail_ticket="OPS-7")

        self.client = TestClient(app, raise_server_exceptions=False, client=("192.0.2.7", 5555))

    def sign_in(self) -> dict[str, Any]:
        answer = self.client.post("/login", params={"username": USERNAME, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        return answer.json()

    def get(self, path: str, token: str | None = None, **headers: str):
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return self.client.get(path, headers=headers)

    def events(self) -> list[Event]:
        with contextlib.suppress(AttributeError):  # not entered
            self.client.__exit__(None, None, None)
        self.trail.close()
        lines = [
            line
            for path in sorted((self.data / "wal").rglob("*.ndjson"))
            for line in path.read_bytes().splitlines()
        ]
        events = [decode_line(line) for line in lines if b'"event.id"' in line]
        return [event for event in events if event.event_action not in ("logging-started", "logging-stopped")]

    def requests(self) -> list[Event]:
        return [event for event in self.events() if event.event_action == "http-request"]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path / "data")
    with made.client:
        yield made


def test_a_day_in_the_life(shop: Shop) -> None:
    pair = shop.sign_in()
    assert shop.get("/orders/7", pair["access_token"]).json() == {"for": "u42", "id": "7"}
    login, issued, request, order = shop.events()
    assert (login.event_action, login.user_name, login.user_id) == ("login", "kim", "u42")
    assert login.event_outcome == "success"
    assert issued.event_action == "token-issued"
    assert issued.jwt_scope == ("orders:read",)
    assert request.http_route == "/login"
    assert request.user_id is None
    assert request.url_query == "username=…&password=…"
    assert (order.user_id, order.http_route, order.jwtrail_object_id, order.jwtrail_object_type) == (
        "u42",
        "/orders/{order_id}",
        "7",
        "orders",
    )
    assert (order.jwt_jti, order.jwt_family) == (issued.jwt_jti, issued.jwt_family)
    assert (order.jwtrail_policy, order.jwtrail_subject_ids, order.jwtrail_records) == (
        "required",
        ("u7",),
        1,
    )
    assert (order.source_ip, order.source_port) == ("192.0.2.7", 5555)
    assert (order.http_response_status_code, order.event_outcome) == (200, "success")
    assert order.http_response_bytes == len(b'{"for":"u42","id":"7"}')
    assert order.event_duration is not None
    assert order.event_duration > 0
    assert order.organization_id == "kr"


@pytest.mark.parametrize(
    ("path", "status", "reason", "challenge"),
    [
        ("/orders/7", 401, "token_missing", "Bearer"),
        ("/admin", 403, "scope_insufficient", 'Bearer error="insufficient_scope", scope="admin"'),
        ("/staff", 403, "role_denied", 'Bearer error="insufficient_scope"'),
        ("/mine/3", 403, "object_denied", None),
    ],
)
def test_denials_have_a_reason_in_the_trail_and_a_dull_answer(
    shop: Shop, path: str, status: int, reason: str, challenge: str | None
) -> None:
    token = None if status == 401 else shop.sign_in()["access_token"]
    answer = shop.get(path, token)
    assert answer.status_code == status
    assert answer.headers.get("www-authenticate") == challenge
    assert reason not in answer.text
    event = shop.requests()[-1]
    assert (event.event_reason, event.event_outcome, event.jwtrail_durability) == (reason, "failure", "sync")
    assert event.event_type == ("access", "denied")


def test_a_tampered_token_is_a_401_with_its_route_and_no_trace_of_itself(shop: Shop) -> None:
    token = shop.sign_in()["access_token"]
    head, body, signature = token.split(".")
    forged = f"{head}.{body}.{'A' * len(signature)}"
    answer = shop.get("/orders/7", forged)
    assert (answer.status_code, answer.json()) == (401, {"error": "invalid_token"})
    event = shop.requests()[-1]
    assert (event.event_reason, event.http_route, event.jwtrail_object_id) == (
        "signature_invalid",
        "/orders/{order_id}",
        "7",
    )
    assert event.user_id is None
    assert event.jwt_unverified_sub == "u42"
    written = b"".join(path.read_bytes() for path in shop.data.rglob("*.ndjson"))
    for part in (token, forged, body, signature, PASSWORD):
        assert part.encode() not in written


def test_refresh_rotates_and_reuse_ends_the_family(shop: Shop) -> None:
    first = shop.sign_in()
    second = shop.client.post("/token/refresh", data={"refresh_token": first["refresh_token"]}).json()
    third = shop.client.post("/token/refresh", data={"refresh_token": second["refresh_token"]}).json()
    assert shop.get("/orders/1", third["access_token"]).status_code == 200
    stolen = shop.client.post("/token/refresh", data={"refresh_token": first["refresh_token"]})
    assert stolen.status_code == 400
    assert stolen.json() == {"error": "invalid_grant"}  # RFC 6749 section 5.2
    assert shop.get("/orders/1", third["access_token"]).status_code == 401
    events = shop.events()
    reused = [event for event in events if event.event_action == "refresh-reused"]
    assert [(event.user_id, event.event_reason, event.event_outcome) for event in reused] == [
        ("u42", "refresh_reused", "failure")
    ]
    assert reused[0].jwt_family is not None
    assert [event.jwt_family for event in events if event.event_action == "family-revoked"] == [
        reused[0].jwt_family
    ]
    assert events[-1].event_reason == "revoked_session"
    assert events[-1].user_id == "u42"


def test_logout_ends_the_sign_in_at_once(shop: Shop) -> None:
    pair = shop.sign_in()
    assert (
        shop.client.post("/logout", headers={"Authorization": f"Bearer {pair['access_token']}"}).status_code
        == 204
    )
    assert shop.get("/orders/1", pair["access_token"]).status_code == 401
    assert (
        shop.client.post("/token/refresh", data={"refresh_token": pair["refresh_token"]}).status_code == 400
    )
    events = shop.events()
    assert [event.event_action for event in events if event.event_action == "logout"] == ["logout"]


def test_a_failed_sign_in_is_recorded_with_the_name_that_was_typed(shop: Shop) -> None:
    assert shop.client.post("/login", params={"username": "eve\x1b[31m", "password": "x"}).status_code == 401
    login, request = shop.events()
    assert (login.event_action, login.event_outcome, login.event_reason) == (
        "login",
        "failure",
        "bad_credentials",
    )
    assert login.user_name == r"eve\x1b[31m"
    assert login.jwtrail_flags == ("ctrl_chars",)
    assert request.event_reason == "bad_credentials"


def test_what_goes_wrong_in_the_application_is_a_failure_with_its_class_only(shop: Shop) -> None:
    assert shop.get("/boom").status_code == 500
    assert shop.get("/teapot").status_code == 418
    assert shop.get("/nowhere").status_code == 404
    boom, teapot, nowhere = shop.requests()
    assert (boom.http_response_status_code, boom.event_outcome, boom.error_type) == (
        500,
        "failure",
        "RuntimeError",
    )
    assert b"secret detail" not in b"".join(path.read_bytes() for path in shop.data.rglob("*.ndjson"))
    assert (teapot.event_outcome, teapot.http_route) == ("failure", "/teapot")
    assert (nowhere.http_route, nowhere.url_path) == (None, "/nowhere")


def test_streams_are_counted_and_a_broken_one_is_a_failure_without_a_new_status(shop: Shop) -> None:
    assert shop.get("/stream").text == "onetwo"
    with pytest.raises(RuntimeError):
        TestClient(shop.trail._app).get("/stream?fail=true")
    good, broken = shop.requests()
    assert (good.http_response_bytes, good.event_outcome, good.http_response_mime_type) == (
        6,
        "success",
        "text/plain",
    )
    assert (broken.http_response_bytes, broken.http_response_status_code, broken.event_outcome) == (
        3,
        200,
        "failure",
    )


def test_domain_events_carry_who_and_where(shop: Shop) -> None:
    token = shop.sign_in()["access_token"]
    shop.client.post("/export", headers={"Authorization": f"Bearer {token}", "X-Request-ID": "r-1"})
    export = next(event for event in shop.events() if event.event_action == "data-exported")
    assert (export.user_id, export.jwtrail_records, export.jwtrail_ticket, export.http_request_id) == (
        "u42",
        12,
        "OPS-7",
        "r-1",
    )
    assert export.jwtrail_durability == "sync"


def test_public_keys_are_served(shop: Shop) -> None:
    answer = shop.get("/.well-known/jwks.json")
    assert [key["kty"] for key in answer.json()["keys"]] == ["OKP"]
    assert "max-age" in answer.headers["cache-control"]


def test_the_trail_full_means_no_answer_that_was_not_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(tmp_path / "data")
    with shop.client:
        shop.sign_in()
        monkeypatch.setattr(type(shop.trail._worker.writer), "put", _disk_full)
        answer = shop.get("/orders/7")
        assert (answer.status_code, answer.json()) == (503, {"error": "temporarily_unavailable"})


def _disk_full(*_: object) -> None:
    from jwtrail.errors import WriteError

    raise WriteError("no space left")


def test_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import re

    readme = (Path(__file__).parents[2] / "README.md").read_text()
    found = re.search(r"<!-- snippet: quickstart -->\n```python\n(.*?)```", readme, re.DOTALL)
    assert found is not None
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {}
    exec(compile(found[1], "README.md", "exec"), namespace)
    with TestClient(namespace["app"]) as client:
        assert client.post("/login", json={"username": "kim", "password": "no"}).status_code == 401
        pair = client.post("/login", json={"username": "kim", "password": "correct horse"}).json()
        answer = client.get("/orders/7", headers={"Authorization": f"Bearer {pair['access_token']}"})
        assert answer.json() == {"order": "7", "for": "u42"}


def test_one_command_is_enough_when_the_application_starts_the_daemon(tmp_path: Path) -> None:
    from jwtrail.trail import fsck
    from jwtrail.trail.layout import Layout
    from jwtrail.trail.reader import TrailReader

    data = tmp_path / "data"
    shop = Shop(data, daemon=True, **{"serve.port": 0, "service.name": "shop"})
    second = Shop(data, daemon=True, **{"serve.port": 0})  # another worker: finds the daemon started
    with shop.client, second.client:
        shop.sign_in()
        until(lambda: TrailReader(Layout(data)).size >= 4)
        assert shop.trail._worker._daemon is not None
        assert second.trail._worker._daemon is None
    assert shop.trail._worker._daemon.poll() is not None
    assert fsck.verify(data).ok


def test_a_mounted_application_sees_revocations_too(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "data")
    root = FastAPI()
    root.mount("/api", shop.trail._app)
    with TestClient(root) as client:  # the lifespan of the outer application never reaches the inner one
        pair = client.post("/api/login", params={"username": USERNAME, "password": PASSWORD}).json()
        headers = {"Authorization": f"Bearer {pair['access_token']}"}
        assert client.get("/api/orders/1", headers=headers).status_code == 200
        from jwtrail.state.records import Revocation
        from jwtrail.state.store import StateStore

        now = clock.now_us()
        with StateStore(tmp_path / "data/state.db") as other:  # as another process would
            family = other.families_of("u42")[0].id
            other.revoke(
                Revocation(kind="family", value=family, at_us=now, until_us=now + 60_000_000, cause="test")
            )
        until(lambda: client.get("/api/orders/1", headers=headers).status_code == 401)
    event = shop.requests()[0]
    assert event.http_route == "/login"  # as this application knows it


def test_logging_out_everywhere_ends_every_device(shop: Shop) -> None:
    phone, laptop = shop.sign_in(), shop.sign_in()
    assert len(shop.trail.sessions("u42")) == 2
    headers = {"Authorization": f"Bearer {phone['access_token']}"}
    assert shop.client.post("/logout/everywhere", headers=headers).status_code == 204
    assert shop.get("/orders/1", laptop["access_token"]).status_code == 401
    assert shop.trail.sessions("u42") == ()
    assert (
        shop.client.post("/token/refresh", data={"refresh_token": laptop["refresh_token"]}).status_code == 400
    )
    ended = next(event for event in shop.events() if event.event_action == "subject-revoked")
    assert (ended.user_target_id, ended.user_id) == ("u42", "u42")


def test_a_device_and_who_acts_are_kept(shop: Shop) -> None:
    pair = shop.trail.issue("u42", name="kim", device="Pixel 9", act="support7", scope="orders:read")
    assert [one.device for one in shop.trail.sessions("u42")] == ["Pixel 9"]
    assert shop.get("/orders/1", pair.access_token).status_code == 200
    event = shop.requests()[-1]
    assert (event.user_id, event.user_effective_id) == ("support7", "u42")


def test_a_field_that_no_event_has_is_refused_where_it_is_written(shop: Shop) -> None:
    with pytest.raises(TypeError, match="jwtrail_recordz"):
        shop.trail.touch(jwtrail_recordz=1)
