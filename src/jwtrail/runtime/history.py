"""Detection over the past: one scan for what any rule looks at, then the same detector as live.

The same events give the same alerts as live, with one exception that it says so about: an event that came later than the
allowed lateness counts in a window that was closed without it when it was live.
"""

from collections.abc import Iterable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from jwtrail import clock
from jwtrail.detect import Alert, Detector, RuleSet
from jwtrail.detect.endings import LATENESS_US
from jwtrail.ecs import Event
from jwtrail.predicate.checks import MAX_NODES, count_nodes
from jwtrail.predicate.ir import Anything, Or, Predicate
from jwtrail.query.scan import View
from jwtrail.query.source import TrailSource
from jwtrail.query.stream import stream

__all__ = ["BATCH", "Replay", "replayed"]

BATCH = 1_000
"""Events fed to the detector at a time."""


class Replay(Struct, frozen=True, kw_only=True):
    """What a rule set says about a stretch of the trail.

    Args:
        alerts: raised within the stretch, in their order.
        read: events that some rule looks at, with those of the warm-up.
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
) -> Replay:
    """Run rules over what was recorded from `from_us` until before `to_us`.

    Args:
        warm_up_us: how much of the trail before `from_us` rules get to know first; it raises no alerts.
        before: events from elsewhere that they get to know before that; neither do these.

    Raises:
        PredicateError: a rule cannot be compiled.
        QueryError: a segment cannot be read.
    """
    began = clock.monotonic_ns()
    start = None if from_us is None else max(0, from_us - warm_up_us)
    view, events = stream(source, looked_at(ruleset), from_us=start, to_us=to_us)
    detector, alerts, read = Detector(ruleset), [], 0
    for batch in _batches(_numbered_below(before, -1)):
        read += len(batch)
        detector.feed(batch)
    for batch in _batches(events):
        read += len(batch)
        alerts += detector.feed(batch)
    alerts += detector.advance(_end(view, to_us))
    within = [alert for alert in alerts if from_us is None or alert.at_us >= from_us]
    return Replay(alerts=tuple(within), read=read, took_ms=(clock.monotonic_ns() - began) // 1_000_000)


def looked_at(ruleset: RuleSet) -> Predicate:
    """What any rule in use looks at; everything when that would be too long to ask."""
    items = tuple(rule.predicate for rule in ruleset.active().rules)
    wanted = Or(items=items)
    return wanted if count_nodes(wanted) <= MAX_NODES else Anything()


def _batches(events: Iterable[Event]) -> Iterator[list[Event]]:
    batch: list[Event] = []
    for event in events:
        batch.append(event)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _numbered_below(events: Iterable[Event], below: int) -> list[Event]:
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
