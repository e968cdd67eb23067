"""What a rule remembers of one group: sliding windows on event time.

A window is `[t - span, t]`, both ends included, where `t` is the newest time its group has seen; it slides with every
match and knows no clock. Events come in the order of the trail; one that is a little late (another process wrote it)
is counted at its own time, one from before the window is not counted at all.
"""

from itertools import islice

from msgspec import Struct

__all__ = ["KEPT", "Chain", "Firing", "Group", "counted", "kept_for", "order", "reset", "see"]

KEPT = 100
"""Entries a group keeps beyond its threshold at the least, so that an alert can show them. The oldest go first, which
never changes whether a threshold is reached."""


class Firing(Struct, frozen=True):
    """A condition that holds now.

    Args:
        first: time (µs) and id of the first event that counts.
        events: ids of the events that count, oldest first, each once.
        count: how many events, values or rules count.
    """

    first: tuple[int, str]
    events: tuple[str, ...]
    count: int


class Chain(Struct, array_like=True, gc=False):
    """The beginning of an ordered sequence: when its first event happened, and the ids of its events."""

    start_us: int
    events: list[str]


class Group(Struct, omit_defaults=True, array_like=True, gc=False):
    """The state of one group.

    Args:
        latest_us: newest event time seen.
        quiet_us: no alert up to and including this event time.
        seen: for counts: what was counted (event id, value or rule) to time and id of its latest event, by time.
        chains: for ordered sequences: for each step but the last, the sequence up to it that began last.
        due_us: when an open window ends, 0 for none; `first` is the event that opened it, `last` the index of its last one.
        samples: for measures: time, id and number of each event, by time; `total` is their sum.
        terms: values (or numbers) remembered, with a time or number each.
        since_us: time of the group's first event.
        bars: what earlier buckets came to, oldest first; `bar` is the number of the running one.
        others: for a share: what the counted is compared with.
        size: entries it had when it was last touched.
        limit: above this a number is out of the usual; -1 while that is not known.
        oldest_us: nothing in `seen` is older; -1 while that is not known.
        touched_us: when it was last put behind all others (`groups.Groups.touch`).
    """

    latest_us: int = 0
    quiet_us: int = -1
    seen: dict[str, tuple[int, str]] = {}
    chains: tuple[Chain | None, ...] = ()
    due_us: int = 0
    first: tuple[int, str] = (0, "")
    samples: list[tuple[int, str, int]] = []
    total: int = 0
    terms: dict[str, int] = {}
    since_us: int = -1
    bars: tuple[int, ...] = ()
    bar: int = -1
    others: "Group | None" = None
    last: int = 0
    size: int = 0
    limit: int = -1
    oldest_us: int = -1
    touched_us: int = 0


def kept_for(threshold: int) -> int:
    """How many entries a group keeps of which `threshold` are counted."""
    return max(threshold, KEPT)


def see(  # noqa: PLR0917  # named arguments cost a tenth of it, and every event comes here
    group: Group, what: str, at_us: int, event: str, span_us: int, kept: int, full: int = 0
) -> bool:
    """Count `what`; false when it lies before the window.

    Counting events, values and rules is the same thing: `what` is the event's id, the value, or the rule's id.

    Args:
        kept: so many different ones are not forgotten while they lie in the window; see `kept_for`.
        full: with fewer than this nobody asks how many they are, and what has left the window may stay for another one.
    """
    seen = group.seen
    if at_us >= group.latest_us:
        group.latest_us = at_us
        entry = (at_us, event)
        if seen.setdefault(what, entry) is not entry:
            if len(seen) > 1:
                del seen[what]  # the newest stands last
            seen[what] = entry
    elif at_us < group.latest_us - span_us:
        return False
    else:
        known = seen.pop(what, None)
        seen[what] = known if known is not None and known[0] > at_us else (at_us, event)
        group.seen = seen = dict(sorted(seen.items(), key=lambda item: item[1][0]))
        group.oldest_us = min(group.oldest_us, at_us)
    begin_us, oldest_us = group.latest_us - span_us, group.oldest_us
    if (oldest_us < begin_us and (len(seen) >= full or oldest_us < begin_us - span_us)) or len(seen) > kept:
        _forget(group, begin_us, kept)
    return True


def counted(group: Group) -> Firing:
    """What a window that is full counts."""
    entries = list(group.seen.values())
    return Firing(entries[0], tuple(dict.fromkeys(entry[1] for entry in entries)), len(entries))


def reset(group: Group) -> None:
    """Forget what was counted; the group's quiet time and its newest time stay."""
    group.seen, group.chains, group.samples, group.total, group.others = {}, (), [], 0, None


def _forget(group: Group, oldest_us: int, most: int) -> None:
    """Leave out what was counted before `oldest_us`, and of more than `most` the oldest. The newest always stays."""
    seen, too_many = group.seen, len(group.seen) - most
    for number, (at_us, _) in enumerate(seen.values()):
        if at_us >= oldest_us and number >= too_many:
            break
    for what in list(islice(seen, number)):
        del seen[what]
    group.oldest_us = at_us


def order(
    group: Group,
    steps: tuple[int, ...],
    at_us: int,
    event: str,
    *,
    span_us: int,
    length: int,
    broken: tuple[int, ...] = (),
) -> Firing | None:
    """Advance the ordered sequences of a group; a firing when one is complete.

    For each step the sequence that began last is kept: it is the one that stays in the window longest, so no other can
    complete where it cannot. After a firing the group starts anew.

    Args:
        steps: which steps (from 0) this event is, rising.
        length: how many steps a whole sequence has.
        broken: steps behind which this event must not come: sequences up to there end, before it starts a new one.
    """
    group.latest_us = max(group.latest_us, at_us)
    chains = list(group.chains) or [None] * (length - 1)
    for step in broken:
        chains[step] = None
    for step in reversed(steps):  # from the end, so that one event is never two steps of the same sequence
        before = chains[step - 1] if step else None
        if step and (before is None or abs(at_us - before.start_us) > span_us):
            continue
        made = Chain(before.start_us, [*before.events, event]) if before else Chain(at_us, [event])
        if step == length - 1:
            group.chains = ()
            return Firing((made.start_us, made.events[0]), tuple(made.events), length)
        known = chains[step]
        if known is None or made.start_us >= known.start_us:  # a late event may begin before what is known
            chains[step] = made
    group.chains = tuple(chains)
    return None
