"""Removing what is older than it must be kept: whole segments, announced first, and never by itself."""

from collections.abc import Iterator
from itertools import takewhile

from msgspec import Struct

from jwtrail import clock
from jwtrail.config import Settings
from jwtrail.ecs import Event, event_for
from jwtrail.errors import ConfigError
from jwtrail.query.index import QueryIndex
from jwtrail.runtime.upkeep import announce, keeper_alone, seal_all
from jwtrail.trail.layout import Layout
from jwtrail.trail.manifest import SegmentInfo, read_manifest
from jwtrail.trail.retention import Retention, refuse_on_hold

__all__ = ["Pruned", "overdue", "prune"]


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
    """

    events: int
    segments: int
    bytes: int
    begin: int
    oldest: str
    newest: str
    kept_since: str


def overdue(settings: Settings, keep: str) -> Pruned:
    """What `prune` would remove now; nothing is changed, a daemon may run.

    Args:
        keep: name of a retention profile; that of `trail.retention` when empty.

    Raises:
        ConfigError: there is no such profile, or it is shorter than what must be kept.
        CorruptionError: the manifest is damaged.
    """
    since = _since(settings, keep)
    return _summary(read_manifest(Layout(settings.root).manifest).segments, since)


def prune(settings: Settings, keep: str, *, by: str) -> Pruned:
    """Remove the oldest segments that hold nothing within the period, and record that it was done.

    Indexes, hashes, checkpoints and proofs stay as they are; the newest segment always stays.

    Args:
        keep: see `overdue`.
        by: who asked for it, for the record.

    Raises:
        ConfigError: see `overdue`.
        HoldError: there is a legal hold.
        LockedError: the daemon runs; it must be stopped, while the application may go on.
        WriteError: something could not be written; what is announced and still there goes with the next call.
    """
    layout = Layout(settings.root)
    refuse_on_hold(layout.hold)
    since = _since(settings, keep)
    with keeper_alone(layout, settings) as keeper:
        seal_all(keeper)
        found = _summary(keeper.segments, since)
        if found.segments:
            announce(layout, settings, _event(found, by))
            # The index first: it has these rows too.
            gone = [info.file for info in keeper.segments if info.first < found.begin]
            QueryIndex(layout.index).forget(gone)
            keeper.prune(found.begin)
    return found


def _since(settings: Settings, keep: str) -> str:
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
    return clock.iso(max(0, wanted.may_go_before(clock.now_us())))


def _summary(segments: tuple[SegmentInfo, ...], since: str) -> Pruned:
    going = tuple(_going(segments, since))
    return Pruned(
        events=sum(info.rows for info in going),
        segments=len(going),
        bytes=sum(info.bytes for info in going),
        begin=segments[len(going)].first if segments else 0,
        oldest=min((info.min_time for info in going), default=""),
        newest=max((info.max_time for info in going), default=""),
        kept_since=since,
    )


def _going(segments: tuple[SegmentInfo, ...], since: str) -> Iterator[SegmentInfo]:
    """From the first on, as the tree can only lose its beginning; and not the last, whose place the next one follows."""
    return takewhile(lambda info: info.max_time < since, segments[:-1])


def _event(found: Pruned, by: str) -> Event:
    return event_for(
        "trail-pruned",
        user_id=by,
        jwtrail_records=found.begin,
        service_name="jwtrail",
        message=f"{found.events} events until {found.newest} removed, {found.begin} since the trail began",
    )
