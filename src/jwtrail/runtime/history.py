"""Detection over the past: SQL finds the events that matter, then the same detector as live looks at them.

The same events give the same alerts as live, with two exceptions that it says so about: an event that came later than the
allowed lateness counts in a window that was closed without it when it was live, and where a detector had to forget groups
because there were too many, a replay forgets others.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice

from msgspec import Struct
from msgspec.structs import replace

from jwtrail import clock
from jwtrail.detect import Alert, Detector, RuleSet
from jwtrail.detect.endings import LATENESS_US
from jwtrail.detect.needs import fields_of
from jwtrail.ecs import Event
from jwtrail.predicate.ir import Anything, Predicate, Range
from jwtrail.query.engine import COUNTS, Engine
from jwtrail.query.rows import events_of, selected
from jwtrail.query.scan import SEQUENCE, Scan, View, view_of
from jwtrail.query.source import Segment, TrailSource
from jwtrail.query.tables import columns_of, files_sql
from jwtrail.runtime.narrow import OFTEN, Narrowing

__all__ = ["BATCH", "Replay", "numbered_below", "replayed"]

BATCH = 1_000
"""Events fed to the detector at a time."""

TOGETHER = 8
"""Segments read by one statement: their events that matter are in memory at once, some 8 x 100,000 at the worst."""


class Replay(Struct, frozen=True, kw_only=True):
    """What a rule set says about a stretch of the trail.

    Args:
        alerts: raised within the stretch, in their order.
        read: events that the detector had to look at, with those of the warm-up.
        took_ms: wall time.
    """

    alerts: tuple[Alert, ...]
    read: int
    took_ms: int


def replayed(
    source: TrailSource,
    ruleset: RuleSet,
    *,
    from_us: int | None = None,
    to_us: int | None = None,
    warm_up_us: int = 0,
    before: Iterable[Event] = (),
    often: float = OFTEN,
) -> Replay:
    """Run rules over what was recorded from `from_us` until before `to_us`.

    Args:
        warm_up_us: how much of the trail before `from_us` rules get to know first; it raises no alerts.
        before: events from elsewhere that they get to know before that; neither do these.
        often: share of events that a rule fits, from which not all of them are read (`narrow`).

    Raises:
        PredicateError: a rule cannot be compiled.
        QueryError: a segment cannot be read.
    """
    began = clock.monotonic_ns()
    start = None if from_us is None else max(0, from_us - warm_up_us)
    view = view_of(source, None)
    scan = Scan(Anything(), from_us=start, to_us=to_us)
    known = numbered_below(before, -1)
    loose = [replace(one.event, event_sequence=one.place) for one in view.loose if scan.fits(one.event)]
    segments = [segment for segment in view.segments if scan.reach(segment) is not None]
    only: Mapping[str, frozenset[int]] = {}
    events: Iterator[Event] = iter(())
    if segments:
        engine = Engine(COUNTS, segments[0].path.parent)
        bounds = _bounds(start, to_us)
        narrowed = Narrowing(
            engine, segments, ruleset.active(), bounds=bounds, outside=[*known, *loose], often=often
        ).narrowed()
        only, events = narrowed.only, _read(engine, segments, narrowed.numbers, fields_of(ruleset.active()))
    detector, alerts, read = Detector(ruleset, only=only), list[Alert](), 0
    for batch in _batches(known):
        detector.feed(batch)
    for batch in _batches(chain(events, loose)):
        read += len(batch)
        alerts += detector.feed(batch)
    alerts += detector.advance(_end(view, to_us))
    within = [alert for alert in alerts if from_us is None or alert.at_us >= from_us]
    return Replay(alerts=tuple(within), read=read, took_ms=(clock.monotonic_ns() - began) // 1_000_000)


def _bounds(from_us: int | None, to_us: int | None) -> list[Predicate]:
    bounds: list[Predicate] = []
    if from_us is not None:
        bounds.append(Range(field="@timestamp", op="gte", value=from_us))
    if to_us is not None:
        bounds.append(Range(field="@timestamp", op="lt", value=to_us))
    return bounds


def _read(
    engine: Engine, segments: Sequence[Segment], numbers: list[int], fields: frozenset[str] | None
) -> Iterator[Event]:
    """These fields (None for all) of the events with these indexes, in order; closes the engine."""
    try:
        for at in range(0, len(segments), TOGETHER):
            some = segments[at : at + TOGETHER]
            wanted = numbers[bisect_left(numbers, some[0].first) : bisect_right(numbers, some[-1].last)]
            if wanted:
                known = columns_of(some)
                names, columns = selected(known if fields is None else known & fields)
                sql = (
                    f"SELECT {columns} FROM {files_sql(some)}"  # noqa: S608
                    f" WHERE {SEQUENCE} IN (SELECT unnest(?::BIGINT[])) ORDER BY {SEQUENCE}"
                )
                yield from events_of(names, engine.rows(sql, [wanted]))
    finally:
        engine.close()


def _batches(events: Iterable[Event]) -> Iterator[list[Event]]:
    every = iter(events)
    return iter(lambda: list(islice(every, BATCH)), [])


def numbered_below(events: Iterable[Event], below: int) -> list[Event]:
    """Events with indexes in front of the trail's own, which begin at 0."""
    known = list(events)
    first = below - len(known)
    return [replace(event, event_sequence=first + number) for number, event in enumerate(known)]


def _end(view: View, to_us: int | None) -> int:
    """The latest time of the stretch: windows that end later are still open."""
    times = [segment.max_us for segment in view.segments]
    times += [clock.parse_iso(one.event.timestamp) for one in view.loose]
    latest = max(times, default=0)
    return latest if to_us is None else min(latest, to_us + LATENESS_US)
