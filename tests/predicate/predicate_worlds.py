"""Random events and predicates over a few fields of every type, from alphabets where engines tend to differ."""

from collections.abc import Sequence
from typing import Any

import duckdb
import msgspec
from hypothesis import strategies as st

from jwtrail.clock import iso
from jwtrail.ecs import CATALOGUE, Event
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
    WordGlob,
)

SIGMAS = "\u03a3\u03c3\u03c2"  # capital, small, final: the last two fold to one
_ALPHABET = f"aAbB%_\\'\"*?./\u0130i{SIGMAS}\u00e9\u212a\U0001f600-"
# Short ones are drawn often, so that what a predicate asks for and what an event holds meet.
TEXTS = st.sampled_from(["", *_ALPHABET, "ab", "aB", "a%", "a*"]) | st.text(alphabet=_ALPHABET, max_size=4)
NUMBERS = st.integers(-2, 3)
INSTANTS = st.integers(0, 3).map(lambda n: 1_763_916_415_000_000 + n * 999_999)
ADDRESSES = st.sampled_from(
    [
        "10.0.0.1",
        "10.0.1.1",
        "192.168.0.1",
        "::1",
        "2001:db8::1",
        "2001:DB8:0::1",
        "::ffff:10.0.0.1",
        "testclient",
    ]
)
KEY = 'a"b/c~d'
TEXT_FIELDS = ("event.action", "user.id", "url.path", "message", "jwt.aud", "user.roles", "jwt.claims")
LEAF_FIELDS = ("jwt.claims.tenant", f"jwt.claims.{KEY}")
LONG_FIELDS = ("http.response.status_code", "event.sequence")
DATE_FIELDS = ("@timestamp", "jwt.exp")
IP_FIELDS = ("source.ip", "related.ip")
FIELDS = (*TEXT_FIELDS, *LEAF_FIELDS, *LONG_FIELDS, *DATE_FIELDS, *IP_FIELDS, "jwt.known")
COLUMNS = sorted({"event.id", *(field for field in FIELDS if field not in LEAF_FIELDS)})


@st.composite
def event_lists(draw: st.DrawFn) -> list[Event]:
    def maybe(values: st.SearchStrategy[Any]) -> Any:
        return draw(st.none() | values)

    return [
        Event(
            timestamp=iso(draw(INSTANTS)),
            event_id=str(number),
            event_action=maybe(TEXTS),
            user_id=maybe(TEXTS),
            url_path=maybe(TEXTS),
            message=maybe(st.text(alphabet=f"aAb{SIGMAS} -.", max_size=6)),
            jwt_aud=maybe(st.lists(TEXTS, max_size=2).map(tuple)),
            user_roles=maybe(st.lists(TEXTS, max_size=2).map(tuple)),
            jwt_claims=maybe(st.dictionaries(st.sampled_from(["tenant", KEY, "1"]), TEXTS, max_size=3)),
            http_response_status_code=maybe(NUMBERS),
            event_sequence=maybe(NUMBERS),
            jwt_exp=maybe(INSTANTS.map(iso)),
            source_ip=maybe(ADDRESSES),
            related_ip=maybe(st.lists(ADDRESSES, max_size=2).map(tuple)),
            jwt_known=maybe(st.booleans()),
        )
        for number in range(draw(st.integers(1, 5)))
    ]


PATTERNS = st.lists(TEXTS | st.just(None) | st.just(0), max_size=5).map(tuple)
OPS = st.sampled_from(["lt", "lte", "gt", "gte"])
FOLD = st.booleans()
REGEXES = st.sampled_from(["a", "^a", "b$", "(a|b)+", r"\.", "[%_]", SIGMAS[1], "^.{2}$", ".*", "i"])
NETWORKS = st.sampled_from(
    ["10.0.0.0/8", "10.0.0.0/24", "0.0.0.0/0", "::/0", "2001:db8::/32", "::1/128", "::ffff:0:0/96"]
)
_TEXTUAL = (*TEXT_FIELDS, *LEAF_FIELDS)
LEAVES: st.SearchStrategy[Predicate] = st.one_of(
    st.just(Anything()),
    st.just(Nothing()),
    st.builds(Exists, field=st.sampled_from(FIELDS)),
    st.builds(Equals, field=st.sampled_from(_TEXTUAL), value=TEXTS, fold=FOLD),
    st.builds(Equals, field=st.sampled_from(LONG_FIELDS), value=NUMBERS | NUMBERS.map(str)),
    st.builds(Equals, field=st.sampled_from(DATE_FIELDS), value=INSTANTS | INSTANTS.map(iso)),
    st.builds(
        Equals, field=st.sampled_from(IP_FIELDS), value=ADDRESSES.filter(lambda text: text != "testclient")
    ),
    st.builds(Equals, field=st.just("jwt.known"), value=st.booleans()),
    st.builds(Glob, field=st.sampled_from(FIELDS), pattern=PATTERNS, fold=FOLD),
    st.builds(Contains, text=TEXTS, fold=FOLD),
    st.builds(
        WordGlob,
        field=st.just("message"),
        pattern=st.lists(st.sampled_from(["a", "B", None]), max_size=3).map(tuple),
        fold=FOLD,
    ),
    st.builds(
        Contains, text=st.text(alphabet=f"aAb{SIGMAS} -", max_size=4), fields=st.just(("message",)), fold=FOLD
    ),
    st.builds(Contains, text=TEXTS, fields=st.just(("user.id", "jwt.aud")), fold=FOLD),
    st.builds(Range, field=st.sampled_from(_TEXTUAL), op=OPS, value=TEXTS),
    st.builds(Range, field=st.sampled_from(LONG_FIELDS), op=OPS, value=NUMBERS),
    st.builds(
        Range,
        field=st.sampled_from(DATE_FIELDS),
        op=OPS,
        value=INSTANTS | st.sampled_from([-1, 0, 2**63, 2**55]),
    ),
    st.builds(
        Range,
        field=st.sampled_from(IP_FIELDS),
        op=OPS,
        value=st.sampled_from(["10.0.0.1", "::1", "2001:db8::1"]),
    ),
    st.builds(
        Regex, field=st.sampled_from(FIELDS), pattern=REGEXES, flags=st.sampled_from(["", "i", "s", "im"])
    ),
    st.builds(Cidr, field=st.sampled_from((*IP_FIELDS, "user.id", "jwt.claims")), network=NETWORKS),
    st.builds(SameAs, field=st.sampled_from(FIELDS), other=st.sampled_from(FIELDS), fold=FOLD),
)
PREDICATES: st.SearchStrategy[Predicate] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(And, items=st.lists(inner, max_size=3).map(tuple)),
        st.builds(Or, items=st.lists(inner, max_size=3).map(tuple)),
        st.builds(Not, item=inner),
    ),
    max_leaves=6,
)


def fill(
    connection: duckdb.DuckDBPyConnection, events: Sequence[Event], columns: Sequence[str] = COLUMNS
) -> None:
    """A table `events` as a segment has it."""
    described = ", ".join(f'"{name}" {CATALOGUE[name].sql_type}' for name in columns)
    connection.execute(f"CREATE OR REPLACE TABLE events ({described})")
    marks = ", ".join("?" for _ in columns)
    cells = [_cell(event, name) for event in events for name in columns]
    connection.execute(f"INSERT INTO events VALUES {', '.join(f'({marks})' for _ in events)}", cells)


def _cell(event: Event, name: str) -> Any:
    value = getattr(event, CATALOGUE[name].attribute)
    if isinstance(value, dict):
        return msgspec.json.encode(value).decode()
    return list(value) if isinstance(value, tuple) else value
