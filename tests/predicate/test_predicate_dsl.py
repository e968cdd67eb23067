"""What the DSL writer refuses before an engine does, and letters without case; answers are compared in tests/engines."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwtrail.errors import PredicateError
from jwtrail.predicate.dsl import MAX_CLAUSES, MAX_LEVELS, to_dsl
from jwtrail.predicate.ir import And, Contains, Equals, Glob, Not, Or, Predicate, Range, Span
from jwtrail.predicate.lucene import MAX_PATTERN, without_case
from jwtrail.predicate.values import fold

TEXTS = st.text(alphabet="aAkK\u212aiI\u0130\u03a3\u03c3\u03c2\u00e9\u00c9.*[]-1", max_size=6)


@given(TEXTS, TEXTS)
def test_a_pattern_without_case_is_fold(wanted: str, text: str) -> None:
    source = without_case((wanted,))
    if source is None:
        source = re.escape(wanted.lower())
        text = "".join(char.lower() if char.isascii() else char for char in text)
    assert bool(re.fullmatch(source, text)) == (fold(text) == fold(wanted))


def test_plain_letters_need_no_pattern() -> None:
    assert without_case(("abc", None, 0)) is None
    assert without_case(("k", None, 0, "*")) == "[kK\u212a].*.\\*"
    with pytest.raises(PredicateError, match="too long"):
        to_dsl(Equals(field="user.id", value="k" * MAX_PATTERN, fold=True))


def test_a_pattern_without_wildcards_is_a_value() -> None:
    """OpenSearch finds no empty text without case."""
    for text in ("", "ab"):
        pattern = Glob(field="event.action", pattern=(text,), fold=True)
        assert to_dsl(pattern) == to_dsl(Equals(field="event.action", value=text, fold=True))
    assert to_dsl(Equals(field="event.action", value="", fold=True)) == {
        "term": {"event.action": {"value": ""}}
    }


def test_as_deep_and_wide_as_engines_take() -> None:
    leaf = Equals(field="user.id", value="a", span=Span(3, 7))
    deep: Predicate = leaf
    for level in range(MAX_LEVELS):
        other = Equals(field="user.id", value=str(level))
        deep = Or(items=(deep, other)) if level % 2 else And(items=(deep, other))
    assert to_dsl(deep)
    with pytest.raises(PredicateError, match=f"at most {MAX_LEVELS} levels"):
        to_dsl(Not(item=deep))
    wide = tuple(Equals(field="user.id", value=str(number)) for number in range(MAX_CLAUSES))
    assert to_dsl(Or(items=wide))
    with pytest.raises(PredicateError, match=f"at most {MAX_CLAUSES} conditions"):
        to_dsl(Or(items=(*wide, leaf)))


@pytest.mark.parametrize(
    "predicate",
    [
        Contains(text="--", fields=("message",)),
        Contains(text="a", fields=("message",), fold=False),
        Contains(text="a"),
        Equals(field="jwt.claims.tenant", value="a", fold=True),
        Equals(field="source.geo.location", value="1,2"),
        Glob(field="jwt.claims.tenant", pattern=("a", None, "b")),
        Glob(field="event.duration", pattern=("1", None)),
    ],
    ids=repr,
)
def test_what_engines_cannot_say_is_refused(predicate: Predicate) -> None:
    with pytest.raises(PredicateError):
        to_dsl(predicate)


def test_an_order_of_a_key_inside_has_two_ends() -> None:
    # Elasticsearch refuses a range with one end there; a root field and an ordinary one keep theirs.
    assert to_dsl(Range(field="jwt.claims.tenant", op="lt", value="b")) == {
        "range": {"jwt.claims.tenant": {"lt": "b", "gte": ""}}
    }
    above = to_dsl(Range(field="jwt.claims.tenant", op="gt", value="b"))
    assert set(above["range"]["jwt.claims.tenant"]) == {"gt", "lte"}
    assert to_dsl(Range(field="user.id", op="gt", value="b")) == {"range": {"user.id": {"gt": "b"}}}
