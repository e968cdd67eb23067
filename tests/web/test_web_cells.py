"""Cells that a spreadsheet must not take for formulas, whatever it is set to."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwtrail.ecs import event_for
from jwtrail.web.cells import csv_lines, harmless_cell

SIGNS = "=+-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u2212"
HIDDEN = [
    "",
    " ",
    "\u00a0",
    "\u3000",
    "\u200b",
    "\ufeff",
    "\u2060",
    "\u202e",
    "\u00ad",
    "\ufe0f",
    "\x00",
    '"',
    ' "\u200b',
]


@pytest.mark.parametrize("hidden", HIDDEN, ids=ascii)
@pytest.mark.parametrize("sign", SIGNS, ids=ascii)
def test_a_formula_is_quoted_however_it_is_hidden(sign, hidden):
    assert harmless_cell(f"{hidden}{sign}1+1") == f"'{hidden}{sign}1+1"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a;=1+1", "'a;'=1+1"),
        ('a;"=1+1";b', "'a;'\"=1+1\";b"),
        ("=1;=2", "'=1;'=2"),
        ("a\t=1", "'a\t'=1"),
        ("a\n+1;\u200b@b", "'a\n'+1;'\u200b@b"),
        ("\tb", "'\tb"),
        ("\rb", "'\rb"),
    ],
)
def test_a_formula_behind_another_separator_is_quoted_too(text, shown):
    assert harmless_cell(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "7",
        "2026-11-23T12:00:00Z",
        "/orders/{id}",
        "Mozilla/5.0 (X11; Linux x86_64) a=b",
        "a;b",
        "'=1",
        "*",
        "é-1",
    ],
)
def test_other_cells_stay_as_they_are(text):
    assert harmless_cell(text) == text


@given(st.text(st.sampled_from('=+-@;,\t"\u200b\uff1d ab')))
def test_no_reader_with_any_separator_finds_a_formula(text):
    event = event_for("http-request", user_agent_original=text, message=text)
    _header, _, written = "".join(csv_lines([event])).partition("\r\n")
    for separator in ",;\t":
        for row in csv.reader(io.StringIO(written, newline=""), delimiter=separator):
            assert [
                cell for cell in row if cell.lstrip(' \u200b"')[:1] in SIGNS and cell.strip(' \u200b"')
            ] == []
