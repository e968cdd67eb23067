"""The log as files and resources, by a reader that knows only the C2SP pages."""

from base64 import b64decode
from hashlib import sha256

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from jwtrail.cli.main import cli
from jwtrail.errors import IntegrityError, TrailError
from jwtrail.tlog.tiles import TilePath, number_path, tiles_of
from jwtrail.trail import fsck
from jwtrail.trail.publish import copy_log, resource
from jwtrail.trail.reader import TrailReader


def naive_root(leaves):
    """RFC 9162 section 2.1.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return sha256(b"\x01" + naive_root(leaves[:half]) + naive_root(leaves[half:])).digest()


def entries_of(bundle):
    found = []
    while bundle:
        length = int.from_bytes(bundle[:2], "big")
        found.append(bundle[2 : 2 + length])
        bundle = bundle[2 + length :]
    return found


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 600])
def test_a_copy_holds_the_signed_tree(log_of, tmp_path, size):
    layout = log_of(size)
    copied = copy_log(TrailReader(layout), tmp_path / "copy")
    assert copied.size == size
    names, hashes = [], []
    for place in tiles_of(size):
        data = (tmp_path / "copy/tile" / str(place)).read_bytes()
        if place.level is None:
            names += entries_of(data)
        elif place.level == 0:
            hashes += [data[at : at + 32] for at in range(0, len(data), 32)]
        else:
            first = place.number * 256
            whole = [
                naive_root(hashes[at * 256 : (at + 1) * 256]) for at in range(first, first + place.width)
            ]
            assert data == b"".join(whole)
    assert [sha256(b"\x00" + entry).digest() for entry in names] == hashes
    assert len(hashes) == size
    lines = (tmp_path / "copy/checkpoint").read_text().split("\n")
    assert (int(lines[1]), b64decode(lines[2])) == (size, naive_root(hashes))


def test_a_copy_is_brought_up_to_date_and_refuses_another_log(log_of, tmp_path):
    copy = tmp_path / "copy"
    copy_log(TrailReader(log_of(300)), copy)
    layout = log_of(10, more=True)
    assert copy_log(TrailReader(layout), copy).size == 310
    assert fsck.verify(layout.root).ok
    keys = layout.keys
    other = log_of(400, keys=keys)
    with pytest.raises(IntegrityError, match="does not continue"):
        copy_log(TrailReader(other), copy)
    with pytest.raises(IntegrityError, match="does not continue"):
        copy_log(TrailReader(log_of(9, keys=keys)), copy)
    with pytest.raises(IntegrityError):
        copy_log(TrailReader(log_of(400)), copy)


def test_what_no_checkpoint_covers_is_not_served(log_of, tmp_path):
    reader = TrailReader(log_of(300))
    assert resource(reader, "checkpoint") == reader.signed().note
    for path in (
        "tile/0/000",
        "tile/0/001.p/44",
        "tile/0/001.p/7",
        "tile/1/000.p/1",
        "tile/entries/001.p/44",
    ):
        assert resource(reader, path), path
    for path in (
        "", "tile/0/001", "tile/0/001.p/45", "tile/0/001.p/0", "tile/0/001.p/044", "tile/1/000", "tile/1/000.p/2",
        "tile/2/000.p/1", "tile/entries/001", "tile/00/000", "tile/64/000", "tile/0/x000/001.p/7", "tile/0/1", "0/000",
        "tile/../checkpoint", "tile/0/000.p/256", "tile/0/000/", "tile/entries/x999/x999/x999/x999/x999/999",
        "tile/entries/x999/x999/x999/x999/x999/x999/999",
    ):  # fmt: skip
        assert resource(reader, path) is None, path
    empty = TrailReader(type(log_of(0))(tmp_path / "nothing"))
    assert resource(empty, "checkpoint") is None
    with pytest.raises(TrailError, match="nothing was signed yet") as caught:
        copy_log(empty, tmp_path / "copy")
    assert not isinstance(caught.value, IntegrityError)


@given(st.none() | st.integers(0, 63), st.integers(0, 10**15 - 1), st.integers(1, 256))
def test_a_path_has_one_spelling(level, number, width):
    place = TilePath(level, number, width)
    assert TilePath.parse(str(place)) == place
    assert number_path(number).replace("x", "").replace("/", "").lstrip("0") == str(number or "")


@given(st.text("0123456789x/.pentrisl", max_size=20))
def test_what_parses_is_spelled_so(text):
    place = TilePath.parse(text)
    assert place is None or str(place) == text


def test_the_command_line_writes_a_copy(log_of, tmp_path):
    layout = log_of(300)
    run = CliRunner().invoke(
        cli, ["export", "tlog", str(tmp_path / "copy"), "--json", "--data", str(layout.root)]
    )
    assert run.exit_code == 0, run.output
    assert run.stdout == '{"size":300,"files":5}\n'
