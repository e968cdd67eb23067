"""Whatever is typed gives a tree or a KqlError with a place inside the query; limits hold; quirks stay."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwtrail.clock import parse_iso
from jwtrail.ecs import CATALOGUE
from jwtrail.errors import KqlError
from jwtrail.kql import MAX_NESTING, MAX_QUERY, compile_kql, parse
from jwtrail.kql.ast import to_json
from jwtrail.kql.dates import MAX_STEPS, parse_date
from jwtrail.kql.printer import escape, quote, to_kql
from jwtrail.kql.values import MAX_WORDS
from jwtrail.predicate.python import compile_predicate
from jwtrail.predicate.sql import to_sql
from waiting import AT_ONCE_S, cost_s

NOW = parse_iso("2026-11-23T17:04:05.123456Z")
PIECES = st.sampled_from(
    (
        *' \t:()<>="*{}\\',
        *(
            "and",
            " and ",
            " or ",
            "not ",
            "NOT",
            "<=",
            ">=",
            "a",
            "null",
            "\\u0041",
            "now-1d/d",
            "10.0.0.0/8",
        ),
        *("user.id", "source.ip", "@timestamp", "message", "http.response.status_code", "jwt.claims.x"),
        *("jwt.known", "\u00e9", "\u00a0"),
    )
)
QUERIES = st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=20)


@settings(max_examples=400, deadline=None)
@given(QUERIES)
def test_any_text_gives_a_predicate_that_compiles_or_a_place(query: str) -> None:
    refused = None
    try:
        predicate = compile_kql(query, NOW)
    except KqlError as wrong:
        refused = wrong
    if refused is None:
        compile_predicate(predicate)
        to_sql(predicate)
        return
    assert 0 <= refused.start <= refused.end <= len(query)
    assert refused.message
    assert "^" in refused.caret


@settings(max_examples=300, deadline=None)
@given(QUERIES)
def test_written_out_and_read_again_it_is_the_same(query: str) -> None:
    try:
        tree = parse(query)
    except KqlError:
        return
    written = to_kql(tree)
    if '""' not in written:  # an unquoted term of odd white space is empty and can only be written in quotes
        assert to_json(parse(written)) == to_json(tree)


@given(st.text(max_size=30).filter(lambda text: not any(0xD800 <= ord(char) < 0xE000 for char in text)))
def test_a_quoted_text_is_itself(text: str) -> None:
    value = parse(f"user.id: {quote(text)}").value
    assert (value.text, value.quoted) == (text, True)


@given(st.text(alphabet='abAND or()":*<>\\{}', min_size=1).map(str.strip).filter(bool))
def test_an_escaped_text_is_itself(text: str) -> None:
    if "not" not in text.lower():
        assert parse(f"user.id: {escape(text)}").value.text == text


def test_not_cannot_be_escaped() -> None:
    """A quirk of Kibana that is kept: `\\n` is looked for before `\\not`."""
    assert parse("user.id: a \\not b").value.text == "a \not b"


@pytest.mark.parametrize(
    "query", ["NOT<and", "(a: knot) and b", "((knot) or not (user.NOT: x)) and y", "p:{(knot)}"]
)
def test_a_word_that_ends_with_not_is_written_out(query: str) -> None:
    assert to_json(parse(to_kql(parse(query)))) == to_json(parse(query))


def test_surrogate_pairs_are_one_character() -> None:
    assert parse("user.id: \\ud83d\\ude00").value.text == "\U0001f600"
    assert parse('user.id: "\\uD83D\\uDE00"').value.text == "\U0001f600"


def test_length_is_limited() -> None:
    assert parse("a" * MAX_QUERY)
    with pytest.raises(KqlError, match="longer than 8192"):
        parse("a" * (MAX_QUERY + 1))


def test_nesting_is_limited() -> None:
    deep = "(" * MAX_NESTING + "user.id: a" + ")" * MAX_NESTING
    assert compile_predicate(compile_kql(deep, NOW))
    worst = "not (user.id: a or " * MAX_NESTING + "user.id: b" + ")" * MAX_NESTING
    assert compile_predicate(compile_kql(worst, NOW))
    with pytest.raises(KqlError, match="more than 64 levels"):
        parse(f"({deep})")
    with pytest.raises(KqlError, match="more than 64 levels"):
        parse("a:{" * (MAX_NESTING + 1))


def test_words_and_steps_are_limited() -> None:
    assert compile_kql("message: " + "a " * MAX_WORDS, NOW)
    with pytest.raises(KqlError, match="at most 32 words"):
        compile_kql("message: " + "a " * (MAX_WORDS + 1), NOW)
    assert parse_date("now" + "+1d" * MAX_STEPS, NOW)
    with pytest.raises(ValueError, match="not date math"):
        parse_date("now" + "+1d" * (MAX_STEPS + 1), NOW)


def test_the_worst_queries_of_full_length_are_quick() -> None:
    def compiled(piece: str) -> None:
        with contextlib.suppress(KqlError):
            compile_kql((piece * MAX_QUERY)[:MAX_QUERY], NOW)

    for piece in ("(", "not ", "a and ", "a:(b or ", "*", " ", "\\\\", '"a" ', "n", "a:{", "message:* or "):
        assert cost_s(lambda: compiled(piece)) < AT_ONCE_S, piece  # noqa: B023


DATES = [
    ("now", "2026-11-23T17:04:05.123456Z", 1),
    ("now/d", "2026-11-23T00:00:00Z", 86_400_000_000),
    ("now-1d/d", "2026-11-22T00:00:00Z", 86_400_000_000),
    ("now-1M/M", "2026-10-01T00:00:00Z", 31 * 86_400_000_000),
    ("now/w", "2026-11-23T00:00:00Z", 7 * 86_400_000_000),
    ("now-1w/w", "2026-11-16T00:00:00Z", 7 * 86_400_000_000),
    ("now/y", "2026-01-01T00:00:00Z", 365 * 86_400_000_000),
    ("now-90m", "2026-11-23T15:34:05.123456Z", 1),
    ("now+1H/h", "2026-11-23T18:00:00Z", 3_600_000_000),
    ("2026", "2026-01-01T00:00:00Z", 365 * 86_400_000_000),
    ("2024-02", "2024-02-01T00:00:00Z", 29 * 86_400_000_000),
    ("2026-11-23T17", "2026-11-23T17:00:00Z", 3_600_000_000),
    ("2026-11-23T17:04", "2026-11-23T17:04:00Z", 60_000_000),
    ("2026-11-23 17:04:05", "2026-11-23T17:04:05Z", 1_000_000),
    ("2026-11-23T17:04:05.1Z", "2026-11-23T17:04:05.1Z", 100_000),
    ("2026-11-23T17:04:05.123456789Z", "2026-11-23T17:04:05.123456Z", 1),
    ("2026-11-23T17:04:05+09:00", "2026-11-23T08:04:05Z", 1_000_000),
    ("2026-11-23T17:04:05-0330", "2026-11-23T20:34:05Z", 1_000_000),
    ("2024-02-29||+1y", "2025-02-28T00:00:00Z", 1),
    ("2026-01-31||+1M", "2026-02-28T00:00:00Z", 1),
    ("2026-11-23T17:04:05||/h", "2026-11-23T17:00:00Z", 3_600_000_000),
]


@pytest.mark.parametrize(("text", "low", "length"), DATES, ids=[text for text, _, _ in DATES])
def test_dates(text: str, low: str, length: int) -> None:
    stretch = parse_date(text, NOW)
    assert (stretch.low, stretch.high - stretch.low) == (parse_iso(low), length)


@given(st.text(alphabet="now+-/||0123456789dMyhHmsw:TZ. ", max_size=20))
def test_any_date_is_a_stretch_or_refused(text: str) -> None:
    try:
        stretch = parse_date(text, NOW)
    except ValueError:
        return
    assert stretch.low < stretch.high


def test_every_field_can_be_asked_for() -> None:
    values = {"date": "2026", "long": "1", "boolean": "true", "ip": "10.0.0.1"}
    for name, kind in CATALOGUE.items():
        for query in (f"{name}: *", f"{name}: {values.get(kind.type, 'x')}"):
            if kind.type == "geo_point" and not query.endswith("*"):
                continue
            predicate = compile_kql(query, NOW)
            compile_predicate(predicate)
            to_sql(predicate)
