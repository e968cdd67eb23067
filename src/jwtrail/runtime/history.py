"""Detection over the past: SQL finds the events that matter, then the same detector as live looks at them.

The same events give the same alerts as live, with two exceptions that it says so about: an event that came later than the
allowed lateness counts in a window that was closed without it when it was live, and where a detector had to forget groups
because there were too many, a replay forgets others. What was imported was never live; a stretch that holds any of it is
looked at in the order of time, because the order of the trail is only that of the files.
"""

from collections.abc import Iterable, Iterator
from itertools import islice

from msgspec import Struct
from msgspec.structs import replace

from jwtrail import clock
from jwtrail.detect import Alert, Detector, RuleSet
from jwtrail.detect.endings import LATENESS_US
from jwtrail.detect.relevant import fields_of
from jwtrail.ecs import Event
from jwtrail.predicate.ir import Anything, Predicate, Range
from jwtrail.query.engine import REPLAYS, Engine
from jwtrail.query.scan import Scan, View, view_of
from jwtrail.query.source import TrailSource
from jwtrail.runtime.lateness import lateness_of
from jwtrail.runtime.narrow import OFTEN, narrow
from jwtrail.runtime.past import Stretch, has_imported, in_order, in_time
from jwtrail.sigma import Backwards, Step

__all__ = ["BATCH", "Replay", "numbered_below", "replayed"]

BATCH = 1_000
"""Events fed to the detector at a time."""


class Replay(Struct, frozen=True, kw_only=True):
    """What a rule set says about a stretch of the trail.

    Args:
        alerts: raised within the stretch, in their order.
        read: events that the detector had to look at, with those of the warm-up, each once.
        late: events that came so late that windows may have been closed without them when it was live; of a stretch that
            is looked at in the order of time there are none.
        took_ms: wall time.
    """

    alerts: tuple[Alert, ...]
    read: int
    took_ms: int
    late: int = 0


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
    segments = [segment for segment in view.segments if scan.reach(segment) is not None]
    stretch = Stretch(
        engine=Engine(REPLAYS, segments[0].path.parent) if segments else None,
        segments=segments,
        bounds=_bounds(start, to_us),
        known=numbered_below(before, -1),
        loose=[replace(one.event, event_sequence=one.place) for one in view.loose if scan.fits(one.event)],
    )
    end_us = _end(view, to_us)
    try:
        alerts, read, late = _said(stretch, ruleset, end_us, often)
    finally:
        if stretch.engine is not None:
            stretch.engine.close()
    within = [alert for alert in alerts if from_us is None or alert.at_us >= from_us]
    return Replay(
        alerts=tuple(within), read=read, late=late, took_ms=(clock.monotonic_ns() - began) // 1_000_000
    )


def _said(stretch: Stretch, ruleset: RuleSet, end_us: int, often: float) -> tuple[list[Alert], int, int]:
    """Alerts in their order, how many events were read, and how many of all were late."""
    late = lateness_of(stretch)
    if not has_imported(stretch):
        found, read = _run(stretch, ruleset, end_us, often, late.most_us, timely=False)
        return found, len(read), late.events
    # Gaps in the numbers of a log and its clock are about the order of the trail; everything else is about what happened, and when.
    steps = frozenset(rule.meta.id for rule in ruleset.rules if isinstance(rule.watch, Step | Backwards))
    others = frozenset(rule.meta.id for rule in ruleset.everything()) - steps
    gaps, looked = _run(stretch, _without(ruleset, others), end_us, often, late.most_us, timely=False)
    found, read = _run(stretch, _without(ruleset, steps), end_us, often, late.most_us, timely=True)
    return (
        sorted([*gaps, *found], key=lambda alert: (alert.at_us, alert.id)),
        len(read) + len(looked - read),
        0,
    )


def _run(
    stretch: Stretch, ruleset: RuleSet, end_us: int, often: float, late_us: int, *, timely: bool
) -> tuple[list[Alert], set[int]]:
    """Alerts, and the indexes of the events that were read.

    Args:
        timely: in the order of time instead of that of the trail.
    """
    active, read = ruleset.active(), set[int]()
    if not active.alerting:
        return [], read
    narrowed = narrow(stretch, active, late_us=late_us, often=often, timely=timely)
    detector, alerts = Detector(ruleset, only=narrowed.only), list[Alert]()
    for batch in _batches(stretch.known):
        detector.feed(batch)
    reading = in_time if timely else in_order
    events, places = reading(stretch, narrowed.numbers, fields_of(active)), list[int]()
    for batch in _batches(events):
        read.update(event.event_sequence or 0 for event in batch)
        alerts += detector.feed(_placed(batch, places) if timely else batch)
    alerts += detector.advance(end_us)
    return [
        replace(one, sequence=places[one.sequence]) if places and one.sequence >= 0 else one for one in alerts
    ], read


def _without(ruleset: RuleSet, rules: frozenset[str]) -> RuleSet:
    return replace(ruleset, disabled=ruleset.disabled | rules)


def _placed(events: Iterable[Event], places: list[int]) -> Iterator[Event]:
    """The events with indexes in the order in which they come; `places` tells what indexes they had."""
    for event in events:
        places.append(event.event_sequence or 0)
        yield replace(event, event_sequence=len(places) - 1)


def _bounds(from_us: int | None, to_us: int | None) -> list[Predicate]:
    bounds: list[Predicate] = []
    if from_us is not None:
        bounds.append(Range(field="@timestamp", op="gte", value=from_us))
    if to_us is not None:
        bounds.append(Range(field="@timestamp", op="lt", value=to_us))
    return bounds


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
