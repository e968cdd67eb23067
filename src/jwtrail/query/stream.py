"""Everything that fits, in order, segment by segment: what replaying detection over the past reads."""

from collections.abc import Callable, Iterator

from msgspec.structs import replace

from jwtrail.ecs import Event
from jwtrail.predicate.ir import Predicate
from jwtrail.query.engine import REPLAYS, Engine
from jwtrail.query.rows import events_of, selected
from jwtrail.query.scan import SEQUENCE, Reach, Scan, View, together, view_of
from jwtrail.query.source import TrailSource
from jwtrail.query.tables import columns_of

__all__ = ["TOGETHER", "stream"]

TOGETHER = 8
"""Segments read by one statement: their rows that fit are in memory at once, some 8 x 100,000 at the worst."""


def stream(
    source: TrailSource, predicate: Predicate, *, from_us: int | None = None, to_us: int | None = None
) -> tuple[View, Iterator[Event]]:
    """A view of the trail, and its events that fit in the order of the trail; each has its index.

    An event that is not sequenced yet gets the index that it would have now.

    Raises (while iterating):
        SegmentGone, QueryError: see `Engine.rows`.
    """
    view = view_of(source, None)
    scan = Scan(predicate, from_us=from_us, to_us=to_us)
    return view, _events(view, scan)


def _events(view: View, scan: Scan) -> Iterator[Event]:
    wanted = [reach for segment in view.segments if (reach := scan.reach(segment)) is not None]
    if wanted:
        engine = Engine(REPLAYS, wanted[0].units[0].path.parent)
        try:
            for start in range(0, len(wanted), TOGETHER):
                yield from _sealed(together(wanted[start : start + TOGETHER]), scan, engine.rows)
        finally:
            engine.close()
    for one in view.loose:
        if scan.fits(one.event):
            yield replace(one.event, event_sequence=one.place)


def _sealed(reach: Reach, scan: Scan, rows: Callable[..., list[tuple[object, ...]]]) -> list[Event]:
    names, columns = selected(columns_of(reach.units))
    sql, parameters = scan.sql(reach, columns)
    return events_of(names, rows(f"{sql} ORDER BY {SEQUENCE}", parameters))
