"""The reader of logs against a model: whatever became of the files, each line comes once and in order."""

import errno
import os
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jwtrail.ecs import encode_parts, entry_of, event_for
from jwtrail.trail.fsck.logs import LogAudit
from jwtrail.trail.fsck.report import Findings
from jwtrail.trail.layout import Layout, WalFileName
from jwtrail.trail.settings import TrailSettings
from jwtrail.trail.tail import Tail
from jwtrail.trail.wal import CHAIN_START, build_close, build_line, next_chain
from jwtrail.trail.writer import TrailWriter

WRITER = "00112233445566aa"


def _lines(count):
    chain, made, chains = CHAIN_START, [], [CHAIN_START]
    for number in range(1, count + 1):
        public, personal = encode_parts(event_for("login", user_id=f"u{number}"))
        salt = number.to_bytes(16)
        chain = next_chain(chain, entry_of(event_id(public), public, personal, salt))
        chains.append(chain)
        made.append(build_line(public, personal, writer=WRITER, number=number, salt=salt, chain=chain))
    return made, chains


def event_id(public):
    return public.partition(b'"event.id":"')[2][:36].decode()


LINES, CHAINS = _lines(40)


def line(number):
    return LINES[number - 1]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tmp_path_factory.mktemp("tails")


class Log:
    """Files of one writer, written by the test."""

    made = 0

    def __init__(self, base):
        Log.made += 1
        self.layout = Layout(base / str(Log.made))
        self.directory = self.layout.wal / WRITER
        self.directory.mkdir(parents=True)

    def write(self, name, data):
        path = self.directory / str(name)
        with path.open("ab") as file:
            file.write(data)

    def tail(self, **options):
        return Tail(self.layout, WRITER, **options)

    def audited(self):
        findings = Findings()
        audit = LogAudit(self.directory, 0, CHAIN_START, findings)
        return sorted(audit.entries), findings.all


@st.composite
def histories(draw):
    """(file name, bytes) in the order of writing, of a writer that lost no line: rotations, torn lines, repeats."""
    total = draw(st.integers(1, 40))
    durable, files, steps = 0, [], []
    for last in [False] * draw(st.integers(0, 6)) + [True]:
        tries = sum(name.first == durable + 1 for name in files)
        name = WalFileName(durable + 1, tries)
        files.append(name)
        upto = total if last else draw(st.integers(durable, total))
        data = b"".join(line(number) for number in range(durable + 1, upto + 1))
        if not last and upto < total and draw(st.booleans()):
            data += line(upto + 1)[: draw(st.integers(1, len(line(upto + 1)) - 1))]
            durable = draw(st.integers(durable, upto))  # what may not be on the disk is written again
        else:
            durable = upto
        steps.append((name, data))
    return total, steps


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories(), st.randoms(use_true_random=False))
def test_any_history_without_loss_reads_as_one_log(base, history, chooser):
    total, steps = history
    log = Log(base)
    tail = log.tail()
    seen = []
    for name, data in steps:
        log.write(name, b"")
        cuts = sorted(chooser.randint(0, len(data)) for _ in range(4))
        for low, high in pairwise([0, *cuts, len(data)]):
            log.write(name, data[low:high])
            if chooser.random() < 0.5:
                seen += tail.read(chooser.choice([1, 5, 100]))
    log.write(steps[-1][0], build_close(WRITER, total, CHAINS[total]))
    while more := tail.read(3):
        seen += more
    assert [one.line.number for one in seen] == list(range(1, total + 1))
    assert tail.closed
    assert not tail.findings
    tail.close()
    whole = log.tail().read(1000)
    assert [one.entry for one in whole] == [one.entry for one in seen]
    assert log.audited() == (list(range(1, total + 1)), [])


@pytest.mark.parametrize("number", [0, 1, 7, 20])
def test_reading_goes_on_behind_what_is_sealed(base, number):
    log = Log(base)
    for first in (1, 8, 15):
        log.write(WalFileName(first), b"".join(line(at) for at in range(first, first + 7)))
    tail = log.tail(number=number, chain=CHAINS[number])
    assert [one.line.number for one in tail.read(100)] == list(range(number + 1, 22))
    assert not tail.findings


def damaged(base, data):
    log = Log(base)
    log.write(WalFileName(1), data)
    tail = log.tail()
    found = [one.line.number for one in tail.read(100)]
    return found, [str(finding) for finding in tail.findings], log.audited()


def test_a_missing_line_is_a_finding(base):
    found, findings, (audited, notes) = damaged(base, line(1) + line(2) + line(5) + line(6))
    assert found == audited == [1, 2, 5, 6]
    assert len(findings) == 1
    assert "expected number 3: number 5 follows" in findings[0]
    assert [note.kind for note in notes] == ["writer_gap"]


def test_an_altered_line_is_left_out_and_named_once(base):
    bad = line(3).replace(b'"user.id":"u3"', b'"user.id":"u4"')
    found, findings, (audited, notes) = damaged(base, line(1) + line(2) + bad + line(4) + line(5))
    assert found == audited == [1, 2, 4, 5]
    assert len(findings) == 1
    assert f"offset {len(line(1)) + len(line(2))}" in findings[0]
    assert [(note.kind, note.offset) for note in notes] == [("altered_row", len(line(1) + line(2)))]


def test_swapped_lines_noise_and_a_false_close(base):
    for data in (
        line(1) + line(3) + line(2),
        line(1) + b"\x00" * 50 + b"\n" + line(2),
        line(1) + build_close(WRITER, 2, CHAINS[2]) + line(2),
        line(1) + line(2).replace(WRITER.encode(), b"f" * 16),
    ):
        _, findings, (_, notes) = damaged(base, data)
        assert findings
        assert notes


def test_a_line_without_end_in_the_middle_of_the_files_is_damage(base):
    log = Log(base)
    log.write(WalFileName(1), line(1) + line(2)[:40])
    log.write(WalFileName(4), line(4))
    tail = log.tail()
    assert [one.line.number for one in tail.read(100)] == [1, 4]
    assert "cut off" in str(tail.findings[0])
    assert "writer_gap" in {note.kind for note in log.audited()[1]}


def test_a_line_longer_than_the_limit_is_passed_over(base):
    log = Log(base)
    log.write(WalFileName(1), line(1) + b"x" * 5_000_000 + b"\n" + line(2))
    tail = log.tail()
    assert [one.line.number for one in tail.read(100)] == [1, 2]
    assert tail.findings


def test_names_of_files():
    assert str(WalFileName(12)) == "000000000012.ndjson"
    assert WalFileName.parse("000000000012.3.ndjson") == WalFileName(12, 3)
    for wrong in ("12.ndjson", "000000000012.0.ndjson", "000000000012.ndjson.tmp", "x"):
        assert WalFileName.parse(wrong) is None
    assert WalFileName(2) < WalFileName(2, 1) < WalFileName(3)


@pytest.mark.parametrize("call", ["open", "fdatasync"])
def test_a_disk_that_fails_between_two_files_takes_no_line_with_it(layout, make_event, monkeypatch, call):
    """What was read of a file is handed over, whatever becomes of the next one; the failure is told once."""
    writer = TrailWriter(layout, TrailSettings(wal_file_bytes=4096))
    for number in range(20):
        writer.put(make_event(number), "sync").result(60)
    writer.close()
    (name,) = layout.writers()
    assert len(layout.wal_files(name)) > 2
    real, calls, told, numbers = getattr(os, call), 0, 0, []

    def second_fails(*args, **kwargs):
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OSError(errno.EIO, "Input/output error")
        return real(*args, **kwargs)

    monkeypatch.setattr(os, call, second_fails)
    tail = Tail(layout, name)
    for _ in range(10):
        try:
            numbers += [one.line.number for one in tail.read(100)]
            tail.sync()
        except OSError:
            told += 1
    tail.close()
    assert told <= 1
    assert calls > 2
    assert numbers == list(range(1, 23))
