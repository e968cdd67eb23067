"""DPoP proofs (RFC 9449): each check of section 4.3 has its proof that fails it and nothing else."""

import base64
import hashlib
import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from jwtrail.tokens.binding import Presented, check_binding, wants_check
from jwtrail.tokens.dpop import MAX_AGE_S, MAX_JTI, MAX_PROOF_BYTES, Proof, check_proof
from jwtrail.tokens.htu import normal_url
from jwtrail.tokens.thumbprint import thumbprint
from jwtrail.tokens.verdict import UNBOUND, Binding
from waiting import AT_ONCE_S, cost_s

NOW_S = 1_800_000_000
NOW_US = NOW_S * 1_000_000
LEEWAY_S = 30
TOKEN = "eyJ.a.token"
URL = "https://api.example/orders/7"
KEY = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())
JWK = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key()))
JKT = thumbprint(JWK)


class Seen:
    """Remembers as the real stores do, in a set."""

    def __init__(self):
        self.shown = set()

    def first(self, jkt, jti, until_us):
        assert until_us > NOW_US
        if (jkt, jti) in self.shown:
            return False
        self.shown.add((jkt, jti))
        return True


def ath(token=TOKEN):
    return base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()


def proof(*, key=KEY, alg="ES256", header=None, **changes):
    """A good proof; a change of `...` takes a member away."""
    claims = {"jti": "p1", "htm": "GET", "htu": URL, "iat": NOW_S, "ath": ath(), **changes}
    head = {"typ": "dpop+jwt", "jwk": public(key), **(header or {})}
    return jwt.encode(
        {name: value for name, value in claims.items() if value is not ...},
        key,
        alg,
        {name: value for name, value in head.items() if value is not ...},
    )


def public(key):
    kind = {
        ec.EllipticCurvePrivateKey: jwt.algorithms.ECAlgorithm,
        rsa.RSAPrivateKey: jwt.algorithms.RSAAlgorithm,
        ed25519.Ed25519PrivateKey: jwt.algorithms.OKPAlgorithm,
    }
    made = next(algorithm for base_, algorithm in kind.items() if isinstance(key, base_))
    return {
        name: value for name, value in json.loads(made.to_jwk(key.public_key())).items() if name != "key_ops"
    }


def judged(text, **changes):
    asked = {
        "method": "GET",
        "url": URL,
        "access_token": TOKEN,
        "thumbprint": JKT,
        "now_us": NOW_US,
        **changes,
    }
    return check_proof(text, **asked)


def test_a_good_proof_tells_its_id_and_key():
    assert judged(proof()) == judged(proof().encode()) == Proof("", "p1", JKT)


def test_the_thumbprint_of_rfc_7638_section_3_1():
    n = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn6"
        "4tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91"
        "CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    jwk = {"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}
    assert thumbprint(jwk) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_the_proof_of_rfc_9449_section_7_1():
    """The example of the RFC, with the token it was made for."""
    shown = (
        "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZ"
        "ldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS"
        "2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2Mj"
        "YxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR"
        "6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
    )
    told = check_proof(
        shown,
        method="GET",
        url="https://resource.example.org/protectedresource",
        access_token="Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU",
        thumbprint="0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I",
        now_us=1562262618 * 1_000_000,
    )
    assert (told.reason, told.jti) == ("", "e1j3V_bKic8-LAEB")


@pytest.mark.parametrize("alg", ["EdDSA", "ES384", "RS256", "PS256"])
def test_every_kind_of_key(alg):
    key = {
        "EdDSA": ed25519.Ed25519PrivateKey.generate,
        "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
    }.get(alg, lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048))()
    assert judged(proof(key=key, alg=alg), thumbprint=thumbprint(public(key))).reason == ""


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "JWT"}, {"typ": ...}, {"typ": "at+jwt"}, {"jwk": ...}, {"jwk": "x"}, {"jwk": {}}, {"jwk": {**JWK, "d": "AAAA"}},
        {"jwk": {"kty": "oct", "k": "AAAA"}}, {"jwk": {**JWK, "x": JWK["y"]}}, {"jwk": {**JWK, "crv": "P-384"}},
        {"jwk": {**JWK, "use": "enc"}}, {"jwk": {**JWK, "alg": "ES384"}}, {"crit": ["b64"], "b64": True}, {"b64": False},
    ],
)  # fmt: skip
def test_a_header_that_is_no_proofs(header):
    assert judged(proof(header=header)).reason == "dpop_invalid"


def test_typ_may_be_written_as_a_media_type():
    assert judged(proof(header={"typ": "application/DPoP+JWT"})).reason == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"jti": ...}, {"jti": ""}, {"jti": 7}, {"jti": "x" * (MAX_JTI + 1)}, {"htm": ...}, {"htm": "POST"}, {"htm": "get"},
        {"htu": ...}, {"htu": "https://api.example/orders/8"}, {"htu": "http://api.example/orders/7"}, {"htu": "/orders/7"},
        {"htu": "https://u@api.example/orders/7"}, {"htu": "https://api.example.evil/orders/7"}, {"iat": ...}, {"iat": "now"},
        {"iat": True}, {"iat": 1e300}, {"iat": NOW_S + LEEWAY_S + 1}, {"ath": ...}, {"ath": ath("another")}, {"ath": 1},
    ],
)  # fmt: skip
def test_claims_that_do_not_fit_the_request(changes):
    assert judged(proof(**changes)).reason == "dpop_invalid"


@pytest.mark.parametrize(
    "text",
    ["", "x", "a.b", "a.b.c", "a.b.c.d", "é.é.é", "." * 100_000, "x" * (MAX_PROOF_BYTES + 1)],
)
def test_what_is_no_token_at_all(text):
    assert judged(text).reason == "dpop_invalid"


def test_a_symmetric_algorithm_and_none_are_refused():
    head = {"typ": "dpop+jwt", "jwk": JWK}
    assert judged(jwt.encode({"jti": "p"}, "k" * 32, "HS256", head)).reason == "dpop_invalid"
    assert judged(jwt.encode({"jti": "p"}, None, "none", head)).reason == "dpop_invalid"


def test_a_signature_by_another_key_than_the_one_shown():
    assert judged(proof(key=OTHER, header={"jwk": JWK})).reason == "dpop_invalid"


def test_a_thief_with_his_own_key():
    told = judged(proof(key=OTHER))
    assert (told.reason, told.jkt == JKT) == ("binding_mismatch", False)


def test_the_window_of_iat_is_exact():
    end = (MAX_AGE_S + LEEWAY_S) * 1_000_000
    assert judged(proof(), now_us=NOW_US + end - 1).reason == ""
    assert judged(proof(), now_us=NOW_US + end).reason == "dpop_expired"
    assert judged(proof(iat=NOW_S + LEEWAY_S)).reason == ""


def test_an_id_counts_once_for_a_key_and_only_when_all_else_holds():
    seen = Seen()
    assert judged(proof(htm="POST"), seen=seen).reason == "dpop_invalid"
    assert judged(proof(), seen=seen).reason == ""
    assert judged(proof(), seen=seen).reason == "dpop_replayed"
    assert judged(proof(key=OTHER), seen=seen, thumbprint=thumbprint(public(OTHER))).reason == ""


def test_a_nonce_when_one_is_wanted():
    def fresh(text):
        return text == "n1"

    assert judged(proof(nonce="n1"), nonce=fresh).reason == ""
    for changes in ({}, {"nonce": "n0"}, {"nonce": ""}, {"nonce": 1}):
        assert judged(proof(**changes), nonce=fresh).reason == "dpop_nonce_required"


def test_an_rsa_key_that_would_cost_too_much():
    huge = rsa.generate_private_key(public_exponent=65537, key_size=4104)
    assert judged(proof(key=huge, alg="RS256"), thumbprint=thumbprint(public(huge))).reason == "dpop_invalid"
    odd = {**public(rsa.generate_private_key(public_exponent=65537, key_size=2048)), "e": "AQAAAAAB"}
    assert judged(proof(header={"jwk": odd})).reason == "dpop_invalid"


@given(st.binary(max_size=300) | st.text(max_size=300))
def test_nothing_makes_it_raise(text):
    assert judged(text).reason == "dpop_invalid"


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3),
    )
)
def test_no_value_of_a_claim_or_of_the_key_makes_it_raise(value):
    for name in ("jti", "htm", "htu", "iat", "ath", "nonce"):
        judged(proof(**{name: value}), nonce=lambda _: True)
    for name in ("kty", "crv", "x", "y", "alg", "use", "key_ops", "kid"):
        judged(proof(header={"jwk": {**JWK, name: value}}))


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("https://API.Example:443/a?b=c#d", "https://api.example/a"),
        ("http://api.example:80", "http://api.example/"),
        ("https://api.example:8443/a/", "https://api.example:8443/a/"),
        ("https://api.example/a/./b/../c/%7euser/%2f", "https://api.example/a/c/~user/%2F"),
        ("https://api.example/../../a/..", "https://api.example/"),
        ("https://api.example//a", "https://api.example//a"),
        ("https://[2001:DB8::1]/a", "https://[2001:db8::1]/a"),
        ("HTTPS://api.example/A", "https://api.example/A"),
        ("ftp://api.example/", None),
        ("https:///a", None),
        ("https://api.example:x/", None),
        ("https://api.example:99999/", None),
        ("https://[::1/", None),
        ("https://a b/", None),
        ("https://a/\nb", None),
        ("", None),
    ],
)
def test_urls_compare_as_rfc_3986_section_6_2(url, normal):
    assert normal_url(url) == normal


@given(st.text())
def test_a_normal_url_is_normal_already(text):
    made = normal_url("https://h/" + text)
    assert made is None or normal_url(made) == made


def shown(**changes):
    given_ = {"token": TOKEN, "scheme": "dpop", "method": "GET", "url": URL, "proofs": (proof(),), **changes}
    return Presented(**given_)


@pytest.mark.parametrize(
    ("binding", "changes", "reason"),
    [
        (UNBOUND, {"scheme": "bearer"}, ""),
        (UNBOUND, {"scheme": "bearer", "proofs": ()}, ""),
        (UNBOUND, {}, "binding_mismatch"),
        (UNBOUND, {"proofs": ()}, "binding_missing"),
        (Binding(jkt=JKT), {}, ""),
        (Binding(jkt=JKT), {"proofs": ()}, "binding_missing"),
        (Binding(jkt=JKT), {"scheme": "bearer"}, "binding_missing"),
        (Binding(jkt=JKT), {"proofs": (proof(), proof())}, "dpop_invalid"),
        (Binding(jkt="other"), {}, "binding_mismatch"),
        (Binding(x5t="c1"), {"scheme": "bearer", "certificate": "c1"}, ""),
        (Binding(x5t="c1"), {"scheme": "bearer"}, "binding_missing"),
        (Binding(x5t="c1"), {"scheme": "bearer", "certificate": "c2"}, "binding_mismatch"),
        (Binding(jkt=JKT, x5t="c1"), {"certificate": "c1"}, ""),
        (Binding(jkt=JKT, x5t="c1"), {}, "binding_missing"),
    ],
)
def test_what_a_token_is_bound_to_must_be_held(binding, changes, reason):
    assert check_binding(binding, shown(**changes), NOW_US).reason == reason


def test_only_bound_tokens_cost_a_check():
    assert not wants_check(UNBOUND, "bearer")
    assert wants_check(UNBOUND, "dpop")
    assert wants_check(Binding(x5t="c"), "bearer")


def test_a_hostile_proof_is_refused_at_once():
    bombs = [
        "a." * 4000,
        "[" * 8000,
        base64.urlsafe_b64encode(b'{"a":' * 1200).decode().rstrip("=") + ".e30.e30",
    ]
    assert {judged(bomb).reason for bomb in bombs} == {"dpop_invalid"}
    assert max(cost_s(lambda: judged(bomb)) for bomb in bombs) < AT_ONCE_S  # noqa: B023
