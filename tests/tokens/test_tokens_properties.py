"""What holds for every token: nothing raises, nothing altered is accepted, PyJWT and we agree."""

import json
from contextlib import suppress

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokens_forge import AUDIENCE, ISSUER, NOW_US, POLICY, SECRET, forge, good

from jwtrail.ecs import REASONS
from jwtrail.tokens import Accepted, KeySet, Rejected, Verifier, base64url, load_secret
from jwtrail.tokens.claims import ClaimsReader, read_at_length
from jwtrail.tokens.refusal import Refusal
from jwtrail.tokens.shapes import Shapes
from jwtrail.tokens.strictjson import decode_object
from jwtrail.tokens.verdict import Signed

JUDGE = Verifier(POLICY, KeySet(load_secret(SECRET)), cache_size=0)
TOKEN = forge(None, good(scope="a b", nested={"x": [1, 2.5, None, True]}))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["alg", "typ", "kid", "crit", "b64", "jwk", "jku", "cty", "iss", "sub", "aud", "exp", "iat", "nbf", "scope", "cnf"]
) | st.text(max_size=6)  # fmt: skip


def rejected(verdict):
    return isinstance(verdict, Rejected) and verdict.reason in REASONS


@given(st.text() | st.binary())
def test_any_text_gets_a_verdict(token):
    assert rejected(JUDGE.verify(token, NOW_US))


@given(st.integers(0, len(TOKEN) - 1), st.characters())
def test_a_changed_character_is_never_accepted(place, character):
    changed = TOKEN[:place] + character + TOKEN[place + 1 :]
    assert changed == TOKEN or rejected(JUDGE.verify(changed, NOW_US))


@given(st.integers(0, len(TOKEN)), st.integers(0, 40), st.text(max_size=5))
def test_a_cut_or_padded_token_is_never_accepted(place, cut, more):
    changed = TOKEN[:place] + more + TOKEN[place + cut :]
    assert changed == TOKEN or rejected(JUDGE.verify(changed, NOW_US))


@given(st.dictionaries(NAMES, VALUES, max_size=5), st.dictionaries(NAMES, VALUES, max_size=6))
def test_any_signed_json_gets_a_verdict_and_what_we_accept_pyjwt_accepts(header, payload):
    token = forge({"alg": "HS256", "typ": "at+jwt"} | header, good() | payload)
    verdict = JUDGE.verify(token, NOW_US)
    if isinstance(verdict, Accepted):
        read = jwt.decode(
            token, SECRET, ["HS256"], audience=AUDIENCE, issuer=ISSUER, options={"verify_exp": False, "verify_iat": False}
        )  # fmt: skip
        assert verdict.claims.sub == read["sub"]
    else:
        assert rejected(verdict)


@given(st.binary())
def test_base64url_round_trip(raw):
    assert base64url.decode(base64url.encode(raw).encode()) == raw


@given(st.binary(max_size=12))
def test_only_one_spelling_of_base64url_is_read(segment):
    with suppress(Refusal):
        assert base64url.encode(base64url.decode(segment)).encode() == segment


@given(st.binary(max_size=12) | st.text('AQZaz09-_+/= \n"\\u', max_size=12).map(str.encode))
def test_base64url_is_read_as_strictly_as_binascii_does(segment):
    import binascii

    padded = segment.translate(bytes.maketrans(b"-_+/=", b"+/!!!")) + b"=" * (-len(segment) % 4)
    try:
        expected = binascii.a2b_base64(padded, strict_mode=True)
    except binascii.Error:
        expected = None
    if expected is not None and base64url.encode(expected).encode() != segment:  # spare bits
        expected = None
    try:
        read = base64url.decode(segment)
    except Refusal:
        read = None
    assert read == expected


PAYLOADS = st.fixed_dictionaries(
    {},
    optional={
        "iss": st.text(max_size=4) | VALUES, "sub": st.text(max_size=4), "aud": st.text(max_size=3) | st.lists(st.text(max_size=3)),
        "exp": st.integers(-5, 2**60) | st.floats(), "iat": VALUES, "nbf": st.floats(0, 1e10), "jti": st.text(max_size=3),
        "scope": st.sampled_from(["", "a b", " ", ["a"], ["a", ""], 5]), "roles": VALUES, "fam": st.text(max_size=3),
        "gen": st.integers(-1, 2**54) | st.floats(0, 9), "cnf": VALUES | st.fixed_dictionaries({"jkt": st.text(max_size=3)}),
        "act": VALUES | st.fixed_dictionaries({"sub": st.text(max_size=3)}), "azp": VALUES, "sid": st.text(max_size=3),
        "token_use": VALUES | st.sampled_from(["access", "id"]), "x": VALUES,
    },
)  # fmt: skip


@settings(max_examples=400)
@given(PAYLOADS, st.booleans(), st.booleans())
def test_the_short_cut_reads_claims_as_the_long_way_does(payload, ascii_only, twice):
    raw = json.dumps(payload, ensure_ascii=ascii_only, separators=(",", ":")).encode("utf-8", "surrogatepass")
    if twice:
        raw = raw[:-1] + (b"," if payload else b"") + b'"sub":"u2"}'

    signed = Signed("HS256", "k1", "at+jwt", "access")
    reader = ClaimsReader(signed, ("sub",), Shapes())

    def outcome(read, *how):
        try:
            return read(raw, *how)
        except Refusal as refusal:
            return refusal.reason

    at_length = outcome(read_at_length, signed, ("sub",), "print")
    assert outcome(reader.read, "print") == at_length
    assert outcome(reader.read, "print") == at_length  # by its shape, when it was learned


@pytest.mark.parametrize("name", ["email", "tenant", "sub", "exp"])
def test_a_required_claim_that_is_null_is_missing_whatever_was_learned(name):
    signed = Signed("HS256", "k1", "at+jwt", "access")
    reader = ClaimsReader(signed, (name,), Shapes())
    full = {"email": "a@b.example", "tenant": "t1", "sub": "u1", "exp": 5}

    def raw(payload):
        return json.dumps(payload, separators=(",", ":")).encode()

    for _ in range(2):
        assert reader.read(raw(full), "print").sub == "u1"
    with pytest.raises(Refusal, match="claim_missing"):
        reader.read(raw(full | {name: None}), "print")
    without = {key: value for key, value in full.items() if key != name}
    with pytest.raises(Refusal, match="claim_missing"):
        reader.read(raw(without), "print")


@settings(max_examples=300)
@given(PAYLOADS, PAYLOADS)
def test_what_was_learned_from_one_payload_reads_another_as_the_long_way_does(first, second):
    signed = Signed("HS256", "k1", "at+jwt", "access")
    reader = ClaimsReader(signed, ("sub", "x"), Shapes())
    # The same names in the same order, so that the shape of the first is tried on the second.
    for payload in (first, {name: second.get(name, value) for name, value in first.items()}):
        raw = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")

        def outcome(read, *how, raw=raw):
            try:
                return read(raw, *how)
            except Refusal as refusal:
                return refusal.reason

        assert outcome(reader.read, "print") == outcome(read_at_length, signed, ("sub", "x"), "print")


@given(st.dictionaries(st.text(max_size=6), VALUES, max_size=4), st.booleans())
def test_strict_json_reads_what_json_reads(value, spaced):
    raw = json.dumps(value, ensure_ascii=not spaced, separators=None if spaced else (",", ":"))
    try:
        encoded = raw.encode()
        read, finite = decode_object(encoded, "malformed_payload_json")
    except (UnicodeEncodeError, Refusal):  # lone surrogates
        return
    if finite:
        assert read == json.loads(raw)


@settings(max_examples=30, deadline=None)
@given(
    sub=st.text(st.characters(min_codepoint=0x21, exclude_categories=["C", "Z"]), min_size=1, max_size=40),
    scope=st.lists(st.from_regex(r"[a-z:]{1,9}", fullmatch=True), max_size=4),
    claims=st.dictionaries(
        st.from_regex(r"x_[a-z]{1,5}", fullmatch=True),
        st.integers(-(2**53), 2**53)
        | st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
        | st.booleans(),
        max_size=4,
    ),
)
def test_what_is_issued_verifies_with_us_and_with_pyjwt(issuing, sub, scope, claims):
    pair = issuing.issuer.issue(sub, scope=scope, claims=claims)
    verdict = issuing.verifier.verify(pair.access_token, issuing.now_us)
    assert isinstance(verdict, Accepted)
    assert verdict.claims == pair.access
    assert (verdict.claims.sub, verdict.claims.scope, verdict.claims.extra) == (sub, tuple(scope), claims)
    key = issuing.ring.current().keys[0].material
    options = {"verify_exp": False, "verify_iat": False}
    read = jwt.decode(pair.access_token, key, ["EdDSA"], audience="api", issuer="jwtrail", options=options)
    assert {name: read[name] for name in claims} == claims


@pytest.fixture(scope="module")
def issuing(tmp_path_factory):
    from tokens_shop import open_shop

    with open_shop(tmp_path_factory.mktemp("shop")) as shop:
        yield shop


@pytest.mark.parametrize(
    ("change", "error", "reason"),
    [
        ({"exp": 1}, jwt.ExpiredSignatureError, "expired"),
        ({"nbf": 9_000_000_000}, jwt.ImmatureSignatureError, "not_yet_valid"),
        ({"aud": "x"}, jwt.InvalidAudienceError, "audience_mismatch"),
        ({"iss": "x"}, jwt.InvalidIssuerError, "issuer_mismatch"),
        ({"exp": ...}, jwt.MissingRequiredClaimError, "claim_missing"),
    ],
)
def test_what_pyjwt_refuses_we_name(change, error, reason):
    token = forge(None, good(**{"exp": 9_000_000_000, "iat": 0, **change}))
    with pytest.raises(error):
        jwt.decode(token, SECRET, ["HS256"], audience=AUDIENCE, issuer=ISSUER, options={"require": ["exp"]})
    assert JUDGE.verify(token, NOW_US).reason == reason
