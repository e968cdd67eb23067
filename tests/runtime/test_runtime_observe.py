"""Applications that keep their own token library: the trail knows who, and why not."""

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from jwtrail import clock
from jwtrail.asgi import Trail
from jwtrail.ecs import decode_line
from jwtrail.state import Revocation, StateStore
from jwtrail.tokens import KeySet, VerifyPolicy, load_secret
from waiting import until

SECRET = "9f2c1e7ab4d8036f5e1a92c7d4b80f63"


def with_pyjwt(token):
    jwt = pytest.importorskip("jwt")
    try:
        return jwt.decode(token, SECRET, ["HS256"])
    except jwt.PyJWTError:
        return None


def with_joserfc(token):
    jwt, jwk = pytest.importorskip("joserfc.jwt"), pytest.importorskip("joserfc.jwk")
    from joserfc.errors import JoseError

    try:
        decoded = jwt.decode(token, jwk.OctKey.import_key(SECRET), ["HS256"])
        jwt.JWTClaimsRegistry().validate(decoded.claims)
    except (JoseError, ValueError):
        return None
    return decoded.claims


def with_authlib(token):
    jose = pytest.importorskip("authlib.jose")
    from authlib.jose.errors import JoseError

    try:
        claims = jose.jwt.decode(token, SECRET)
        claims.validate()
    except (JoseError, ValueError):
        return None
    return claims


def made(**changes):
    import jwt

    now = clock.now_us() // 1_000_000
    return jwt.encode({"sub": "u1", "jti": "j1", "exp": now + 60, **changes}, SECRET, "HS256")


@pytest.mark.parametrize("decode", [with_pyjwt, with_joserfc, with_authlib])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_librarys_word_and_our_reason(tmp_path: Path, decode):
    pytest.importorskip(
        {"with_pyjwt": "jwt", "with_joserfc": "joserfc", "with_authlib": "authlib"}[decode.__name__]
    )
    trail = Trail(data=str(tmp_path / "data"), **{"http.bad_token": "observe"})

    async def me(request):
        claims = decode(request.headers["authorization"].removeprefix("Bearer "))
        if claims is None:
            return PlainTextResponse("no", 401)
        trail.seen(claims)
        return PlainTextResponse(claims["sub"])

    keys = KeySet(load_secret(SECRET.encode(), "HS256"))
    app = trail.wrap(Starlette(routes=[Route("/me", me)]), verifier=trail.verifier(VerifyPolicy(), keys))
    good, old = made(), made(exp=int(clock.now_us() / 1e6) - 600)
    with TestClient(app) as client:
        for token, status in ((good, 200), (old, 401), (good[:-4] + "AAAA", 401)):
            answer = client.get("/me", headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == status
    logs = (tmp_path / "data" / "wal").rglob("*.ndjson")
    lines = [line for log in logs for line in log.read_bytes().splitlines() if b'"http-request"' in line]
    events = [decode_line(line) for line in lines]
    assert [event.user_id for event in events] == ["u1", "u1", None]
    assert [event.event_reason for event in events] == [None, "expired", "signature_invalid"]
    assert events[2].jwt_unverified_sub == "u1"
    assert all(good not in str(event) for event in events)


def test_a_token_revoked_here_is_stopped_before_the_application_sees_it(tmp_path: Path):
    """The application has no list of revoked tokens of its own; the detector's answers hold all the same."""
    trail = Trail(data=str(tmp_path / "data"), **{"http.bad_token": "observe"})
    served = []

    async def me(request):
        claims = with_pyjwt(request.headers["authorization"].removeprefix("Bearer "))
        served.append(claims["jti"])
        trail.seen(claims)
        return PlainTextResponse("yes")

    keys = KeySet(load_secret(SECRET.encode(), "HS256"))
    app = trail.wrap(Starlette(routes=[Route("/me", me)]), verifier=trail.verifier(VerifyPolicy(), keys))
    with TestClient(app) as client:

        def status(jti):
            return client.get("/me", headers={"Authorization": f"Bearer {made(jti=jti)}"}).status_code

        assert status("j1") == 200
        now = clock.now_us()
        with StateStore(tmp_path / "data" / "state.db") as other:
            other.revoke(
                Revocation(kind="jti", value="j1", at_us=now, until_us=now + 60_000_000, cause="operator")
            )
        until(lambda: status("j1") == 401)
        served.clear()
        assert status("j1") == 401
        assert status("j2") == 200
    assert served == ["j2"]
