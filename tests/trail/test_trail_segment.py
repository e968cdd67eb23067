"""Sealing: typed columns give every event's canonical bytes back."""

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jwtrail.ecs import CATALOGUE, encode_parts, entry_of, event_for
from jwtrail.errors import CorruptionError, WriteError
from jwtrail.trail import segment
from jwtrail.trail.layout import Layout
from jwtrail.trail.manifest import Manifest, read_manifest, write_manifest
from jwtrail.trail.recompute import Engine, row_hashes
from jwtrail.trail.row import make_row
from jwtrail.trail.tail import TailLine
from jwtrail.trail.wal import build_line, split_line

AT = "2026-11-23T16:46:55.000012Z"


def rows_of(events, first=0):
    rows = []
    for number, event in enumerate(events):
        public, personal = encode_parts(event)
        salt = bytes([number % 256]) * 16
        raw = build_line(public, personal, writer="0" * 16, number=number + 1, salt=salt, chain=bytes(32))
        entry = entry_of(event.event_id, public, personal, salt)
        rows.append(make_row(TailLine(split_line(raw), entry), first + number, AT))
    return rows


def seal(layout, rows):
    sealer = segment.Sealer(layout)
    try:
        return sealer.seal(rows)
    finally:
        sealer.close()


def values(field):
    """Anything a field can hold, as `event_for` takes it."""
    text = st.text(max_size=20)
    if field.type == "date":
        return (
            st.datetimes()
            .filter(lambda at: at.year >= 1970)
            .map(lambda at: at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
        )
    one = {
        "long": st.integers(),
        "boolean": st.booleans(),
        "flattened": st.dictionaries(text, text, max_size=4),
    }.get(field.type, text)
    return st.lists(one, max_size=3) if field.many else one


GIVEN = {
    "@timestamp",
    "event.id",
    "event.action",
    "event.dataset",
    "event.kind",
    "event.module",
    "ecs.version",
}
FIELDS = [field for field in CATALOGUE.values() if field.klass != "derived" and field.name not in GIVEN]


@st.composite
def events(draw):
    chosen = draw(st.lists(st.sampled_from(FIELDS), max_size=8, unique_by=lambda field: field.name))
    fields = {field.attribute: draw(values(field)) for field in chosen}
    at = draw(st.integers(0, 4_000_000_000_000_000))
    return event_for(draw(st.sampled_from(["login", "http-request", "mine"])), at_us=at, **fields)


@pytest.fixture(scope="module")
def where(tmp_path_factory):
    layout = Layout(tmp_path_factory.mktemp("segments"))
    layout.create()
    return layout


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(events(), min_size=1, max_size=40))
def test_columns_give_the_canonical_bytes_back(where, made):
    """`seal` compares each entry itself; here the whole event is compared too, read by plain SQL."""
    rows = rows_of(made)
    info = seal(where, rows)
    with Engine() as engine:
        path = where.segments / info.file
        assert [row.entry for row in row_hashes(engine, path, frozenset(info.columns))] == [
            row.entry for row in rows
        ]
        columns = [row[0] for row in engine.rows(f"DESCRIBE FROM '{path}'")]
    assert sorted(columns) == list(info.columns)
    assert info.rows == len(made)
    assert info.min_time == min(event.timestamp for event in made)


@pytest.mark.parametrize(
    "text",
    [
        '"',
        "\\",
        "/",
        "<>&'",
        "é",
        "\U0001f600",
        "\x7f",
        "\u2028",
        "null",
        "true",
        "1",
        "",
        " ",
        "a,b",
        "{}",
        "[]",
        "\\u0041",
        "%",
        "'",
    ],
)
def test_texts_that_json_writers_disagree_about(where, text):
    made = event_for(
        "login", user_name=text, tags=[text], labels={text: text}, user_roles=[text, text], message=text
    )
    seal(where, rows_of([made]))


def test_every_column_has_its_type_and_file_its_mode(where):
    everything = {
        "date": "2026-11-23T16:46:55.000012Z", "long": 7, "boolean": True, "flattened": {"b": "1", "a": "2"},
    }  # fmt: skip
    fields = {field.attribute: everything.get(field.type, "x") for field in FIELDS}
    fields = {name: ["x"] if CATALOGUE_MANY[name] else value for name, value in fields.items()}
    info = seal(where, rows_of([event_for("login", **fields)]))
    path = where.segments / info.file
    assert path.stat().st_mode & 0o777 == 0o600
    types = dict(row[:2] for row in duckdb.sql(f"DESCRIBE FROM '{path}'").fetchall())
    for field in CATALOGUE.values():
        assert types[field.name] == field.sql_type
    assert types["jwtrail.salt"] == "BLOB"


CATALOGUE_MANY = {field.attribute: field.many for field in CATALOGUE.values()}


def test_an_event_that_would_not_come_back_is_not_sealed(where):
    made = event_for("login")
    odd = type(made)(
        timestamp="2026-11-23T16:46:55.000012Z", event_id=made.event_id, jwt_exp="2026-11-23T16:46:55Z"
    )
    with pytest.raises(CorruptionError, match="does not come back"):
        seal(where, rows_of([odd], first=77))
    assert not list(where.segments.glob("000000000077*"))


def test_a_field_that_no_sample_showed_is_found_when_the_file_is_read_again(where):
    plain = [event_for("login") for _ in range(segment.SAMPLE)]
    sealer = segment.Sealer(where)
    rare = sealer.seal(rows_of([plain[0], event_for("login", user_name="x", message="y"), *plain[1:]]))
    assert {"user.name", "message"} <= set(rare.columns)
    later = sealer.seal(rows_of(plain, first=len(plain) + 1))
    assert later.columns == rare.columns, "it is expected again"
    for number in range(segment.REMEMBERED):
        last = sealer.seal(rows_of([plain[0]], first=1000 + number))
    assert "user.name" not in last.columns, "but not for ever"
    sealer.close()


def test_rows_in_another_order_are_noticed(where, monkeypatch):
    convert = segment._convert

    def turned(engine, lines, made, columns):
        lines.write_bytes(b"".join(reversed(lines.read_bytes().splitlines(keepends=True))))
        convert(engine, lines, made, columns)

    monkeypatch.setattr(segment, "_convert", turned)
    with pytest.raises(CorruptionError, match="does not come back"):
        seal(where, rows_of([event_for("login") for _ in range(3)], first=5000))


def test_a_segment_that_cannot_be_written_leaves_nothing(tmp_path):
    layout = Layout(tmp_path / "gone")
    with pytest.raises(WriteError, match="cannot write a segment"):
        seal(layout, rows_of([event_for("login")]))


def test_manifest_comes_back_and_is_checked(tmp_path, where):
    path = tmp_path / "manifest.json"
    assert read_manifest(path) == Manifest()
    info = seal(where, rows_of([event_for("login")]))
    manifest = Manifest(size=1, segments=(info,))
    write_manifest(path, manifest)
    assert read_manifest(path) == manifest
    for wrong in (
        b"{",
        b'{"version":9}',
        b'{"size":5}',
        path.read_bytes().replace(b'"first": 0', b'"first": 1'),
    ):
        path.write_bytes(wrong)
        with pytest.raises(CorruptionError):
            read_manifest(path)
