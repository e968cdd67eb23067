"""A copy that is taken while everything goes on is whole, and refused where it would fork the log."""

import itertools
import threading

import pytest
from click.testing import CliRunner

from jwtrail import clock
from jwtrail.cli.main import cli
from jwtrail.errors import ConfigError, IntegrityError, TrailError
from jwtrail.state.records import Revocation
from jwtrail.state.store import StateStore
from jwtrail.trail import backup, fsck
from jwtrail.trail.backup import back_up
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.layout import Layout
from jwtrail.trail.reader import TrailReader
from jwtrail.trail.settings import TrailSettings
from jwtrail.trail.writer import TrailWriter
from waiting import until


class Busy:
    """A writer and a keeper that seals every 150 events. Nothing is written beyond what was asked for, so that a slow disk
    cannot be overtaken: a copy begins again when a segment was sealed meanwhile.
    """

    def __init__(self):
        self.stop, self.wanted = threading.Event(), threading.Semaphore(0)

    def more(self, count):
        self.wanted.release(count)


@pytest.fixture
def busy(layout, make_event):
    made = Busy()
    stop, writer = made.stop, TrailWriter(layout)

    def write():
        for number in itertools.count():
            made.wanted.acquire()
            if stop.wait(0.001):
                return
            writer.put(make_event(number))

    def keep():
        with Keeper(layout, TrailSettings(seal_events=150, checkpoint_seconds=0)) as keeper:
            while not stop.wait(0.005):
                keeper.step(clock.now_us())

    threads = [threading.Thread(target=run) for run in (write, keep)]
    for thread in threads:
        thread.start()
    yield made
    stop.set()
    made.more(1)
    for thread in threads:
        thread.join()
    writer.close()


def test_a_copy_taken_while_everything_goes_on_is_whole(layout, busy, tmp_path):
    with StateStore(layout.state) as state:
        state.revoke(Revocation(kind="jti", value="x", at_us=1, until_us=1 << 60, cause="operator"))
    busy.more(400)
    reader, sizes = TrailReader(layout), [0]
    until(reader.segments)

    def tell(copied, _all):
        if copied == 1:
            busy.more(50)  # three tries of a copy are one segment

    for number in range(4):
        until(lambda: reader.size > sizes[-1])
        made = back_up(layout, tmp_path / f"copy{number}", tell=tell)
        copy = Layout(tmp_path / f"copy{number}")
        assert fsck.verify(copy.root, vkey=layout.log_vkey.read_text()).ok
        assert made.signed > 0
        sizes.append(made.size)
        busy.more(10)
    assert sizes == sorted(set(sizes))
    busy.stop.set()
    with StateStore(copy.state) as state:
        assert len(state.revocations(clock.now_us())) == 1
    with Keeper(copy) as keeper:  # it can be gone on from
        assert keeper.size >= made.size
        keeper.step(clock.now_us())
    assert fsck.verify(copy.root).ok
    assert all(path.stat().st_mode & 0o077 == 0 for path in copy.root.rglob("*"))


def test_a_restored_copy_is_refused_where_it_would_fork(layout, fill, drain, tmp_path):
    mirror = TrailSettings(mirror=tmp_path / "mirror")
    fill(10)
    with Keeper(layout, mirror) as keeper:
        drain(keeper)
    back_up(layout, tmp_path / "copy")
    fill(10, start=10)
    with Keeper(layout, mirror) as keeper:
        drain(keeper)
    with pytest.raises(IntegrityError, match="were signed, but only"):
        Keeper(Layout(tmp_path / "copy"), mirror)


def test_nothing_is_overwritten_and_nothing_damaged_is_called_whole(sealed, tmp_path, monkeypatch):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(ConfigError, match="not empty"):
        back_up(sealed, tmp_path / "full")
    path = min(sealed.segments.iterdir())
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(TrailError, match=r"not whole|do not all|missing|cannot be read"):
        back_up(sealed, tmp_path / "copy")
    path.unlink()
    with pytest.raises(TrailError, match="faster"):
        back_up(sealed, tmp_path / "other")
    assert not any((tmp_path / "other").iterdir())
    assert backup.TRIES > 1


def test_the_command_line(sealed, tmp_path):
    run = CliRunner().invoke(cli, ["trail", "backup", str(tmp_path / "copy"), "--data", str(sealed.root)])
    assert run.exit_code == 0, run.output
    assert run.stdout.startswith("600 events in ")
    assert run.stdout.endswith("the copy is intact\n")
