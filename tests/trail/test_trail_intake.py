"""Records from elsewhere become events; nothing a file holds is lost or breaks the import."""

import gzip
from datetime import UTC as UTC_ZONE

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from jwtrail import clock
from jwtrail.cli.main import cli
from jwtrail.ecs import CATALOGUE, document, event_for
from jwtrail.errors import ConfigError
from jwtrail.trail import fsck
from jwtrail.trail.intake import Line, Unreadable, combined, ecsdoc, line, plain, take
from jwtrail.trail.reader import TrailReader
from jwtrail.trail.storable import storable_parts

COMBINED = (
    '203.0.113.7 - kim [10/Oct/2025:13:55:36 -0700] "GET /orders/7%20a?token=s3cret&x HTTP/1.1" 200 2326 '
    '"https://shop.example/?q=1" "Mozilla/5.0 \\"x\\""'
)
SAID = clock.parse_iso("2025-10-10T20:55:36Z")


def of(parse, text):
    return document(parse(Line("access.log", 3, text)))


def test_a_combined_line():
    doc = of(combined.parse, COMBINED)
    assert doc.pop("event.id")
    assert doc.pop("event.created")
    assert doc == {
        "@timestamp": clock.iso(SAID), "ecs.version": "9.2.0", "event.action": "http-request",
        "event.category": ("web", "api"), "event.type": ("access",), "event.dataset": "jwtrail.access",
        "event.kind": "event", "event.module": "jwtrail", "event.outcome": "success", "http.request.method": "GET",
        "http.request.referrer": "https://shop.example/?q=…", "http.response.bytes": 2326,
        "http.response.status_code": 200, "http.version": "1.1", "labels": {"import.file": "access.log", "import.line": "3"},
        "related.ip": ("203.0.113.7",), "source.ip": "203.0.113.7", "tags": ("imported", "imported_combined"),
        "url.original": "/orders/7%20a?token=…&…", "url.path": "/orders/7 a", "url.query": "token=…&…",
        "user.name": "kim", "user_agent.original": 'Mozilla/5.0 "x"',
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('::1 - - [01/Jan/2026:00:00:00 +0000] "\\x16\\x03\\x01" 400 -', {"url.original": "\\x16\\x03\\x01", "event.outcome": "failure"}),
        ('host.example - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/2.0" 304 0', {"labels": {"import.file": "access.log", "import.line": "3", "source.address": "host.example"}}),
        ('::1 - a b [01/Jan/2026:00:00:00 +0000] "GET /" 200 1 "-" "-" "1.2.3.4" extra', {"user.name": "a b", "http.request.method": "GET"}),
    ],
)  # fmt: skip
def test_lines_of_real_servers(text, expected):
    assert {**(doc := of(combined.parse, text)), **expected} == doc


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        COMBINED.replace("Oct", "Okt"),
        COMBINED.replace("10/Oct", "32/Oct"),
        COMBINED.replace(" 200 ", " 20 "),
        COMBINED[:60],
    ],
)
def test_what_is_no_combined_line_is_refused(text):
    with pytest.raises(Unreadable):
        of(combined.parse, text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("User 42 accessed endpoint /x?a=1 at 2026-01-02T03:04:05Z", {"user.id": "42", "url.path": "/x", "url.original": "/x?a=…", "@timestamp": "2026-01-02T03:04:05.000000Z", "event.action": "http-request"}),
        ("2026-01-02 12:04:05,123 INFO shop.api: user kim requested GET /x", {"user.id": "kim", "http.request.method": "GET", "@timestamp": "2026-01-02T03:04:05.123000Z", "labels": {"import.file": "access.log", "import.line": "3", "level": "INFO", "logger": "shop.api"}}),
        ("[2026-01-02 12:04:05] [ERROR] it broke", {"event.action": "log-message", "message": "it broke"}),
        ("INFO:root:User 7 accessed /y at 2026-01-02 12:04:05", {"user.id": "7", "url.path": "/y"}),
    ],
)  # fmt: skip
def test_lines_of_logging(text, expected):
    from zoneinfo import ZoneInfo

    parse = plain.parser(ZoneInfo("Asia/Seoul"))
    assert {**(doc := of(parse, text)), **expected} == doc
    with pytest.raises(Unreadable, match="no time"):
        of(parse, "User 42 accessed /x")
    with pytest.raises(Unreadable, match="not a time"):
        of(parse, "User 42 accessed /x at 2026-13-02T03:04:05Z")


def test_an_event_of_ours_comes_back_with_what_another_trail_gave_it_in_labels():
    event = event_for(
        "login", user_id="u", jwt_claims={"tenant": "t"}, labels={"a": "b"}, tags=("x",), url_query="a=…", jwt_known=True,
        jwt_exp=clock.iso(5), jwtrail_flags=("truncated",), source_port=7,
    )  # fmt: skip
    event = msgspec.structs.replace(
        event, event_sequence=17, event_hash="h", jwtrail_writer="ab" * 8, jwtrail_writer_seq=3
    )
    doc = of(ecsdoc.parse, msgspec.json.encode(document(event)).decode())
    assert doc["labels"] == {
        "a": "b", "import.file": "access.log", "import.line": "3", "original.event.hash": "h",
        "original.event.sequence": "17", "original.jwtrail.writer": "ab" * 8, "original.jwtrail.writer_seq": "3",
    }  # fmt: skip
    assert doc.pop("tags") == ("imported", "imported_ecs", "x")
    derived = {name for name, field in CATALOGUE.items() if field.klass == "derived"}
    left = {
        name: value for name, value in document(event).items() if name not in {*derived, "labels", "tags"}
    }
    assert {name: doc[name] for name in left} == left


def test_a_document_of_filebeat():
    nested = {
        "@timestamp": "2026-01-02T03:04:05.123+09:00", "event": {"dataset": "nginx.access", "outcome": "success", "id": "not-a-uuid"},
        "http": {"request": {"method": "POST"}, "response": {"status_code": "201", "body": {"bytes": 3}}},
        "source": {"ip": ["203.0.113.9"], "port": 1}, "url": {"original": "/a?k=secret", "query": "k=secret"},
        "client": {"ip": "not an address"}, "related": {"ip": "203.0.113.9"}, "agent": {"name": "fb"}, "user": {"id": 42},
        "labels": {"env": 1}, "message": "x", "process": {"pid": None}, "event.reason": [],
    }  # fmt: skip
    doc = of(ecsdoc.parse, msgspec.json.encode(nested).decode())
    assert doc["@timestamp"] == "2026-01-01T18:04:05.123000Z"
    assert (doc["http.response.status_code"], doc["source.ip"], doc["user.id"]) == (201, "203.0.113.9", "42")
    assert (doc["event.action"], doc["event.dataset"], doc["related.ip"]) == (
        "http-request",
        "jwtrail.access",
        ("203.0.113.9",),
    )
    assert "secret" not in str(doc)
    assert doc["http.response.bytes"] == 3
    assert doc["labels"] == {
        "agent.name": "fb", "env": "1", "import.file": "access.log", "import.line": "3",
        "original.client.ip": "not an address", "original.event.id": "not-a-uuid",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("doc", "cause"),
    [
        ({}, "not a time"),
        ([], "not an object"),
        ({"@timestamp": True}, "not a time"),
        ({"@timestamp": "yesterday"}, "not a time"),
        ({"@timestamp": -1}, "not a time"),
        ({"@timestamp": 1e300}, "not a time"),
        ({"@timestamp": 0, "labels": "x"}, "labels is not an object"),
        ({"@timestamp": 0, **msgspec.json.decode('{"a":' * 20 + "1" + "}" * 20)}, "nested"),
    ],
)
def test_a_document_that_is_refused_says_why(doc, cause):
    with pytest.raises(Unreadable, match=cause):
        of(ecsdoc.parse, msgspec.json.encode(doc).decode())
    with pytest.raises(Unreadable, match="not JSON"):
        of(ecsdoc.parse, '{"a":')


@pytest.mark.parametrize(
    ("name", "value"),
    [("source.port", "x"), ("user.id", ["a", "b"]), ("jwt.exp", "soon"), ("source.geo.location", [1, 91]), ("source.geo.location", "x")],
)  # fmt: skip
def test_what_a_field_cannot_hold_is_kept_and_the_event_with_it(name, value):
    doc = of(ecsdoc.parse, msgspec.json.encode({"@timestamp": 0, name: value}).decode())
    assert name not in doc
    assert doc["labels"][f"original.{name}"] in (value, msgspec.json.encode(value).decode())


@pytest.mark.parametrize(
    "point",
    [
        {"lat": 37.57, "lon": 126.98}, "37.57,126.98", [126.98, 37.57], ["37.57,126.98"], "POINT (126.98 37.57)",
        {"type": "Point", "coordinates": [126.98, 37.57]},
    ],
)  # fmt: skip
def test_a_point_in_every_form_of_elasticsearch(point):
    doc = of(
        ecsdoc.parse, msgspec.json.encode({"@timestamp": 0, "source": {"geo": {"location": point}}}).decode()
    )
    assert doc["source.geo.location"] == "37.5700,126.9800"


def test_what_other_fields_say_is_filled_in():
    given = {"@timestamp": 0, "url.original": "https://h/a%20b?page=3&id=1' or 1=1--", "http.response.status_code": 404, "client.ip": "203.0.113.9"}  # fmt: skip
    event = ecsdoc.parse(Line("f", 1, msgspec.json.encode(given).decode()), frozenset({"page"}))
    doc = document(event)
    assert (doc["url.path"], doc["url.query"], doc["source.ip"]) == ("/a b", "page=3&id=…", "203.0.113.9")
    assert (doc["event.action"], doc["event.outcome"]) == ("http-request", "failure")
    assert "probe_sql" in doc["jwtrail.flags"]


def test_other_spellings_are_ours():
    def made(**given):
        return of(ecsdoc.parse, msgspec.json.encode({"@timestamp": 0, **given}).decode())

    doc = made(**{
        "event.action": "Token_Issued", "event.outcome": "SUCCESS", "user.email": "kim@example.org",
        "client.address": "2001:DB8::7", "client.geo": {"country_iso_code": "KR", "location": {"lat": 37.5, "lon": 127}}, "url.full": "https://h/a?b",
    })  # fmt: skip
    assert (doc["event.action"], doc["event.outcome"]) == ("token-issued", "success")
    assert (doc["user.name"], doc["user.id"]) == ("kim@example.org", "kim@example.org")
    assert (doc["source.geo.country_iso_code"], doc["source.geo.location"]) == ("KR", "37.5000,127.0000")
    assert doc["source.ip"].lower() == "2001:db8::7"
    assert doc["url.path"] == "/a"
    assert doc["labels"]["original.event.action"] == "Token_Issued"
    assert (
        made(**{"event.action": "login", "event.reason": "Bad-Credentials"})["event.reason"]
        == "bad_credentials"
    )
    asked = {"event.action": "api call", "http.request.method": "GET", "user.name": "kim"}
    assert made(**asked, **{"http.response.status_code": 200})["event.action"] == "http-request"
    assert made(**asked)["event.action"] == "api call"
    # Ours stands where both are there, and what is no address is not one.
    both = made(**{"client.address": "203.0.113.9", "source.ip": "203.0.113.7"})
    assert (both["source.ip"], both["labels"]["client.address"]) == ("203.0.113.7", "203.0.113.9")
    assert "source.ip" not in made(**{"source.address": "h.example"})


def test_a_name_is_a_user_only_where_somebody_was_let_in():
    def user(**given):
        given = {"@timestamp": 0, "user.name": "kim", **given}
        return of(ecsdoc.parse, msgspec.json.encode(given).decode()).get("user.id")

    assert user(**{"http.response.status_code": 200}) == "kim"
    assert user(**{"http.response.status_code": 403}) == "kim"
    assert user(**{"http.response.status_code": 401}) is None
    assert user(**{"event.action": "login", "event.outcome": "failure"}) is None
    assert user(**{"event.action": "login", "event.outcome": "success"}) == "kim"
    assert user(**{"event.action": "login"}) is None
    assert user(**{"http.response.status_code": 200, "user.id": "u-7"}) == "u-7"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.dictionaries(st.sampled_from([*CATALOGUE, "event", "a.b", "labels.x"]), JSON, max_size=6),
    st.integers(0, 10**12),
)
def test_any_document_is_refused_or_can_be_stored(doc, at):
    text = msgspec.json.encode({**doc, "@timestamp": at}).decode()
    try:
        event = ecsdoc.parse(Line("f", 1, text))
    except Unreadable:
        return
    storable_parts(event)


@given(st.text(max_size=60))
def test_any_line_is_refused_or_can_be_stored(text):
    for parse in (combined.parse, plain.parser(UTC_ZONE)):
        for shown in (text, COMBINED.replace("kim", text), f"2026-01-02 03:04:05 {text}"):
            try:
                storable_parts(parse(Line("f", 1, shown)))
            except Unreadable:
                continue


def test_lines_are_bounded_and_gzip_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(line, "MAX_LINE", 16)
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(b"one\n\n" + b"x" * 100 + b"\r\n\xfftwo"))
    assert [(found.number, found.text) for found in line.lines_of(path)] == [
        (1, "one"),
        (3, "x" * 16),
        (4, "\ufffdtwo"),
    ]
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ConfigError, match=r"x\.gz"):
        list(line.lines_of(path))


def test_an_import_is_sequenced_in_the_order_of_its_lines(layout, tmp_path):
    source = tmp_path / "access.log"
    lines = [COMBINED.replace("/orders/7", f"/orders/{number}") for number in range(1500)]
    source.write_text("\n".join([*lines[:700], "rubbish", *lines[700:]]) + "\n")
    told = []
    taken = take(
        layout, [source, source], combined.parse, tmp_path / "rejects", by="root", file_bytes=1 << 16,
        tell=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert (taken.events, taken.rejected) == (3000, 2)
    assert told == sorted(told)
    assert told[-1][1] == 2 * source.stat().st_size
    rejected = [msgspec.json.decode(one) for one in (tmp_path / "rejects").read_text().splitlines()]
    assert rejected[0] == {
        "file": "access.log",
        "line": 701,
        "cause": "not a line of the combined log format",
        "text": "rubbish",
    }
    events = TrailReader(layout).unsealed()
    assert [event.url_path for event in events[:1500]] == [f"/orders/{number} a" for number in range(1500)]
    assert (events[-1].event_action, events[-1].jwtrail_records) == ("trail-imported", 3000)


def test_the_command_line(layout, tmp_path):
    source = tmp_path / "access.log.gz"
    source.write_bytes(gzip.compress(f"{COMBINED}\nrubbish\n".encode()))
    command = [
        "import",
        "--format",
        "combined",
        str(source),
        "--json",
        "--rejects",
        str(tmp_path / "no"),
        "--data",
        str(layout.root),
    ]
    run = CliRunner().invoke(cli, command)
    assert run.exit_code == 3, run.output
    answer = msgspec.json.decode(run.stdout)
    assert (answer["events"], answer["rejected"], answer["rejects"]) == (1, 1, str(tmp_path / "no"))
    report = fsck.verify(layout.root)
    assert (report.ok, report.size) == (True, 2)
    assert CliRunner().invoke(cli, [*command, "--timezone", "Nowhere/Land"]).exit_code == 3
    bad = [*command[:2], "logging", *command[3:], "--timezone", "Nowhere/Land"]
    assert CliRunner().invoke(cli, bad).exit_code == 2
