"""Lines of the log: made and cut apart without loss, and in one spelling only."""

import re
from base64 import b64encode
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwtrail.ecs import decode_line, encode_parts, entry_of, event_for
from jwtrail.trail.wal import (
    MAX_LINE,
    LineError,
    build_close,
    build_line,
    next_chain,
    split_close,
    split_line,
)

TEXT = st.text(max_size=60)
WRITER = "0123456789abcdef"


@st.composite
def events(draw):
    texts = {name: draw(TEXT) for name in ("url_path", "user_name", "message", "http_route", "tags0")}
    return event_for(
        draw(st.sampled_from(["login", "http-request", 'odd,"jwtrail.wal":{'])),
        url_path=texts["url_path"] if draw(st.booleans()) else None,
        user_name=texts["user_name"] if draw(st.booleans()) else None,
        message=texts["message"] if draw(st.booleans()) else None,
        http_route=texts["http_route"],
        tags=draw(st.none() | st.lists(TEXT, max_size=3)),
        labels=draw(st.none() | st.dictionaries(TEXT, TEXT, max_size=3)),
        event_duration=draw(st.none() | st.integers()),
        jwt_known=draw(st.none() | st.booleans()),
    )


@given(
    events(),
    st.integers(1, 10**12 - 1),
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=32, max_size=32),
)
def test_a_line_comes_apart_as_it_was_made(event, number, salt, chain):
    public, personal = encode_parts(event)
    line = build_line(public, personal, writer=WRITER, number=number, salt=salt, chain=chain)
    found = split_line(line)
    assert (found.public, found.personal, found.salt, found.chain) == (public, personal, salt, chain)
    assert (found.writer, found.number, found.event_id) == (WRITER, number, event.event_id)
    assert found.timestamp.decode() == event.timestamp
    assert found.entry == entry_of(event.event_id, public, personal, salt)
    assert decode_line(line).wal.n == number
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")


@given(st.binary(max_size=200))
def test_noise_is_refused(noise):
    with pytest.raises(LineError):
        split_line(noise)
    assert split_close(noise) is None


@given(st.data())
def test_a_flipped_bit_never_goes_unseen(data):
    """Either the line is refused, or the chain no longer follows."""
    public, personal = encode_parts(event_for("login", user_id="u-1", message="hello"))
    salt, before = bytes(range(16)), bytes(32)
    chain = next_chain(before, entry_of(msgspec.json.decode(public)["event.id"], public, personal, salt))
    line = bytearray(build_line(public, personal, writer=WRITER, number=1, salt=salt, chain=chain))
    at = data.draw(st.integers(0, (len(line) - 1) * 8 - 1))
    line[at // 8] ^= 1 << at % 8
    try:
        found = split_line(bytes(line))
        follows = next_chain(before, found.entry) == found.chain
    except ValueError:
        return
    assert not follows or found.writer != WRITER or found.number != 1


GOOD = build_line(
    b'{"@timestamp":"2026-11-23T16:46:55.000012Z","event.id":"019ab1c2-0000-7000-8000-000000000001"}',
    b'{"user.id":"u"}',
    writer=WRITER,
    number=7,
    salt=bytes(16),
    chain=bytes(32),
)


@pytest.mark.parametrize(
    "change",
    [
        lambda line: line.replace(b'"n":7', b'"n":07'),
        lambda line: line.replace(b'"n":7', b'"n":0'),
        lambda line: line.replace(b'"n":7', b'"n": 7'),
        lambda line: line.replace(b"0123456789abcdef", b"0123456789ABCDEF"),
        lambda line: line.replace(b'"s":"AAAAAAAAAAAAAAAAAAAAAA"', b'"s":"AAAAAAAAAAAAAAAAAAAAAB"'),
        lambda line: line.replace(b"event.id", b"event.ix"),
        lambda line: line.replace(b"@timestamp", b"@timestomp"),
        lambda line: line[:-3],
        lambda line: line[: line.index(b"user.id")],
        lambda line: line + b" " * MAX_LINE,
        lambda line: line.replace(b',"user.id":"u"}', b"}x"),
    ],
)
def test_one_spelling(change):
    assert split_line(GOOD).number == 7
    with pytest.raises(LineError):
        split_line(change(GOOD))


def test_clean_close():
    mark = split_close(build_close(WRITER, 12, bytes(range(32))))
    assert (mark.writer, mark.number, mark.chain) == (WRITER, 12, bytes(range(32)))
    assert split_close(GOOD) is None


def test_the_example_of_the_formats_page():
    page = (Path(__file__).parents[2] / "docs/formats/entry.md").read_text()
    said = dict(re.findall(r"^([a-z. ]+?)  +(\S.*)$", page[page.index("## Example") :], re.MULTILINE))
    salt = bytes.fromhex(said["salt"])
    public, personal = said["public"].encode(), said["personal"].encode()
    entry = entry_of(msgspec.json.decode(public)["event.id"], public, personal, salt)
    assert entry.hex() == said["entry"]
    assert entry[17:49].hex() == said["public commitment"]
    assert entry[49:].hex() == said["personal commitment"]
    assert b64encode(entry)
