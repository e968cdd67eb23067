"""The rest of the attacks by advisory, and that every reason of a token can be reached."""

import hashlib
import hmac
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from test_tokens_reasons import CASES
from test_tokens_vectors_binding import proof_of
from test_tokens_vectors_binding import verdict as bound
from tokens_forge import NOW_S, SECRET, forge, good, text

from jwtrail.ecs import REASONS
from jwtrail.tokens.vectors import judge
from waiting import AT_ONCE_S, cost_s

KEY = {"kty": "oct", "k": text(SECRET)}
EC_KEY = ec.generate_private_key(ec.SECP256R1())
EC_JWK = {
    "kty": "EC", "crv": "P-256",
    "x": text(EC_KEY.public_key().public_numbers().x.to_bytes(32)),
    "y": text(EC_KEY.public_key().public_numbers().y.to_bytes(32)),
}  # fmt: skip


def verdict(token, **more):
    return judge({"token": token, "key": KEY, "alg_allowed": ["HS256"], "now": NOW_S, **more})


@pytest.mark.parametrize(
    "alg", ["none", "None", "nOnE", "NONE", " none", "none\t", "no\u200bne", "\uff4eone"]
)
def test_cve_2020_28042_none_with_and_without_a_signature(alg):
    for signature in (b"", b"x" * 32):
        assert verdict(forge({"alg": alg}, signature=signature)) == "alg_none"


@pytest.mark.parametrize(
    "spelling", [(Encoding.OpenSSH, PublicFormat.OpenSSH), (Encoding.X962, PublicFormat.CompressedPoint)]
)
def test_cve_2024_33663_and_cve_2022_29217_hmac_with_an_elliptic_public_key(spelling):
    token = forge({"alg": "HS256"}, secret=EC_KEY.public_key().public_bytes(*spelling))
    for allowed in (["HS256", "ES256"], ["ES256"]):
        assert verdict(token, key=EC_JWK, alg_allowed=allowed) == "alg_confusion"
        assert verdict(token, key={"keys": [EC_JWK]}, alg_allowed=allowed) == "alg_confusion"


def test_cve_2026_22817_hmac_with_a_key_of_a_set():
    public = rsa.generate_private_key(65537, 2048).public_key()
    n = public.public_numbers().n.to_bytes(256)
    jwk = {"kty": "RSA", "n": text(n), "e": "AQAB", "kid": "a"}
    for secret in (n, json.dumps(jwk).encode(), public.public_bytes(Encoding.PEM, PublicFormat.PKCS1)):
        token = forge({"alg": "HS256", "kid": "a"}, secret=secret)
        assert verdict(token, key={"keys": [jwk]}, alg_allowed=["HS256", "RS256"]) == "alg_confusion"


def test_cve_2026_27962_key_or_certificate_in_the_header():
    for name in ("jwk", "x5c"):
        assert verdict(forge({"alg": "HS256", name: [text(b"x")]})) == "header_key_injection"


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest", "file:///etc/passwd", "", None])
@pytest.mark.parametrize("name", ["jku", "x5u"])
def test_rfc_8725_section_3_10_keys_are_never_fetched(name, url):
    assert verdict(forge({"alg": "HS256", name: url})) == "header_url_injection"


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"crit": ["bork"], "bork": "x"}, "crit_unsupported"),
        ({"crit": ["x-custom-policy"], "x-custom-policy": "require-mfa"}, "crit_unsupported"),
        ({"crit": ["cnf"], "cnf": {"jkt": "x"}}, "crit_unsupported"),
        ({"crit": []}, "crit_malformed"),
        ({"crit": ["alg"]}, "crit_malformed"),
        ({"crit": ["absent"]}, "crit_malformed"),
        ({"crit": "bork", "bork": 1}, "crit_malformed"),
    ],
)
def test_cve_2025_59420_and_cve_2026_32597_critical_extensions(header, reason):
    assert verdict(forge({"alg": "HS256", **header})) == reason


def test_cve_2022_39227_polyglot():
    head, payload, signature = forge().split(".")
    evil = text(good(sub="admin"))
    polyglot = (
        f'{{"  {head}.{evil}.":"","protected":"{head}","payload":"{payload}","signature":"{signature}"}}'
    )
    assert verdict(polyglot) == "unsupported_serialization"
    assert verdict(f" \n{polyglot}") == "unsupported_serialization"
    assert verdict(f"{head}.{evil}.{{}}.{payload}.{signature}") == "encrypted_token_unexpected"


@pytest.mark.parametrize("levels", [33, 100, 1000, 7000])
def test_cve_2025_52999_nesting(levels):
    for deep in (b'{"a":' * levels + b"1" + b"}" * levels, b'{"a":' + b"[" * levels + b"]" * levels + b"}"):
        assert verdict(forge(deep)) == "json_too_deep"
        assert verdict(forge(None, deep)) == "json_too_deep"
    fine = b'{"a":' * 32 + b"1" + b"}" * 32
    assert verdict(forge(None, fine)) is None


@pytest.mark.parametrize(
    "number", [b"9" * 5000, b"-" + b"9" * 5000, b"1e999", b"NaN", b"Infinity", b"-Infinity"]
)
def test_cve_2020_10735_endless_and_impossible_numbers(number):
    for name in (b"exp", b"x"):
        token = forge(None, b'{"' + name + b'":' + number + b"}")
        assert verdict(token) == "claim_invalid"
        assert cost_s(lambda: verdict(token)) < AT_ONCE_S  # noqa: B023


def test_cve_2025_30204_many_dots():
    assert verdict("." * 100_000) == "token_too_large"
    assert verdict("." * 5000) == "malformed_segments"


@pytest.mark.parametrize("alg", ["dir", "RSA-OAEP", "PBES2-HS256+A128KW"])
def test_cve_2023_6681_and_cve_2024_28176_encrypted(alg):
    header = text({"alg": alg, "enc": "A256GCM", "zip": "DEF", "p2c": 2**31})
    assert verdict(f"{header}.a.b.c.d") == "encrypted_token_unexpected"
    assert verdict(f"{header}.a.b") == "alg_not_allowed"


def test_cve_2017_15361_and_the_rest_of_key_health():
    token = forge({"alg": "RS256"}, signature=b"x" * 256)
    roca = pow(65537, 128).to_bytes(257).lstrip(b"\0")
    jwk = {"kty": "RSA", "n": text(roca), "e": "AQAB"}
    assert verdict(token, key=jwk, alg_allowed=["RS256"]) == "key_compromised"


# One vector for each reason that a token alone cannot bring about.

BY_STATE = {
    "revoked_token": {"revoked_jti": "t1"},
    "revoked_session": {"revoked_sid": "f1"},
    "revoked_subject": {"revoked_before": NOW_S},
    "revoked_client": {"revoked_clients": ["web"]},
    "key_revoked": {"revoked_kid": "k1"},
    "token_replayed": {"single_use": True, "seen_jti": ["t1"]},
}
BY_KEY = {
    "jwks_unavailable": None,
    "key_empty": {"kty": "oct", "k": ""},
    "key_too_weak": {"kty": "oct", "k": text(b"rather short")},
    "key_weak_secret": {"kty": "oct", "k": text(b"secret")},
    "key_invalid": {"kty": "oct"},
    "key_use_mismatch": {**KEY, "use": "enc"},
    "key_ops_mismatch": {**KEY, "key_ops": ["encrypt"]},
    "key_set_ambiguous": {"keys": [{**KEY, "kid": "a"}] * 2},
    "key_set_mixed": {"keys": [KEY, EC_JWK]},
    "kid_missing": {"keys": [KEY, {**KEY, "kid": "b"}]},
    "alg_key_mismatch": {**KEY, "alg": "HS512", "k": text(SECRET * 2)},
    "alg_confusion": EC_JWK,
    "kid_unknown": {"keys": []},
}
BY_PROOF = {
    "binding_missing": (None, None),
    "binding_mismatch": (proof_of(ec.generate_private_key(ec.SECP256R1())), None),
    "dpop_invalid": ("x", None),
    "dpop_expired": (proof_of(iat=NOW_S - 999), None),
    "dpop_replayed": (proof_of(), {"seen_dpop_jti": ["p1"]}),
    "dpop_nonce_required": (proof_of(), {"dpop_nonce": "n"}),
}
ELSEWHERE = {
    "header_key_injection", "kid_injection", "signature_degenerate", "key_compromised",  # tests above and of attacks
    "refresh_reused",  # the issuer's
    "token_in_query", "multiple_credentials", "csrf_missing", "csrf_mismatch",  # the request's
    "scope_insufficient", "role_denied", "object_denied", "rate_limited",  # the application's
}  # fmt: skip


def test_every_reason_can_be_reached():
    token = forge({"alg": "HS256"}, good(fam="f1", client_id="web"))
    for reason, state in BY_STATE.items():
        assert verdict(token, state=state, key={**KEY, "kid": "k1"}) == reason
    for reason, key in BY_KEY.items():
        assert verdict(token, key=key) == reason
    for reason, (proof, state) in BY_PROOF.items():
        assert bound(proof, state=state) == reason
    reached = {*CASES, *BY_STATE, *BY_KEY, *BY_PROOF, *ELSEWHERE}
    assert reached == {code for code, reason in REASONS.items() if reason.klass != "sign_in"}


def test_rfc_7515_section_5_2_order_of_the_vocabulary():
    """A token with every flaw at once loses them one by one, in the order in which they are named."""
    flaws = [
        ("alg_none", {"alg": "none"}, {}),
        ("header_key_injection", {"jwk": {}}, {}),
        ("header_url_injection", {"jku": "x"}, {}),
        ("alg_not_allowed", {"alg": "HS384"}, {}),
        ("crit_unsupported", {"crit": ["x"], "x": 1}, {}),
        ("b64_unsupported", {"b64": False}, {}),
        ("typ_mismatch", {"typ": "x"}, {}),
        ("nested_token_unsupported", {"cty": "JWT"}, {}),
        ("kid_injection", {"kid": "../x"}, {}),
        ("claim_missing", {}, {"sub": ...}),
        ("claim_invalid", {}, {"nbf": "x"}),
        ("issuer_mismatch", {}, {"iss": "x"}),
        ("audience_mismatch", {}, {"aud": "x"}),
        ("expired", {}, {"exp": NOW_S - 999}),
    ]
    policy = {"issuer": good()["iss"], "audience": good()["aud"], "typ": ["at+jwt"], "required": ["sub"]}
    for number, (reason, _, _) in enumerate(flaws):
        header, claims = {"alg": "HS256", "typ": "at+jwt"}, {}
        for _, wrong_header, wrong_claims in reversed(flaws[number:]):
            header |= wrong_header
            claims |= wrong_claims
        signed = f"{text(header)}.{text(good(**claims))}"
        token = f"{signed}.{text(hmac.digest(SECRET, signed.encode(), hashlib.sha256))}"
        assert verdict(token, policy=policy) == reason
