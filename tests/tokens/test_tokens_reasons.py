"""One case for each reason that the verifier can give for a single token, and the order between them."""

import json

import pytest
from tokens_forge import AUDIENCE, ISSUER, NOW_S, NOW_US, POLICY, SECRET, forge, good, text

from jwtrail.ecs import REASONS
from jwtrail.tokens import Absent, Accepted, KeySet, Verifier, VerifyPolicy, load_secret

HEAD = {"alg": "HS256", "typ": "at+jwt"}


def head(**more):
    return {**HEAD, **more}


def deep(levels):
    return b'{"a":' * levels + b"1" + b"}" * levels


CASES = {
    "token_missing": [""],
    "token_too_large": ["a" * 8193, "." * 100_000],
    "malformed_segments": ["a", "a.b", "a.b.c.d", "a.b.c.d.e.f", "."],
    "unsupported_serialization": [
        json.dumps({"payload": "e30", "protected": "e30", "signature": ""}),
        '  {"' + forge() + '":1}',
    ],
    "encrypted_token_unexpected": ["a.b.c.d.e", forge() + "..", "...."],
    "malformed_base64": [
        "=" + forge(),
        " " + forge(),
        forge() + "\n",
        forge() + "=",
        "e30+.e30.e30",
        "é.e30.e30",
        "\ud800.e30.e30",
        "A.e30.e30",
        f"{text(HEAD)}.{text(good())}.{'A' * 41}/A",
    ],
    "malformed_header_json": [
        "..",
        ".e30.e30",
        forge(b"[]"),
        forge(b"null"),
        forge(b'{"alg":"HS256"'),
        forge(b'\xef\xbb\xbf{"alg":"HS256"}'),
        forge(b'{"alg":"HS256","x":NaN}'),
        forge(b'{"alg":"HS256","x":1e999}'),
        forge(b'{"alg":"HS256","x":"\xff"}'),
        forge(b'{"alg":"HS256","x":"\\ud800"}'),
        forge(b'{"alg":"HS256","x":' + b"9" * 5000 + b"}"),
    ],
    "json_too_deep": [forge(deep(33)), forge(None, deep(600)), forge(b"[" * 5000)],
    "duplicate_json_key": [
        forge(b'{"alg":"HS256","alg":"none"}'),
        forge(b'{"alg":"HS256","\\u0061lg":"none"}'),
        forge(b'{"alg":"HS256","x":{"a":1,"a":1}}'),
        forge(None, b'{"sub":"u1","sub":"admin"}'),
    ],
    "alg_missing": [forge({"typ": "at+jwt"})],
    "alg_invalid": [forge(head(alg=None)), forge(head(alg=["HS256"])), forge(head(alg=1))],
    "alg_none": [forge(head(alg=alg), signature=b"") for alg in ("none", "nOnE", "NONE ", "\uff4e\uff4f\uff4e\uff45", "none\x00")],
    "header_key_injection": [forge(head(jwk={"kty": "oct", "k": "AA"})), forge(head(x5c=["AA"])), forge(head(jwk=None))],
    "header_url_injection": [forge(head(jku="https://evil.example/k")), forge(head(x5u="file:///etc/passwd"))],
    "alg_not_allowed": [forge(head(alg=alg)) for alg in ("HS512", "RS256", "ES256K", "", "hs256", "A128KW")],
    "crit_malformed": [
        forge(head(crit=crit))
        for crit in ([], "b64", [1], ["alg"], ["kid"], ["absent"], {"b64": 1}, None)
    ] + [forge(head(crit=["x", "x"], x=1))],
    "crit_unsupported": [forge(head(crit=["exp"], exp=1)), forge(head(crit=["b64", "x"], b64=True, x=1))],
    "b64_unsupported": [forge(head(b64=False)), forge(head(b64=False, crit=["b64"])), forge(head(b64="true"))],
    "typ_mismatch": [
        forge({"alg": "HS256"}), forge(head(typ="JWT")), forge(head(typ="rt+jwt")), forge(head(typ=1)),
    ],
    "nested_token_unsupported": [forge(head(cty="JWT")), forge(head(cty="application/jwt")), forge(head(cty=1))],
    "kid_invalid": [forge(head(kid=kid)) for kid in (1, None, "", ["k"], "k" * 257)],
    "signature_missing": [forge(signature=b"")],
    "signature_malformed": [forge(signature=b"x" * 31), forge(signature=b"x" * 33)],
    "signature_invalid": [forge(secret=SECRET + b"!"), forge(signature=b"x" * 32)],
    "malformed_payload_json": [
        forge(None, raw) for raw in (b"", b"[]", b'"x"', b"{", b"\xff", b'\xef\xbb\xbf{"a":1}', b"{} {}", b"{'a':1}")
    ],
    "claim_missing": [forge(None, good(**{name: ...})) for name in POLICY.required] + [forge(None, good(exp=None))],
    "claim_invalid": [
        forge(None, good(**change))
        for change in (
            {"exp": str(NOW_S + 600)}, {"exp": True}, {"exp": [1]}, {"iat": "x"},
            {"nbf": {}}, {"nbf": None}, {"sub": 1}, {"sub": ""}, {"sub": "u\n1"}, {"jti": ["a"]}, {"iss": {}},
            {"aud": 1}, {"aud": [1]}, {"aud": ["x\x00"]}, {"scope": 5}, {"scope": ["a", 1]}, {"cnf": "x"},
            {"act": []}, {"gen": -1}, {"fam": "\x00"}, {"roles": {"a": 1}}, {"aud": ["x"] * 257},
        )
    ]
    + [
        forge(None, json.dumps(good()).encode()[:-1] + b',"x":%s}' % number)
        for number in (b"NaN", b"-Infinity", b"1e400", b"9" * 5000)
    ],
    "issuer_mismatch": [forge(None, good(iss=iss)) for iss in ("", ISSUER + "/", ISSUER[:-1], ISSUER.upper())],
    "audience_mismatch": [forge(None, good(aud=aud)) for aud in ("other", "", [], [""], ["other", AUDIENCE + "x"])],
    "expired": [forge(None, good(exp=NOW_S - 30)), forge(None, good(exp=0)), forge(None, good(exp=-1)), forge(None, good(exp=-1e300)), forge(None, good(exp=NOW_S - 30.0))],
    "not_yet_valid": [forge(None, good(nbf=NOW_S + 31))],
    "issued_in_future": [forge(None, good(iat=NOW_S + 31))],
    "lifetime_too_long": [forge(None, good(exp=exp)) for exp in (NOW_S + 86_400, NOW_S * 1000, 10**18, 1e300)],
    "token_use_mismatch": [
        forge(None, good(token_use="id")), forge(None, good(type="refresh")), forge(None, good(token_type="Refresh")),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "token"), [(reason, token) for reason, tokens in CASES.items() for token in tokens]
)
def test_each_flaw_has_its_one_reason(reason_of, reason, token):
    assert reason in REASONS
    assert reason_of(token) == reason
    assert reason_of(token.encode("utf-8", "surrogatepass")) == reason


def test_no_token_is_not_a_bad_token(verifier):
    assert isinstance(verifier.verify(None), Absent)


def test_a_good_token_is_accepted_with_typed_claims(verifier):
    token = forge(
        head(kid="any"),
        good(
            aud=["x", AUDIENCE], scope="a b", roles=["admin"], tenant="t", fam="f", gen=3, client_id="c",
            cnf={"jkt": "thumb"}, act={"sub": "boss"}, nbf=NOW_S, plan="gold",
        ),
    )  # fmt: skip
    verdict = verifier.verify(token, NOW_US)
    assert isinstance(verdict, Accepted)
    claims = verdict.claims
    assert (claims.sub, claims.jti, claims.aud, claims.scope) == ("u1", "t1", ("x", AUDIENCE), ("a", "b"))
    assert (claims.family, claims.generation, claims.cnf, claims.act) == ("f", 3, "thumb", "boss")
    assert (claims.kind, claims.alg, claims.kid, claims.typ) == ("access", "HS256", "any", "at+jwt")
    assert claims.extra == {"plan": "gold"}
    assert claims.has_scope()
    assert claims.has_scope("a", "b")
    assert not claims.has_scope("a", "c")
    assert len(claims.fingerprint) == 22


def test_white_space_and_escapes_inside_the_json_are_fine(reason_of):
    assert reason_of(forge(None, json.dumps(good(name="김철수 \u3000"), indent=1).encode())) == "accepted"


@pytest.mark.parametrize(
    ("changes", "last", "dead"),
    [
        ({"exp": NOW_S + 100, "iat": NOW_S}, NOW_US + 129_999_999, "expired"),
        ({"nbf": NOW_S + 100}, NOW_US + 70_000_000, ""),
    ],
)
def test_the_last_microsecond(reason_of, changes, last, dead):
    token = forge(None, good(**changes))
    assert reason_of(token, now_us=last) == "accepted"
    if dead:
        assert reason_of(token, now_us=last + 1) == dead
    else:
        assert reason_of(token, now_us=last - 1) == "not_yet_valid"


ORDERED = [
    (forge({"alg": "none", "jwk": {}, "jku": "x"}), "alg_none"),
    (forge(head(jwk={}, jku="x")), "header_key_injection"),
    (forge(head(alg="HS512", crit=[])), "alg_not_allowed"),
    (forge(head(crit=[], typ="x")), "crit_malformed"),
    (forge(head(typ="x", kid=1)), "typ_mismatch"),
    (forge(head(kid=1), signature=b""), "kid_invalid"),
    (forge(None, good(exp=0), secret=SECRET + b"x"), "signature_invalid"),
    (forge(None, good(exp=0, sub=...)), "claim_missing"),
    (forge(None, good(exp=0, sub=1)), "claim_invalid"),
    (forge(None, good(exp=0, iss="x", aud="y")), "issuer_mismatch"),
    (forge(None, good(exp=0, aud="y")), "audience_mismatch"),
    (forge(None, good(exp=0, nbf=NOW_S + 99)), "expired"),
]


@pytest.mark.parametrize(("token", "reason"), ORDERED)
def test_of_several_flaws_the_first_check_names_the_reason(reason_of, token, reason):
    assert reason_of(token) == reason


def test_a_policy_checks_only_what_it_names(reason_of):
    lenient = Verifier(VerifyPolicy(required=()), KeySet(load_secret(SECRET)), cache_size=0)
    assert reason_of(forge({"alg": "HS256"}, {}), lenient) == "accepted"
    assert reason_of(forge({"alg": "HS256"}, {"exp": NOW_S - 31}), lenient) == "expired"


def test_the_allow_list_narrows_what_the_key_allows(reason_of):
    strict = Verifier(VerifyPolicy(algorithms=frozenset({"HS512"})), KeySet(load_secret(SECRET)))
    assert reason_of(forge(), strict) == "alg_not_allowed"


def test_a_rejection_tells_what_may_be_logged_and_nothing_else(verifier):
    token = forge(
        head(kid="../" + "k\n" * 60, crit=["x"], jku="https://evil.example"),
        good(sub="u\x1b[31m1", jti="j" * 500),
        secret=SECRET + b"x",
    )
    told = verifier.verify(token, NOW_US)
    assert told.reason == "header_url_injection"
    assert (told.alg, told.typ, told.header_flags) == ("HS256", "at+jwt", ("jku", "crit"))
    assert len(told.kid) <= 64
    assert "\n" not in told.kid
    assert told.sub == "u\\x1b[31m1"
    assert len(told.jti) == 128
    assert told.claims is None
    for segment in token.split("."):
        assert segment not in repr(told)


def test_an_expired_token_still_tells_whose_it_was(verifier):
    told = verifier.verify(forge(None, good(exp=NOW_S - 60)), NOW_US)
    assert told.claims.sub == "u1"
    forged = verifier.verify(forge(None, good(exp=NOW_S - 60), secret=SECRET + b"x"), NOW_US)
    assert forged.claims is None


def test_a_known_header_does_not_excuse_the_form():
    judge = Verifier(POLICY, KeySet(load_secret(SECRET)), cache_size=0)
    token = forge()
    assert isinstance(judge.verify(token, NOW_US), Accepted)
    head, payload, signature = token.split(".")
    for parts, reason in (
        ((head, signature), "malformed_segments"),
        ((head,), "malformed_segments"),
        ((head, payload, payload, signature), "malformed_segments"),
        ((head, payload, payload, payload, signature), "encrypted_token_unexpected"),
        ((head, "", signature), "signature_invalid"),
        ((head, payload, ""), "signature_missing"),
        ((head, "", ""), "signature_missing"),
    ):
        assert judge.verify(".".join(parts), NOW_US).reason == reason
