"""The memory of a daemon while a trail grows: `jwtrail serve` in a process of its own, sequencing, sealing, merging and detecting."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.trail import lean
from jwtrail.trail.layout import Layout
from jwtrail.trail.reader import TrailReader
from jwtrail.trail.settings import TrailSettings
from jwtrail.trail.writer import TrailWriter

AHEAD = 100_000
"""Events that the writer may be ahead of the daemon: what is measured is the daemon, not a backlog."""

POINTS = 10


def run(calls: int) -> None:
    count = calls * 5000
    with tempfile.TemporaryDirectory() as folder:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "jwtrail", "serve", "--data", folder, "--no-console"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            print(f"\nmemory of the daemon over {count:,} events")
            _grow(Layout(Path(folder)), daemon.pid, count)
        finally:
            daemon.terminate()
            daemon.wait(60)


def _grow(layout: Layout, pid: int, count: int) -> None:
    layout.create()
    writer = TrailWriter(layout, TrailSettings(queue_size=AHEAD))
    reader = TrailReader(layout)
    began = time.perf_counter()
    for point in range(1, POINTS + 1):
        for number in range(count * (point - 1) // POINTS, count * point // POINTS):
            if number % 10_000 == 0:
                _wait(reader, number - AHEAD // 2)
            writer.put(lean(number))
        _wait(reader, count * point // POINTS)
        rate = count * point / POINTS / (time.perf_counter() - began)
        segments = len(reader.segments())
        print(
            f"  {count * point // POINTS:>12,} events  {_megabytes(pid):8.0f} MB  {segments:5} segments"
            f"  {rate:10,.0f} events/s written, sequenced and judged",
            flush=True,
        )
    writer.close(60)


def _wait(reader: TrailReader, size: int) -> None:
    while size > 0 and reader.size < size:
        time.sleep(0.2)


def _megabytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024
