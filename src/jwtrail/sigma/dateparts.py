"""The modifiers minute, hour, day, week, month and year: parts of a date, in UTC.

Dates are stored in one form, `2026-11-23T16:46:55.123456Z` (`clock.iso`), so every part but the week stands at a fixed
place of the text. A week (ISO 8601) is the years' weeks as ranges of time.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from sigma.types import TimestampPart

from jwtrail.ecs.catalogue import Field
from jwtrail.predicate import ir
from jwtrail.sigma.errors import LowerError

__all__ = ["WEEK_YEARS", "part_of_date"]

WEEK_YEARS = range(2000, 2100)
"""Years whose weeks are known; events before or after it are in no week."""

_PLACES: dict[TimestampPart, tuple[int, int, range]] = {
    TimestampPart.YEAR: (0, 4, range(1970, 2200)),
    TimestampPart.MONTH: (5, 2, range(1, 13)),
    TimestampPart.DAY: (8, 2, range(1, 32)),
    TimestampPart.HOUR: (11, 2, range(24)),
    TimestampPart.MINUTE: (14, 2, range(60)),
}
"""Where a part begins in the text, its digits, and the values it can have."""

_WEEKS = range(1, 54)


def part_of_date(name: str, field: Field, part: TimestampPart, fits: Callable[[int], bool]) -> ir.Predicate:
    """That this part of a date is one of those that fit.

    Raises:
        LowerError: the field holds no date, or no value that the part can have fits.
    """
    word = part.name.lower()
    if field.type != "date":
        raise LowerError(f"the modifier {word} on {name}, which is a {field.type}, not a date", field=name)
    possible = _WEEKS if part is TimestampPart.WEEK else _PLACES[part][2]
    values = [value for value in possible if fits(value)]
    if not values:
        raise LowerError(f"no {word} is like this", field=name, hint=f"{possible[0]} to {possible[-1]}")
    if len(values) == len(possible):
        return ir.Exists(field=name)
    if part is TimestampPart.WEEK:
        return ir.Or(items=tuple(_week(name, year, week) for week in values for year in WEEK_YEARS))
    start, digits, _ = _PLACES[part]
    before = (0,) * start
    return ir.Or(
        items=tuple(ir.Glob(field=name, pattern=(*before, f"{value:0{digits}}", None)) for value in values)
    )


def _week(name: str, year: int, week: int) -> ir.Predicate:
    try:
        monday = date.fromisocalendar(year, week, 1)
    except ValueError:  # most years have no 53rd week
        return ir.Nothing()
    start = int(datetime(monday.year, monday.month, monday.day, tzinfo=UTC).timestamp())
    end = start + int(timedelta(weeks=1).total_seconds())
    return ir.And(
        items=(
            ir.Range(field=name, op="gte", value=start * 1_000_000),
            ir.Range(field=name, op="lt", value=end * 1_000_000),
        )
    )
