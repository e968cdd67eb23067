"""Bound tokens through the middleware: what the client is told, and what the trail gets to know."""

import base64
import hashlib

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from test_middleware_asgi import Bench, hello

from jwtrail import clock
from jwtrail.errors import ConfigError
from jwtrail.middleware.bindings import Bindings
from jwtrail.middleware.settings import HttpSettings
from jwtrail.state.spent import SpentStore
from jwtrail.tokens.nonce import Nonces
from jwtrail.tokens.thumbprint import thumbprint

API = "http://api.example"
KEY = ec.generate_private_key(ec.SECP256R1())
JWK = jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
CERTIFICATE = hashlib.sha256(b"certificate").digest()


class BoundBench(Bench):
    """Issues tokens that are bound, and proofs for them."""

    def __init__(self, tmp_path, app=hello, *, nonces=None, **settings):
        settings = {"public_url": API, **settings}
        super().__init__(tmp_path, app, **settings)
        self.ring.ensure()
        if nonces is not None:
            spent = SpentStore(tmp_path / "spent.db")
            self.middleware._frame.gate._bindings = Bindings(spent, HttpSettings(**settings), nonces=nonces)

    def token(self, cnf):
        now = clock.now_us() // 1_000_000
        key = self.ring.signing_key()
        claims = {
            "iss": "jwtrail", "aud": "api", "sub": "u1", "jti": "t1", "iat": now, "exp": now + 60, "cnf": cnf, "client_id": "c",
        }  # fmt: skip
        return jwt.encode(claims, key.private, key.alg, {"typ": "at+jwt", "kid": key.kid})

    def ask(self, token, *proofs, auth="DPoP", host="api.example", more=(), **scope):
        headers = [(b"host", host.encode()), (b"authorization", f"{auth} {token}".encode())]
        self.memory.events.clear()
        sent = self.run(headers=(*headers, *((b"dpop", p.encode()) for p in proofs), *more), **scope)
        answer = {name.decode(): value.decode() for name, value in sent[0].get("headers", ())}
        return sent[0]["status"], answer, self.event


def proof(token, key=KEY, **changes):
    ath = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()
    claims = {
        "htm": "GET",
        "htu": "http://api.example/x",
        "iat": clock.now_us() // 1_000_000,
        "jti": "p1",
        "ath": ath,
    }
    jwk = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return jwt.encode(claims | changes, key, "ES256", {"typ": "dpop+jwt", "jwk": jwk})


BOUND = {"jkt": thumbprint(JWK)}


def test_a_bound_token_with_its_proof_is_served_and_told_of(tmp_path):
    bench = BoundBench(tmp_path)
    token = bench.token(BOUND)
    status, _, event = bench.ask(token, proof(token))
    assert (status, event.jwt_proof, event.jwt_cnf, event.user_id) == (200, "p1", BOUND["jkt"], "u1")


def test_the_same_proof_again_is_a_replay(tmp_path):
    bench = BoundBench(tmp_path)
    token = bench.token(BOUND)
    shown = proof(token)
    bench.ask(token, shown)
    status, answer, event = bench.ask(token, shown)
    assert (status, event.event_reason, event.jwt_proof) == (401, "dpop_replayed", "p1")
    assert answer["www-authenticate"].startswith('DPoP error="invalid_dpop_proof", algs="ES256 ')


def test_a_stolen_token_is_refused_with_its_owner_in_the_trail(tmp_path):
    bench = BoundBench(tmp_path)
    token = bench.token(BOUND)
    thief = ec.generate_private_key(ec.SECP256R1())
    status, answer, event = bench.ask(token, proof(token, thief))
    assert (status, event.event_reason, event.user_id, event.jwt_jti) == (401, "binding_mismatch", "u1", "t1")
    assert event.jwt_cnf == BOUND["jkt"]
    assert 'error="invalid_token"' in answer["www-authenticate"]
    for scheme in ("Bearer", "DPoP"):
        status, answer, event = bench.ask(token, auth=scheme)
        assert (status, event.event_reason) == (401, "binding_missing")
        assert answer["www-authenticate"].startswith("DPoP ")


def test_a_plain_token_needs_no_proof_and_cannot_use_one(tmp_path):
    bench = BoundBench(tmp_path)
    token = bench.issuer.issue("u1").access_token
    assert bench.ask(token, auth="Bearer")[0] == 200
    status, _, event = bench.ask(token, proof(token))
    assert (status, event.event_reason) == (401, "binding_mismatch")


def test_the_nonce_dance(tmp_path):
    now = [clock.now_us()]
    bench = BoundBench(tmp_path, nonces=Nonces(b"s" * 32, clock=lambda: now[0]))
    token = bench.token(BOUND)
    status, answer, event = bench.ask(token, proof(token))
    assert (status, event.event_reason) == (401, "dpop_nonce_required")
    assert 'error="use_dpop_nonce"' in answer["www-authenticate"]
    nonce = answer["dpop-nonce"]
    status, answer, _ = bench.ask(token, proof(token, nonce=nonce))
    assert (status, "dpop-nonce" in answer) == (200, False)
    now[0] += 200_000_000  # past half of its life: a new one comes along with the answer
    status, answer, _ = bench.ask(token, proof(token, nonce=nonce, jti="p2"))
    assert status == 200
    assert answer["dpop-nonce"] != nonce


@pytest.mark.parametrize(
    ("settings", "scope", "host", "htu"),
    [
        ({"public_url": "https://shop.example/v1/"}, {}, "any.example", "https://shop.example/v1/x"),
        ({"public_url": API}, {"raw_path": b"/a%20b?c=d", "path": "/a b"}, "", f"{API}/a%20b"),
        ({"public_url": API}, {"raw_path": b"http://any.example/x?c=d", "path": "/x"}, "", f"{API}/x"),
        # without it: what the server listens at
        ({}, {"server": ("127.0.0.1", 8000)}, "127.0.0.1:8000", "http://127.0.0.1:8000/x"),
        ({}, {"server": ("127.0.0.1", 8000)}, "LOCALHOST:8000", "http://localhost:8000/x"),
        ({}, {"server": ("::1", 8000)}, "localhost:8000", "http://localhost:8000/x"),
        ({}, {"server": ("10.0.0.7", 443), "scheme": "https"}, "10.0.0.7", "https://10.0.0.7/x"),
        ({}, {"server": ("fd00::7", 443), "scheme": "https"}, "[fd00::7]", "https://[fd00::7]/x"),
    ],
)
def test_a_proof_is_made_for_the_url_where_clients_reach_us(tmp_path, settings, scope, host, htu):
    bench = BoundBench(tmp_path, **{"public_url": "", **settings})
    token = bench.token(BOUND)
    assert bench.ask(token, proof(token, htu=htu), host=host, **scope)[0] == 200
    evil = proof(token, htu="http://evil.example/x", jti="p2")
    assert bench.ask(token, evil, host=host, **scope)[2].event_reason == "dpop_invalid"


@pytest.mark.parametrize("target", [".evil.example/x", "@evil.example/x", ":8443/x", "evil.example/x"])
def test_a_request_target_does_not_go_on_with_our_host(tmp_path, target):
    bench = BoundBench(tmp_path, public_url=API)
    token = bench.token(BOUND)
    scope = {"raw_path": target.encode(), "path": target}
    event = bench.ask(token, proof(token, htu=API + target), **scope)[2]
    assert event.event_reason == "dpop_invalid"


@pytest.mark.parametrize(
    ("settings", "scope", "host"),
    [
        ({}, {"server": ("10.0.0.7", 80)}, "evil.example"),
        ({}, {"server": ("127.0.0.1", 8000)}, "localhost:9999"),
        ({}, {"server": ("127.0.0.1", 80)}, "127.0.0.1.evil.example"),
        ({}, {"server": ("/run/api.sock", None)}, "evil.example"),
        ({}, {}, "evil.example"),
        ({}, {"server": ("10.0.0.7", 80)}, ""),
        ({"trusted_proxies": ("192.0.2.0/24",)}, {"server": ("10.0.0.7", 80)}, "10.0.0.7"),
        ({"public_url": API}, {"server": ("10.0.0.7", 80)}, "evil.example"),
    ],
)
def test_a_proof_for_another_server_does_not_count_whatever_the_client_calls_us(
    tmp_path, settings, scope, host
):
    """Who was given a proof by a client of his own server sends it here with his own server's name."""
    bench = BoundBench(tmp_path, **{"public_url": "", **settings})
    token = bench.token(BOUND)
    evil = host if host not in ("", "10.0.0.7") else "evil.example"
    more = (
        (b"x-forwarded-proto", b"http"),
        (b"x-forwarded-host", evil.encode()),
        (b"forwarded", b"host=" + evil.encode()),
    )
    shown = proof(token, htu=f"http://{evil}/x")
    assert bench.ask(token, shown, host=host, more=more, **scope)[2].event_reason == "dpop_invalid"


def test_a_certificate_counts_only_from_a_trusted_proxy(tmp_path):
    bound = {"x5t#S256": base64.urlsafe_b64encode(CERTIFICATE).rstrip(b"=").decode()}
    header = (b"x-cert", CERTIFICATE.hex().encode())
    other = (b"x-cert", b"00" * 32)
    bench = BoundBench(tmp_path, trusted_proxies=("192.0.2.1",), client_cert_header="X-Cert")
    token = bench.token(bound)
    assert bench.ask(token, auth="Bearer", more=(header,))[0] == 200
    assert bench.ask(token, auth="Bearer")[2].event_reason == "binding_missing"
    assert bench.ask(token, auth="Bearer", more=(other,))[2].event_reason == "binding_mismatch"
    assert bench.ask(token, auth="Bearer", more=(header, other))[2].event_reason == "binding_missing"
    stranger = {"client": ("198.51.100.1", 1)}
    assert bench.ask(token, auth="Bearer", more=(header,), **stranger)[2].event_reason == "binding_missing"


def test_when_replay_cannot_be_told_nobody_is_let_in(tmp_path):
    bench = BoundBench(tmp_path)
    token = bench.token(BOUND)
    bench.middleware._frame.gate._bindings._spent.close()
    status, _, event = bench.ask(token, proof(token))
    assert (status, event.error_type) == (503, "StateError")


def test_a_websocket_asks_for_the_proof_too(tmp_path):
    bench = BoundBench(tmp_path)
    token = bench.token(BOUND)
    headers = ((b"host", b"api.example"), (b"authorization", b"DPoP " + token.encode()))
    assert bench.run("websocket", headers=headers, scheme="ws")[0]["type"] == "websocket.close"
    assert bench.event.event_reason == "binding_missing"


@pytest.mark.parametrize(
    "settings", [{"client_cert_header": "X-Cert"}, {"public_url": "shop"}, {"dpop_max_age_s": 1}]
)
def test_settings_that_would_be_a_hole_are_refused(settings):
    with pytest.raises(ConfigError):
        HttpSettings(**settings)
