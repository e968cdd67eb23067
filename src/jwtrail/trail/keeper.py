"""The one process that orders, seals and signs; what `jwtrail serve` runs."""

import fcntl
import os
from contextlib import ExitStack
from typing import Self

from jwtrail import clock
from jwtrail.clock import Clock
from jwtrail.ecs.event import Event
from jwtrail.errors import CorruptionError, LockedError, TrailError, WriteError
from jwtrail.tlog.checkpoint import Checkpoint
from jwtrail.trail.checkpointer import Checkpointer
from jwtrail.trail.durable import FILE_MODE, storage_errors, write_all
from jwtrail.trail.layout import Layout
from jwtrail.trail.leaves import SegmentLeaves
from jwtrail.trail.logkey import load_signer
from jwtrail.trail.manifest import Manifest, SegmentInfo, read_manifest, write_manifest
from jwtrail.trail.segment import seal
from jwtrail.trail.sequencer import Sequencer
from jwtrail.trail.settings import TrailSettings

__all__ = ["Keeper"]

_MICROS = 1_000_000


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
        self._lock = _take_lock(layout)
        with ExitStack() as undo:
            undo.callback(os.close, self._lock)
            self._manifest = read_manifest(layout.manifest)
            self._sequencer = Sequencer(layout, self._manifest.size, self._manifest.writers)
            undo.callback(self._sequencer.close)
            self._start()
            undo.pop_all()

    def _start(self) -> None:
        self._signer = load_signer(self._layout, self._settings.origin)
        self._checkpointer = Checkpointer(self._layout, self._signer, self._settings.mirror)
        self._rows = self._sequencer.replay()
        self._head = [row.event for row in self._rows]
        self._oldest_us = self._now()
        leaves = SegmentLeaves(self._layout, self._manifest.segments)
        self._checkpointer.restore(self._manifest.size, leaves.read, [row.entry for row in self._rows])
        self._checkpointer.sign(self._oldest_us)

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
        rows = self._sequencer.poll(now_us)
        if rows:
            if not self._rows:
                self._oldest_us = now_us
            self._rows += rows
            self._checkpointer.append([row.entry for row in rows])
        events = [row.event for row in rows]
        self._head += events
        try:
            self._tend(now_us)
        except TrailError:
            if not events:
                raise
        return events

    def _tend(self, now_us: int) -> None:
        settings = self._settings
        age = (now_us - self._oldest_us) / _MICROS
        full = len(self._rows) >= settings.seal_events or (self._rows and age >= settings.seal_seconds)
        if full or self._checkpointer.due(now_us, settings.checkpoint_seconds, settings.heartbeat_seconds):
            self._checkpointer.sign(now_us)
        if full:
            self._seal()

    def _seal(self) -> None:
        """Only what a checkpoint covers is sealed, and only what is sealed is dropped from the logs."""
        made = seal(self._layout, self._rows)
        manifest = Manifest(
            size=self._manifest.size + made.rows,
            segments=(*self._manifest.segments, made),
            writers=self._sequencer.positions,
        )
        write_manifest(self._layout.manifest, manifest)
        # New lists, not cleared ones: who reads the old head keeps a whole one.
        self._manifest, self._rows, self._head = manifest, [], []
        self._sequencer.drop_sealed()

    @property
    def head(self) -> list[Event]:
        """The events that are not sealed, in order. Only the keeper's thread appends; a seal begins a new list."""
        return self._head

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
    def findings(self) -> tuple[CorruptionError, ...]:
        """Damage found in the logs since the start; each is found once more after a restart."""
        return self._sequencer.findings

    def close(self) -> None:
        """Sign what is not signed, and give the directory free. May be called twice.

        Raises:
            WriteError: the last checkpoint could not be written; the next keeper signs it.
            IntegrityError: see `step`.
        """
        if self._lock < 0:
            return
        try:
            if self.size > self.checkpoint.size:
                self._checkpointer.sign(self._now())
        finally:
            self._sequencer.close()
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _take_lock(layout: Layout) -> int:
    """The descriptor that holds the lock; the file says whose it is."""
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
    except WriteError:
        os.close(fd)
        raise
    return fd
