"""A denial is on the disk before any of it leaves, also when it comes in pieces."""

import pytest
from test_middleware_asgi import Bench


@pytest.mark.parametrize("mime", [b"text/plain", b"text/event-stream"])
def test_a_denial_in_pieces_is_on_the_disk_before_its_head_leaves(tmp_path, mime):
    when_it_left = []

    async def denied(scope, receive, send):  # as an endpoint below Starlette's BaseHTTPMiddleware
        head = [(b"content-type", mime)]
        await send({"type": "http.response.start", "status": 403, "headers": head})
        await send({"type": "http.response.body", "body": b"no", "more_body": True})
        when_it_left.append(len(bench.memory.events))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    bench = Bench(tmp_path, denied)
    sent = bench.run()
    assert when_it_left == [1]
    assert [message["type"] for message in sent] == ["http.response.start"] + ["http.response.body"] * 2
    assert bench.event.http_response_status_code == 403
    assert bench.event.error_type is None
    assert bench.memory.events[0][1] == "sync"


def test_the_error_of_the_application_is_heard_also_when_the_disk_fails(tmp_path):
    from jwtrail.errors import WriteError

    async def broken(scope, receive, send):
        bench.memory.fail = WriteError("full")
        raise ZeroDivisionError

    bench = Bench(tmp_path, broken, write_failure="closed")
    with pytest.raises(ZeroDivisionError):
        bench.run()
