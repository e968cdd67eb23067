"""WSGI: every answer keeps PEP 3333 (wsgiref's validator is around and inside), and every request has its one event."""

import sys
import threading
from collections.abc import Iterable
from concurrent.futures import Future
from pathlib import Path
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest
from test_middleware_asgi import Bench

from jwtrail import clock
from jwtrail.errors import WriteError
from jwtrail.middleware.exchange import current
from jwtrail.middleware.wsgi import SCOPE, WsgiMiddleware, scope_of
from jwtrail.middleware.wsgianswer import MAX_HELD
from jwtrail.tokens.restraint import Restraint
from waiting import until

pytestmark = pytest.mark.filterwarnings("error")


WSGI: dict = {"SCRIPT_NAME": "", "QUERY_STRING": ""}
setup_testing_defaults(WSGI)


def hello(environ, start):
    start("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return [b"he", b"llo"]


class Wsgi(Bench):
    """The same parts as the ASGI middleware's tests, with a WSGI application inside."""

    def __init__(self, tmp_path: Path, app=hello, **settings) -> None:
        super().__init__(tmp_path, app, **settings)
        self.wsgi = WsgiMiddleware(validator(app), self.middleware._frame)

    def get(self, path="/x", *, read=None, **environ):
        """Status, headers and body of one request; `read` chunks of it, or all."""
        environ = {"PATH_INFO": path, "REMOTE_ADDR": "192.0.2.1", "REMOTE_PORT": "4711", **environ}
        setup_testing_defaults(environ)
        environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "")
        environ.setdefault("QUERY_STRING", "")
        said = []

        def start(status, headers, exc_info=None):
            said[:] = [int(status[:3]), dict(headers)]
            return lambda _: None

        answer = validator(self.wsgi)(environ, start)
        try:
            chunks: Iterable[bytes] = answer if read is None else [next(answer) for _ in range(read)]
            body = b"".join(chunks)
        finally:
            answer.close()
        return said[0], {name.lower(): value for name, value in said[1].items()}, body

    def bearer(self):
        pair = self.issuer.issue("u1")
        return {"HTTP_AUTHORIZATION": f"Bearer {pair.access_token}"}


def test_an_answer_goes_through_and_its_event_says_what_it_was(tmp_path):
    bench = Wsgi(tmp_path)
    assert bench.get("/caf\xc3\xa9", **bench.bearer(), HTTP_USER_AGENT="curl/8")[::2] == (200, b"hello")
    event = bench.event
    assert (event.http_response_status_code, event.http_response_bytes) == (200, 5)
    assert (event.user_id, event.source_ip, event.source_port) == ("u1", "192.0.2.1", 4711)
    assert (event.url_path, event.http_response_mime_type) == ("/café", "text/plain")
    assert (event.user_agent_original, event.http_version, event.url_scheme) == ("curl/8", "1.0", "http")
    assert event.error_type is None


def test_a_bad_token_is_refused_with_a_dull_answer_and_the_reason_in_the_trail(tmp_path):
    bench = Wsgi(tmp_path)
    status, headers, body = bench.get(HTTP_AUTHORIZATION="Bearer a.b.c")
    assert (status, body) == (401, b'{"error":"invalid_token"}')
    assert headers["www-authenticate"].startswith("Bearer error=")
    assert headers["cache-control"] == "no-store"
    assert bench.event.event_reason == "malformed_base64"
    assert bench.event.jwtrail_durability == "sync"


def test_two_credentials_that_the_server_joined_are_several(tmp_path):
    bench = Wsgi(tmp_path)
    token = bench.bearer()["HTTP_AUTHORIZATION"]
    assert bench.get(HTTP_AUTHORIZATION=f"{token},{token}")[0] == 401
    assert bench.event.event_reason == "multiple_credentials"


def test_a_denial_waits_until_its_event_is_on_the_disk(tmp_path):
    bench = Wsgi(tmp_path)
    bench.memory.hold = True
    done: Future = Future()
    thread = threading.Thread(target=lambda: done.set_result(bench.get(HTTP_AUTHORIZATION="Bearer a.b.c")))
    thread.start()
    until(lambda: bench.memory.waiting)
    clock.sleep(0.05)
    assert not done.done()
    bench.memory.release()
    assert done.result(60)[0] == 401
    thread.join()


def test_what_cannot_be_written_is_not_served_when_the_policy_is_to_refuse(tmp_path):
    bench = Wsgi(tmp_path, write_failure="closed")
    bench.memory.fail = WriteError("full")
    status, headers, body = bench.get(HTTP_AUTHORIZATION="Bearer a.b.c")
    assert (status, body) == (503, b'{"error":"temporarily_unavailable"}')
    assert headers["retry-after"] == "1"


def test_a_disk_that_is_late_refuses_too(tmp_path):
    bench = Wsgi(tmp_path, write_failure="closed", sync_timeout_s=0.05)
    bench.memory.hold = True
    assert bench.get(HTTP_AUTHORIZATION="Bearer a.b.c")[0] == 503


def test_a_throttle_holds(tmp_path):
    bench = Wsgi(tmp_path)
    now = clock.now_us()
    row = Restraint(
        id="r", field="source.ip", value="192.0.2.1", at_us=now, until_us=now + 60_000_000, per_minute=0
    )
    bench.restraints.load([row])
    status, headers, _ = bench.get()
    assert status == 429
    assert int(headers["retry-after"]) >= 1
    assert bench.event.jwtrail_flags == ("self_inflicted",)


def test_an_error_of_the_application_is_its_own_and_is_told(tmp_path):
    def boom(environ, start):
        raise ZeroDivisionError

    bench = Wsgi(tmp_path, boom)
    environ = {"PATH_INFO": "/x", "QUERY_STRING": "", "SCRIPT_NAME": ""}
    setup_testing_defaults(environ)
    with pytest.raises(ZeroDivisionError):
        bench.wsgi(environ, lambda *_: None)
    assert (bench.event.http_response_status_code, bench.event.error_type) == (500, "ZeroDivisionError")


def test_a_stream_that_breaks_keeps_its_status_and_tells(tmp_path):
    def broken(environ, start):
        start("200 OK", [("Content-Type", "text/plain")])
        yield b"one"
        raise OSError("gone")

    bench = Wsgi(tmp_path, broken)
    with pytest.raises(OSError, match="gone"):
        bench.get()
    event = bench.event
    assert (event.http_response_status_code, event.http_response_bytes) == (200, 3)
    assert (event.error_type, event.event_outcome) == ("OSError", "failure")


def test_a_client_that_goes_is_told(tmp_path):
    def long(environ, start):
        start("200 OK", [("Content-Type", "text/plain")])
        yield from [b"x" * 10] * 5

    bench = Wsgi(tmp_path, long)
    bench.get(read=2)
    assert (bench.event.error_type, bench.event.http_response_bytes) == ("ClientDisconnect", 20)


def test_an_answer_of_known_length_has_its_event_with_its_last_byte(tmp_path):
    def known(environ, start):
        start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "4")])
        yield b"ab"
        yield b"cd"

    bench = Wsgi(tmp_path, known)
    bench.get(read=2)
    assert (bench.event.error_type, bench.event.http_response_bytes) == (None, 4)


def test_a_stream_leaves_piece_by_piece(tmp_path):
    read = []

    def stream(environ, start):
        start("200 OK", [("Content-Type", "text/plain")])
        for number in range(3):
            read.append(number)
            yield b"x"

    bench = Wsgi(tmp_path, stream)
    bench.get(read=1)
    assert read == [0]


@pytest.mark.parametrize(("head", "told"), [({}, None), ({"Content-Length": "200000"}, 200_000)])
def test_a_denial_of_any_length_is_let_go_after_its_event(tmp_path, head, told):
    def denied(environ, start):
        start("403 Forbidden", [("Content-Type", "text/plain"), *head.items()])
        yield from [b"x" * 1000] * 200

    bench = Wsgi(tmp_path, denied)
    status, _, body = bench.get(read=1)
    assert (status, len(body)) == (403, 1000)
    assert bench.event.jwtrail_durability == "sync"
    assert bench.event.http_response_bytes == told
    assert len(bench.get()[2]) == 200_000 > MAX_HELD


def test_what_is_recorded_on_the_way_is_on_the_disk_before_the_head_leaves(tmp_path):
    def records(environ, start):
        bench.middleware._frame._recorder.record("export", user_id="u1")
        start("200 OK", [("Content-Type", "text/plain")])
        assert current.get() is not None
        return [b"done"]

    bench = Wsgi(tmp_path, records)
    bench.memory.hold = True
    done: Future = Future()
    threading.Thread(target=lambda: done.set_result(bench.get()), daemon=True).start()
    until(lambda: bench.memory.waiting)
    clock.sleep(0.05)
    assert not done.done()
    bench.memory.release()
    assert done.result(60)[0] == 200


def test_the_old_way_to_write_is_counted(tmp_path):
    def old(environ, start):
        write = start("200 OK", [("Content-Type", "text/plain")])
        write(b"early ")
        return [b"late"]

    bench = Wsgi(tmp_path, old)
    assert bench.get()[2] == b"early late"
    assert bench.event.http_response_bytes == 10


def test_the_route_a_hook_found_is_in_the_event(tmp_path):
    class Route:
        path = "/orders/{order_id}"

    def routed(environ, start):
        environ[SCOPE]["route"], environ[SCOPE]["path_params"] = Route, {"order_id": 7}
        return hello(environ, start)

    bench = Wsgi(tmp_path, routed)
    bench.get("/orders/7")
    assert (bench.event.http_route, bench.event.jwtrail_object_id) == ("/orders/{order_id}", "7")


def test_what_was_written_the_old_way_is_not_all_kept_in_memory(tmp_path):
    waits = []

    def old(environ, start):
        write = start("200 OK", [("Content-Type", "text/plain")])
        for _ in range(20):
            write(b"x" * 10_000)
            waits.append(len(got))
        return [b"end"]

    bench = Wsgi(tmp_path, old)
    got: list[bytes] = []
    answer = bench.wsgi(
        {**bench.bearer(), "PATH_INFO": "/x", "REQUEST_METHOD": "GET", "SERVER_NAME": "x", "SERVER_PORT": "1"}
        | WSGI,
        lambda *_: got.append,
    )
    body = b"".join(got) + b"".join(answer)
    answer.close()
    assert body == b"x" * 200_000 + b"end"
    assert waits[0] == 0
    assert waits[-1] == 20 - MAX_HELD // 10_000
    assert bench.event.http_response_bytes == len(body)


def test_code_behind_the_last_piece_runs(tmp_path):
    ran = []

    def known(environ, start):
        start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
        yield b"ab"
        ran.append(1)

    bench = Wsgi(tmp_path, known)
    assert bench.get()[2] == b"ab"
    assert ran == [1]


def test_an_answer_may_be_begun_again_until_something_left(tmp_path):
    def again(environ, start):
        start("200 OK", [("Content-Type", "text/plain")])
        try:
            int("x")
        except ValueError:
            start("500 Oops", [("Content-Type", "text/plain")], sys.exc_info())
        yield b"sorry"
        try:
            int("y")
        except ValueError:
            start("500 Oops", [("Content-Type", "text/plain")], sys.exc_info())

    bench = Wsgi(tmp_path, again)
    with pytest.raises(ValueError, match="y"):
        bench.get()
    assert (bench.event.http_response_status_code, bench.event.error_type) == (500, "ValueError")

    def twice(environ, start):
        start("200 OK", [("Content-Type", "text/plain")])
        start("200 OK", [("Content-Type", "text/plain")])

    with pytest.raises(RuntimeError, match="twice"):
        WsgiMiddleware(twice, bench.middleware._frame)(WSGI | {"PATH_INFO": "/x"}, lambda *_: None)
    assert bench.memory.events[1][0].error_type == "RuntimeError"


def test_an_answer_that_is_not_given_leaves_no_cookie(tmp_path):
    def signs_in(environ, start):
        current.get().answer_headers.append((b"set-cookie", b"__Host-jwtrail=secret"))
        bench.middleware._frame._recorder.record("login")
        return hello(environ, start)

    bench = Wsgi(tmp_path, signs_in, write_failure="closed", sync_timeout_s=0.05)
    bench.memory.hold = True
    status, headers, body = bench.get()
    assert (status, body) == (503, b'{"error":"temporarily_unavailable"}')
    assert "set-cookie" not in headers
    assert headers["cache-control"] == "no-store"
    assert bench.memory.events[-1][0].http_response_status_code in (200, 503)


def test_the_error_of_the_application_is_heard_also_when_the_disk_fails(tmp_path):
    def broken(environ, start):
        start("200 OK", [("Content-Type", "text/plain")])
        yield b"one"
        bench.memory.fail = WriteError("full")
        raise ZeroDivisionError

    bench = Wsgi(tmp_path, broken, write_failure="closed")
    with pytest.raises(ZeroDivisionError):
        bench.get()


def test_an_environment_that_is_shown_does_not_show_the_token(tmp_path):
    from pprint import pformat

    shown = []

    def page(environ, start):
        shown.append(
            pformat({name: value for name, value in environ.items() if not name.startswith("HTTP_")})
        )
        assert not isinstance(
            environ[SCOPE], dict | list | tuple
        )  # Django looks into these, and masks nothing there
        return hello(environ, start)

    bench = Wsgi(tmp_path, page)
    token = bench.bearer()
    bench.get(**token)
    assert token["HTTP_AUTHORIZATION"][7:] not in shown[0]
    assert "<request>" in shown[0]


def test_what_has_read_the_forwarded_address_already_is_believed():
    from werkzeug.middleware.proxy_fix import ProxyFix

    peers = []
    app = ProxyFix(lambda environ, start: peers.append(scope_of(environ)["client"]))
    environ = {"REMOTE_ADDR": "127.0.0.1", "REMOTE_PORT": "4711", "PATH_INFO": "/"}
    setup_testing_defaults(environ)
    app(environ | {"HTTP_X_FORWARDED_FOR": "192.0.2.7"}, None)
    app(dict(environ), None)
    assert peers == [("192.0.2.7", 0), ("127.0.0.1", 4711)]


@pytest.mark.parametrize("port", ["", "x", "²", None])
def test_a_strange_environment_is_no_error(port):
    environ = {"PATH_INFO": "/\xff\xfe", "REMOTE_ADDR": "", "HTTP_X_LONG": "\u20ac", "CONTENT_LENGTH": ""}
    if port is not None:
        environ |= {"REMOTE_ADDR": "192.0.2.1", "REMOTE_PORT": port}
    setup_testing_defaults(environ)
    scope = scope_of(environ)
    assert scope["client"] == (None if port is None else ("192.0.2.1", None))
    assert scope["path"] == "/\ufffd\ufffd"
    assert dict(scope["headers"])[b"x-long"] == b"?"
