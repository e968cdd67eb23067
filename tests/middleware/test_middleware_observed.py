"""Claims as other libraries hand them out: nobody is left out, nothing odd gets in."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_middleware_asgi import Bench, denied, hello

from jwtrail.errors import ConfigError
from jwtrail.middleware.exchange import current
from jwtrail.middleware.http import MAX_HEADERS
from jwtrail.middleware.observed import MAX_WORDS, Observer, claims_of, seen
from jwtrail.middleware.places import MAX_PLACES, Places
from jwtrail.middleware.settings import HttpSettings


class ObserveBench(Bench):
    """An application that judges tokens itself."""

    def __init__(self, tmp_path, app, identify=None, places=()):
        super().__init__(tmp_path, app, bad_token="observe")
        classify = self.middleware._frame.gate.classify
        self.middleware._frame._observer = Observer(classify, identify, Places(places))


@pytest.mark.parametrize(
    ("payload", "wanted"),
    [
        ({"sub": "u1"}, {"sub": "u1"}),
        ({"user_id": 7, "jti": "j", "token_type": "access"}, {"sub": "7", "jti": "j", "kind": "access"}),  # SimpleJWT
        ({"sub": "u", "type": "access", "fresh": False}, {"sub": "u", "kind": "access"}),  # Flask-JWT-Extended
        ({"sub": "u", "aud": ["fastapi-users:auth"]}, {"aud": ("fastapi-users:auth",)}),
        ({"sub": "u", "azp": "web", "scope": "a b", "sid": "s"}, {"client_id": "web", "scope": ("a", "b"), "family": "s"}),
        ({"sub": "u", "scp": ["a", 7, "b"], "cid": "c"}, {"scope": ("a", "b"), "client_id": "c"}),  # Okta
        ({"username": "kim", "token_use": "access"}, {"sub": "kim", "kind": "access"}),  # Cognito
        ({"sub": "u", "aud": "one two", "act": {"sub": "boss"}}, {"aud": ("one two",), "act": "boss"}),
        ({"exp": dt.datetime(2027, 1, 1, tzinfo=dt.UTC), "iat": 5.5}, {"exp": 1798761600.0, "iat": 5.5}),
        ({"sub": True, "exp": True, "nbf": -1, "iat": "x", "roles": "a b"}, {"sub": "", "exp": None, "nbf": None, "iat": None, "roles": ("a", "b")}),
        ({"roles": ["r"] * (MAX_WORDS + 1)}, {"roles": ("r",) * MAX_WORDS}),
    ],
)  # fmt: skip
def test_every_librarys_claims(payload, wanted):
    claims = claims_of(payload)
    assert {name: getattr(claims, name) for name in wanted} == wanted


_NAMES = st.sampled_from(["sub", "user_id", "aud", "exp", "scope", "roles", "act", "jti", "type", "sid"])
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@given(st.dictionaries(_NAMES, _VALUES))
def test_nothing_makes_it_raise(payload):
    claims_of(payload, "token")


def test_a_served_request_belongs_to_whom_the_application_says(tmp_path):
    bench = ObserveBench(tmp_path, hello, lambda scope: {"sub": "u7", "jti": "j7"})
    assert bench.run(headers=bench.bearer("opaque"))[0]["status"] == 200
    event = bench.event
    assert (event.user_id, event.jwt_jti, event.event_reason) == ("u7", "j7", None)
    assert event.jwt_fingerprint
    assert "opaque" not in str(event)


def test_a_served_request_says_nothing_that_was_not_verified(tmp_path):
    bench = ObserveBench(tmp_path, hello)
    token = bench.issuer.issue("u1").access_token
    bench.run(headers=bench.bearer(token))
    assert (bench.event.user_id, bench.event.jwt_jti, bench.event.event_outcome) == (None, None, "success")


@pytest.mark.parametrize(
    ("token", "reason"),
    [("x", "malformed_segments"), ("e30.e30.", "alg_missing"), ("eyJhbGciOiJub25lIn0.e30.", "alg_none")],
)
def test_a_refused_token_is_classified(tmp_path, token, reason):
    bench = ObserveBench(tmp_path, denied)
    assert bench.run(headers=bench.bearer(token))[0]["status"] == 403
    assert (bench.event.event_reason, bench.event.user_id) == (reason, None)


def test_a_good_token_that_was_refused_tells_whose_it_is(tmp_path):
    bench = ObserveBench(tmp_path, denied)
    bench.run(headers=bench.bearer(bench.issuer.issue("u1").access_token))
    assert (bench.event.user_id, bench.event.event_reason) == ("u1", None)


def test_who_was_known_is_not_classified_again(tmp_path):
    bench = ObserveBench(tmp_path, denied, lambda scope: {"sub": "u7"})
    bench.run(headers=bench.bearer("x"))
    assert (bench.event.user_id, bench.event.event_reason) == ("u7", None)


def test_no_token_at_all(tmp_path):
    async def unauthorized(scope, receive, send):
        await send({"type": "http.response.start", "status": 401, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    bench = ObserveBench(tmp_path, unauthorized)
    bench.run()
    assert bench.event.event_reason == "token_missing"


def test_the_application_may_say_it_while_it_runs(tmp_path):
    async def app(scope, receive, send):
        seen({"sub": "u9"})
        await hello(scope, receive, send)

    bench = ObserveBench(tmp_path, app)
    bench.run(headers=bench.bearer("opaque"))
    assert bench.event.user_id == "u9"
    assert current.get() is None
    seen({"sub": "nobody"})


@pytest.mark.parametrize(
    "written",
    [
        "Bearer {}",
        "Bearer\t{}",
        "Bearer\xa0{}",
        "x, Bearer {}",
        "Bearer {}, Bearer x",
        "JWT {}",
        "Bearer a.b.c, Bearer {}",
    ],
)
def test_a_revoked_token_is_stopped_however_the_application_finds_it(tmp_path, written):
    """Flask-JWT-Extended divides by commas and any white space, Django's libraries by white space."""
    bench = ObserveBench(tmp_path, hello, lambda scope: {"sub": "u1"})
    pair = bench.issuer.issue("u1")
    headers = [(b"authorization", written.format(pair.access_token).encode("latin-1"))]
    assert bench.run(headers=headers)[0]["status"] == 200
    bench.revoked.load([bench.issuer.revoke("jti", pair.access.jti, cause="operator")])
    assert bench.run(headers=headers)[0]["status"] == 401
    event, _ = bench.memory.events[-1]
    assert event.event_reason == "revoked_token"


def test_a_flood_of_tokens_costs_no_signatures(tmp_path):
    bench = ObserveBench(tmp_path, hello)
    headers = [(b"authorization", b"Bearer " + b" ".join(b"a.b.c%d" % number for number in range(9)))]
    assert bench.run(headers=headers)[0]["status"] == 401
    assert bench.event.event_reason == "multiple_credentials"


@pytest.mark.parametrize("junk", [3000, MAX_HEADERS])
def test_a_revoked_token_is_stopped_behind_a_flood_of_headers(tmp_path, junk):
    bench = ObserveBench(tmp_path, hello)
    pair = bench.issuer.issue("u1")
    bench.revoked.load([bench.issuer.revoke("jti", pair.access.jti, cause="operator")])
    headers = [(b"x", b"")] * junk + [(b"authorization", b"Bearer " + pair.access_token.encode())]
    assert bench.run(headers=headers)[0]["status"] == 401


PLACES = ("header:X-Access-Token", "cookie:access_token_cookie", "query:jwt")


@pytest.mark.parametrize(
    "request_of",
    [
        lambda token: {"headers": [(b"x-access-token", token)]},
        lambda token: {"headers": [(b"x-access-token", b"Token " + token)]},
        lambda token: {"headers": [(b"cookie", b"a=b; access_token_cookie=" + token + b"; c=d")]},
        lambda token: {
            "headers": [(b"cookie", b"a=b"), (b"cookie", b'access_token_cookie="' + token + b'"')]
        },
        lambda token: {"query_string": b"a=b&jwt=" + token},
        lambda token: {
            "headers": [(b"cookie", b'access_token_cookie="' + token.replace(b"e", b"\\145") + b'"')]
        },
        lambda token: {
            "headers": [(b"cookie", b'access_token_cookie="' + token.replace(b".", b"\\.") + b'"')]
        },
        lambda token: {"query_string": b"jwt=" + token.replace(b".", b"%2E")},
        lambda token: {"query_string": b"%6a%77t=" + token},
        lambda token: {"query_string": b"a=b&" * 3000 + b"jwt=" + token},
        lambda token: {"query_string": b"jwt=" + token, "headers": [(b"authorization", b"Bearer a.b.c")]},
    ],
)
def test_a_token_is_looked_for_where_the_application_reads_it(tmp_path, request_of):
    bench = ObserveBench(tmp_path, hello, places=PLACES)
    pair = bench.issuer.issue("u1")
    asked = request_of(pair.access_token.encode())
    assert bench.run(**asked)[0]["status"] == 200
    bench.revoked.load([bench.issuer.revoke("jti", pair.access.jti, cause="operator")])
    assert bench.run(**asked)[0]["status"] == 401
    event, _ = bench.memory.events[-1]
    assert event.event_reason == "revoked_token"
    assert event.jwt_jti == pair.access.jti
    elsewhere = {"headers": [(b"x-other", pair.access_token.encode())], "query_string": b"jwtx=a"}
    assert bench.run(**elsewhere)[0]["status"] == 200  # not named, so not seen: the guide says so


def test_a_token_elsewhere_that_was_refused_gets_its_reason(tmp_path):
    bench = ObserveBench(tmp_path, denied, places=PLACES)
    bench.run(headers=[(b"x-access-token", b"eyJhbGciOiJub25lIn0.e30.c2ln")])
    assert bench.event.event_reason == "alg_none"
    assert bench.event.jwt_fingerprint


@pytest.mark.parametrize(
    "places", [("X-Token",), ("body:x",), ("header:a b",), ("header:",), ("query:x",) * (MAX_PLACES + 1)]
)
def test_what_is_no_place_of_a_token_is_refused(places):
    with pytest.raises(ConfigError, match="place"):
        HttpSettings(bad_token="observe", token_places=places)
    with pytest.raises(ConfigError, match="only while the application"):
        HttpSettings(token_places=PLACES)
