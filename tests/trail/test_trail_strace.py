"""The kernel's own answers: each kind of call to the disk fails at some moment, once or for good, in a real process."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from trail_faults import CHILD, recovered

from jwtrail import config
from waiting import LONG_S

CALLS = {
    "write": ("ENOSPC", "EIO"),
    "fdatasync": ("EIO",),
    "fsync": ("EIO", "ENOSPC"),
    "rename": ("EIO",),
    "openat": ("EMFILE", "ENOSPC"),
    "ftruncate": ("EIO",),
    "unlink": ("EIO",),
}
MOMENTS = ("1", "2", "3", "5", "9", "1+", "4+") if config.is_ci() else ("1", "4+")
"""`n`: the n-th such call of a thread fails. `n+`: each from there on."""


@pytest.fixture(scope="module")
def spawn():
    """Starts a small life under a directory and returns its pid; it waits for the word."""
    if not shutil.which("strace"):
        if config.is_ci():
            pytest.fail("CI has strace")
        pytest.skip("needs strace")
    with subprocess.Popen(
        [sys.executable, CHILD, "spawn"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:

        def start(root):
            child.stdin.write(f"{root}\n")
            child.stdin.flush()
            return int(child.stdout.readline())

        yield start
        child.stdin.close()


def troubled(root, pid, fault):
    """Let the process live with this fault; how often it was met."""
    said = Path(f"{root}.strace")
    command = ["strace", "-f", "-p", str(pid), "-o", str(said), "-e", f"trace={fault.split(':')[0]}"]
    tracer = subprocess.Popen([*command, "-e", f"inject={fault}"], stderr=subprocess.PIPE, text=True)
    try:
        line = tracer.stderr.readline()
        if "attached" not in line:
            if config.is_ci():
                pytest.fail(line)
            pytest.skip(f"cannot trace here: {line.strip()}")
        Path(f"{root}.go").touch()
        tracer.wait(LONG_S)  # it ends with the process
    finally:
        tracer.kill()
        tracer.wait()
        tracer.stderr.close()
    unexpected = Path(f"{root}.error").read_text()
    assert not unexpected, unexpected
    return len(re.findall(r"\(INJECTED\)", said.read_text()))


@pytest.mark.engine
@pytest.mark.timeout(300)
@pytest.mark.parametrize("call", CALLS)
def test_whatever_the_kernel_answers_nothing_acknowledged_is_lost(spawn, tmp_path, call):
    met = 0
    for error in CALLS[call]:
        for moment in MOMENTS:
            root = tmp_path / f"{error}-{moment.replace('+', 'on')}"
            met += troubled(root, spawn(root), f"{call}:error={error}:when={moment}")
            promised = set(Path(f"{root}.ids").read_text().split())
            assert promised <= recovered(root), f"{call} {error} {moment}"
    assert met


@pytest.mark.engine
def test_a_process_that_is_not_troubled_acknowledges_everything(spawn, tmp_path):
    root = tmp_path / "quiet"
    assert troubled(root, spawn(root), "rename:error=EIO:when=60000") == 0
    promised = set(Path(f"{root}.ids").read_text().split())
    assert len(promised) == 24
    assert promised <= recovered(root)
