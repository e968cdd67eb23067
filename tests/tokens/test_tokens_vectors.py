"""Test vectors: the examples of the standards, and what each part of a vector does to the verdict."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa
from tokens_forge import AUDIENCE, ISSUER, NOW_S, SECRET, forge, good, text

from jwtrail.tokens.jwks import MAX_SET
from jwtrail.tokens.vectors import MAX_JWS_BYTES, judge

VECTORS = Path(__file__).parents[1] / "vectors"
EXAMPLES = [json.loads(line) for line in (VECTORS / "tokens_rfc.ndjson").read_text().splitlines()]
CASES = [
    json.loads(line)
    for name in ("tokens_cases", "tokens_corners")
    for line in (VECTORS / f"{name}.ndjson").read_text().splitlines()
]
"""One fault each, and several where the order of the checks decides; `reason` was written down before they were judged."""
KEY = {"kty": "oct", "k": text(SECRET)}
POLICY = {"issuer": ISSUER, "audience": AUDIENCE, "typ": ["at+jwt"], "required": ["exp", "sub"], "leeway": 30}


def verdict(token, **more):
    vector = {
        "layer": "jwt",
        "token": token,
        "key": KEY,
        "alg_allowed": ["HS256"],
        "policy": POLICY,
        "now": NOW_S,
    }
    return judge({**vector, **more})


@pytest.mark.parametrize("vector", CASES, ids=lambda vector: vector["id"])
def test_a_case_has_the_reason_that_stands_beside_it(vector):
    assert judge(vector) == vector["reason"]


@pytest.mark.parametrize("vector", EXAMPLES, ids=lambda vector: vector["id"])
def test_examples_of_the_standards(vector):
    assert judge(vector) == vector["reason"]


def test_what_a_policy_leaves_out_is_not_checked():
    stranger = forge({"alg": "HS256"}, {"iss": "x", "aud": "y"})
    nothing = dict.fromkeys(("issuer", "audience", "typ", "required", "max_lifetime", "token_use"))
    for policy in (None, {}, nothing):
        assert verdict(stranger, policy=policy) is None
    assert verdict(stranger) == "typ_mismatch"


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        ({"issuer": "x"}, "issuer_mismatch"),
        ({"audience": ["x", AUDIENCE]}, None),
        ({"audience": "x"}, "audience_mismatch"),
        ({"typ": "JWT"}, "typ_mismatch"),
        ({"typ": ["application/AT+JWT"]}, None),
        ({"required": ["nonce"]}, "claim_missing"),
        ({"leeway": 0}, None),
        ({"max_token_bytes": 100}, "token_too_large"),
        ({"max_lifetime": 659}, "lifetime_too_long"),
        ({"max_lifetime": 660}, None),
        ({"token_use": "access"}, None),
        ({"token_use": "id"}, "token_use_mismatch"),
    ],
)
def test_each_part_of_a_policy(policy, reason):
    assert verdict(forge(), policy={**POLICY, **policy}) == reason


def test_a_token_that_never_ends_lives_too_long():
    assert verdict(forge(None, good(exp=...)), policy={"max_lifetime": 86_400}) == "lifetime_too_long"


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"token_use": "reset"}, "token_use_mismatch"),
        ({"token_use": "access_token"}, None),
        ({"token_type": "Bearer"}, None),
        ({"type": "employee"}, None),
        ({"typ": "Offline"}, "token_use_mismatch"),
        ({"typ": "ID"}, "token_use_mismatch"),
    ],
)
def test_how_issuers_mark_what_a_token_is_for(claims, reason):
    token = forge({"alg": "HS256"}, good(**claims))
    assert verdict(token, policy={"token_use": "access"}) == reason


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({"revoked_jti": ["t1"]}, "revoked_token"),
        ({"revoked_jti": "t2"}, None),
        ({"revoked_before": {"u1": NOW_S - 59}}, "revoked_subject"),
        ({"revoked_before": {"u1": NOW_S - 60}}, None),
        ({"revoked_before": {"u2": NOW_S}}, None),
        ({"revoked_before": NOW_S}, "revoked_subject"),
        ({"revoked_clients": ["web"]}, "revoked_client"),
        ({"revoked_sid": ["s1"]}, "revoked_session"),
        ({"revoked_kid": ["k1"]}, "key_revoked"),
        ({"single_use": True, "seen_jti": ["t1"]}, "token_replayed"),
        ({"single_use": True, "seen_jti": []}, None),
        ({"single_use": False, "seen_jti": ["t1"]}, None),
        (None, None),
    ],
)
def test_each_part_of_a_state(state, reason):
    token = forge(None, good(azp="web", sid="s1"))
    assert verdict(token, key={**KEY, "kid": "k1"}, state=state) == reason


def test_a_session_that_is_named_twice():
    token = forge(None, good(fam="f1", sid="s1"))
    for name in ("f1", "s1"):
        assert verdict(token, state={"revoked_sid": [name]}) == "revoked_session"


def test_a_token_for_one_use_must_have_an_id():
    assert verdict(forge(None, good(jti=...)), state={"single_use": True}) == "claim_missing"


# keys


def jwk_of(public, **more):
    numbers = public.public_numbers()
    size = (public.curve.key_size + 7) // 8 if isinstance(public, ec.EllipticCurvePublicKey) else 0
    if size:
        crv = {32: "P-256", 48: "P-384", 66: "P-521"}[size]
        return {
            "kty": "EC",
            "crv": crv,
            "x": text(numbers.x.to_bytes(size)),
            "y": text(numbers.y.to_bytes(size)),
            **more,
        }
    return {
        "kty": "RSA",
        "n": text(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8)),
        "e": "AQAB",
        **more,
    }


def rsa_n(n, e="AQAB"):
    return {"kty": "RSA", "n": text(n.to_bytes((n.bit_length() + 7) // 8)), "e": e}


@pytest.fixture(scope="module")
def public():
    return rsa.generate_private_key(65537, 2048).public_key()


N_2048 = (1 << 2047) + 1


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (None, "jwks_unavailable"),
        ("", "key_invalid"),
        ([], "key_invalid"),
        ({}, "key_invalid"),
        ({"keys": None}, "key_invalid"),
        ({"keys": []}, "kid_unknown"),
        ({"keys": [KEY] * (MAX_SET + 1)}, "key_invalid"),
        ({"kty": "oct", "k": ""}, "key_empty"),
        ({"kty": "oct", "k": text(b"short-but-not-published")}, "key_too_weak"),
        ({"kty": "oct", "k": text(b"your-256-bit-secret")}, "key_weak_secret"),
        ({"kty": "oct", "k": text(b"09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7")}, "key_weak_secret"),
        ({"kty": "oct", "k": text(b"\0" * 32)}, "key_weak_secret"),
        ({"kty": "oct", "k": "AA=="}, "key_invalid"),
        ({"kty": "oct", "k": 5}, "key_invalid"),
        ({"kty": "what"}, "key_invalid"),
        ({**KEY, "use": "enc"}, "key_use_mismatch"),
        ({**KEY, "use": "sig"}, None),
        ({**KEY, "use": None, "key_ops": None, "alg": None, "kid": None}, None),
        ({**KEY, "key_ops": ["sign"]}, "key_ops_mismatch"),
        ({**KEY, "key_ops": ["sign", "verify"]}, None),
        ({**KEY, "key_ops": "verify"}, "key_ops_mismatch"),
        ({**KEY, "alg": "HS384"}, "key_too_weak"),
        ({"kty": "oct", "k": text(SECRET * 2), "alg": "HS512"}, "alg_key_mismatch"),
        ({**KEY, "alg": "A128KW"}, "alg_key_mismatch"),
        ({"keys": [KEY, {**KEY, "use": "enc"}]}, None),
        ({"keys": [KEY, KEY]}, "kid_missing"),
        ({"keys": [{**KEY, "kid": "a"}, {**KEY, "kid": "a"}]}, "key_set_ambiguous"),
        ({"keys": [KEY, rsa_n(N_2048)]}, "key_set_mixed"),
        ({"keys": [KEY, "not a key"]}, None),
    ],
)  # fmt: skip
def test_key_health_of_secrets(key, reason):
    assert verdict(forge(), key=key) == reason


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (rsa_n((1 << 1023) + 1), "key_too_weak"),
        (rsa_n(N_2048, "AQ"), "key_too_weak"),
        (rsa_n(pow(65537, 128)), "key_compromised"),
        (
            {"kty": "RSA", "e": "AQAB", "n": "u1SU1LfVLPHCozMxH2Mo4lgOEePzNm0tRgeLezV6ffAt0gunVTLw7onLRnrq0_IzW7yWR7QkrmBL7jTK"
             "En5u-qKhbwKfBstIs-bMY2Zkp18gnTxKLxoS2tFczGkPLPgizskuemMghRniWaoLcyehkd3qqGElvW_VDL5AaWTg0nLVkjRo9z-40RQzuVaE8AkA"
             "FmxZzow3x-VJYKdjykkJ0iT9wCS0DRTXu269V264Vf_3jvredZiKRkgwlL9xNAwxXFg0x_XFw005UWVRIkdgcKWTjpBP2dPwVZ4WWC-9aGVd-Gyn"
             "1o0CLelf4rEjGoXbAAEgAqeGUxrcIlbjXfbcmw"},
            "key_compromised",
        ),
        (jwk_of(ec.generate_private_key(ec.SECP256R1()).public_key()), "alg_key_mismatch"),
        ({**rsa_n(N_2048), "alg": "RSA-OAEP"}, "alg_key_mismatch"),
    ],
)  # fmt: skip
def test_key_health_of_rsa_keys(key, reason):
    token = forge({"alg": "RS256", "typ": "at+jwt"}, signature=b"x" * 256)
    assert verdict(token, key=key, alg_allowed=["RS256"]) == reason


@pytest.mark.parametrize(
    "change",
    [{"y": text(b"\1" * 32)}, {"crv": "P-384"}, {"x": None}, {"x": text(b"\1" * 31)}],
)
def test_points_off_the_curve(change):
    key = {**jwk_of(ec.generate_private_key(ec.SECP256R1()).public_key()), **change}
    token = forge({"alg": "ES256", "typ": "at+jwt"}, signature=b"x" * 64)
    assert verdict(token, key=key, alg_allowed=["ES256"]) == "key_invalid"


@pytest.mark.parametrize(
    "x", [bytes(32), b"\1" + bytes(31), b"\x02" + bytes(31), b"\xff" * 32, b"\xec" + b"\xff" * 30 + b"\x7f"]
)
def test_rfc_8032_keys_that_fit_any_signature(x):
    zeros = b"\1" + bytes(63)
    token = forge({"alg": "EdDSA", "typ": "at+jwt"}, signature=zeros)
    key = {"kty": "OKP", "crv": "Ed25519", "x": text(x)}
    assert verdict(token, key=key, alg_allowed=["EdDSA"]) == "key_invalid"


def test_a_set_may_hold_keys_for_other_things(public):
    sign = ed25519.Ed25519PrivateKey.generate()
    okp = {"kty": "OKP", "crv": "Ed25519", "x": text(sign.public_key().public_bytes_raw()), "kid": "a"}
    others = [jwk_of(public, use="enc", kid="b"), {"kty": "new", "kid": "c"}, rsa_n((1 << 1023) + 1)]
    keys = {"keys": [okp, *others]}

    def signed(**header):
        head = f"{text({'alg': 'EdDSA', 'typ': 'at+jwt', **header})}.{text(good())}"
        return f"{head}.{text(sign.sign(head.encode()))}"

    def asked(token):
        return verdict(token, key=keys, alg_allowed=["EdDSA"])

    assert asked(signed()) is None
    assert asked(signed(kid="a")) is None
    assert asked(signed(kid="b")) == "key_use_mismatch"
    assert asked(signed(kid="c")) == "key_invalid"
    assert asked(signed(kid="d")) == "key_too_weak"  # the one key without an id


@pytest.mark.parametrize(
    ("alg", "kind"), [("ML-DSA-44", mldsa.MLDSA44PrivateKey), ("ML-DSA-65", mldsa.MLDSA65PrivateKey)]
)
def test_rfc_9964_ml_dsa(alg, kind):
    private = kind.generate()
    jwk = {"kty": "AKP", "alg": alg, "pub": text(private.public_key().public_bytes_raw())}
    head = f"{text({'alg': alg})}.{text(good())}"
    signature = private.sign(head.encode())
    policy = {"max_token_bytes": 8192}
    assert verdict(f"{head}.{text(signature)}", key=jwk, alg_allowed=[alg], policy=policy) is None
    assert verdict(f"{head}.{text(signature[:-1])}", key=jwk, alg_allowed=[alg]) == "typ_mismatch"
    bad = f"{head}.{text(signature[:-1] + bytes([signature[-1] ^ 1]))}"
    assert verdict(bad, key=jwk, alg_allowed=[alg], policy=policy) == "signature_invalid"
    short = f"{head}.{text(signature[:-1])}"
    assert verdict(short, key=jwk, alg_allowed=[alg], policy=policy) == "signature_malformed"
    assert verdict(bad, key={**jwk, "alg": None}, alg_allowed=[alg], policy=policy) == "key_invalid"


# the signature layer


def test_the_signature_layer_asks_nothing_of_the_payload():
    for payload in (b"hello", b"", b"\xff", b"[1]", b"x" * 30_000):
        assert verdict(forge({"alg": "HS256"}, payload), layer="jws", policy=None) is None
    assert verdict(forge(None, b"x" * MAX_JWS_BYTES), layer="jws", policy=None) == "token_too_large"
    assert verdict(forge({"alg": "HS256", "typ": "JWT"}, b"x"), layer="jws") is None
    assert verdict(forge(secret=SECRET + b"x"), layer="jws") == "signature_invalid"
    assert verdict("", layer="jws") == "token_missing"


def test_the_payload_of_the_signature_layer_is_still_base64url():
    import hashlib
    import hmac

    signed = f"{text({'alg': 'HS256'})}.AB"
    token = f"{signed}.{text(hmac.digest(SECRET, signed.encode(), hashlib.sha256))}"
    assert verdict(token, layer="jws", policy=None) == "malformed_base64"


# the vector itself


@pytest.mark.parametrize(("kty", "crv"), [("EC", "secp256k1"), ("OKP", "X25519"), ("OKP", "Ed448")])
def test_keys_of_curves_that_are_for_something_else(kty, crv):
    key = {"kty": kty, "crv": crv, "x": text(b"x" * 32), "y": text(b"y" * 32)}
    for alg in ("ES256", "EdDSA"):
        token = forge({"alg": alg, "typ": "at+jwt"}, signature=b"x" * 64)
        assert verdict(token, key=key, alg_allowed=[alg]) == "alg_key_mismatch"


def test_es256k_is_off():
    key = jwk_of(ec.generate_private_key(ec.SECP256R1()).public_key(), crv="secp256k1")
    token = forge({"alg": "ES256K", "typ": "at+jwt"}, signature=b"x" * 64)
    assert verdict(token, key=key, alg_allowed=["ES256K"]) == "alg_not_allowed"


@pytest.mark.parametrize(
    "change",
    [{"layer": "jwe"}, {"policy": []}, {"policy": {"leeway": "x"}}, {"now": None}, {"now": True}, {"state": 5}, {"request": 1}],
)  # fmt: skip
def test_a_malformed_vector_is_no_verdict(change):
    with pytest.raises(ValueError, match=r"\w"):
        verdict(forge(), **change)


@pytest.mark.parametrize("token", [None, ""])
def test_no_token(token):
    assert verdict(token) == "token_missing"
