"""The store of revocations is away: the declared policy decides, route by route."""

import pytest
from test_middleware_asgi import Bench, hello
from test_middleware_wsgi import Wsgi

from jwtrail.errors import StateError


@pytest.mark.parametrize(
    ("settings", "path", "away", "status"),
    [
        ({}, "/x", "", 200),
        ({}, "/x", "gone", 200),
        ({"state_away": "closed"}, "/x", "", 200),
        ({"state_away": "closed"}, "/x", "gone", 503),
        ({"strict_paths": ("/admin",)}, "/admin/keys", "gone", 503),
        ({"strict_paths": ("/admin",)}, "/x", "gone", 200),
    ],
)
def test_the_policy_of_the_route(tmp_path, settings, path, away, status) -> None:
    bench = Bench(tmp_path, hello, **settings)
    bench.middleware._frame.gate._away = lambda: away
    token = bench.issuer.issue("u1").access_token
    sent = bench.run(headers=bench.bearer(token), path=path)
    assert sent[0]["status"] == status
    assert ("revocation_unknown" in (bench.event.jwtrail_flags or ())) is bool(away)
    assert bench.event.user_id == "u1"


def test_who_has_no_good_token_is_not_concerned(tmp_path) -> None:
    bench = Bench(tmp_path, hello, state_away="closed")
    bench.middleware._frame.gate._away = lambda: "gone"
    assert bench.run()[0]["status"] == 200
    bench.memory.events.clear()
    assert bench.run(headers=bench.bearer("x.y.z"))[0]["status"] == 401


class Starts:
    """Fails at first, as a store that is not there yet."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1
        if self.calls == 1:
            raise StateError("not there yet")


def test_nobody_is_served_before_it_is_known_what_is_revoked(tmp_path) -> None:
    bench = Bench(tmp_path, hello)
    bench.middleware._on_startup, bench.middleware._started = Starts(), False
    assert bench.run()[0]["status"] == 503
    assert (bench.event.http_response_status_code, bench.event.error_type) == (503, "StateError")
    assert bench.run()[0]["status"] == 200


def test_nobody_is_served_before_under_wsgi(tmp_path) -> None:
    bench = Wsgi(tmp_path)
    bench.wsgi._on_startup = Starts()
    assert bench.get()[0] == 503
    assert (bench.event.http_response_status_code, bench.event.error_type) == (503, "StateError")
    assert bench.get()[0] == 200
