"""The query index: beside the segments, their rows once more, as they are searched fastest (docs/design/query-index.md).

`<data>/index` can be deleted at any time: it is made again from the segments, which are the record. A search uses the
parts that are there and whose segments are still listed, and opens the segments of all others.
"""

import fcntl
import os
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from jwtrail import clock
from jwtrail.errors import QueryError
from jwtrail.query.building import build, to_make, to_merge, unreadable
from jwtrail.query.parts import Part, identity, read_part
from jwtrail.query.source import Segment

__all__ = ["QueryIndex"]

_LOCK = "lock"
_SETTLED_US = 100_000
"""A directory whose time is so old, µs, does not change again within the same tick of the file system's clock."""
_SUFFIXES = (".duckdb", ".rows")

_PATIENCE_S = 0.01

_Stamp = tuple[int, int, int]


class QueryIndex:
    """The index of one data directory. Any number of processes may read; one at a time makes parts.

    Args:
        folder: where its files lie; need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._guard = threading.Lock()
        self._seen = 0
        self._parts: dict[str, Part] = {}
        self._distrusted: set[str] = set()
        self._covered: tuple[Sequence[Segment], Sequence[Segment]] = ((), ())
        self._interrupt: Callable[[], None] | None = None
        self._stopped = False
        self._damaged: dict[str, _Stamp | None] = {}

    def cover(self, segments: Sequence[Segment]) -> Sequence[Segment]:
        """The same events in fewer units: parts where there are any, segments where not; oldest first."""
        with self._guard:
            if self._look() or self._covered[0] != segments:
                self._covered = (segments, _covered(segments, self._trusted()))
            return self._covered[1]

    def distrust(self) -> None:
        """Do without the parts that are there now: one of them is damaged. `keep_up` makes all of them again."""
        with self._guard:
            self._distrusted |= self._parts.keys()
            self._covered = ((), ())

    def keep_up(self, segments: Sequence[Segment]) -> bool:
        """Drop what is not true any more, and make one part if one is missing; whether one was made.

        False also when another process is at it.

        Raises:
            QueryError: a file cannot be written, or a segment cannot be read: it is named, and left out from now on.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _alone(self.folder / _LOCK) as alone:
                return alone and self._kept_up(segments)
        except OSError as wrong:
            raise QueryError(f"cannot write the index: {wrong.strerror}", where=str(self.folder)) from wrong
        except duckdb.Error as wrong:
            if self._stopped or not all(segment.path.exists() for segment in segments):
                return False  # the next list does not name it
            said = str(wrong).splitlines()[0]
            raise QueryError(f"cannot make the index: {said}", where=str(self.folder)) from wrong

    def stop(self) -> None:
        """End what `keep_up` does now, and refuse to begin anew; from another thread. Returns when it has ended."""
        self._stopped = True
        while (interrupt := self._interrupt) is not None:
            # Again and again: one that comes between two statements is lost.
            with suppress(duckdb.Error):  # closed just now
                interrupt()
            clock.sleep(_PATIENCE_S)

    def forget(self, segments: Collection[str] | None = None) -> None:
        """Remove the parts that hold rows of these segments (file names); everything when None.

        Raises:
            QueryError: a file cannot be removed.
        """
        try:
            with self._guard:
                self._look()
                gone = segments if segments is None else set(segments)
                self._sweep(
                    {
                        name
                        for name, part in self._parts.items()
                        if gone is not None
                        and gone.isdisjoint(file.partition(":")[0] for file in part.segments)
                    }
                )
        except OSError as wrong:
            raise QueryError(f"cannot remove the index: {wrong.strerror}", where=str(self.folder)) from wrong

    def _kept_up(self, segments: Sequence[Segment]) -> bool:
        units = self.cover(segments)
        parts = {unit.name for unit in units if isinstance(unit, Part)}
        with self._guard:
            self._sweep(parts)
        left_out = self._left_out(segments)
        wanted = to_make(units, left_out) or [
            segment
            for part in to_merge(units, left_out)
            for segment in segments
            if part.first <= segment.first <= part.last
        ]
        if not wanted or self._stopped:
            return False
        try:
            self._make(wanted)
        finally:
            self._interrupt = None
        return True

    def _make(self, wanted: Sequence[Segment]) -> None:
        try:
            build(self.folder, wanted, self._stoppable)
        except duckdb.InterruptException:
            raise
        except duckdb.Error:
            damaged = {segment.path: identity(segment) for segment in unreadable(wanted, self._stoppable)}
            self._damaged |= {name: _stamp(path) for path, name in damaged.items()}
            there = [str(path) for path in damaged if path.exists()]
            if not there:
                raise
            raise QueryError(
                "left out of the index, because it cannot be read: a search that needs it fails",
                where=", ".join(there),
                hint="run jwtrail trail verify",
            ) from None

    def _left_out(self, segments: Sequence[Segment]) -> Collection[str]:
        """Segments that could not be read and are the same files still, or still gone."""
        listed = {identity(segment): segment.path for segment in segments} if self._damaged else {}
        self._damaged = {
            name: stamp
            for name, stamp in self._damaged.items()
            if name in listed and _stamp(listed[name]) == stamp
        }
        return self._damaged.keys()

    def _stoppable(self, interrupt: Callable[[], None]) -> None:
        self._interrupt = interrupt
        if self._stopped:  # before there was anything to interrupt
            raise duckdb.InterruptException

    def _trusted(self) -> list[Part]:
        return [part for name, part in self._parts.items() if name not in self._distrusted]

    def _sweep(self, kept: set[str]) -> None:
        """Remove every file that does not belong to these parts; what a crash left behind, too."""
        if not self.folder.is_dir():
            return
        for path in self.folder.iterdir():
            if path.name != _LOCK and not (path.suffix in _SUFFIXES and path.stem in kept):
                path.unlink(missing_ok=True)
        self._parts = {name: part for name, part in self._parts.items() if name in kept}
        self._distrusted &= kept

    def _look(self) -> bool:
        """Read which parts are there, if that may have changed; whether it did."""
        try:
            changed = self.folder.stat().st_mtime_ns
            if changed == self._seen:
                return False
            names = {path.stem: path for path in self.folder.glob("*.rows")}
            kept = {name: part for name, part in self._parts.items() if name in names}
            for name in names.keys() - kept.keys():
                part = read_part(names[name])
                if part is not None and part.path.exists():
                    kept[name] = part
            settled = clock.now_us() - changed // 1000 > _SETTLED_US
            self._parts, self._seen = kept, changed if settled else 0
        except OSError:  # a part that is just being replaced, or no index at all
            self._parts, self._seen = {}, 0
        return True


def _stamp(path: Path) -> _Stamp | None:
    """What changes when a file is replaced or mended; None when it is gone."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


@contextmanager
def _alone(lock: Path) -> Iterator[bool]:
    fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield _locked(fd)
    finally:
        os.close(fd)


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _covered(segments: Sequence[Segment], parts: Sequence[Part]) -> Sequence[Segment]:
    """Segments in order, runs of them replaced by parts that hold exactly these; the longest part first."""
    number = {identity(segment): at for at, segment in enumerate(segments)}
    units: list[Segment | None] = list(segments)
    for part in sorted(parts, key=lambda one: -one.rows):
        at = number.get(part.segments[0])
        if at is None or tuple(map(identity, segments[at : at + len(part.segments)])) != part.segments:
            continue
        span = range(at, at + len(part.segments))
        if all(units[one] is segments[one] for one in span):
            units[at] = part
            for one in span[1:]:
                units[one] = None
    return [unit for unit in units if unit is not None]
