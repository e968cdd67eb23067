"""What a file says of numbers and sizes costs the audit neither memory nor time: whoever writes files cannot stop it."""

import hashlib
import json
import resource
import subprocess
import sys

import msgspec
import pytest

from jwtrail.ecs.entry import entry_of
from jwtrail.trail.fsck import verify
from jwtrail.trail.fsck.audit import MAX_LOST_LINES
from jwtrail.trail.manifest import read_manifest, write_manifest
from jwtrail.trail.wal import build_line, next_chain, split_line

HUGE = 2_000_000_000
MEMORY = 3 << 30
"""Of the process, with all that DuckDB reserves."""


def audited(layout):
    """The kinds of what an audit finds wrong, made by a process that may not take much memory."""
    code = (
        "import sys, msgspec; from pathlib import Path; from jwtrail.trail.fsck import verify\n"
        "print(msgspec.json.encode(verify(Path(sys.argv[1]))).decode())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, layout.root], capture_output=True, text=True, check=False, timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    report = msgspec.json.decode(done.stdout)
    assert not report["ok"]
    return {one["kind"]: one for one in report["findings"] if not one["note"]}


def order_line(first, runs):
    body = msgspec.json.encode({"first": first, "at": "2026-11-23T00:00:00.000000Z", "runs": runs})[:-1]
    return body + b',"sum":"' + hashlib.sha256(body).hexdigest()[:16].encode() + b'"}\n'


def test_an_order_of_billions_of_lines(sealed):
    size = read_manifest(sealed.manifest).size
    (writer,) = sealed.writers()
    sealed.order.write_bytes(order_line(size, [[writer, 1, HUGE]]))
    found = audited(sealed)
    assert "more than can be" in found["missing_range"]["detail"]
    assert found["missing_range"]["index"] <= size + MAX_LOST_LINES + 200


@pytest.mark.parametrize("runs", [[["w", 1, -5]], [["w", 0, 3]], [["w", 1, 1e999]], [[[[[]]]]], 7])
def test_an_order_of_nonsense(sealed, runs):
    size = read_manifest(sealed.manifest).size
    body = f'{{"first":{size},"at":"","runs":{json.dumps(runs)}'.encode()
    sealed.order.write_bytes(body + b',"sum":"' + hashlib.sha256(body).hexdigest()[:16].encode() + b'"}\n')
    assert "unreadable" in {one.kind for one in verify(sealed.root).findings}


def test_a_segment_of_billions_of_rows(sealed):
    manifest = read_manifest(sealed.manifest)
    last = manifest.segments[-1]
    wide = msgspec.structs.replace(last, rows=last.rows + HUGE * 100, last=last.last + HUGE * 100)
    forged = msgspec.structs.replace(
        manifest, segments=(*manifest.segments[:-1], wide), size=manifest.size + HUGE * 100
    )
    write_manifest(sealed.manifest, forged)
    assert "missing_range" in audited(sealed)


def test_a_beginning_in_the_far_future(sealed):
    manifest = read_manifest(sealed.manifest)
    far = tuple(
        msgspec.structs.replace(one, first=one.first + HUGE * 100, last=one.last + HUGE * 100)
        for one in manifest.segments
    )
    write_manifest(
        sealed.manifest, msgspec.structs.replace(manifest, segments=far, size=manifest.size + HUGE * 100)
    )
    assert {"missing_range", "unaccounted_prune"} <= audited(sealed).keys()


@pytest.mark.parametrize(
    "name",
    [
        "manifest.json",
        "head/order.ndjson",
        "tlog/checkpoint",
        "tlog/segments",
        "keys/log.vkey",
        "wal",
        "tile",
    ],
)
def test_files_of_any_size(sealed, name):
    """Sparse: they take no room on the disk, and all the room in memory for whoever reads them as a whole."""
    path = sealed.root / name
    if name == "wal":
        (writer,) = sealed.writers()
        path = sealed.wal / writer / "000000900000.ndjson"
    elif name == "tile":
        path = next(one for one in sealed.tiles.rglob("*") if one.is_file())
    with path.open("wb") as file:
        file.truncate(1 << 40)
    assert {"unreadable", "bad_signature", "tile_mismatch"} & audited(sealed).keys()


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 100_000,
        b'{"jwtrail.wal":{"n":1e999}}',
        b'{"jwtrail.wal":{"n":"' + b"9" * 5000 + b'"}}',
        b'{"jwtrail.close":{"n":[],"h":1}}',
        b"7",
    ],
)
def test_lines_made_to_hurt(sealed, line):
    (writer,) = sealed.writers()
    log = sealed.wal_files(writer)[-1]
    with (sealed.wal / writer / str(log)).open("ab") as file:
        file.write(line + b"\n")
    report = verify(sealed.root)
    assert "altered_row" in {one.kind for one in report.findings}


def test_a_line_of_a_good_chain_made_to_hurt(sealed):
    """Whoever has a log's file can chain a line to it."""
    (writer,) = sealed.writers()
    path = sealed.wal / writer / str(sealed.wal_files(writer)[-1])
    lines = [line for line in path.read_bytes().splitlines(keepends=True) if b"jwtrail.close" not in line]
    last = split_line(lines[-1])
    public = (
        b'{"@timestamp":"2026-11-23T00:00:00.000000Z","event.action":"subject-erased",'
        b'"event.id":"019ab1c2-4711-7000-8000-000000000001","jwtrail.records":[],"tags":7}'
    )
    salt = bytes(16)
    chain = next_chain(last.chain, entry_of("019ab1c2-4711-7000-8000-000000000001", public, b"{}", salt))
    line = build_line(public, b"{}", writer=writer, number=last.number + 1, salt=salt, chain=chain)
    path.write_bytes(b"".join(lines) + line)
    assert "altered_row" in {one.kind for one in verify(sealed.root).findings}


def test_what_is_called_like_no_log_is_none(sealed):
    (writer,) = sealed.writers()
    (sealed.wal / writer / "notes.ndjson").write_bytes(b"hello\n")
    report = verify(sealed.root)
    assert report.ok
    assert [one.file for one in report.findings if one.kind == "foreign"] == [f"wal/{writer}/notes.ndjson"]
