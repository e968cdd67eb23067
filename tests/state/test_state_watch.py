"""A change by any process is noticed within moments, also after a fork."""

import os
import subprocess
import sys
import threading

from jwtrail.state import Revocation, StateStore, Watch
from waiting import LONG_S

NOW = 1_800_000_000_000_000
REVOKE = """
import sys
from jwtrail.state import Revocation, StateStore
with StateStore(sys.argv[1]) as store:
    store.revoke(Revocation(kind="jti", value="x", at_us=1, until_us=2, cause="test"))
"""


def row(value):
    return Revocation(kind="jti", value=value, at_us=NOW, until_us=NOW + 1, cause="test")


def test_a_change_of_this_process_and_of_another_is_told(tmp_path):
    path = tmp_path / "state.db"
    changed = threading.Event()
    with StateStore(path) as store:
        watch = Watch(path, changed.set)
        watch.start()
        watch.start()
        store.revoke(row("a"))
        assert changed.wait(LONG_S)
        changed.clear()
        subprocess.run([sys.executable, "-c", REVOKE, path], check=True)
        assert changed.wait(LONG_S)
        watch.close()
        changed.clear()
        store.revoke(row("b"))
        assert not changed.wait(0.1)


def test_the_watch_goes_on_in_a_forked_child(tmp_path):
    path = tmp_path / "state.db"
    changed = threading.Event()
    with StateStore(path) as store:
        watch = Watch(path, changed.set)
        watch.start()
        child = os.fork()
        if child == 0:
            changed.clear()
            store.revoke(row("child"))
            os._exit(0 if changed.wait(LONG_S) else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert changed.wait(LONG_S)
        watch.close()


def test_a_file_that_is_away_for_a_moment_does_not_end_the_watch(tmp_path):
    path = tmp_path / "state.db"
    told = threading.Event()
    calls = []

    def read():
        calls.append(1)
        if len(calls) == 1:
            StateStore(tmp_path).close()  # a directory: raises StateError
        told.set()

    with StateStore(path) as store:
        watch = Watch(path, read)
        watch.start()
        store.revoke(row("a"))
        assert told.wait(LONG_S)
        assert len(calls) == 2
        watch.close()
