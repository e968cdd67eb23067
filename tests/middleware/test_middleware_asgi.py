"""The ASGI middleware around bare applications: every way a request can end gives exactly one event."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from jwtrail import clock
from jwtrail.ecs import Event
from jwtrail.errors import WriteError
from jwtrail.middleware.asgi import TrailMiddleware
from jwtrail.middleware.bindings import Bindings
from jwtrail.middleware.frame import Frame
from jwtrail.middleware.gate import Gate
from jwtrail.middleware.http import MAX_HEADERS
from jwtrail.middleware.recorder import Recorder, Service
from jwtrail.middleware.settings import HttpSettings
from jwtrail.state.records import Restraint
from jwtrail.state.spent import SpentStore
from jwtrail.state.store import StateStore
from jwtrail.tokens import Issuer, KeyRing, RestraintView, RevocationView, TokenSettings, Verifier


class Memory:
    """Takes events as the writer does; a sync event is on disk when the test says so."""

    def __init__(self) -> None:
        self.events: list[tuple[Event, str]] = []
        self.fail: WriteError | None = None
        self.hold = False
        self.waiting: list[Future[None]] = []

        self._lock = threading.Lock()

    def put(self, event: Event, durability: str = "batch") -> Future[None] | None:
        if self.fail is not None:
            raise self.fail
        self.events.append((event, durability))
        if durability != "sync":
            return None
        done: Future[None] = Future()
        with self._lock:
            self.waiting.append(done)
        if not self.hold:
            self.release()
        return done

    def release(self) -> None:
        """The disk has it all, and from now on everything at once."""
        self.hold = False
        with self._lock:
            waiting, self.waiting = self.waiting, []
        for done in waiting:
            done.set_result(None)


class Bench:
    """A middleware around one application, and what came of a request."""

    def __init__(self, tmp_path, app: Callable[..., Any], **settings: Any) -> None:
        self.ring = KeyRing(tmp_path / "keys")
        self.tokens = TokenSettings()
        self.issuer = Issuer(self.tokens, self.ring, StateStore(tmp_path / "state.db"))
        self.revoked = RevocationView()
        self.restraints = RestraintView()
        self.memory = Memory()
        self.middleware = TrailMiddleware(
            app,
            Frame(
                gate=Gate(
                    Verifier(self.tokens.access_policy(), self.ring, self.revoked),
                    Bindings(SpentStore(tmp_path / "spent.db"), HttpSettings(**settings)),
                    HttpSettings(**settings),
                ),
                restraints=self.restraints,
                recorder=Recorder(self.memory, Service("shop", "1", "test", "host")),
                settings=HttpSettings(**settings),
            ),
        )
        self.sent: list[dict[str, Any]] = []
        self.incoming: dict[str, Any] = {"type": "http.request"}

    def run(
        self, kind: str = "http", headers: tuple[tuple[bytes, bytes], ...] = (), path: str = "/x", **more: Any
    ) -> list[dict[str, Any]]:
        scope = {
            "type": kind,
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": list(headers),
        }
        scope |= {
            "client": ("192.0.2.1", 4711),
            "root_path": "",
            "http_version": "1.1",
            "scheme": "http",
            **more,
        }
        self.sent = []

        async def receive() -> dict[str, Any]:
            return self.incoming

        async def send(message: Any) -> None:
            self.sent.append(dict(message))

        asyncio.run(self.middleware(scope, receive, send))
        return self.sent

    @property
    def event(self) -> Event:
        assert len(self.memory.events) == 1
        return self.memory.events[0][0]

    def bearer(self, token: str) -> tuple[tuple[bytes, bytes], ...]:
        return ((b"authorization", b"Bearer " + token.encode()),)


async def hello(scope, receive, send) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"text/plain; charset=utf-8")],
        }
    )
    await send({"type": "http.response.body", "body": b"hello"})


async def nothing(scope, receive, send) -> None:
    return


async def half(scope, receive, send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ha", "more_body": True})
    raise ConnectionError("the database went away")


async def denied(scope, receive, send) -> None:
    await send({"type": "http.response.start", "status": 403, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def test_one_event_for_a_request_that_is_served(tmp_path) -> None:
    bench = Bench(tmp_path, hello)
    assert [message["type"] for message in bench.run()] == ["http.response.start", "http.response.body"]
    event = bench.event
    assert (event.http_response_status_code, event.http_response_bytes, event.event_outcome) == (
        200,
        5,
        "success",
    )
    assert (event.http_response_mime_type, event.service_name, event.source_ip) == (
        "text/plain",
        "shop",
        "192.0.2.1",
    )
    assert event.http_request_id
    assert bench.memory.events[0][1] == "batch"


def test_an_application_that_answers_nothing_is_a_failure(tmp_path) -> None:
    bench = Bench(tmp_path, nothing)
    assert bench.run() == []
    assert (bench.event.http_response_status_code, bench.event.event_outcome, bench.event.error_type) == (
        500,
        "failure",
        "NoResponse",
    )


def test_an_answer_that_breaks_off_keeps_its_status_and_counts_what_was_sent(tmp_path) -> None:
    bench = Bench(tmp_path, half)
    with pytest.raises(ConnectionError):
        bench.run()
    event = bench.event
    assert (event.http_response_status_code, event.http_response_bytes, event.event_outcome) == (
        200,
        2,
        "failure",
    )
    assert event.error_type == "ConnectionError"


def test_the_head_waits_until_the_event_is_on_the_disk(tmp_path) -> None:
    bench = Bench(tmp_path, denied)
    bench.memory.hold = True
    seen_before: list[int] = []

    async def scenario() -> None:
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/",
            "headers": [],
            "query_string": b"",
            "client": None,
        }

        async def send(message: Any) -> None:
            bench.sent.append(dict(message))

        task = asyncio.create_task(bench.middleware(scope, None, send))
        while not bench.memory.waiting:  # noqa: ASYNC110  # the writer has no event to wait for
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        seen_before.append(len(bench.sent))
        bench.memory.waiting[0].set_result(None)
        await task

    asyncio.run(scenario())
    assert seen_before == [0]
    assert [message.get("status") for message in bench.sent] == [403, None]
    assert bench.memory.events[0][1] == "sync"


@pytest.mark.parametrize(("policy", "status"), [("closed", 503), ("open", 403)])
def test_an_event_that_cannot_be_written_decides_by_policy(tmp_path, policy: str, status: int) -> None:
    bench = Bench(tmp_path, denied, write_failure=policy)
    bench.memory.fail = WriteError("no space left")
    assert bench.run()[0]["status"] == status


def test_a_disk_that_hangs_is_given_up_in_time(tmp_path) -> None:
    bench = Bench(tmp_path, denied, sync_timeout_s=0.05)
    bench.memory.hold = True
    assert [message.get("status") for message in bench.run()] == [503, None]


def test_a_bad_token_is_answered_before_the_application(tmp_path) -> None:
    reached = []

    async def app(scope, receive, send) -> None:
        reached.append(1)
        await hello(scope, receive, send)

    bench = Bench(tmp_path, app)
    sent = bench.run(headers=bench.bearer("not.a.token"))
    assert sent[0]["status"] == 401
    assert (b"www-authenticate", b'Bearer error="invalid_token"') in sent[0]["headers"]
    assert not reached
    assert bench.event.event_reason is not None


@pytest.mark.parametrize("settings", [{"bad_token": "pass"}, {"open_paths": ("/x",)}])
def test_a_bad_token_may_be_left_to_the_application(tmp_path, settings: dict[str, Any]) -> None:
    bench = Bench(tmp_path, hello, **settings)
    assert bench.run(headers=bench.bearer("a.b.c"))[0]["status"] == 200
    assert bench.event.event_reason is not None


def test_a_held_source_gets_429_and_does_not_feed_the_detector(tmp_path) -> None:
    bench = Bench(tmp_path, hello)
    now = clock.now_us()
    row = Restraint(
        id="r",
        field="source.ip",
        value="192.0.2.1",
        at_us=now,
        until_us=now + 60_000_000,
        per_minute=0,
        unauthenticated_only=True,
    )
    bench.restraints.load([row])
    sent = bench.run()
    assert sent[0]["status"] == 429
    assert int(dict(sent[0]["headers"])[b"retry-after"]) <= 60
    assert (bench.event.event_reason, bench.event.jwtrail_flags) == ("rate_limited", ("self_inflicted",))
    # somebody with a good token behind the same address goes on working, but not where credentials are given
    token = bench.issuer.issue("u1").access_token
    assert bench.run(headers=bench.bearer(token))[0]["status"] == 200
    assert bench.run(headers=bench.bearer(token), path="/login")[0]["status"] == 429


def test_what_an_alert_revoked_is_marked_as_our_own_doing(tmp_path) -> None:
    bench = Bench(tmp_path, hello)
    pair = bench.issuer.issue("u1")
    row = bench.issuer.revoke("jti", pair.access.jti, cause="alert", alert="a1")
    bench.revoked.load([row])
    assert bench.run(headers=bench.bearer(pair.access_token))[0]["status"] == 401
    event = bench.event
    assert (event.event_reason, event.user_id, event.jwt_jti) == ("revoked_token", "u1", pair.access.jti)
    assert event.jwtrail_flags == ("revoked_grace", "self_inflicted")


def test_two_credentials_are_refused_whichever_is_good(tmp_path) -> None:
    bench = Bench(tmp_path, hello)
    token = bench.issuer.issue("u1").access_token
    assert bench.run(headers=(*bench.bearer(token), *bench.bearer("a.b.c")))[0]["status"] == 401
    assert bench.event.event_reason == "multiple_credentials"
    assert bench.event.jwtrail_flags == ("multiple_credentials",)


def test_a_websocket_is_one_event_and_a_bad_token_never_opens_one(tmp_path) -> None:
    async def app(scope, receive, send) -> None:
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 1000})

    bench = Bench(tmp_path, app)
    bench.run("websocket")
    assert (bench.event.http_response_status_code, bench.event.event_outcome) == (101, "success")
    bench.memory.events.clear()
    assert bench.run("websocket", headers=bench.bearer("a.b.c")) == [
        {"type": "websocket.close", "code": 1008}
    ]
    assert (bench.event.http_response_status_code, bench.event.event_outcome) == (403, "failure")


def test_a_long_request_id_is_replaced(tmp_path) -> None:
    bench = Bench(tmp_path, hello)
    bench.run(headers=((b"x-request-id", b"r" * 500),))
    assert len(bench.event.http_request_id or "") == 36


def test_other_scopes_pass(tmp_path) -> None:
    seen = []

    async def app(scope, receive, send) -> None:
        seen.append(scope["type"])

    bench = Bench(tmp_path, app)
    bench.run("something-new")
    assert seen == ["something-new"]
    assert not bench.memory.events


def test_a_head_that_was_held_and_never_left_is_no_answer(tmp_path) -> None:
    async def dies(scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 403, "headers": []})
        raise RuntimeError("before the first chunk")

    async def returns(scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 403, "headers": []})

    bench = Bench(tmp_path, dies)
    with pytest.raises(RuntimeError):
        bench.run()
    assert bench.sent == []
    assert (bench.event.http_response_status_code, bench.event.error_type) == (500, "RuntimeError")
    bench = Bench(tmp_path / "second", returns)
    bench.run()
    assert (bench.event.http_response_status_code, bench.event.error_type) == (500, "NoResponse")


def test_a_stream_without_its_end_is_a_failure(tmp_path) -> None:
    async def app(scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})

    bench = Bench(tmp_path, app)
    bench.run()
    assert (bench.event.event_outcome, bench.event.error_type) == ("failure", "IncompleteResponse")


def test_a_client_that_goes_away_in_the_middle_is_a_failure(tmp_path) -> None:
    async def app(scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        await receive()

    bench = Bench(tmp_path, app)
    bench.incoming = {"type": "http.disconnect"}
    bench.run()
    assert (bench.event.event_outcome, bench.event.error_type) == ("failure", "ClientDisconnect")


@pytest.mark.parametrize("durability", ["batch", "sync"])
def test_the_head_of_a_stream_of_events_leaves_at_once(tmp_path, durability: str) -> None:
    seen = []

    async def app(scope, receive, send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"text/event-stream")],
            }
        )
        seen.append(len(bench.sent))
        await send({"type": "http.response.body", "body": b"x"})

    bench = Bench(tmp_path, app, durability=durability)
    bench.run()
    assert seen == [1]


def test_junk_headers_hide_neither_the_token_nor_the_forwarded_address(tmp_path) -> None:
    junk = tuple((f"x-{number}".encode(), b"1") for number in range(300))
    bench = Bench(tmp_path, hello, trusted_proxies=("10.0.0.0/8",))
    sent = bench.run(
        headers=(*junk, (b"x-forwarded-for", b"203.0.113.9"), *bench.bearer("a.b.c")), client=("10.0.0.1", 1)
    )
    assert sent[0]["status"] == 401
    assert bench.event.source_ip == "203.0.113.9"
    bench = Bench(tmp_path / "second", hello)
    bench.run(headers=tuple((b"x", b"1") for _ in range(MAX_HEADERS + 1)))
    assert bench.event.jwtrail_flags == ("truncated",)


@pytest.mark.parametrize("where", ["path", "referer", "user-agent", "double"])
def test_no_spelling_of_a_token_or_password_gets_into_an_event(tmp_path, where: str) -> None:
    bench = Bench(tmp_path, hello)
    token = bench.issuer.issue("u1").access_token
    secret = token.rsplit(".", 1)[1]
    encoded = "%65" + token[1:]
    if where == "path":
        bench.run(path="/r/" + token, raw_path=("/r/" + encoded).encode())
    elif where == "referer":
        bench.run(headers=((b"referer", f"https://bob:hunter2@shop.example/cb/{encoded}?x".encode()),))
    elif where == "user-agent":
        bench.run(
            headers=(
                (b"user-agent", f"curl -H Bearer {token}".encode()),
                (b"x-request-id", token[:120].encode()),
            )
        )
    else:
        bench.run(path="/r/x", raw_path=("/r/" + token.replace("eyJ", "%2565yJ", 1)).encode())
    text = str(bench.event)
    assert secret not in text
    assert "hunter2" not in text


def test_a_refused_websocket_is_as_durable_as_any_denial_and_keeps_the_status_of_the_application(
    tmp_path,
) -> None:
    async def app(scope, receive, send) -> None:
        await send({"type": "websocket.http.response.start", "status": 404, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b""})

    bench = Bench(tmp_path, app, write_failure="open")
    bench.run("websocket", headers=bench.bearer("a.b.c"))
    assert bench.memory.events[0][1] == "sync"
    bench.memory.events.clear()
    bench.run("websocket")
    assert bench.event.http_response_status_code == 404
    bench.memory.fail = WriteError("full")
    bench.run("websocket")


def test_a_server_without_lifespan_starts_with_its_first_request(tmp_path) -> None:
    starts = []
    bench = Bench(tmp_path, hello)
    bench.middleware._on_startup = lambda: starts.append(1)
    bench.middleware._started = False
    bench.run()
    bench.run()
    assert starts == [1]


def test_no_route_is_looked_up_before_routing_while_nobody_is_held(tmp_path) -> None:
    asked: list[str] = []
    bench = Bench(tmp_path, hello)
    bench.middleware._frame._resolve = lambda scope: asked.append(scope["path"])
    bench.run()
    assert asked == []
    now = clock.now_us()
    row = Restraint(
        id="r", field="source.ip", value="192.0.2.1", at_us=now, until_us=now + 60_000_000, per_minute=0
    )
    bench.restraints.load([row])
    assert bench.run()[0]["status"] == 429
    assert asked
