"""What a store shows nobody: the records of restricted people."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from jwtrail.ecs import Event
from jwtrail.predicate.ir import And, Anything, Equals, Not, Or, Predicate, Range
from jwtrail.predicate.python import compile_predicate
from jwtrail.trail.person import IDENTITY
from jwtrail.trail.restriction import Restriction, read_restrictions

__all__ = ["Hidden"]

_Stamp = tuple[int, int, int]


class Hidden:
    """Follows `restricted.json`: a restriction counts from the next search on. Safe to use from several threads.

    Args:
        path: the file; need not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._stamp: _Stamp | None = None
        self._shown: Predicate = Anything()
        self._compiled: tuple[Predicate, Callable[[Event], bool]] = self._shown, lambda _: True

    def shown(self) -> Predicate:
        """What an event must fit to be shown; `Anything` while nobody is restricted.

        Raises:
            CorruptionError: see `read_restrictions`.
        """
        with self._lock:
            stamp = self._looked()
            if stamp != self._stamp:
                found = read_restrictions(self._path) if stamp else ()
                self._shown = (
                    And(items=tuple(Not(item=_tells_of(one)) for one in found)) if found else Anything()
                )
                self._stamp = stamp
            return self._shown

    def among(self, events: Sequence[Event]) -> Sequence[Event]:
        """Those of these events that may be shown.

        Raises:
            CorruptionError: see `read_restrictions`.
        """
        shown = self.shown()
        if isinstance(shown, Anything):
            return events
        known, fits = self._compiled
        if known is not shown:
            fits = compile_predicate(shown)
            self._compiled = shown, fits
        return [event for event in events if fits(event)]

    def _looked(self) -> _Stamp | None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size


def _tells_of(one: Restriction) -> Predicate:
    named = (Equals(field=field, value=who) for who in (one.person, *one.names) for field in sorted(IDENTITY))
    return Or(items=(*named, *(_run(first, last) for first, last in one.others)))


def _run(first: int, last: int) -> Predicate:
    if first == last:
        return Equals(field="event.sequence", value=first)
    return And(
        items=(
            Range(field="event.sequence", op="gte", value=first),
            Range(field="event.sequence", op="lte", value=last),
        )
    )
