"""Events in the order of their time, however many files they came from and in whatever order: detection counts in the order
of the trail. Sorted runs in files, then one merge; memory holds one run."""

import heapq
from collections.abc import Iterable, Iterator
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from jwtrail.ecs import Event
from jwtrail.trail.durable import storage_errors

__all__ = ["MAX_RUNS", "RUN_EVENTS", "in_time"]

RUN_EVENTS = 16_384
"""Events sorted in memory, about 4 KiB each."""

MAX_RUNS = 256
"""Files open at once when runs are merged. Input that needs more is in order as far as these reach."""

_time = attrgetter("timestamp")


def in_time(events: Iterable[Event], folder: Path) -> Iterator[Event]:
    """The same events, oldest first; of one instant in the order they came.

    Args:
        folder: where runs are kept meanwhile, in a directory of their own that is gone in the end.

    Raises:
        WriteError: runs cannot be written.
    """
    chunks = _chunks(events)
    first = next(chunks, [])
    second = next(chunks, None)
    if second is None:
        yield from first
        return
    with TemporaryDirectory(prefix="import-", dir=folder) as place:
        runs = _Runs(Path(place))
        runs.add(first)
        runs.add(second)
        for chunk in chunks:
            runs.add(chunk)
        yield from heapq.merge(*map(_read, runs.paths), key=_time)


def _chunks(events: Iterable[Event]) -> Iterator[list[Event]]:
    chunk: list[Event] = []
    for event in events:
        chunk.append(event)
        if len(chunk) == RUN_EVENTS:
            yield sorted(chunk, key=_time)
            chunk = []
    if chunk:
        yield sorted(chunk, key=_time)


class _Runs:
    """Files of events, each in order. A chunk goes on where one of them ends, so ordered input is one file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ends: list[str] = []
        self.paths: list[Path] = []

    def add(self, chunk: list[Event]) -> None:
        number = self._fitting(chunk[0].timestamp)
        path = self.paths[number]
        with storage_errors("keep a run in", path), path.open("ab") as run:
            run.writelines(msgspec.json.encode(event) + b"\n" for event in chunk)
        self._ends[number] = max(self._ends[number], chunk[-1].timestamp)

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


def _read(path: Path) -> Iterator[Event]:
    decode = msgspec.json.Decoder(Event).decode
    with path.open("rb") as run:
        for line in run:
            yield decode(line)
