"""Round intervals for histograms."""

__all__ = ["MAX_BUCKETS", "begin", "interval_for", "offset_of"]

MAX_BUCKETS = 1000
"""Buckets of one histogram; no screen shows more."""

_SECOND = 1_000_000
_DAY = 86_400 * _SECOND
_INTERVALS = (
    *(milliseconds * 1000 for milliseconds in (1, 5, 10, 50, 100, 250, 500)),
    *(seconds * _SECOND for seconds in (1, 2, 5, 10, 15, 30)),
    *(minutes * 60 * _SECOND for minutes in (1, 2, 5, 10, 15, 30)),
    *(hours * 3600 * _SECOND for hours in (1, 2, 3, 6, 12)),
    *(days * _DAY for days in (1, 2, 7, 14, 28)),
)
_MONDAY = -3 * _DAY  # 1969-12-29


def interval_for(span_us: int, buckets: int) -> int:
    """The smallest round interval, µs, of which `buckets` cover the span."""
    wanted = -(-max(1, span_us) // buckets)
    for interval in _INTERVALS:
        if interval >= wanted:
            return interval
    step = _INTERVALS[-1]
    return -(-wanted // step) * step


def begin(at_us: int, interval_us: int) -> int:
    """Start of the bucket that holds an instant."""
    offset = offset_of(interval_us)
    return (at_us - offset) // interval_us * interval_us + offset


def offset_of(interval_us: int) -> int:
    """From where intervals are counted: weeks begin on Monday, everything else at the epoch."""
    return _MONDAY if interval_us % (7 * _DAY) == 0 else 0
