"""Events in the order of their time, however many files they came from and in whatever order: detection counts in the order
of the trail. Sorted runs in files, then one merge; memory holds one run."""

import heapq
from collections.abc import Iterable, Iterator
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from jwtrail import clock
from jwtrail.ecs import Event
from jwtrail.trail.durable import storage_errors

__all__ = ["MAX_RUNS", "RUN_EVENTS", "in_time"]

RUN_EVENTS = 16_384
"""Events sorted in memory, about 4 KiB each."""

MAX_RUNS = 256
"""Files open at once when runs are merged. Input that needs more is in order as far as these reach."""

BACK_US = 60_000_000
"""How far the clock of a writer may go back, µs, and its events stay in the order in which it numbered them; beyond that lines are
out of order, not clocks."""

MAX_WRITERS = 4096
"""Writers whose last time is remembered."""

WRITER = "original.jwtrail.writer"

Placed = tuple[str, Event]
"""An event and the time by which it is placed."""

_place = itemgetter(0)


def in_time(events: Iterable[Event], folder: Path) -> Iterator[Event]:
    """The same events, oldest first; of one instant, or of a writer whose clock went back a little, in the order they came.

    Args:
        folder: where runs are kept meanwhile, in a directory of their own that is gone in the end.

    Raises:
        WriteError: runs cannot be written.
    """
    chunks = _chunks(map(_Places().placed, events))
    first = next(chunks, [])
    second = next(chunks, None)
    if second is None:
        yield from (event for _, event in first)
        return
    with TemporaryDirectory(prefix="import-", dir=folder) as place:
        runs = _Runs(Path(place))
        runs.add(first)
        runs.add(second)
        for chunk in chunks:
            runs.add(chunk)
        yield from (event for _, event in heapq.merge(*map(_read, runs.paths), key=_place))


class _Places:
    """The time by which each event is placed: its own, unless its writer's clock went back."""

    def __init__(self) -> None:
        self._last: dict[str, str] = {}

    def placed(self, event: Event) -> Placed:
        writer = (event.labels or {}).get(WRITER)
        if writer is None:
            return event.timestamp, event
        at = event.timestamp
        last = self._last.get(writer, at)
        if at < last and clock.parse_iso(last) - clock.parse_iso(at) <= BACK_US:
            at = last
        elif writer in self._last or len(self._last) < MAX_WRITERS:
            self._last[writer] = at
        return at, event


def _chunks(events: Iterable[Placed]) -> Iterator[list[Placed]]:
    chunk: list[Placed] = []
    for event in events:
        chunk.append(event)
        if len(chunk) == RUN_EVENTS:
            yield sorted(chunk, key=_place)
            chunk = []
    if chunk:
        yield sorted(chunk, key=_place)


class _Runs:
    """Files of events, each in order. A chunk goes on where one of them ends, so ordered input is one file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ends: list[str] = []
        self.paths: list[Path] = []

    def add(self, chunk: list[Placed]) -> None:
        number = self._fitting(chunk[0][0])
        path = self.paths[number]
        with storage_errors("keep a run in", path), path.open("ab") as run:
            run.writelines(msgspec.json.encode(placed) + b"\n" for placed in chunk)
        self._ends[number] = max(self._ends[number], chunk[-1][0])

    def _fitting(self, begin: str) -> int:
        """The run that ends last before this time, or a new one."""
        fits = [number for number, end in enumerate(self._ends) if end <= begin]
        if fits:
            return max(fits, key=self._ends.__getitem__)
        if len(self.paths) == MAX_RUNS:
            return MAX_RUNS - 1
        self.paths.append(self._folder / f"{len(self.paths)}.ndjson")
        self._ends.append("")
        return len(self.paths) - 1


def _read(path: Path) -> Iterator[Placed]:
    decode = msgspec.json.Decoder(Placed).decode
    with path.open("rb") as run:
        for line in run:
            yield decode(line)
