"""The one process that orders, seals and signs; what `jwtrail serve` runs."""

import fcntl
import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from typing import Self

import msgspec
from msgspec import Struct

from jwtrail import clock
from jwtrail.clock import Clock
from jwtrail.ecs.event import Event
from jwtrail.errors import CorruptionError, IntegrityError, LockedError, TrailError
from jwtrail.tlog.checkpoint import Checkpoint
from jwtrail.tlog.merkle import TILE_WIDTH, leaf_hash
from jwtrail.trail.checkpointer import Checkpointer
from jwtrail.trail.durable import FILE_MODE, storage_errors, sync_directory, write_all
from jwtrail.trail.head import Head
from jwtrail.trail.layout import Layout, SegmentName
from jwtrail.trail.leaves import SegmentLeaves
from jwtrail.trail.logkey import load_signer
from jwtrail.trail.manifest import Manifest, Position, SegmentInfo, read_manifest, write_manifest
from jwtrail.trail.merger import Merged, Merger
from jwtrail.trail.retired import Retired
from jwtrail.trail.segment import Sealer
from jwtrail.trail.sequencer import Sequencer
from jwtrail.trail.settings import TrailSettings
from jwtrail.trail.signedlist import ListKeeper

__all__ = ["Keeper", "take_lock"]

_MICROS = 1_000_000

HEAD_LIMIT = 8
"""Segments' worth of unsealed events beyond which a step waits for the sealer: what bounds the memory of a backlog."""

RETRY_SECONDS = 10
"""Pause after a segment could not be written; its events stay in the logs."""


class Keeper:
    """Owns the data directory. Used by one thread.

    Args:
        layout: where; what is missing is made.
        settings: bounds and intervals.
        now: source of time for the first and the last checkpoint.

    Raises:
        LockedError: another keeper runs on this directory.
        CorruptionError: the manifest, the order log or a line that has an index is damaged.
        IntegrityError: the trail is not the one that was signed.
        WriteError: the directory cannot be written.
    """

    def __init__(
        self, layout: Layout, settings: TrailSettings | None = None, now: Clock = clock.now_us
    ) -> None:
        self._layout = layout
        self._settings = settings or TrailSettings()
        self._now = now
        layout.create()
        self._lock = take_lock(layout)
        with ExitStack() as undo, storage_errors("begin on", layout.root):
            undo.callback(os.close, self._lock)
            self._refuse_unsigned()
            self._manifest = read_manifest(layout.manifest)
            self._sequencer = Sequencer(layout, self._manifest.size, self._manifest.writers)
            undo.callback(self._sequencer.close)
            self._start()
            undo.pop_all()

    def _sweep(self) -> None:
        """Remove what an interrupted seal left: half files, and segments whose events another one holds."""
        # When a directory cannot be synced, a manifest was refused and may stand all the same: what either names is kept.
        known = (*self._manifest.segments, *read_manifest(self._layout.manifest).segments)
        listed = {segment.file for segment in known}
        with storage_errors("tidy", self._layout.segments):
            for path in self._layout.segments.iterdir():
                name = SegmentName.parse(path.name)
                covered = name is not None and name.last < self._manifest.size and path.name not in listed
                if (path.suffix == ".tmp" or covered) and not path.is_dir():
                    path.unlink()

    def _refuse_unsigned(self) -> None:
        """The first start signs an empty tree: with events but no checkpoint, somebody removed it, and we do not sign for them."""
        mirror = self._settings.mirror
        if self._layout.checkpoint.exists() or (mirror is not None and mirror.exists()):
            return
        ordered = self._layout.order.exists() and self._layout.order.stat().st_size
        if ordered or self._layout.manifest.exists() or self._layout.segment_names():
            raise IntegrityError(
                "there are events but no checkpoint; they will not be signed as if they were new",
                where=str(self._layout.checkpoint),
                hint="put it back from the mirror or a backup, then `jwtrail trail verify`",
            )

    def _start(self) -> None:
        self._signer = load_signer(self._layout, self._settings.origin)
        self._checkpointer = Checkpointer(self._layout, self._signer, self._settings.mirror)
        self._head = Head(self._sequencer.replay())
        self._oldest_us = self._now()
        self._sealer = Sealer(self._layout)
        self._sealer_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="jwtrail-sealer")
        self._sealing: _Sealing | None = None
        self._retry_us = 0
        self._merger = Merger(self._layout, self._settings.merge_events)
        self._retired = Retired(self._layout.segments)
        leaves = SegmentLeaves(self._layout, self._manifest.segments, edge=self._manifest.edge_leaves)
        entries = [row.entry for row in self._head.rows]
        self._checkpointer.restore(self._manifest.size, leaves.read, entries, leaves.begin)
        self._list = ListKeeper(self._layout.signed_list, self._signer)
        self._list.restore(self._manifest.segments)
        self._checkpointer.sign(self._oldest_us)
        self._list.cover(self._manifest.segments)
        self._sweep()  # last: nothing is removed from a directory that was refused

    def step(self, now_us: int) -> list[Event]:
        """Order what came, seal and sign when it is due. Cheap when nothing is.

        An error is raised only by a step that has no events to hand over, so none is ever lost to the caller.

        Args:
            now_us: becomes `event.ingested` of what is new, and decides what is due.

        Returns:
            The events that have an index since the last call, in order, with every derived field.

        Raises:
            WriteError: the disk refused; nothing is lost, the next call tries again.
            CorruptionError: a segment would not give an event back; the log keeps it.
            IntegrityError: somebody else signs for this log, or it was changed under us.
        """
        ordered = self._sequencer.poll(now_us)
        if ordered.rows:
            if not self._head.rows:
                self._oldest_us = now_us
            self._head.add(ordered.rows)
            self._checkpointer.append([row.entry for row in ordered.rows])
        try:
            self._tend(now_us)
        except TrailError:
            if not ordered.events:
                raise
        return ordered.events

    def _tend(self, now_us: int) -> None:
        settings = self._settings
        if self._sealing is not None:
            if len(self._head.rows) >= settings.seal_events * HEAD_LIMIT:
                wait([self._sealing.result])
            if self._sealing.result.done():
                self._retry_us = now_us + RETRY_SECONDS * _MICROS
                self._adopt(self._sealing)
                self._retry_us = 0
        age = (now_us - self._oldest_us) / _MICROS
        waiting = len(self._head.rows)
        full = waiting >= settings.seal_events or (waiting and age >= settings.seal_seconds)
        seal_now = full and self._sealing is None and now_us >= self._retry_us
        if seal_now or self._checkpointer.due(
            now_us, settings.checkpoint_seconds, settings.heartbeat_seconds
        ):
            self._checkpointer.sign(now_us)
        if seal_now:
            self._begin_seal(now_us, signed=True)
        self._list.cover(self._manifest.segments)  # does nothing unless a write failed
        self._tend_segments(now_us)

    def _tend_segments(self, now_us: int) -> None:
        self._retired.remove_due(now_us)
        if (merged := self._merger.take(now_us)) is not None:
            self._exchange_merged(merged, now_us)
        if self._sealing is None:
            self._merger.begin(self._manifest.segments, now_us)

    def _exchange_merged(self, merged: Merged, now_us: int) -> None:
        segments, sources = self._manifest.segments, merged.sources
        at = next((at for at, one in enumerate(segments) if one.first == sources[0].first), 0)
        if segments[at : at + len(sources)] != sources:  # a person was taken out of one of them meanwhile
            with storage_errors("remove a merged segment from", self._layout.segments):
                (self._layout.segments / merged.made.file).unlink(missing_ok=True)
            return
        self._exchange((*segments[:at], merged.made, *segments[at + len(sources) :]))
        self._retired.add((one.file for one in sources), now_us)

    def _begin_seal(self, now_us: int, *, signed: bool = False) -> None:
        """Only what a checkpoint covers is sealed. A thread, as detection must not wait for it."""
        if not signed:
            self._checkpointer.sign(now_us)
        rows = tuple(self._head.rows)
        result = self._sealer_thread.submit(self._sealer.seal, rows)
        self._sealing = _Sealing(result, len(rows), self._sequencer.positions, now_us)

    def _adopt(self, sealing: "_Sealing") -> None:
        """Put a finished segment in its place; only what is sealed is dropped from the logs."""
        self._sealing = None
        made = sealing.result.result()
        last = self._head.rows[max(0, sealing.count - TILE_WIDTH) : sealing.count]
        manifest = Manifest(
            size=made.last + 1,
            segments=(*self._manifest.segments, made),
            writers={
                writer: at for writer, at in sealing.positions.items() if (self._layout.wal / writer).is_dir()
            },
            edge=self._manifest.edge_with(made.last + 1, [leaf_hash(row.entry) for row in last]),
        )
        write_manifest(self._layout.manifest, manifest)
        self._manifest, self._oldest_us = manifest, sealing.begun_us
        self._head.drop(sealing.count)
        self._list.cover(manifest.segments)
        self._sequencer.drop_sealed(manifest.size, sealing.positions)

    def seal(self, now_us: int) -> None:
        """Seal everything that has an index, and wait for it.

        Raises:
            WriteError, CorruptionError, IntegrityError: see `step`.
        """
        while self._head.rows or self._sealing is not None:
            if self._sealing is None:
                self._begin_seal(now_us)
            assert self._sealing is not None
            wait([self._sealing.result])
            self._adopt(self._sealing)

    def replace(self, made: Sequence[SegmentInfo]) -> None:
        """Put new editions of segments in the place of the old ones, all at once, and remove those.

        Raises:
            WriteError: the manifest stands as it was, or an old file could not be removed; the next start does that.
        """
        by_first = {info.first: info for info in made}
        old = [info for info in self._manifest.segments if info.first in by_first]
        self._exchange(tuple(by_first.get(info.first, info) for info in self._manifest.segments))
        with storage_errors("remove an old edition from", self._layout.segments):
            for info in old:
                (self._layout.segments / info.file).unlink(missing_ok=True)
            self._retired.remove_all()
            sync_directory(self._layout.segments)

    def prune(self, begin: int) -> None:
        """Remove the segments of all events before index `begin`, and nothing else (docs/formats/segment.md, section 6).

        The tree stays as it is: its tiles keep the hashes, and the checkpoint still covers what was removed.

        Args:
            begin: first index of a segment.

        Raises:
            WriteError: the manifest stands as it was, or an old file could not be removed; the next start does that.
        """
        segments = tuple(info for info in self._manifest.segments if info.first >= begin)
        assert segments
        assert segments[0].first == begin
        old = self._manifest.segments[: -len(segments)]
        leaves = SegmentLeaves(self._layout, self._manifest.segments)
        start = begin - begin % TILE_WIDTH
        self._checkpointer.keep_leaves(begin, leaves.read(start, begin - start))
        self._exchange(segments)
        with storage_errors("remove", self._layout.segments):
            for info in old:
                (self._layout.segments / info.file).unlink(missing_ok=True)
            self._retired.remove_all()
            sync_directory(self._layout.segments)
        self._checkpointer.forget_leaves(begin)

    def _exchange(self, segments: tuple[SegmentInfo, ...]) -> None:
        """Name other files for the same events, in one step: a crash leaves the old list or the new, both of them signed."""
        manifest = msgspec.structs.replace(self._manifest, segments=segments)
        self._list.replacing(self._manifest.segments, segments)
        write_manifest(self._layout.manifest, manifest)
        self._manifest = manifest
        self._list.cover(segments)

    @property
    def head(self) -> list[Event]:
        """The events that are not sealed, in order; any thread may ask. A seal begins a new list."""
        return self._head.events

    @property
    def size(self) -> int:
        """Number of events with an index."""
        return self._sequencer.size

    @property
    def segments(self) -> tuple[SegmentInfo, ...]:
        """What is sealed."""
        return self._manifest.segments

    @property
    def checkpoint(self) -> Checkpoint:
        """What was signed last."""
        assert self._checkpointer.checkpoint is not None
        return self._checkpointer.checkpoint

    @property
    def sealing(self) -> bool:
        """Whether a segment is being written; a later step, or `close`, puts it in its place."""
        return self._sealing is not None

    @property
    def merging(self) -> bool:
        """Whether segments are being merged; a later step puts the new one in its place."""
        return self._merger.busy

    @property
    def findings(self) -> tuple[CorruptionError, ...]:
        """Damage found in the logs since the start; each is found once more after a restart."""
        return self._sequencer.findings

    def close(self) -> None:
        """Sign what is not signed, finish a segment in the making, and give the directory free. May be called twice.

        Raises:
            WriteError: the last checkpoint could not be written; the next keeper signs it.
            IntegrityError: see `step`.
        """
        if self._lock < 0:
            return
        with ExitStack() as finally_:
            finally_.callback(self._release)
            finally_.callback(self._sequencer.close)
            finally_.callback(self._sealer.close)
            finally_.callback(self._sealer_thread.shutdown)
            self._merger.close()
            if self.size > self.checkpoint.size:
                self._checkpointer.sign(self._now())
            if self._sealing is not None:
                wait([self._sealing.result])
                self._adopt(self._sealing)
            self._sweep()  # what was merged into others, and what was not put in its place any more

    def _release(self) -> None:
        os.close(self._lock)
        self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Sealing(Struct, frozen=True):
    """A segment in the making.

    Args:
        result: what comes of it.
        count: events in it, from the head's first.
        positions: for each writer its last line in it.
        begun_us: when; later events are at least that young.
    """

    result: Future[SegmentInfo]
    count: int
    positions: dict[str, Position]
    begun_us: int


def take_lock(layout: Layout) -> int:
    """The descriptor that holds the lock; the file says whose it is.

    Raises:
        LockedError: another process holds it.
        WriteError: it cannot be written.
    """
    with storage_errors("open", layout.lock):
        fd = os.open(layout.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(fd, 32).decode(errors="replace").strip() or "unknown"
        os.close(fd)
        raise LockedError(
            f"another daemon (process {holder}) holds this data directory",
            where=str(layout.root),
            hint="stop it, or choose another directory",
        ) from error
    try:
        with storage_errors("write", layout.lock):
            os.ftruncate(fd, 0)
            write_all(fd, f"{os.getpid()}\n".encode())
    except BaseException:
        os.close(fd)
        raise
    return fd
