"""Reading a state file where nothing can be written, and where somebody else writes at the same time."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from jwtrail.errors import StateError
from jwtrail.state import StateStore
from jwtrail.state.records import AlertRow

ROW = AlertRow(id="a" * 32, rule="r", severity="high", group="user.id=u", at_us=1, doc="{}")
READ = "import sys; from jwtrail.state import StateStore; print(len(StateStore(sys.argv[1], read_only=True).alerts()))"
# Root may write anywhere unless it lets go of that.
HUMBLE = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"] if os.geteuid() == 0 else []
pytestmark = pytest.mark.skipif(
    bool(HUMBLE) and shutil.which(HUMBLE[0]) is None, reason="root needs setpriv to be refused"
)


@pytest.fixture
def directory():
    """Not pytest's own, which only its owner may enter."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o755)
    yield made
    made.chmod(0o755)
    shutil.rmtree(made)


def read_by_somebody_who_cannot_write(directory):
    for path in directory.iterdir():
        path.chmod(0o444)
    directory.chmod(0o555)
    return subprocess.run(
        [*HUMBLE, sys.executable, "-c", READ, str(directory / "state.db")],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_file_that_was_closed_is_read_where_nothing_can_be_written(directory):
    with StateStore(directory / "state.db") as store:
        store.add_alert(ROW)
    done = read_by_somebody_who_cannot_write(directory)
    assert (done.stdout, done.returncode) == ("1\n", 0), done.stderr
    assert [path.name for path in directory.iterdir()] == ["state.db"]


def test_a_file_that_is_in_use_is_read_with_what_was_just_written(directory):
    with StateStore(directory / "state.db") as store:
        store.add_alert(ROW)
        done = read_by_somebody_who_cannot_write(directory)
        assert (done.stdout, done.returncode) == ("1\n", 0), done.stderr


def test_reading_changes_and_makes_nothing(tmp_path):
    path = tmp_path / "state.db"
    with pytest.raises(StateError):
        StateStore(path, read_only=True)
    assert list(tmp_path.iterdir()) == []
    with StateStore(path) as store:
        store.add_alert(ROW)
    before = path.read_bytes()
    with StateStore(path, read_only=True) as store:
        assert store.alerts() == [ROW]
        with pytest.raises(StateError, match="readonly"):
            store.set_alert(ROW.id, status="closed")
    assert path.read_bytes() == before


def test_reading_follows_a_writer(tmp_path):
    path = tmp_path / "state.db"
    with StateStore(path) as writing, StateStore(path, read_only=True) as reading:
        assert reading.alerts() == []
        writing.add_alert(ROW)
        assert reading.alerts() == [ROW]


def test_an_older_file_is_not_read_as_if_it_were_new(tmp_path):
    path = tmp_path / "state.db"
    StateStore(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    with pytest.raises(StateError, match="older"):
        StateStore(path, read_only=True)


def test_a_path_with_signs_that_mean_something_in_an_address(tmp_path):
    odd = tmp_path / "a?b#c %41"
    odd.mkdir()
    with StateStore(odd / "state.db") as store:
        store.add_alert(ROW)
    with StateStore(odd / "state.db", read_only=True) as store:
        assert store.alerts() == [ROW]
    assert [path.name for path in odd.iterdir() if path.suffix == ".db"] == ["state.db"]
