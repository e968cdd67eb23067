"""Test vectors of tokens that are bound to a key (RFC 9449) or a certificate (RFC 8705)."""

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from tokens_forge import NOW_S, SECRET, forge, good, text

from jwtrail.tokens.thumbprint import thumbprint
from jwtrail.tokens.vectors import judge

URL = "https://api.example/orders?page=2"
OWNER, THIEF = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))


def jwk_of(private):
    numbers = private.public_key().public_numbers()
    return {"kty": "EC", "crv": "P-256", "x": text(numbers.x.to_bytes(32)), "y": text(numbers.y.to_bytes(32))}


TOKEN = forge(None, good(cnf={"jkt": thumbprint(jwk_of(OWNER))}))


def proof_of(private=OWNER, header=None, **claims):
    about = {
        "jti": "p1", "htm": "GET", "htu": "https://api.example/orders", "iat": NOW_S,
        "ath": text(hashlib.sha256(TOKEN.encode()).digest()), **claims,
    }  # fmt: skip
    head = {"alg": "ES256", "typ": "dpop+jwt", "jwk": jwk_of(private), **(header or {})}
    signed = f"{text(head)}.{text({k: v for k, v in about.items() if v is not ...})}"
    r, s = decode_dss_signature(private.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{text(r.to_bytes(32) + s.to_bytes(32))}"


def verdict(dpop, token=TOKEN, state=None, **request):
    asked = {"method": "GET", "url": URL, "scheme": "DPoP", **request}
    return judge(
        {
            "layer": "jwt", "token": token, "key": {"kty": "oct", "k": text(SECRET)}, "alg_allowed": ["HS256"],
            "policy": None, "now": NOW_S, "state": state, "request": asked, "dpop": dpop,
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("proof", "reason"),
    [
        (proof_of(), None),
        (None, "binding_missing"),
        (proof_of(THIEF), "binding_mismatch"),
        (proof_of(header={"typ": "JWT"}), "dpop_invalid"),
        (proof_of(header={"jwk": {**jwk_of(OWNER), "d": "AA"}}), "dpop_invalid"),
        (proof_of(header={"alg": "none"}), "dpop_invalid"),
        (proof_of(htm="POST"), "dpop_invalid"),
        (proof_of(htu="https://evil.example/orders"), "dpop_invalid"),
        (proof_of(htu="HTTPS://API.EXAMPLE:443/orders#x"), None),
        (proof_of(ath=...), "dpop_invalid"),
        (proof_of(ath="x"), "dpop_invalid"),
        (proof_of(jti=...), "dpop_invalid"),
        (proof_of(iat=NOW_S - 3600), "dpop_expired"),
        (proof_of(iat=NOW_S + 3600), "dpop_invalid"),
        (proof_of()[:-4] + "AAAA", "dpop_invalid"),
        ("x", "dpop_invalid"),
        ([proof_of(), proof_of()], "dpop_invalid"),
    ],
)
def test_rfc_9449_proofs(proof, reason):
    assert verdict(proof) == reason


def test_rfc_9449_state():
    assert verdict(proof_of(), state={"seen_dpop_jti": ["p1"]}) == "dpop_replayed"
    assert verdict(proof_of(), state={"seen_dpop_jti": ["p2"]}) is None
    assert verdict(proof_of(), state={"dpop_nonce": "n"}) == "dpop_nonce_required"
    assert verdict(proof_of(nonce="n"), state={"dpop_nonce": "n"}) is None
    assert verdict(proof_of(nonce="m"), state={"dpop_nonce": "n"}) == "dpop_nonce_required"


def test_rfc_9449_section_7_a_bound_token_is_no_bearer_token_nor_the_other_way_round():
    assert verdict(proof_of(), scheme="Bearer") == "binding_missing"
    assert verdict(proof_of(), scheme="https") is None  # the scheme of a URL says nothing
    plain = forge()
    assert verdict(None, plain, scheme="Bearer") is None
    assert verdict(None, plain, scheme="DPoP") == "binding_missing"


HASH = hashlib.sha256(b"certificate")


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        (text(HASH.digest()), None),
        (HASH.hexdigest(), None),
        (HASH.digest().hex(":").upper(), None),
        (base64.b64encode(HASH.digest()).decode(), None),
        (text(bytes(32)), "binding_mismatch"),
        (None, "binding_missing"),
    ],
)
@pytest.mark.parametrize("name", ["client_cert_sha256", "x5t#S256", "client_certificate_hash"])
def test_rfc_8705_certificates(shown, reason, name):
    token = forge(None, good(cnf={"x5t#S256": text(HASH.digest())}))
    assert verdict(None, token, scheme="Bearer", **{name: shown}) == reason
    assert verdict(None, token, scheme="Bearer", **{name: shown and {"x5t#S256": shown}}) == reason


def test_a_bound_token_without_any_request_is_not_taken():
    vector = {"token": TOKEN, "key": {"kty": "oct", "k": text(SECRET)}, "now": NOW_S}
    assert judge(vector) == "binding_missing"
    assert judge({**vector, "token": forge(None, good(cnf={"kid": "x"}))}) is None  # RFC 7800 section 3.1
    assert judge({**vector, "token": forge(None, good(cnf="x"))}) == "claim_invalid"
