"""Generated Python functions: what holds, what does not, what is refused."""

import pytest

from jwtrail.ecs import Event, event_for
from jwtrail.errors import PredicateError
from jwtrail.predicate.checks import MAX_DEPTH, MAX_NODES, MAX_PIECES, MAX_REGEX
from jwtrail.predicate.ir import (
    And,
    Anything,
    Cidr,
    Contains,
    Equals,
    Exists,
    Glob,
    Not,
    Nothing,
    Or,
    Predicate,
    Range,
    Regex,
    SameAs,
    Span,
    WordGlob,
)
from jwtrail.predicate.python import compile_many, compile_predicate, to_python

AT = 1_763_916_415_000_000  # 2025-11-23T16:46:55Z
EVENT = event_for(
    "http-request",
    at_us=AT,
    event_reason="alg_none",
    source_ip="10.1.2.3",
    related_ip=("10.1.2.3", "2001:db8::1"),
    url_path="/Orders/1",
    http_response_status_code=401,
    user_roles=("Admin", "ops"),
    jwt_claims={"tenant": "acme"},
    jwt_known=True,
    message="Failed, Login of ΟΔΟΣ",
)


def glob(field: str, *pattern: str | int | None, fold: bool = False) -> Glob:
    return Glob(field=field, pattern=pattern, fold=fold)


HOLD: list[Predicate] = [
    Anything(),
    And(items=()),
    Not(item=Nothing()),
    Equals(field="event.reason", value="alg_none"),
    Equals(field="event.reason", value="ALG_None", fold=True),
    Equals(field="http.response.status_code", value="401"),
    Equals(field="jwt.known", value="true"),
    Equals(field="@timestamp", value=AT),
    Equals(field="@timestamp", value="2025-11-23T17:46:55+01:00"),
    Equals(field="source.ip", value="::ffff:10.1.2.3"),
    Equals(field="related.ip", value="2001:DB8:0::1"),
    Equals(field="user.roles", value="ops"),
    Equals(field="user.roles", value="ADMIN", fold=True),
    Equals(field="jwt.claims.tenant", value="acme"),
    Equals(field="jwt.claims", value="acme"),
    Not(item=Equals(field="user.id", value="u1")),
    Not(item=Exists(field="user.id")),
    Exists(field="user.roles"),
    glob("url.path", "/Orders/", None),
    glob("url.path", None, "/1"),
    glob("url.path", None, "ORDER", None, fold=True),
    glob("url.path", "/", 0, "rders/", None, "1"),
    glob("url.path", None, None),
    glob("http.response.status_code", "4", None),
    glob("user.roles", 0, "ps"),
    Range(field="http.response.status_code", op="gte", value=400),
    Range(field="@timestamp", op="lt", value=AT + 1),
    Range(field="@timestamp", op="gt", value=-1),
    Range(field="source.ip", op="lte", value="10.1.2.3"),
    Range(field="event.reason", op="gt", value="alg"),
    Regex(field="url.path", pattern=r"^/orders/\d+$", flags="i"),
    Cidr(field="source.ip", network="10.0.0.9/8"),
    Cidr(field="related.ip", network="2001:db8::/32"),
    Contains(text="orders"),
    Contains(text="ACME"),
    Contains(text="failed LOGIN", fields=("message",)),
    Contains(text="οδος", fields=("message",)),
    WordGlob(field="message", pattern=("FAIL", None)),
    WordGlob(field="message", pattern=(None, "gi", None)),
    SameAs(field="related.ip", other="source.ip"),
    SameAs(field="jwt.claims.tenant", other="jwt.claims"),
    Or(items=(Equals(field="user.roles", value="x"), Equals(field="user.roles", value="ops"))),
    Or(items=(Equals(field="user.id", value="x"), Equals(field="event.reason", value="alg_none"))),
]

FAIL: list[Predicate] = [
    Nothing(),
    Or(items=()),
    Equals(field="event.reason", value="ALG_none"),
    Equals(field="user.id", value=""),
    Equals(field="http.response.status_code", value=40),
    Range(field="user.id", op="lt", value="~"),
    Range(field="@timestamp", op="gt", value=2**62),
    glob("url.path", "/orders/", None),
    glob("user.id", None),
    glob("url.path", "/Orders/", 0, 0),
    Contains(text="ORDERS", fold=False),
    Contains(text="fail", fields=("message",)),
    Contains(text="login failed", fields=("message",)),
    WordGlob(field="message", pattern=("fail", None), fold=False),
    WordGlob(field="message", pattern=("ogi", None)),
    Cidr(field="source.ip", network="11.0.0.0/8"),
    Cidr(field="client.ip", network="::/0"),
    SameAs(field="user.id", other="user.name"),
    SameAs(field="event.reason", other="event.action"),
]


@pytest.mark.parametrize("predicate", HOLD, ids=repr)
def test_holds(predicate: Predicate) -> None:
    assert compile_predicate(predicate)(EVENT) is True


@pytest.mark.parametrize("predicate", FAIL, ids=repr)
def test_does_not_hold(predicate: Predicate) -> None:
    assert compile_predicate(predicate)(EVENT) is False


def test_a_rule_set_gives_names_in_its_order() -> None:
    rules = {f"hold {at}": one for at, one in enumerate(HOLD)} | {
        f"fail {at}": one for at, one in enumerate(FAIL)
    }
    reversed_rules = dict(reversed(rules.items()))
    assert compile_many(rules)(EVENT) == tuple(f"hold {at}" for at in range(len(HOLD)))
    assert compile_many(reversed_rules)(EVENT) == tuple(f"hold {at}" for at in reversed(range(len(HOLD))))


def test_an_index_never_loses_a_rule() -> None:
    either = Or(
        items=(Equals(field="event.reason", value="expired"), Equals(field="event.action", value="login"))
    )
    rules = {
        "either": either,
        "folded": Equals(field="event.action", value="LOGIN", fold=True),
        "exact": Equals(field="event.action", value="LOGIN"),
        "not": Not(item=Equals(field="event.action", value="http-request")),
        "two": And(
            items=(
                Or(
                    items=(
                        Equals(field="event.action", value="login"),
                        Equals(field="event.action", value="logout"),
                    )
                ),
                Equals(field="event.outcome", value="success"),
            )
        ),
    }
    match = compile_many(rules)
    assert match(event_for("login")) == ("either", "folded", "not", "two")
    assert match(event_for("logout")) == ("not", "two")
    assert match(event_for("http-request", event_reason="expired")) == ("either",)


def test_values_never_become_source() -> None:
    nasty = "'\"\\\n{}%s __import__('os')"
    source = to_python(Equals(field="user.id", value=nasty))
    assert nasty not in source
    event = Event(timestamp=EVENT.timestamp, event_id=EVENT.event_id, user_id=nasty)
    assert compile_predicate(Equals(field="user.id", value=nasty))(event)


REFUSED = [
    (Equals(field="user.idd", value="x"), "no field user.idd"),
    (Equals(field="http.response.status_code", value="4xx"), "not a whole number"),
    (Equals(field="http.response.status_code", value=True), "not a whole number"),
    (Equals(field="jwt.known", value="yes"), "neither true nor false"),
    (Equals(field="@timestamp", value="yesterday"), "not a time"),
    (Equals(field="source.ip", value="localhost"), "not an address"),
    (Range(field="jwt.known", op="lt", value=1), "no order"),
    (Cidr(field="source.ip", network="10.0.0.0/99"), "not a network"),
    (Cidr(field="event.duration", network="10.0.0.0/8"), "holds no addresses"),
    (Regex(field="url.path", pattern="(?=x)"), "not a regular expression"),
    (Regex(field="url.path", pattern="x", flags="x"), "unknown regular expression flag"),
    (Regex(field="url.path", pattern="x" * (MAX_REGEX + 1)), "more than 2048"),
    (glob("url.path", *("a", None) * (MAX_PIECES // 2), "b"), "more than 64 pieces"),
    (WordGlob(field="user.id", pattern=("a", None)), "not cut into words"),
    (WordGlob(field="message", pattern=("a", None) * MAX_PIECES), "more than 64 pieces"),
    (And(items=(Exists(field="user.id"),) * MAX_NODES), "more than 5000 conditions"),
]


@pytest.mark.parametrize(("predicate", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_refused(predicate: Predicate, message: str) -> None:
    with pytest.raises(PredicateError, match=message):
        compile_predicate(predicate)


def test_a_refusal_names_rule_and_place() -> None:
    wrong = Equals(field="user.idd", value="x", span=Span(4, 11))
    with pytest.raises(PredicateError) as caught:
        compile_many({"odd rule": wrong})
    assert str(caught.value) == "odd rule, characters 5 to 11: no field user.idd (did you mean user.id?)"


def test_deep_is_fine_and_too_deep_is_refused() -> None:
    predicate: Predicate = Exists(field="event.id")
    for level in range(MAX_DEPTH - 1):
        kind = And if level % 2 else Or
        predicate = kind(
            items=(predicate, Exists(field="user.id") if kind is Or else Exists(field="event.id"))
        )
    assert compile_predicate(predicate)(EVENT)
    with pytest.raises(PredicateError, match="nested more than"):
        compile_predicate(Not(item=predicate))


def test_no_pattern_is_slow() -> None:
    stars = tuple(piece for _ in range(MAX_PIECES // 2) for piece in ("a", None))
    event = event_for("http-request", url_path="a" * 1000)
    assert not compile_predicate(glob("url.path", *stars[:-1], "b"))(event)
    assert not compile_predicate(Regex(field="url.path", pattern="(a*)*(a|aa)+b$"))(event)
