"""A path that can be read in two ways is never an exception, and always strict."""

import pytest
from test_middleware_asgi import Bench, hello

from jwtrail.middleware.paths import perhaps_below, surely_below

OPEN = ("/login", "/token/")


@pytest.mark.parametrize(
    ("path", "root", "below"),
    [
        ("/login", "", True),
        ("/login/otp", "", True),
        ("/token/refresh", "", True),
        ("/api/login", "/api", True),  # as the application routes it
        ("/apilogin", "/api", False),
        ("/login-as", "", False),
        ("/logins", "", False),
        ("/token", "", False),
        ("/login/../admin", "", False),
        ("/login/..", "", False),
        ("/login/./x", "", False),
        ("/login//admin", "", False),
        ("/login/%2e%2e/admin", "", False),  # decoded once: somebody may decode it again
        ("/login\\..\\admin", "", False),
        ("/login/..;/admin", "", False),
        ("/login/\x00", "", False),
        ("//login", "", False),
        ("login", "", False),
        ("http://evil.example/login", "", False),
        ("/login/orders", "/login", False),  # a server that takes SCRIPT_NAME from a header
        ("", "", False),
    ],
)
def test_an_exception_is_made_for_what_is_surely_there(path, root, below):
    assert surely_below({"path": path, "root_path": root}, OPEN) is below


@pytest.mark.parametrize(
    "path",
    [
        "/admin",
        "/admin/x",
        "//admin",
        "/x/../admin",
        "admin",
        "/%61dmin",
        "/./admin",
        "/x;/admin",
        "/api/admin",
    ],
)
def test_what_may_be_strict_is(path):
    assert perhaps_below({"path": path, "root_path": "/api"}, ("/admin/",))
    assert not perhaps_below({"path": path, "root_path": "/api"}, ())


@pytest.mark.parametrize("path", ["/", "/x", "/orders/7", "/x/admin", "/a.b/c-d"])
def test_other_paths_are_not_strict(path):
    assert not perhaps_below({"path": path, "root_path": ""}, ("/admin",))


def test_a_bad_token_at_a_path_with_two_readings_is_answered(tmp_path):
    bench = Bench(tmp_path, hello, open_paths=("/x",))
    headers = bench.bearer("a.b.c")
    assert bench.run(headers=headers, path="/x/y")[0]["status"] == 200
    for path in ("/xy", "/x//admin", "/x/../admin", "/x/%2e%2e/admin"):
        assert bench.run(headers=headers, path=path)[0]["status"] == 401, path
