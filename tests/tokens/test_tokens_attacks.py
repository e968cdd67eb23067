"""Attacks of the past, each named after its advisory or RFC section, and the name it must be given."""

import hashlib
import hmac

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tokens_forge import SECRET, forge, good, text

from jwtrail.errors import KeyRefusedError
from jwtrail.tokens import Key, KeySet, Verifier, VerifyPolicy, load_jwk, load_pem, load_secret
from jwtrail.tokens.keyhealth import check_rsa
from jwtrail.tokens.keys import key_of
from waiting import AT_ONCE_S, cost_s

ORDER_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def signed(private, alg, header=None, claims=None):
    return jwt.encode(claims or good(), private, alg, headers={"kid": "k1", **(header or {})})


@pytest.mark.parametrize("alg", ["none", "None", "NoNe", "NONE"])
def test_cve_2015_9235_unsigned_token(reason_of, alg):
    assert reason_of(f"{text({'alg': alg})}.{text(good())}.") == "alg_none"


@pytest.mark.parametrize(
    "spelling",
    [
        (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        (Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        (Encoding.PEM, PublicFormat.PKCS1),
        (Encoding.OpenSSH, PublicFormat.OpenSSH),
    ],
)
@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
def test_cve_2016_10555_secret_is_the_public_key(reason_of, verifier_for, rsa_key, spelling, alg):
    public = rsa_key.public_key().public_bytes(*spelling)
    for secret in (public, public.strip(), public + b"\n"):
        message = f"{text({'alg': alg, 'kid': 'k1'})}.{text(good())}"
        digest = hmac.digest(secret, message.encode(), "sha" + alg[2:])
        for policy in ({}, {"algorithms": frozenset({alg, "RS256"})}):
            token = f"{message}.{text(digest)}"
            assert reason_of(token, verifier_for("RS256", **policy)) == "alg_confusion"


def test_cve_2026_48523_right_family_wrong_algorithm(reason_of, verifier_for, pairs):
    every = frozenset({"RS256", "RS512", "PS256", "ES256"})
    for alg in ("RS512", "PS256"):
        token = signed(pairs["RS256"], alg)
        assert reason_of(token, verifier_for("RS256", algorithms=every)) == "alg_key_mismatch"
    assert (
        reason_of(signed(pairs["ES256"], "ES256"), verifier_for("RS256", algorithms=every))
        == "alg_key_mismatch"
    )


def test_cve_2018_0114_key_in_the_header(reason_of, verifier_for, pairs):
    evil = jwt.algorithms.OKPAlgorithm.to_jwk(pairs["EdDSA"].public_key(), as_dict=True)
    assert (
        reason_of(signed(pairs["EdDSA"], "EdDSA", {"jwk": evil}), verifier_for("EdDSA"))
        == "header_key_injection"
    )


@pytest.mark.parametrize(
    "kid",
    [
        "../../../../dev/null", "/dev/null", "..\\..\\win.ini", "file:///etc/passwd", "http://evil.example/k",
        "x' UNION SELECT 'secret", "1;--", "$(id)", "`id`", "|cat /etc/passwd", "${jndi:ldap://evil/a}",
        "a\x00b", "a\r\nX: y", "<script>alert(1)</script>", "%2e%2e%2f", "keys/../../secret.pem", "public/css/main.css",
    ],
)  # fmt: skip
def test_cve_2021_44228_and_other_injections_in_the_key_id(reason_of, kid):
    assert reason_of(forge({"alg": "HS256", "typ": "at+jwt", "kid": kid})) == "kid_injection"


def test_a_known_key_id_is_harmless_whatever_it_looks_like(reason_of):
    keys = KeySet(load_secret(SECRET, kid="https://id.example/keys/1"))
    lenient = Verifier(VerifyPolicy(), keys)
    assert reason_of(forge({"alg": "HS256", "kid": "https://id.example/keys/1"}), lenient) == "accepted"
    for kid in ("2026-11", "Zm9v+/8=", "urn:uuid:0189", "key/1"):
        assert reason_of(forge({"alg": "HS256", "kid": kid}), lenient) == "kid_unknown"


@pytest.mark.parametrize(
    "signature",
    [
        b"\x00" * 64,
        ORDER_P256.to_bytes(32) * 2,
        b"\x00" * 32 + b"\x01" * 32,
        b"\x01" * 32 + ORDER_P256.to_bytes(32),
    ],
)
def test_cve_2022_21449_psychic_signature(reason_of, verifier_for, signature):
    token = forge({"alg": "ES256", "kid": "k1"}, signature=signature)
    assert reason_of(token, verifier_for("ES256")) == "signature_degenerate"


def test_a_der_signature_is_malformed(reason_of, verifier_for, pairs):
    der = jwt.utils.raw_to_der_signature(b"\x01" * 64, pairs["ES256"].curve)
    assert (
        reason_of(forge({"alg": "ES256", "kid": "k1"}, signature=der), verifier_for("ES256"))
        == "signature_malformed"
    )


def test_ghsa_hxm8_2xgr_2p9m_second_spellings_of_base64(reason_of):
    head, payload, signature = forge().split(".")
    spare = signature[:-1] + "BCDFGH"["AEIMQUYcgkosw048".index(signature[-1]) % 6]
    for twin in (
        signature + "=",
        signature[:5] + "\n" + signature[5:],
        " " + signature,
        spare,
        signature + "é",
    ):
        assert reason_of(f"{head}.{payload}.{twin}") == "malformed_base64"


def test_rfc_7519_section_4_duplicate_claims(reason_of):
    assert reason_of(forge(None, b'{"exp":1,"sub":"u1","exp":2}')) == "duplicate_json_key"


def test_cve_2024_53861_issuer_only_partly_equal(reason_of):
    assert reason_of(forge(None, good(iss="https://id.exampl"))) == "issuer_mismatch"
    assert reason_of(forge(None, good(iss=["https://id.example"]))) == "claim_invalid"


@pytest.mark.parametrize(
    "token",
    [
        "." * 8000, "a." * 4000, forge(b"[" * 5900), forge(b'{"a":' * 1100), forge(None, b"[" * 5000),
        forge(b'"' * 5900 + b"{" * 40), forge(b'\\"' * 2900 + b"{" * 40),
        forge(None, b'{"exp":' + b"9" * 5900 + b"}"), "x" * 50_000_000,
    ],
    ids=range(9),
)  # fmt: skip
def test_cve_2025_27144_pathological_tokens_are_refused_at_once(reason_of, token):
    assert cost_s(lambda: reason_of(token)) < AT_ONCE_S
    assert reason_of(token) != "accepted"


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA"])
def test_what_pyjwt_signs_verifies_and_a_flipped_bit_does_not(reason_of, verifier_for, pairs, alg):
    token = signed(pairs[alg], alg)
    judge = verifier_for(alg)
    assert reason_of(token, judge) == "accepted"
    head, _, signature = token.split(".")
    assert reason_of(f"{head}.{text(good(sub='admin'))}.{signature}", judge) == "signature_invalid"
    assert reason_of(token.rpartition(".")[0] + ".", judge) == "signature_missing"
    assert reason_of(f"{head}.{text(good())}.{text(b'x' * 63)}", judge) == "signature_malformed"


@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
def test_secrets_of_every_size(reason_of, alg):
    secret = hashlib.sha512(b"x").digest()
    judge = Verifier(VerifyPolicy(), KeySet(load_secret(secret, alg)))
    assert reason_of(jwt.encode(good(), secret, alg), judge) == "accepted"


# keys


def test_one_key_must_match(reason_of, pairs):
    def key(alg, kid):
        return key_of(pairs[alg].public_key(), alg, kid=kid)

    two = Verifier(VerifyPolicy(), KeySet(key("EdDSA", "a"), key("ES256", "b")))
    assert reason_of(jwt.encode(good(), pairs["ES256"], "ES256"), two) == "accepted"
    assert reason_of(jwt.encode(good(), pairs["ES256"], "ES256", headers={"kid": "b"}), two) == "accepted"
    assert (
        reason_of(jwt.encode(good(), pairs["ES256"], "ES256", headers={"kid": "a"}), two)
        == "alg_key_mismatch"
    )
    assert reason_of(jwt.encode(good(), pairs["ES256"], "ES256", headers={"kid": "c"}), two) == "kid_unknown"
    same = Verifier(VerifyPolicy(), KeySet(key("ES256", "a"), key("ES256", "b")))
    assert reason_of(jwt.encode(good(), pairs["ES256"], "ES256"), same) == "kid_missing"
    nobody = Verifier(VerifyPolicy(algorithms=frozenset({"ES256"})), KeySet())
    assert reason_of(jwt.encode(good(), pairs["ES256"], "ES256"), nobody) == "kid_unknown"


def test_a_secret_may_be_a_text_as_other_libraries_take_it():
    assert load_secret("schlüssel-0123456789-ABCDEFGHIJ") == load_secret(
        "schlüssel-0123456789-ABCDEFGHIJ".encode()
    )
    with pytest.raises(KeyRefusedError) as refused:
        load_secret("secret")
    assert refused.value.reason == "key_weak_secret"


def test_sets_that_are_refused(pairs):
    public = key_of(pairs["EdDSA"].public_key(), kid="a")
    with pytest.raises(KeyRefusedError) as ambiguous:
        KeySet(public, public)
    assert ambiguous.value.reason == "key_set_ambiguous"
    with pytest.raises(KeyRefusedError) as mixed:
        KeySet(public, load_secret(SECRET))
    assert mixed.value.reason == "key_set_mixed"


N_2048 = (1 << 2047) + 1
DER_PUBLIC = (
    Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
)


@pytest.mark.parametrize(
    ("reason", "load"),
    [
        ("key_empty", lambda: load_secret(b"")),
        ("key_empty", lambda: load_pem(" \n")),
        ("key_weak_secret", lambda: load_secret(b"Secret")),
        ("key_weak_secret", lambda: load_secret(b"a-string-secret-at-least-256-bits-long")),
        ("key_weak_secret", lambda: load_secret(b"a" * 64)),
        ("key_too_weak", lambda: load_secret(b"0123456789abcdef")),
        ("key_too_weak", lambda: load_secret(SECRET, "HS512")),
        ("key_too_weak", lambda: check_rsa(1 << 1023 | 1, 65537)),
        ("key_too_weak", lambda: check_rsa(N_2048, 1)),
        ("key_too_weak", lambda: load_jwk({"kty": "RSA", "n": text(b"\xff" * 256), "e": text(b"\x01")})),
        ("key_compromised", lambda: check_rsa(pow(65537, 128), 65537)),
        ("alg_confusion", lambda: load_secret(b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA")),
        ("alg_confusion", lambda: load_secret(b"\t" + DER_PUBLIC + b"\n")),
        ("alg_confusion", lambda: load_secret(b"ssh-ed25519 " + b"AAAAC3NzaC1lZDI1NTE5AAAAI" * 2)),
        ("key_invalid", lambda: load_secret(SECRET, "RS256")),
        ("key_invalid", lambda: load_secret(SECRET * 500)),
        ("key_invalid", lambda: load_pem("-----BEGIN PUBLIC KEY-----" + "A" * 50_000)),
        ("key_invalid", lambda: load_pem("-----BEGIN PUBLIC KEY-----")),
        (
            "key_invalid",
            lambda: load_jwk({"kty": "EC", "crv": "P-256", "x": text(b"\1" * 32), "y": text(b"\2" * 32)}),
        ),
        ("key_invalid", lambda: load_jwk({"kty": "EC", "crv": "secp256k1"})),
        ("key_invalid", lambda: load_jwk({"kty": "OKP", "crv": "Ed25519", "x": "AA=="})),
        ("key_invalid", lambda: load_jwk({"kty": "OKP", "crv": "Ed25519", "x": text(b"\1" * 31)})),
        (
            "key_invalid",
            lambda: load_jwk({"kty": "OKP", "crv": "Ed25519", "x": text(b"\1" * 32), "alg": "ES256"}),
        ),
        ("key_invalid", lambda: load_jwk({})),
        ("key_invalid", lambda: load_jwk({"kid": 1})),
        ("key_use_mismatch", lambda: load_jwk({"kty": "oct", "k": text(SECRET), "use": "enc"})),
        ("key_ops_mismatch", lambda: load_jwk({"kty": "oct", "k": text(SECRET), "key_ops": ["encrypt"]})),
    ],
)
def test_cve_2025_45768_and_cve_2017_15361_unfit_keys(reason, load):
    with pytest.raises(KeyRefusedError) as refused:
        load()
    assert refused.value.reason == reason
    assert refused.value.hint


def test_rfc_7517_keys_load_bound_to_their_algorithm(pairs):
    jwk = jwt.algorithms.ECAlgorithm.to_jwk(pairs["ES384"], as_dict=True)
    key = load_jwk({**jwk, "kid": "a", "use": "sig", "key_ops": ["sign"]})
    assert (key.kid, key.algs) == ("a", {"ES384"})
    rsa = jwt.algorithms.RSAAlgorithm.to_jwk(pairs["RS256"].public_key(), as_dict=True)
    assert load_jwk({**rsa, "alg": "PS512"}).algs == {"PS512"}
    assert load_jwk(rsa).algs == {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
    assert isinstance(load_jwk({"kty": "oct", "k": text(SECRET), "alg": "HS256"}), Key)


def test_rfc_7515_appendix_a_1_example(reason_of):
    token = (
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
        ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
        ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    )
    jwk = {
        "kty": "oct",
        "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    }
    judge = Verifier(VerifyPolicy(issuer="joe"), KeySet(load_jwk(jwk, examples=True)))
    assert reason_of(token, judge, 1_300_819_379_999_999) == "accepted"
    assert reason_of(token, judge, 1_300_819_410_000_000) == "expired"
    assert reason_of(token[:-1] + "l", judge, 1_300_819_379_999_999) == "malformed_base64"
