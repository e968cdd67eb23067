"""Values that attack are told by a flag before they are redacted; values of normal life are not."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwtrail.ecs.clean import FLAG_CUT, MAX_ITEMS, redact_query
from jwtrail.ecs.probes import MAX_LOOKED_AT, probes_in
from waiting import AT_ONCE_S, cost_s

ATTACKS = {
    "probe_sql": [
        "1' OR '1'='1", "1 UNION ALL SELECT name FROM users", "1'; DROP TABLE users", "1') and 5=5--", "admin'--",
        "1 and sleep(5)", "1;waitfor delay '0:0:5'", "x' or 1=1#", "1 union/**/select 2", "(select 1 from information_schema.tables)",
    ],
    "probe_code": [
        "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "${jndi:ldap://x/a}", "{{7*7}}", "../../../etc/passwd",
        "..\\..\\windows\\win.ini", "1;cat /etc/passwd", "$(id)", "`whoami`", "x|curl http://x",
        "php://filter/x", "javascript:alert(1)", "() { :;}; echo", "x\x00.png",
    ],
    "probe_ssrf": [
        "http://169.254.169.254/latest/meta-data/", "http://localhost:9200/", "//127.0.0.1/x", "http://u@10.0.0.5/",
        "file:///etc/hosts", "gopher://x:25/_", "http://[::1]/", "http://metadata.google.internal/", "HTTP://192.168.0.1",
    ],
}  # fmt: skip

NORMAL = [
    "2", "2026-11-23T10:00:00+09:00", "alice@example.org", "O'Brien", "Rock & Roll", "a;b;c", "C++ (advanced)", "50%",
    "select a colour", "the union of the two", "order by phone", "https://images.example/10.png", "https://10years.example/",
    "/orders/7?x=1", "-created_at", "name,price", '{"a":1}', "[1,2]", "$100", "1--2", "it's; ok", "서울 (강남)", "../img.png",
    "drop me a line", "user's id and name", "file.txt", "image", "10.0.0.5", "sleep well", "<3", "a < b and c > d",
]  # fmt: skip


@pytest.mark.parametrize(("flag", "value"), [(flag, value) for flag in ATTACKS for value in ATTACKS[flag]])
def test_an_attack_is_flagged_and_its_value_not_kept(flag, value):
    flags: set[str] = set()
    shown = redact_query(f"q={quote(value)}&page=2", frozenset({"page"}), flags)
    assert flag in flags
    assert shown == "q=…&page=2"
    again: set[str] = set()
    redact_query(f"q={quote(quote(value))}", frozenset(), again)
    assert flag in again, "encoded twice"


@pytest.mark.parametrize("value", NORMAL)
def test_normal_life_is_not(value):
    assert probes_in("q", value) == []


def test_a_developers_redirect_address_is_left_alone_but_not_the_metadata_service():
    assert probes_in("redirect_uri", "http://localhost:3000/callback") == []
    assert probes_in("redirect_uri", "http://169.254.169.254/latest") == ["probe_ssrf"]


@given(st.text(alphabet="'\" or=<>;|`${}()\\%./-:ouniselctx", max_size=400))
def test_any_text_is_taken(text):
    assert set(probes_in("q", text)) <= set(ATTACKS)


@pytest.mark.parametrize("piece", ["' or ", "union ", "${", "{{", "../", "<", "';", "//", "%27", "' or a"])
def test_no_text_takes_long(piece):
    text = piece * (MAX_LOOKED_AT // len(piece) + 1)
    assert cost_s(lambda: probes_in("q", text)) < AT_ONCE_S


@pytest.mark.parametrize(
    "query",
    [
        "&".join(f"a{number}=1" for number in range(MAX_ITEMS)) + "&x=%3Cscript%3E",
        "q=" + "A" * 3000 + "<script>",
    ],
)
def test_padding_hides_nothing(query):
    flags: set[str] = set()
    assert "script" not in redact_query(query, frozenset(), flags)
    assert "probe_code" in flags


def test_what_is_not_looked_at_is_said():
    flags: set[str] = set()
    redact_query("q=" + "A" * 5000, frozenset(), flags)
    assert FLAG_CUT in flags
