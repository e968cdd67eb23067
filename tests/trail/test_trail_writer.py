"""The writer: what is acknowledged is on the disk, whatever fails."""

import errno
import os
import signal
import subprocess
import sys
import threading

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jwtrail import clock
from jwtrail.errors import ConfigError, WriteError
from jwtrail.trail import storable, walfile
from jwtrail.trail.settings import TrailSettings
from jwtrail.trail.tail import Tail
from jwtrail.trail.writer import TrailWriter
from waiting import LONG_S, until


def lines(layout):
    """Every good line of every writer, and its tail."""
    found = {}
    for writer in layout.writers():
        tail = Tail(layout, writer)
        found[writer] = (tail.read(10**9), tail)
        tail.close()
    return found


def only(layout):
    ((found, tail),) = lines(layout).values()
    return found, tail


def test_events_are_written_in_order_and_closed(layout, make_event):
    writer = TrailWriter(layout)
    made = [make_event(number) for number in range(500)]
    for event in made:
        assert writer.put(event) is None
    writer.close()
    found, tail = only(layout)
    assert [one.line.number for one in found] == list(range(1, 503))
    assert [one.line.event_id for one in found][1:-1] == [event.event_id for event in made]
    assert b"logging-started" in found[0].line.public
    assert b"logging-stopped" in found[-1].line.public
    assert tail.closed
    assert not tail.findings
    assert writer.stats().durable == 502
    with pytest.raises(WriteError, match="closed"):
        writer.put(make_event(1))
    writer.close()


def test_nothing_is_made_before_the_first_event(layout):
    writer = TrailWriter(layout)
    assert not layout.root.exists()
    writer.close()
    assert not layout.root.exists()


def test_sync_waiters_of_a_batch_share_a_future(layout, make_event):
    writer = TrailWriter(layout)
    futures = [writer.put(make_event(number), "sync") for number in range(200)]
    for future in futures:
        assert not future.cancel()
        future.result(60)
    assert len({id(future) for future in futures}) < 200
    assert writer.stats().durable >= 200
    writer.close()


def test_batch_events_are_durable_soon_and_visible_sooner(layout, make_event):
    writer = TrailWriter(layout, TrailSettings(batch_ms=30))
    writer.put(make_event(1))
    until(lambda: writer.stats().durable == 2)
    assert writer.stats().syncs == 1
    writer.close()


def test_files_rotate_by_size(layout, make_event):
    writer = TrailWriter(layout, TrailSettings(wal_file_bytes=4096))
    for number in range(40):
        writer.put(make_event(number), "sync").result(60)
    writer.close()
    (name,) = layout.writers()
    assert len(layout.wal_files(name)) > 2
    found, tail = only(layout)
    assert [one.line.number for one in found] == list(range(1, 43))
    assert not tail.findings


def test_a_full_queue_refuses_sync_and_counts_the_rest(layout, make_event, monkeypatch):
    gate = threading.Event()
    append = walfile.WalFile.append
    monkeypatch.setattr(walfile.WalFile, "append", lambda self, data: (gate.wait(LONG_S), append(self, data)))
    writer = TrailWriter(layout, TrailSettings(queue_size=5))
    writer.put(make_event(0))
    until(lambda: writer.stats().waiting == 0)
    for number in range(5):
        writer.put(make_event(number))
    for number in range(3):
        writer.put(make_event(number))
    with pytest.raises(WriteError, match="waiting"):
        writer.put(make_event(9), "sync")
    assert writer.stats().dropped == 3
    gate.set()
    writer.close()
    found, _ = only(layout)
    gaps = [one.line for one in found if b"logging-gap" in one.line.public]
    assert len(gaps) == 1
    assert b'"jwtrail.records":3' in gaps[0].public


@pytest.mark.parametrize("call", ["sync", "append"])
def test_after_an_error_a_new_file_has_everything(layout, make_event, monkeypatch, caplog, call):
    writer = TrailWriter(layout)
    writer.put(make_event(0), "sync").result(60)
    real = getattr(walfile.WalFile, call)
    used = []

    def fail_once(self, *args):
        used.append(self.path)
        if len(used) == 1:
            if call == "append":
                real(self, args[0][:20])  # a part is written, as a full disk does
            raise OSError(errno.EIO, "injected")
        return real(self, *args)

    monkeypatch.setattr(walfile.WalFile, call, fail_once)
    with pytest.raises(WriteError, match="Input/output error"):
        writer.put(make_event(1), "sync").result(60)
    writer.put(make_event(2), "sync").result(60)
    writer.close()
    assert [one.levelname for one in caplog.records] == ["ERROR", "WARNING"]
    found, tail = only(layout)
    assert [one.line.number for one in found] == [1, 2, 3, 4, 5]
    assert not tail.findings
    assert used[0] != used[1], "the descriptor that failed is never used again"


def test_a_failing_disk_bounds_memory_and_ends_with_an_error(layout, make_event, monkeypatch, caplog):
    def fail(self, data):
        raise OSError(errno.ENOSPC, "injected")

    monkeypatch.setattr(walfile.WalFile, "append", fail)
    writer = TrailWriter(layout, TrailSettings(queue_size=4))
    writer.put(make_event(0))
    until(lambda: writer.stats().error)
    assert "disk is full" in writer.stats().error
    assert [one.getMessage()[:33] for one in caplog.records] == ["jwtrail: events cannot be written"]
    for number in range(20):
        writer.put(make_event(number))
    assert writer.stats().waiting == 4
    assert writer.stats().dropped == 16
    with pytest.raises(WriteError, match="not on the disk"):
        writer.close()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_writes_a_log_of_its_own(layout, make_event):
    writer = TrailWriter(layout)
    writer.put(make_event(0), "sync").result(60)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            writer.put(make_event(1), "sync").result(60)
            writer.close()
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    writer.put(make_event(2), "sync").result(60)
    writer.close()
    found = lines(layout)
    assert sorted(len(one) for one, _ in found.values()) == [3, 4]
    assert all(tail.closed and not tail.findings for _, tail in found.values())


WRITE_FOREVER = """
import sys
from pathlib import Path
from jwtrail.ecs import event_for
from jwtrail.trail.layout import Layout
from jwtrail.trail.writer import TrailWriter
writer = TrailWriter(Layout(Path(sys.argv[1])))
while True:
    events = [event_for("login", user_id="u") for _ in range(20)]
    for event in events[:-1]:
        writer.put(event)
    writer.put(events[-1], "sync").result()
    print("\\n".join(event.event_id for event in events), flush=True)
"""


def test_kill_9_loses_nothing_that_was_acknowledged(layout):
    process = subprocess.Popen(
        [sys.executable, "-c", WRITE_FOREVER, str(layout.root)], stdout=subprocess.PIPE, text=True
    )
    acknowledged = [process.stdout.readline().strip() for _ in range(400)]
    process.send_signal(signal.SIGKILL)
    acknowledged += process.stdout.read().split()
    process.wait()
    process.stdout.close()
    found, tail = only(layout)
    assert not tail.findings
    assert not tail.closed
    assert set(acknowledged) <= {one.line.event_id for one in found} | {""}


def test_the_end_of_the_process_closes_the_log(layout):
    code = WRITE_FOREVER.replace("while True:", "for _ in range(3):")
    subprocess.run([sys.executable, "-c", code, str(layout.root)], check=True, stdout=subprocess.DEVNULL)
    found, tail = only(layout)
    assert len(found) == 62
    assert tail.closed


def test_settings_have_bounds():
    with pytest.raises(ConfigError, match=r"trail.queue_size"):
        TrailSettings(queue_size=0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"jwt_exp": "2026-11-23T16:46:55Z"}, "jwt.exp is not a time"),
        ({"jwt_exp": "2026-13-23T16:46:55.000000Z"}, "jwt.exp is not a time"),
        ({"timestamp": "yesterday"}, "@timestamp is not a time"),
        ({"event_duration": 2**53}, "event.duration is beyond"),
        ({"event_duration": -(2**70)}, "event.duration is beyond"),
        ({"user_name": "a\x00b"}, "control character"),
        ({"user_name": "a\\\nb"}, "control character"),
        ({"user_name": "\ud800"}, "surrogates"),
        ({"event_id": "not-a-uuid"}, "event.id is not a UUID"),
        ({"event_sequence": 5}, "in a trail before"),
        ({"user_roles": (object(),)}, "unsupported"),
        ({"labels": {str(number): "x" * 1024 for number in range(1030)}}, "bytes"),
    ],
)
def test_an_event_that_columns_could_not_give_back_becomes_a_note(layout, make_event, change, said):
    """Only an event made past `event_for` can be one; it must not stop the log, nor the sealing."""
    writer = TrailWriter(layout)
    writer.put(msgspec.structs.replace(make_event(1, user_name='C:\\temp "x"'), **change))
    writer.put(make_event(2), "sync").result(60)
    writer.close()
    found, tail = only(layout)
    assert not tail.findings
    assert [one.line.number for one in found] == [1, 2, 3, 4]
    notes = [
        msgspec.json.decode(one.line.personal)["message"]
        for one in found
        if b"logging-gap" in one.line.public
    ]
    assert len(notes) == 1
    assert said in notes[0]


@given(
    st.text(alphabet="0123456789-:.TZW,+ ", max_size=30)
    | st.datetimes().map(lambda at: at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
)
@example("2026-W47-1T16:46:55.000012Z")
@example("2026-11-23T16:46:55,000012Z")
@example("2026-11-23 16:46:55.000012Z")
@example("2026-11-23T16:46:55.0000+1Z")
@example("2026-02-30T16:46:55.000012Z")
@example("2026-11-23T24:00:00.000000Z")
@example("٢٠٢٦-11-23T16:46:55.000012Z")
def test_one_form_of_a_time(text):
    """Accepted is what `clock.iso` writes, and nothing else."""
    try:
        same = clock.iso(clock.parse_iso(text)) == text
    except ValueError:
        same = False
    assert storable._is_date(text) == same
