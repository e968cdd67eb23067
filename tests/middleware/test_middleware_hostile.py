"""WSGI: whatever a client or a server puts into the environment, there is an answer and an event that can be written."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_middleware_wsgi import WSGI, Wsgi, hello

from jwtrail.ecs import decode_line
from jwtrail.ecs.codec import encode
from jwtrail.middleware.wsgi import WsgiMiddleware

KEYS = (
    *("PATH_INFO", "SCRIPT_NAME", "QUERY_STRING", "RAW_URI", "REQUEST_URI", "REMOTE_ADDR", "REMOTE_PORT"),
    *(
        "REQUEST_METHOD",
        "SERVER_PROTOCOL",
        "wsgi.url_scheme",
        "CONTENT_TYPE",
        "CONTENT_LENGTH",
        "HTTP_HOST",
        "HTTP_",
    ),
    *(
        "HTTP_COOKIE",
        "HTTP_AUTHORIZATION",
        "HTTP_AUTHORIZATION_",
        "HTTP_DPOP",
        "HTTP_X_FORWARDED_FOR",
        "HTTP__",
    ),
    *("HTTP_X_REQUEST_ID", "HTTP_USER_AGENT", "HTTP_REFERER", "HTTP_TRACEPARENT"),
)
SPECIAL = (
    *(
        "/",
        "//",
        "/../",
        "%",
        "%2f",
        "%00",
        "\x00",
        "\r\n",
        "\xff\xfe",
        "\ud800",
        "\u202e",
        "Bearer ",
        "eyJ",
        ".",
        ",",
        ";",
    ),
    *(":", "@", "[::1]", "http://x", "0", "-1", "__Host-jwtrail="),
)
HOSTILE = st.lists(st.sampled_from(SPECIAL) | st.text(max_size=8), max_size=6).map("".join)


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return Wsgi(tmp_path_factory.mktemp("hostile"), cookies=True, open_paths=("/login",))


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), HOSTILE))
def test_no_environment_is_without_its_event(bench, environ):
    bench.memory.events.clear()
    said = []
    app = WsgiMiddleware(hello, bench.middleware._frame)
    answer = app(WSGI | environ, lambda *head: said.append(head))
    b"".join(answer)
    answer.close()
    assert len(said) == 1
    assert decode_line(encode(bench.event)) == bench.event
