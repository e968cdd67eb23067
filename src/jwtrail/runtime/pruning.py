"""Removing what is older than it must be kept: whole segments, announced first, and by itself only when the settings say so."""

from itertools import takewhile

from msgspec import Struct

from jwtrail import clock
from jwtrail.config import Settings
from jwtrail.ecs import Event, event_for
from jwtrail.errors import ConfigError
from jwtrail.query.index import QueryIndex
from jwtrail.runtime.holds import refuse_held
from jwtrail.runtime.upkeep import announce, keeper_alone, seal_all
from jwtrail.trail.elapsed import Elapsed, elapsed_of
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.layout import Layout
from jwtrail.trail.manifest import SegmentInfo, read_manifest
from jwtrail.trail.reader import TrailReader
from jwtrail.trail.retention import Retention

__all__ = ["Pruned", "overdue", "planned", "prune", "pruned_event", "refused_event", "remove"]

_DAY_US = 86_400_000_000


class Pruned(Struct, frozen=True, kw_only=True):
    """What is removed.

    Args:
        events: how many.
        segments: files.
        bytes: their size.
        begin: the smallest index that is left.
        oldest: `@timestamp` of the oldest event that goes; empty when none does.
        newest: of the newest.
        kept_since: nothing from this moment on is removed.
        uncounted_days: of the time since the oldest event, what the trail did not see pass (`trail.elapsed`): it was
            silent, or the clock was set ahead.
        held_back: events that are kept because of that.
        trusted: the clock was believed all the same.
    """

    events: int
    segments: int
    bytes: int
    begin: int
    oldest: str
    newest: str
    kept_since: str
    uncounted_days: int = 0
    held_back: int = 0
    trusted: bool = False


def overdue(settings: Settings, keep: str, *, trust_clock: bool = False) -> Pruned:
    """What `prune` would remove now; nothing is changed, a daemon may run.

    Args:
        keep: name of a retention profile; that of `trail.retention` when empty.
        trust_clock: count time that the trail did not see pass.

    Raises:
        ConfigError: there is no such profile, or it is shorter than what must be kept.
        CorruptionError: the manifest or a segment is damaged.
    """
    layout = Layout(settings.root)
    keeping = _keeping(settings, keep)
    unsealed = TrailReader(layout).unsealed()
    ingested = [event.event_ingested for event in unsealed if event.event_ingested]
    return planned(
        layout, read_manifest(layout.manifest).segments, keeping, ingested, trust_clock=trust_clock
    )


def prune(settings: Settings, keep: str, *, by: str, reason: str = "", trust_clock: bool = False) -> Pruned:
    """Remove the oldest segments that hold nothing within the period, and record that it was done.

    Indexes, hashes, checkpoints and proofs stay as they are; the newest segment always stays.

    Args:
        keep: see `overdue`.
        by: who asked for it, for the record.
        reason: ticket or words, for the record.
        trust_clock: see `overdue`; recorded.

    Raises:
        ConfigError: see `overdue`.
        HoldError: there is a legal hold, or one was announced and never ended.
        LockedError: the daemon runs; it must be stopped, while the application may go on.
        WriteError: something could not be written; what is announced and still there goes with the next call.
    """
    layout = Layout(settings.root)
    keeping = _keeping(settings, keep)
    with keeper_alone(layout, settings) as keeper:
        seal_all(keeper)
        refuse_held(layout)
        found = planned(layout, keeper.segments, keeping, trust_clock=trust_clock)
        if found.segments:
            announce(layout, settings, pruned_event(found, by, reason))
            remove(keeper, QueryIndex(layout.index), found)
        elif found.held_back:
            announce(layout, settings, refused_event(_held_back(found), by))
    return found


def remove(keeper: Keeper, index: QueryIndex, found: Pruned) -> None:
    """Remove what was found and announced. Called by whoever owns the keeper.

    Raises:
        WriteError: something could not be written; it goes with the next call.
    """
    # The index first: it has these rows too.
    index.forget([info.file for info in keeper.segments if info.first < found.begin])
    keeper.prune(found.begin)


def planned(
    layout: Layout,
    segments: tuple[SegmentInfo, ...],
    keeping: Retention,
    unsealed: list[str] | None = None,
    *,
    trust_clock: bool = False,
) -> Pruned:
    """What may go of these segments now: from the first on, as the tree can only lose its beginning; and not the last,
    whose place the next one follows.

    Args:
        unsealed: `event.ingested` of the events behind them.

    Raises:
        CorruptionError: a segment cannot be read.
    """
    elapsed = elapsed_of(layout, segments, unsealed or ())
    by_clock = tuple(takewhile(lambda info: info.max_time < _since(keeping, elapsed.now_us), segments[:-1]))
    seen = tuple(
        takewhile(lambda info: info.max_time < _since(keeping, elapsed.now_for(info.last)), by_clock)
    )
    going = by_clock if trust_clock else seen
    return Pruned(
        events=sum(info.rows for info in going),
        segments=len(going),
        bytes=sum(info.bytes for info in going),
        begin=segments[len(going)].first if segments else 0,
        oldest=min((info.min_time for info in going), default=""),
        newest=max((info.max_time for info in going), default=""),
        kept_since=_since(keeping, elapsed.now_us if trust_clock else _now_at_most(elapsed, segments)),
        uncounted_days=-(-elapsed.uncounted_us(segments[0].last) // _DAY_US) if segments else 0,
        held_back=sum(info.rows for info in by_clock[len(going) :]),
        trusted=trust_clock and len(seen) < len(by_clock),
    )


def _now_at_most(elapsed: Elapsed, segments: tuple[SegmentInfo, ...]) -> int:
    return elapsed.now_for(segments[0].last) if segments else elapsed.now_us


def _keeping(settings: Settings, keep: str) -> Retention:
    must = Retention.parse(settings.trail.retention)
    wanted = Retention.parse(keep) if keep else must
    if not wanted.days:
        raise ConfigError(
            "it is not said how long events are kept",
            where="trail.retention",
            hint="set it, or give --keep: kr-1y, pci-12m, days-90, …",
        )
    if wanted.days < must.days:
        raise ConfigError(
            f"{wanted.name} is shorter than {must.name}, which must be kept", where="trail.retention"
        )
    return wanted


def _since(keeping: Retention, now_us: int) -> str:
    return clock.iso(max(0, keeping.may_go_before(now_us)))


def pruned_event(found: Pruned, by: str, reason: str) -> Event:
    """Announces what goes, before it does."""
    trusted = (
        f"; {found.uncounted_days} days that the trail did not see pass were counted" if found.trusted else ""
    )
    return event_for(
        "trail-pruned",
        user_id=by,
        jwtrail_records=found.begin,
        jwtrail_ticket=reason or None,
        service_name="jwtrail",
        message=f"{found.events} events until {found.newest} removed, {found.begin} since the trail began{trusted}",
    )


def _held_back(found: Pruned) -> str:
    return (
        f"the clock says that {found.held_back} events may go, but {found.uncounted_days} days of that the trail did not"
        " see pass: it was silent, or the clock was set ahead"
    )


def refused_event(message: str, by: str) -> Event:
    """Says that nothing was removed, and why."""
    return event_for(
        "trail-prune-refused", user_id=by, event_outcome="failure", service_name="jwtrail", message=message
    )
