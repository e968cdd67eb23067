"""The demo as a user runs it: real processes, real HTTP, and processes killed in the middle."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from jwtrail import clock
from jwtrail.errors import StateError
from jwtrail.state import StateStore
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.layout import Layout
from waiting import until


def start(data: Path, duration: int, *more: str) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "jwtrail",
        "demo",
        "--headless",
        "--json",
        "--duration",
        str(duration),
        "--data",
        str(data),
    ]
    return subprocess.Popen(
        [*command, "--console-port", "0", *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(demo: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = demo.communicate(timeout=200)
    assert out, err
    return json.loads(out)


def children(pid: int) -> list[int]:
    made = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        made += [int(child) for child in (task / "children").read_text().split()]
    return made


def verify(data: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jwtrail", "trail", "verify", "--data", str(data)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_six_attacks_are_found_and_answered_and_nothing_is_lost(tmp_path: Path) -> None:
    demo = start(tmp_path, 12)
    result = finish(demo)
    assert [(attack["id"], attack["found"], attack["answered"]) for attack in result["attacks"]] == [
        (name, True, True) for name in ("A1", "A4", "B2", "C6", "D1", "E6")
    ]
    assert {
        attack["id"]: attack["refused_status"]
        for attack in result["attacks"]
        if attack["id"] in ("B2", "C6", "D1")
    } == {
        "B2": 401,
        "C6": 401,
        "D1": 401,
    }
    assert result["requests_answered"] == result["requests_sent"] > 100
    assert (result["events_lost"], result["events_doubled"], result["trail_intact"]) == (0, 0, True)
    assert result["trail_size"] == result["events_stored"]
    assert demo.returncode == 0
    flip_a_bit_and_see(tmp_path)


def flip_a_bit_and_see(data: Path) -> None:
    layout = Layout(data)
    with Keeper(layout) as keeper:
        keeper.seal(clock.now_us())
        segment = layout.segments / keeper.segments[0].file
    whole = bytearray(segment.read_bytes())
    whole[len(whole) // 3] ^= 1
    segment.write_bytes(whole)
    report = verify(data)
    assert report.returncode == 5, report.stdout + report.stderr
    assert segment.name in report.stdout + report.stderr
    assert "index" in report.stdout + report.stderr


def holder(data: Path) -> int:
    """The process id of the daemon that holds the directory; 0 when there is none yet."""
    with contextlib.suppress(OSError, ValueError):
        return int((data / "LOCK").read_text())
    return 0


def shop_workers(demo: subprocess.Popen[str], daemon: int) -> list[int]:
    """The two workers of the shop; nothing before both run."""
    with contextlib.suppress(OSError, StopIteration):
        shop = next(child for child in children(demo.pid) if child != daemon)
        # uvicorn's supervisor has a resource tracker beside its workers; only the workers run the shop
        found = [
            child for child in children(shop) if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
        ]
        return found if len(found) == 2 else []
    return []


def alerts(data: Path) -> int:
    with contextlib.suppress(StateError), StateStore(data / "state.db", read_only=True) as state:
        return len(state.alerts())
    return 0


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds the workers through /proc")
def test_killed_processes_lose_nothing_that_was_answered(tmp_path: Path) -> None:
    demo = start(tmp_path, 280, "--users", "30")
    try:
        daemon = until(lambda: holder(tmp_path), "the daemon did not start")
        worker = until(lambda: shop_workers(demo, daemon), "the shop did not start")[0]
        until(lambda: alerts(tmp_path), "no attack was found")
        for pid in (worker, daemon):
            os.kill(pid, signal.SIGKILL)
            time.sleep(1.5)
        until(lambda: holder(tmp_path) not in (0, daemon), "the daemon did not come back")
        # the daemon that came back goes on with alerts
        until(lambda: alerts(tmp_path) >= 4, "no more attacks were found")
    finally:
        demo.send_signal(signal.SIGINT)
        result = finish(demo)
    assert result["restarts"] >= 1
    assert (result["events_lost"], result["events_doubled"], result["trail_intact"]) == (0, 0, True)
    assert result["alerts"] >= 4
    assert verify(tmp_path).returncode == 0


def test_a_directory_that_holds_a_trail_is_refused(tmp_path: Path) -> None:
    (tmp_path / "wal").mkdir()
    demo = start(tmp_path, 2)
    out, err = demo.communicate(timeout=120)
    assert (demo.returncode, out) == (1, "")
    assert "there is a trail already" in err


def test_a_taken_port_and_a_place_that_cannot_be_written_say_so_in_one_line(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    demo = start(blocked / "below", 2)
    out, err = demo.communicate(timeout=120)
    assert demo.returncode == 1
    assert out == ""
    assert len(err.strip().splitlines()) <= 2
    assert str(blocked) in err
    assert "Traceback" not in err
