"""Whatever a line of test vectors holds, it gets one answer."""

import json
import math

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from tokens_forge import NOW_S, SECRET, forge, good, text

from jwtrail.cli.exits import OK, USAGE
from jwtrail.cli.main import cli
from jwtrail.cli.vectors import answer_of
from jwtrail.ecs import REASONS

TOKEN = forge(None, good(cnf={"jkt": "x"}))
GOOD = {
    "id": "v",
    "layer": "jwt",
    "token": TOKEN,
    "key": {"kty": "oct", "k": text(SECRET), "kid": "k", "alg": "HS256"},
    "alg_allowed": ["HS256"],
    "policy": {
        "issuer": None,
        "audience": None,
        "typ": ["at+jwt"],
        "required": ["exp"],
        "leeway": 30,
        "max_token_bytes": 8192,
        "max_lifetime": 86_400,
        "token_use": "access",
    },
    "now": NOW_S,
    "state": {
        "revoked_jti": [],
        "revoked_before": {},
        "revoked_clients": [],
        "revoked_sid": [],
        "revoked_kid": [],
        "single_use": False,
        "seen_jti": [],
        "seen_dpop_jti": [],
        "dpop_nonce": None,
    },
    "request": {"method": "GET", "url": "https://a.example", "scheme": "DPoP", "client_cert": "x"},
    "dpop": TOKEN,
}
PLACES = [(name,) for name in GOOD] + [
    (name, member) for name, value in GOOD.items() if isinstance(value, dict) for member in value
]

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(
        [10**300, 10**400, -(10**400), 2**63, 2**64, 1e308, math.inf, -math.inf, math.nan, -0.0]
    )
    | st.floats()
    | st.text(st.characters(), max_size=8)
    | st.sampled_from(["", "\ud800", "\x1b[2J", "HS256", "oct", "RSA", "a.b.c", "..", TOKEN, text(SECRET)])
)
names = st.text(max_size=3) | st.sampled_from(
    ["kty", "k", "kid", "alg", "use", "key_ops", "keys", "n", "e", "x5t"]
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def vectors(draw):
    """A good vector with up to three members that may be anything, or are not there."""
    made = json.loads(json.dumps(GOOD))
    for place in draw(st.lists(st.sampled_from(PLACES), min_size=1, max_size=3)):
        parent = made
        for name in place[:-1]:
            parent = parent.get(name) if isinstance(parent, dict) else None
        if not isinstance(parent, dict):
            continue
        if draw(st.booleans()):
            parent[place[-1]] = draw(values)
        else:
            parent.pop(place[-1], None)
    return json.dumps(made)


def check(answer):
    assert answer["verdict"] in ("accept", "reject")
    assert answer["ms"] >= 0
    if "error" in answer:
        assert (answer["verdict"], answer["reason"]) == ("reject", None)
        assert answer["error"].isprintable()
    else:
        assert answer["reason"] in REASONS if answer["verdict"] == "reject" else answer["reason"] is None


@given(vectors())
def test_any_object_is_answered(line):
    check(answer_of(line))


@given(st.dictionaries(names | st.sampled_from(list(GOOD)), values).map(json.dumps) | st.text())
def test_any_line_is_answered(line):
    check(answer_of(line))


@pytest.mark.parametrize(
    "odd",
    ["1e999", "NaN", '"\\ud800"', "[" * 500 + "]" * 500, "1" + "0" * 4000, '{"a":[1e999]}', "[" * 20_000],
    ids=["infinite", "not a number", "half a pair", "deep", "long", "inside", "endless"],
)
def test_an_odd_id_costs_no_answer(odd):
    lines = [f'{{"id":{odd},"token":"x","key":null,"now":1}}', '{"id":2,"token":"x","key":null,"now":1}']
    done = CliRunner().invoke(cli, ["token", "check", "--batch"], input="\n".join(lines))
    assert done.exit_code in (OK, USAGE)
    answers = [json.loads(row) for row in done.stdout.splitlines()]
    assert len(answers) == 2
    assert answers[1] == {
        "id": 2,
        "verdict": "reject",
        "reason": "malformed_segments",
        "ms": answers[1]["ms"],
    }
