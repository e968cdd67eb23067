"""How much time the trail itself has seen pass: what a clock that was set ahead cannot make longer.

Every event has the moment when it got its index. Two neighbours far apart say that the trail was silent, or that the
clock was set: which of both, nobody here can tell, so such a stretch counts for `MAX_SILENCE_US` and no more. A step
back takes away what the step ahead before it added.
"""

from collections.abc import Iterable, Sequence

import duckdb
from msgspec import Struct

from jwtrail import clock
from jwtrail.errors import CorruptionError
from jwtrail.trail.layout import Layout
from jwtrail.trail.manifest import SegmentInfo
from jwtrail.trail.recompute import Engine, parquet, quoted

__all__ = ["MAX_SILENCE_US", "Elapsed", "Step", "elapsed_of"]

MAX_SILENCE_US = 7 * 86_400_000_000
"""A trail in use is not silent for longer than a week of holidays; of a longer stretch the rest does not count as time."""


class Step(Struct, frozen=True):
    """Two neighbours whose moments lie too far apart.

    Args:
        index: the event behind it; one more than the last when it is now.
        from_us: when the event before it got its index.
        to_us: when this one did.
    """

    index: int
    from_us: int
    to_us: int

    @property
    def uncounted_us(self) -> int:
        """How much of it does not count; below zero for a step back."""
        gap = self.to_us - self.from_us
        return gap - MAX_SILENCE_US if gap > 0 else gap + MAX_SILENCE_US


class Elapsed(Struct, frozen=True):
    """What time it is, as far as the trail has seen it pass.

    Args:
        now_us: what the clock says.
        steps: by index.
    """

    now_us: int
    steps: tuple[Step, ...] = ()

    def uncounted_us(self, index: int) -> int:
        """What was not seen to pass since this event got its index; never below zero."""
        return max(0, sum(step.uncounted_us for step in self.steps if step.index > index))

    def now_for(self, index: int) -> int:
        """The moment to reckon the age of this event with."""
        return self.now_us - self.uncounted_us(index)


def elapsed_of(layout: Layout, segments: Sequence[SegmentInfo], unsealed: Iterable[str] = ()) -> Elapsed:
    """Look through all segments for silence and for a clock that was set.

    Args:
        unsealed: `event.ingested` of the events behind them, in order.

    Raises:
        CorruptionError: a segment cannot be read.
    """
    now_us = clock.now_us()
    steps: list[Step] = []
    before: int | None = None
    with Engine() as engine:
        for info in segments:
            first, last, found = _steps_in(engine, layout, info)
            steps += _between(info.first, before, first)
            steps += found
            before = last
    index = segments[-1].last + 1 if segments else 0
    for number, moment in enumerate(unsealed, index):
        at_us = clock.parse_iso(moment)
        steps += _between(number, before, at_us)
        before, index = at_us, number + 1
    return Elapsed(now_us, (*steps, *_between(index, before, now_us)))


def _between(index: int, from_us: int | None, to_us: int) -> list[Step]:
    return (
        [Step(index, from_us, to_us)] if from_us is not None and abs(to_us - from_us) > MAX_SILENCE_US else []
    )


def _steps_in(engine: Engine, layout: Layout, info: SegmentInfo) -> tuple[int, int, list[Step]]:
    """The first moment of a segment, the last one, and the steps in between."""
    path, ingested = layout.segments / info.file, quoted("event.ingested")
    moments = f"SELECT file_row_number AS n, epoch_us({ingested}) AS us FROM {parquet(path)}"  # noqa: S608
    try:
        ((first, last),) = engine.rows(f"SELECT first(us ORDER BY n), last(us ORDER BY n) FROM ({moments})")  # noqa: S608
        found = engine.rows(
            f"SELECT n, before, us FROM (SELECT n, us, lag(us) OVER (ORDER BY n) AS before FROM ({moments}))"  # noqa: S608
            f" WHERE abs(us - before) > {MAX_SILENCE_US} ORDER BY n"
        )
    except duckdb.Error as error:
        raise CorruptionError(f"the segment cannot be read: {error}", where=str(path)) from error
    if first is None or last is None:
        raise CorruptionError("an event does not say when it got its index", where=str(path))
    return first, last, [Step(info.first + n, before, at) for n, before, at in found]
