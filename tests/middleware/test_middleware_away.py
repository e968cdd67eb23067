"""The store of revocations is away: the declared policy decides, route by route."""

import pytest
from test_middleware_asgi import Bench, hello


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
