"""statistical on percentiles: numbers of a group against what its own buckets of time came to, such as 95 of 100 below."""

from jwtrail.detect.fields import number_reader
from jwtrail.detect.habits import Habit
from jwtrail.detect.measures import nearest_rank
from jwtrail.detect.windows import Firing, Group
from jwtrail.ecs import Event
from jwtrail.sigma import Rule, Statistical

__all__ = ["DIGITS", "TAIL", "Spread", "percentile_of", "rounded"]

DIGITS = 5
"""Binary digits that are kept of a number: percentiles are too small by a sixteenth at the most, and a bucket takes a
few dozen counts whatever happens in it."""

TAIL = 1.75
"""How much farther beyond a percentile than that is beyond the median, as powers, a single number must be: of sizes, which
are distributed about lognormally, three in a million are beyond 2.75 times the way to 95 of 100, however much they vary."""


def rounded(number: int) -> int:
    """The number with `DIGITS` binary digits, not larger than it is."""
    shift = number.bit_length() - DIGITS
    return number >> shift << shift if shift > 0 else number


class _Texts(dict[int, str]):
    """Rounded numbers as texts; there are some hundred."""

    def __missing__(self, number: int) -> str:
        self[number] = text = str(number)
        return text


_TEXTS = _Texts()


def percentile_of(counts: dict[str, int], percentile: int) -> int:
    """The smallest number that at least `percentile` percent do not exceed; `counts` says how often each came."""
    left = -(-percentile * sum(counts.values()) // 100)
    numbers = sorted(map(int, counts))
    for number in numbers:
        left -= counts[str(number)]
        if left <= 0:
            break
    return number


class Spread(Habit):
    """`each` fires for a number that is far above its group's past, `percentile` when those of the running bucket are."""

    def __init__(self, rule: Rule, *, alerts: bool, shape: str) -> None:
        assert isinstance(rule.watch, Statistical)
        watch = rule.watch
        super().__init__(rule, alerts=alerts, shape=shape, life_us=watch.bucket_us * watch.history)
        self._watch = watch
        self._read = number_reader(watch.field)
        self._each = watch.measure == "each"

    def _judge(self, group: Group, event: Event, at_us: int) -> Firing | None:
        watch, number = self._watch, self._read(event)
        if number is None or number < 0:
            return None
        if at_us >= group.due_us:
            self._turn(group, at_us // watch.bucket_us)
        known, terms = _TEXTS[rounded(number)], group.terms
        group.total += 1
        if known in terms:
            terms[known] += 1
        else:
            terms[known] = 1
            self.groups.weigh(group, at_us)
        # Only a number above the limit can bring a percentile there.
        if not 0 <= group.limit < number:
            return None
        if self._each:
            return Firing((at_us, event.event_id), (event.event_id,), number)
        if group.total < watch.samples or (found := percentile_of(group.terms, watch.of)) <= group.limit:
            return None
        return Firing((at_us, event.event_id), (event.event_id,), found)

    def _turn(self, group: Group, bucket: int) -> None:
        """The next bucket begins; what the last one came to is known if it had enough numbers."""
        watch = self._watch
        enough = group.total >= watch.samples
        if enough:
            group.bars = (*group.bars, self._bar(group.terms))[-watch.history :]
        if enough or not self._each:
            group.total, group.terms = 0, {}
        group.bar, group.due_us = bucket, (bucket + 1) * watch.bucket_us
        if len(group.bars) >= watch.learn:
            usual = nearest_rank(group.bars, watch.percentile)
            group.limit = max(int(usual * watch.factor), -int(-watch.floor // 1) - 1)

    def _bar(self, counts: dict[str, int]) -> int:
        """What a bucket came to; of single numbers it is more where they vary widely, see `TAIL`."""
        high = percentile_of(counts, self._watch.of)
        if not self._each:
            return high
        middle = max(1, percentile_of(counts, 50))
        return max(high, int(high * (high / middle) ** TAIL / self._watch.factor))
