"""Tokens that are issued to a key or a certificate, through the door and the token routes (RFC 9449 section 5, RFC 8705)."""

from base64 import b64encode
from hashlib import sha256
from itertools import count
from typing import Annotated

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import Depends, FastAPI
from flask import Flask
from starlette.testclient import TestClient

from jwtrail import clock
from jwtrail.ecs import decode_line
from jwtrail.errors import TokenError
from jwtrail.fastapi import Binding, Claims, JWTrail
from jwtrail.flask import JWTrail as FlaskTrail
from jwtrail.tokens import RefreshError
from jwtrail.tokens.base64url import encode
from jwtrail.tokens.thumbprint import thumbprint

KEY, OTHER = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
IDS = count()


def jwk(key):
    return jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)


def proof(path, method="POST", key=KEY, **more):
    claims = {"htm": method, "htu": f"http://testserver{path}", "iat": clock.now_us() // 1_000_000, "jti": f"p{next(IDS)}"}  # fmt: skip
    return jwt.encode(claims | more, key, "ES256", {"typ": "dpop+jwt", "jwk": jwk(key)})


def ath(token):
    return encode(sha256(token.encode()).digest())


@pytest.fixture
def door(tmp_path):
    """A client of an API whose sign-in binds tokens to whatever the client shows."""

    def opened(**settings):
        app = FastAPI()
        trail = JWTrail(app, data=str(tmp_path / "data"), **settings)

        @app.post("/login")
        def login():
            return trail.issue("u1", binding=trail.proven())

        @app.post("/keyed/login")
        def keyed():
            return trail.issue("u1", binding=trail.proven(required=True))

        @app.get("/me")
        def me(who: Annotated[Claims, Depends(trail.require())]) -> str:
            return who.binding.jkt

        app.include_router(trail.router())
        client = TestClient(app)
        opened.trail = trail
        return client

    yield opened
    opened.trail.close()


def test_a_sign_in_with_a_proof_gives_tokens_for_its_key_alone(door, tmp_path):
    with door() as client:
        pair = client.post("/login", headers={"DPoP": proof("/login")}).json()
        token, jkt = pair["access_token"], thumbprint(jwk(KEY))
        assert pair["token_type"] == "DPoP"
        shown = proof("/me", "GET", ath=ath(token))
        assert client.get("/me", headers={"Authorization": f"DPoP {token}", "DPoP": shown}).json() == jkt
        assert client.get("/me", headers={"Authorization": f"Bearer {token}"}).status_code == 401

        # The refresh token is bound as well: stolen, it is worth nothing, and the owner keeps the sign-in.
        form = {"refresh_token": pair["refresh_token"]}
        for headers in ({}, {"DPoP": proof("/token/refresh", key=OTHER)}):
            answer = client.post("/token/refresh", data=form, headers=headers)
            assert (answer.status_code, answer.json()) == (400, {"error": "invalid_grant"})
        answer = client.post("/token/refresh", data=form, headers={"DPoP": proof("/token/refresh")})
        assert (answer.status_code, answer.json()["token_type"]) == (200, "DPoP")
        for name in ("access_token", "refresh_token"):
            claims = jwt.decode(answer.json()[name], options={"verify_signature": False})
            assert claims["cnf"] == {"jkt": jkt}
    lines = b"".join(path.read_bytes() for path in (tmp_path / "data/wal").rglob("*.ndjson")).splitlines()
    events = [decode_line(line) for line in lines if b'"event.id"' in line]
    told = [event.event_reason for event in events if event.event_action == "token-refreshed"]
    assert told == ["binding_missing", "binding_mismatch", None]


def refused(answer, error):
    """RFC 6749 section 5.2, RFC 9449 sections 5, 7.1 and 8."""
    assert (answer.status_code, answer.json()) == (400, {"error": error})
    assert answer.headers["WWW-Authenticate"].startswith(f'DPoP error="{error}", algs="ES256 ')
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_sign_in_that_asks_for_a_key_tells_a_client_without_one(door, tmp_path):
    with door() as client:
        refused(client.post("/keyed/login"), "invalid_dpop_proof")
        refused(client.post("/keyed/login", headers={"DPoP": "junk"}), "invalid_dpop_proof")
        pair = client.post("/keyed/login", headers={"DPoP": proof("/keyed/login")}).json()
        assert pair["token_type"] == "DPoP"
        refused(
            client.post(
                "/token/refresh", headers={"DPoP": "junk"}, data={"refresh_token": pair["refresh_token"]}
            ),
            "invalid_dpop_proof",
        )
    lines = b"".join(path.read_bytes() for path in (tmp_path / "data/wal").rglob("*.ndjson")).splitlines()
    events = [decode_line(line) for line in lines if b'"event.id"' in line]
    told = [event.event_reason for event in events if event.url_path == "/keyed/login"]
    assert told == ["binding_missing", "dpop_invalid", None]


@pytest.mark.parametrize(
    ("made", "error"),
    [
        (lambda: proof("/other"), "invalid_dpop_proof"),
        (lambda: proof("/login", "GET"), "invalid_dpop_proof"),
        (lambda: proof("/login", iat=1), "invalid_dpop_proof"),
        (lambda: "junk", "invalid_dpop_proof"),
    ],
)
def test_a_proof_that_does_not_count_gets_no_tokens(door, made, error):
    with door() as client:
        answer = client.post("/login", headers={"DPoP": made()})
        refused(answer, error)


def test_a_proof_counts_once_and_not_twice_at_a_time(door):
    with door() as client:
        once = proof("/login")
        assert client.post("/login", headers={"DPoP": once}).status_code == 200
        assert client.post("/login", headers={"DPoP": once}).status_code == 400
        both = [("DPoP", proof("/login")), ("DPoP", proof("/login"))]
        assert client.post("/login", headers=both).status_code == 400


def test_the_token_endpoint_asks_for_a_nonce_and_takes_its_own(door):
    with door(**{"http.dpop_nonce": True}) as client:
        answer = client.post("/login", headers={"DPoP": proof("/login")})
        refused(answer, "use_dpop_nonce")
        nonce = answer.headers["DPoP-Nonce"]
        pair = client.post("/login", headers={"DPoP": proof("/login", nonce=nonce)}).json()
        form = {"refresh_token": pair["refresh_token"]}
        answer = client.post("/token/refresh", data=form, headers={"DPoP": proof("/token/refresh")})
        refused(answer, "use_dpop_nonce")
        assert answer.headers["DPoP-Nonce"]
        headers = {"DPoP": proof("/token/refresh", nonce=nonce)}
        assert client.post("/token/refresh", data=form, headers=headers).json()["token_type"] == "DPoP"


def test_without_a_proof_tokens_are_bearer_tokens_and_may_be_exchanged_for_a_bound_one(door):
    with door() as client:
        pair = client.post("/login").json()
        assert pair["token_type"] == "Bearer"
        form = {"refresh_token": pair["refresh_token"]}
        answer = client.post("/token/refresh", data=form, headers={"DPoP": proof("/token/refresh")}).json()
        assert answer["token_type"] == "DPoP"
        assert "cnf" not in jwt.decode(answer["refresh_token"], options={"verify_signature": False})


def test_a_certificate_that_a_trusted_proxy_tells_of_binds(door):
    settings = {"http.trusted_proxies": ["127.0.0.0/8"], "http.client_cert_header": "Client-Cert"}
    with door(**settings) as client:
        proxied = TestClient(client.app, client=("127.0.0.1", 1))
        der = b"0\x82 any certificate"
        headers = {"Client-Cert": f":{b64encode(der).decode()}:", "X-Forwarded-For": "198.51.100.7"}
        pair = proxied.post("/login", headers=headers).json()
        claims = jwt.decode(pair["access_token"], options={"verify_signature": False})
        assert (claims["cnf"], pair["token_type"]) == ({"x5t#S256": encode(sha256(der).digest())}, "Bearer")
        auth = {"Authorization": f"Bearer {pair['access_token']}"}
        assert proxied.get("/me", headers=auth | headers).status_code == 200
        assert proxied.get("/me", headers=auth).status_code == 401


def test_what_is_bound_twice_stays_so_and_is_exchanged_with_both(shop):
    held = Binding(jkt="k" * 43, x5t="c" * 43)
    pair = shop.issuer.issue("u1", binding=held)
    assert pair.access.binding == pair.refresh.binding == held
    for shown, reason in (
        (Binding(), "binding_missing"),
        (Binding(jkt="k" * 43), "binding_missing"),
        (Binding(jkt="k" * 43, x5t="d" * 43), "binding_mismatch"),
        (Binding(jkt="d" * 43, x5t="c" * 43), "binding_mismatch"),
    ):
        with pytest.raises(RefreshError) as error:
            shop.issuer.refresh(pair.refresh_token, shown=shown)
        assert error.value.reason == reason
    again = shop.issuer.refresh(pair.refresh_token, shown=held)
    assert again.access.binding == again.refresh.binding == held
    assert again.token_type == "DPoP"
    assert shop.issuer.issue("u1", binding=Binding(x5t="c" * 43)).token_type == "Bearer"


@pytest.mark.parametrize("binding", [Binding(jkt="short"), Binding(x5t="=" * 43)])
def test_what_is_no_thumbprint_binds_nothing(shop, binding):
    with pytest.raises(TokenError, match="no thumbprint"):
        shop.issuer.issue("u1", binding=binding)


def test_flask_answers_the_same(tmp_path):
    app = Flask("shop")
    trail = FlaskTrail(app, data=str(tmp_path / "data"), **{"http.public_url": "http://testserver"})

    @app.post("/login")
    def login():
        return trail.issue("u1", binding=trail.proven(required=True))

    client = app.test_client()
    for headers in ({}, {"DPoP": "junk"}):
        answer = client.post("/login", headers=headers)
        assert (answer.status_code, answer.get_json()) == (400, {"error": "invalid_dpop_proof"})
        assert answer.headers["WWW-Authenticate"].startswith('DPoP error="invalid_dpop_proof", algs="ES256 ')
    assert client.post("/login", headers={"DPoP": proof("/login")}).get_json()["token_type"] == "DPoP"
    trail.close()
