"""Worlds of events, and KQL about them, from alphabets where engines tend to differ."""

from typing import Any

import msgspec
from hypothesis import strategies as st
from predicate_worlds import ADDRESSES, COLUMNS, KEY, SIGMAS, event_lists

from jwtrail.clock import parse_iso
from jwtrail.ecs import Event
from jwtrail.kql.printer import escape, quote

NOW = parse_iso("2025-11-23T16:46:55.500000Z")
"""In the middle of the instants that events have."""

WORLD_COLUMNS = COLUMNS
_LETTERS = f"aAbBkK\u212a\u0130iI{SIGMAS}\u00e9\u00c9\ud55c1_"
_VALUES = st.sampled_from(["a", "A", "ab", "b", "aB", "", "a b", "%", "_", "k", "\u212a"]) | st.text(
    alphabet=f"{_LETTERS} %'\"\\.?/-:", max_size=4
)


def _written(text: str) -> str:
    return escape(text) if text.strip() and "not" not in text.lower() else quote(text)


_PLAIN = st.one_of(_VALUES.map(quote), _VALUES.map(_written))
_WILD = st.lists(_VALUES.filter(lambda text: text.strip() == text), min_size=1, max_size=2).flatmap(
    lambda texts: st.sampled_from(["{}*", "*{}", "*{}*", "{}*{}"]).map(
        lambda shape: shape.format(*map(escape, [*texts, *texts][: shape.count("{}")]))
    )
)
_TEXTS = _PLAIN | _WILD | st.just("*")
_NUMBERS = st.integers(-3, 4).map(str) | st.sampled_from(["1.5", "-0.5", "1e2", "999999999999999999e9", "*"])
_DATES = st.sampled_from(
    [
        *(
            "now",
            "now-1s/s",
            "now+1m/m",
            "now/d",
            "now-1d",
            "1969-12-31",
            "1970",
            "2025",
            "2026",
            "9999",
            "*",
        ),
        *("2025-11", "2025-11-23", "2025-11-23T16", "2025-11-23T16:46", '"2025-11-23T16:46:55Z"', "2263"),
        *('"2025-11-23T16:46:55.999999Z"', '"2025-11-23T16:46:55.000Z"', '"2025-11-23T17:46:56+01:00"'),
    ]
)
_IPS = st.sampled_from(
    [
        *("10.0.0.0/8", "10.0.0.0/24", "10.*", "10.0.*", "0.0.0.0/0", "192.168.0.1", "*"),
        *('"::/0"', '"::1"', '"2001:db8::/32"', '"::ffff:0:0/96"', '"::ffff:10.0.0.1"', '"2001:DB8:0::1"'),
    ]
)
_NAMES = (
    "user.id",
    "event.action",
    "url.path",
    "jwt.aud",
    "user.roles",
    "jwt.claims.tenant",
    "jwt.claims",
    "user.*",
)
_LEAF = f"jwt.claims.{escape(KEY)}"
_OPS = st.sampled_from(["<", "<=", ">", ">="])


def _asked(names: tuple[str, ...], values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(st.sampled_from(names), values).map(lambda pair: f"{pair[0]}: {pair[1]}")


def _compared(names: tuple[str, ...], values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    bounds = values.filter(lambda text: "*" not in text)
    return st.tuples(st.sampled_from(names), _OPS, bounds).map(" ".join)


def _listed(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(values, st.sampled_from(["or", "and", "or not"]), values).map(
        lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"
    )


_LONGS = ("http.response.status_code", "event.sequence")
_LEAVES = st.one_of(
    _asked((*_NAMES, _LEAF), _TEXTS | _listed(_PLAIN)),
    _asked(("message",), _TEXTS | _listed(_PLAIN)),
    _asked(_LONGS, _NUMBERS | _listed(_NUMBERS)),
    _asked(("@timestamp", "jwt.exp"), _DATES),
    _asked(("source.ip", "related.ip"), _IPS | _listed(_IPS)),
    _asked(("jwt.known",), st.sampled_from(["true", "false", "*"])),
    _compared(("user.id", "user.roles", "jwt.claims.tenant", "jwt.claims"), _PLAIN),
    _compared(_LONGS, _NUMBERS),
    _compared(("@timestamp", "jwt.exp"), _DATES),
    _compared(
        ("source.ip", "related.ip"), st.sampled_from(['"10.0.0.1"', '"::1"', '"2001:db8::1"', "10.0.1.1"])
    ),
    _PLAIN,
    _WILD,
    st.sampled_from(["*", "*:*", "", "u*: a", "jwt.*: *", "*.ip: 10.0.0.1"]),
)
QUERIES: st.SearchStrategy[str] = st.recursive(
    _LEAVES.filter(bool),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([" and ", " or ", " AND not "]), inner).map("".join),
        inner.map(lambda text: f"not ({text})"),
        inner.map(lambda text: f"({text})"),
    ),
    max_leaves=4,
)


@st.composite
def worlds(draw: st.DrawFn) -> list[Event]:
    """A few lists of events as one, each event with an id of its own."""

    def words() -> Any:
        return draw(st.none() | st.text(alphabet=f"{_LETTERS} .-", max_size=8))

    events = [event for _ in range(draw(st.integers(1, 4))) for event in draw(event_lists())]
    return [
        msgspec.structs.replace(
            event, event_id=f"{number:03}", message=words(), source_ip=draw(st.none() | ADDRESSES)
        )
        for number, event in enumerate(events)
    ]
