"""Times as people write them: RFC 3339, or relative to now as in Kibana."""

from jwtrail.errors import QueryError
from jwtrail.kql.dates import parse_date

__all__ = ["parse_time"]


def parse_time(text: str, now_us: int) -> int:
    """µs since the epoch of `now-24h`, `now-1d/d`, `2026-11-23` or `2026-11-23T16:46:55Z`; the beginning of what it names.

    Raises:
        QueryError: none of these, or before 1970.
    """
    try:
        at = parse_date(text.strip(), now_us).low
    except ValueError as wrong:
        raise QueryError(
            f"not a time: {text!r}", hint="write it like now-24h, now-1d/d or 2026-11-23T16:46:55Z"
        ) from wrong
    if at < 0:
        raise QueryError(f"before 1970: {text!r}")
    return at
