"""One predicate, one answer: the generated Python and the SQL hold for the same events."""

from ipaddress import IPv4Address, IPv6Address, ip_network

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from predicate_worlds import COLUMNS, PREDICATES, event_lists, fill
from test_predicate_python import EVENT, FAIL, HOLD

from jwtrail.ecs import Event, document
from jwtrail.predicate.ir import Cidr, Equals, Exists, Not, Predicate, SameAs
from jwtrail.predicate.python import compile_many, compile_predicate
from jwtrail.predicate.sql import to_sql, to_where
from jwtrail.predicate.sql_text import address_hex, folded
from jwtrail.predicate.values import fold, ip_key


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as made:
        made.execute("SET threads = 1")
        yield made


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(predicates=st.lists(PREDICATES, min_size=4, max_size=6), events=event_lists())
def test_python_and_sql_agree(connection, predicates: list[Predicate], events: list[Event]) -> None:
    """Several predicates on each world of events: at least 400 of them."""
    fill(connection, events)
    written = [to_sql(predicate, frozenset(COLUMNS)) for predicate in predicates]
    conditions = ", ".join(condition for condition, _ in written)
    parameters = [value for _, values in written for value in values]
    rows = connection.execute(f"SELECT {conditions} FROM events ORDER BY rowid", parameters).fetchall()
    matches = [compile_predicate(predicate) for predicate in predicates]
    assert [tuple(match(event) for match in matches) for event in events] == rows
    where, parameters = to_where(predicates[0], frozenset(COLUMNS))
    kept = connection.execute(
        f'SELECT "event.id" FROM events WHERE {where} ORDER BY rowid', parameters
    ).fetchall()
    assert kept == [(event.event_id,) for event in events if matches[0](event)]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(first=PREDICATES, second=PREDICATES, events=event_lists())
def test_a_rule_set_is_its_rules(first: Predicate, second: Predicate, events: list[Event]) -> None:
    rules = {"b": first, "a": second}
    together = compile_many(rules)
    each = {name: compile_predicate(rule) for name, rule in rules.items()}
    for event in events:
        assert together(event) == tuple(name for name, match in each.items() if match(event))


@pytest.mark.parametrize("predicate", [*HOLD, *FAIL], ids=repr)
def test_what_holds_in_python_holds_in_sql(connection, predicate: Predicate) -> None:
    fill(connection, [EVENT], list(document(EVENT)))
    condition, parameters = to_sql(predicate, frozenset(document(EVENT)))
    assert connection.execute(f"SELECT {condition} FROM events", parameters).fetchone() == (
        predicate in HOLD,
    )


@given(
    st.lists(st.ip_addresses(v=4), min_size=1, max_size=20),
    st.integers(0, 32),
    st.sampled_from(["source.ip", "user.id"]),
)
@settings(max_examples=25, deadline=None)
def test_networks_hold_the_same_addresses(
    connection, drawn: list[IPv4Address], length: int, field: str
) -> None:
    network = f"{drawn[0]}/{length}"
    near = [str(ip_network(network, strict=False)[at]) for at in (0, -1)]
    texts = [*ADDRESSES, *near, *map(str, drawn), f"::ffff:{drawn[0]}", "10.x", f"{drawn[0]}."]
    attribute = field.replace(".", "_")
    made = [Event(timestamp=EVENT.timestamp, event_id="", **{attribute: one}) for one in texts]
    predicate = Cidr(field=field, network=network)
    fill(connection, made, [field])
    condition, parameters = to_sql(predicate)
    rows = connection.execute(f"SELECT {condition} FROM events ORDER BY rowid", parameters).fetchall()
    assert [holds for (holds,) in rows] == [compile_predicate(predicate)(event) for event in made]


def test_text_without_case_is_the_same_for_every_character(connection) -> None:
    """Every code point that has case, alone, at the end of a word and inside of one."""
    cased = [
        char
        for char in map(chr, [*range(1, 0xD800), *range(0xE000, 0x20000)])
        if char.lower() != char or char.upper() != char
    ]
    words = [word for char in cased for word in (char, f"A{char}", f"A{char}b")]
    assert len(cased) > 1000
    listed = connection.execute(
        "SELECT list_transform(?, lambda x: " + folded("x") + ")", [words]
    ).fetchone()[0]
    assert listed == [fold(word) for word in words]


ADDRESSES = [
    *("1.2.3.4", "01.2.3.4", "256.1.1.1", "1.2.3", "1.2.3.4:80", " 1.2.3.4", "1.2.3.4\n", "", "localhost"),
    *(
        "::",
        "::1",
        "1::",
        "2001:DB8::1",
        "::ffff:1.2.3.4",
        "1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7::",
        "::2:3:4:5:6:7:8",
    ),
    *(
        "1:2:3:4:5:6:1.2.3.4",
        "1::1.2.3.4",
        ":::",
        "1:::2",
        "1::2::3",
        "fe80::1%eth0",
        "1:2:3:4:5:6:7:8:9",
        "12345::",
    ),
    *("::1.2.3.04", "::1.2.3.4.5", "1:2:3:4:5:6:7:1.2.3.4", ":1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8:", "::g"),
]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.ip_addresses(v=6), max_size=20))
def test_addresses_are_the_same_numbers(connection, drawn: list[IPv6Address]) -> None:
    texts = [*ADDRESSES, *map(str, drawn), *(one.exploded.upper() for one in drawn)]
    listed = connection.execute(
        "SELECT list_transform(?, lambda x: " + address_hex("x") + ")", [texts]
    ).fetchone()[0]
    keys = [ip_key(text) for text in texts]
    assert listed == [None if key is None else f"{key:032x}" for key in keys]


def test_sql_of_a_column_that_a_segment_lacks(connection) -> None:
    for leaf in (
        Exists(field="user.id"),
        Equals(field="user.id", value="a"),
        SameAs(field="user.id", other="event.id"),
    ):
        assert to_sql(leaf, frozenset({"event.id"})) == ("false", [])
    condition, parameters = to_sql(Not(item=Equals(field="user.id", value="a")), frozenset())
    assert connection.execute(f"SELECT {condition}", parameters).fetchone() == (True,)
