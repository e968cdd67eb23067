"""Elasticsearch date math: `now-1d/d`, `2026-11-01||+1M/d`, and times that leave parts out.

A value stands for a stretch of time: `2026-11` is the whole month, `now/d` the whole day, `now` one instant. Which end
counts depends on the comparison, as in Elasticsearch: `>=` and `<` take its beginning, `>` and `<=` its end. All in UTC.
"""

import calendar
import re
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta

from msgspec import Struct

from jwtrail.predicate.ir import Op

__all__ = ["Stretch", "parse_date"]

MAX_STEPS = 8
"""Steps of date math in one value."""

_DATE = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d)(?::(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?)?)?)?"
    r"(Z|[+-]\d\d:?\d\d)?"
)
_STEP = re.compile(r"([+-])(\d{1,6})([yMwdhHms])|/([yMwdhHms])")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LENGTHS = {
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "H": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
}
_UNIT_OF_PART = ("y", "M", "d", "h", "m", "s")


class Stretch(Struct, frozen=True):
    """From `low` until just before `high`, µs since the epoch."""

    low: int
    high: int

    def bound(self, op: Op) -> tuple[Op, int]:
        """The same comparison with one instant."""
        match op:
            case "gt":
                return "gte", self.high
            case "lte":
                return "lt", self.high
        return op, self.low


def parse_date(text: str, now_us: int) -> Stretch:
    """What a date value stands for.

    Args:
        now_us: what `now` means.

    Raises:
        ValueError: neither a date nor date math, or beyond the years 1 to 9999.
    """
    if text.startswith("now"):
        moment, unit, steps = _EPOCH + now_us * _MICROSECOND, "", text[3:]
    else:
        anchor, _, steps = text.partition("||")
        moment, unit = _written(anchor)
    try:
        moment, rounded = _walk(moment, steps)
        unit = rounded or ("" if steps else unit)
        return Stretch(_us(moment), _us(_after(moment, unit)))
    except OverflowError as wrong:
        msg = f"out of range: {text!r}"
        raise ValueError(msg) from wrong


def _written(text: str) -> tuple[datetime, str]:
    """A date as it is written, and the unit of its smallest part: digits of a second as `.3`."""
    match = _DATE.fullmatch(text)
    if match is None:
        msg = f"not a date: {text!r}"
        raise ValueError(msg)
    *parts, fraction, zone = match.groups()
    given = [int(part) for part in parts if part is not None]
    unit = f".{len(fraction)}" if fraction else _UNIT_OF_PART[len(given) - 1]
    micros = int((fraction or "").ljust(6, "0")[:6])
    moment = datetime.fromisoformat(f"2000-01-01T00:00:00{zone or 'Z'}").replace(
        **dict(zip(("year", "month", "day", "hour", "minute", "second"), given, strict=False)),  # type: ignore[arg-type]
        microsecond=micros,
    )
    return moment.astimezone(UTC), unit


def _walk(moment: datetime, steps: str) -> tuple[datetime, str]:
    """The moment after all steps, and the unit of the last one when that was a rounding."""
    at, count, unit = 0, 0, ""
    while at < len(steps):
        match = _STEP.match(steps, at)
        count += 1
        if match is None or count > MAX_STEPS:
            msg = f"not date math: {steps!r}"
            raise ValueError(msg)
        sign, number, step, unit = match.groups(default="")
        moment = _rounded(moment, unit) if unit else _moved(moment, int(sign + number), step)
        at = match.end()
    return moment, unit


def _moved(moment: datetime, number: int, unit: str) -> datetime:
    if unit in _LENGTHS:
        return moment + number * _LENGTHS[unit]
    return _months_on(moment, number * (12 if unit == "y" else 1))


def _months_on(moment: datetime, number: int) -> datetime:
    """The same day so many months later, or the last day of that month when it is shorter."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + number, 12)
    if not MINYEAR <= year <= MAXYEAR:
        raise OverflowError
    last_day = calendar.monthrange(year, month + 1)[1]
    return moment.replace(year=year, month=month + 1, day=min(moment.day, last_day))


def _rounded(moment: datetime, unit: str) -> datetime:
    if unit == "w":
        return _rounded(moment, "d") - timedelta(days=moment.weekday())
    names = ("month", "day", "hour", "minute", "second", "microsecond")
    start = ("y", "M", "d", "h", "m", "s").index(unit.replace("H", "h"))
    return moment.replace(**{name: 1 if name in ("month", "day") else 0 for name in names[start:]})  # type: ignore[arg-type]


def _after(moment: datetime, unit: str) -> datetime:
    """The end of the stretch that begins at `moment`."""
    if unit in ("y", "M"):
        return _months_on(moment, 12 if unit == "y" else 1)
    if unit.startswith("."):
        digits = min(6, int(unit[1:]))
        return moment + int(10 ** (6 - digits)) * _MICROSECOND
    return moment + _LENGTHS.get(unit, _MICROSECOND)


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND
