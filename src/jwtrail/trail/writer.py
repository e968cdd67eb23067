"""The writer of one process: a bounded queue, one thread, one log (docs/formats/wal.md).

A request pays for one `put`: a lock, a list append. Everything else happens in the thread.
"""

import atexit
import logging
import os
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from typing import Literal

from msgspec import Struct

from jwtrail import clock
from jwtrail.ecs.event import Event
from jwtrail.ecs.vocabulary import event_for
from jwtrail.errors import WriteError
from jwtrail.trail.journal import Journal
from jwtrail.trail.layout import Layout
from jwtrail.trail.settings import TrailSettings

__all__ = ["Durability", "TrailWriter", "WriterStats"]

_log = logging.getLogger("jwtrail.trail")

Durability = Literal["sync", "batch", "memory"]

RETRY_SECONDS = 0.5
"""Pause after a failed write: long enough not to hammer a full disk, short enough to resume by itself."""

GATHER_SECONDS = 0.005
"""How long an event that nobody waits for lies in the queue so that others share its write: to be woken and to call the
system for each costs as much as all the rest of the writer's work. Whoever follows the log hears of it that much later."""

CLOSE_SECONDS = 5.0
"""How long the end of the process waits for the disk."""


class WriterStats(Struct, frozen=True):
    """Counters since the start of the process.

    Args:
        writer: this process's writer id; empty before the first event.
        written: events appended to the log, also those not yet durable.
        durable: events known to be on the disk.
        dropped: events refused because the queue was full.
        waiting: events in the queue now.
        syncs: calls of fdatasync.
        error: why the last write failed; empty when it worked.
    """

    writer: str
    written: int
    durable: int
    dropped: int
    waiting: int
    syncs: int
    error: str


class TrailWriter:
    """Appends events to this process's log. Threads may share it; a forked child gets a log of its own.

    Args:
        layout: where; made when the first event comes.
        settings: bounds.
        enrich: adds to an event what is known of it; called in the writer's thread, before the event is committed to.
    """

    def __init__(
        self,
        layout: Layout,
        settings: TrailSettings | None = None,
        enrich: Callable[[Event], Event] | None = None,
    ) -> None:
        self._layout = layout
        self._enrich = enrich
        self._settings = settings or TrailSettings()
        self._gather = min(GATHER_SECONDS, self._settings.batch_ms / 1000)
        self._reset()
        _writers.add(self)

    def _reset(self) -> None:
        """As new: also what a forked child does, whose parent's thread and locks are not its own."""
        self._lock = threading.Lock()
        self._wake = threading.Lock()
        self._wake.acquire()
        self._pending: list[Event] = []
        self._waiters: Future[None] | None = None
        self._sleeps = _AWAKE
        self._closing = False
        self._thread: threading.Thread | None = None
        self._journal = Journal(self._layout, self._settings.wal_file_bytes)
        self._dropped = 0
        self._gap: _Gap | None = None
        self._error = ""

    def put(self, event: Event, durability: Durability = "batch") -> "Future[None] | None":
        """Queue an event; never blocks on the disk.

        Args:
            durability: `sync`: the future resolves once the event is on the disk. `batch`: it will be within
                `batch_ms`. `memory`: written at once, made durable with whatever is synced next.

        Returns:
            For `sync` a future, shared with other waiters of the same batch, else None. It fails with
            `WriteError` when the disk refuses; the event is then written again as soon as the disk works.

        Raises:
            WriteError: the writer is closed, or the event is `sync` and the queue is full. With other
                durabilities a full queue drops the event, and one `logging-gap` event says how many.
        """
        with self._lock:
            if self._closing:
                raise WriteError("the writer is closed", where=str(self._layout.wal))
            if len(self._pending) >= self._settings.queue_size:
                self._refuse(durability)
                return None
            self._pending.append(event)
            future: Future[None] | None = None
            if durability == "sync":
                future = self._waiters = self._waiters or _shared_future()
            if self._thread is None:
                self._start(event)
            elif self._sleeps and (self._sleeps is _ASLEEP or self._is_urgent()):
                self._rouse()
        return future

    def _is_urgent(self) -> bool:
        """Whether what is queued must be written at once. Called under the lock."""
        return self._waiters is not None or self._closing or len(self._pending) >= self._settings.batch_events

    def _rouse(self) -> None:
        """Wake the thread. Called under the lock, so nobody else wakes it too."""
        self._sleeps = _AWAKE
        if self._wake.locked():
            self._wake.release()

    def _refuse(self, durability: Durability) -> None:
        if durability == "sync":
            raise WriteError(
                f"{self._settings.queue_size} events are waiting already",
                where=str(self._layout.wal),
                hint=self._error or "the disk is slower than the events come",
            )
        self._dropped += 1
        now = clock.now_us()
        self._gap = _Gap(now, now, 1) if self._gap is None else self._gap.more(now)

    def _start(self, event: Event) -> None:
        # Timed as the first event, so that it sorts before it.
        started = _note("logging-started", "the log of this process begins", _time_of(event))
        self._pending.insert(0, started)
        self._thread = threading.Thread(target=self._run, name="jwtrail-writer", daemon=True)
        self._thread.start()

    def stats(self) -> WriterStats:
        """Counters; cheap, callable from any thread."""
        journal = self._journal
        return WriterStats(
            writer=journal.writer if self._thread else "",
            written=journal.written,
            durable=journal.durable,
            dropped=self._dropped,
            waiting=len(self._pending),
            syncs=journal.syncs,
            error=self._error,
        )

    def close(self, timeout: float = CLOSE_SECONDS) -> None:
        """Write what is queued, end the log with its clean-close mark. Later puts are refused. May be called twice.

        Args:
            timeout: seconds to wait for the disk.

        Raises:
            WriteError: the disk did not take everything in time.
        """
        with self._lock:
            thread, closing = self._thread, self._closing
            self._closing = True
            if thread is not None and not closing:
                self._pending.append(_note("logging-stopped", "the log of this process ends"))
            self._rouse()
        if thread is None:
            return
        thread.join(timeout)
        if thread.is_alive() or self._journal.unsynced:
            lost = len(self._pending) + self._journal.unsynced
            raise WriteError(
                f"{lost} events are not on the disk", where=str(self._layout.wal), hint=self._error
            )

    # the thread

    def _run(self) -> None:
        deadline: float | None = None
        closing = told = False
        while not closing:
            if not self._error:
                self._sleep(deadline)
            # While the disk refuses, events stay in the bounded queue: only its bound limits what a full disk costs.
            events, waiters, closing = self._take(hold=bool(self._error))
            try:
                deadline = self._write(events, deadline, urgent=waiters is not None or closing)
                if closing:
                    self._finish()
            except WriteError as error:
                self._error = str(error)
                if not told:  # the trail itself cannot tell
                    _log.error("jwtrail: events cannot be written, and wait: %s", error)
                told = True
                if waiters is not None:
                    waiters.set_exception(error)
                if not closing:
                    clock.sleep(RETRY_SECONDS)
                continue
            if told:
                _log.warning("jwtrail: events can be written again")
            told = False
            if waiters is not None:
                waiters.set_result(None)

    def _write(self, events: list[Event], deadline: float | None, *, urgent: bool) -> float | None:
        """Append, sync when it is due; the time at which it will be due, or None when everything is durable."""
        journal = self._journal
        if self._error:
            journal.sync()
            self._error = ""
        journal.append(events if self._enrich is None else [self._enrich(event) for event in events])
        if not journal.unsynced:
            return None
        now = _seconds()
        if deadline is None:
            deadline = now + self._settings.batch_ms / 1000 - self._gather
        if urgent or now >= deadline or journal.unsynced >= self._settings.batch_events:
            journal.sync()
            return None
        return deadline

    def _finish(self) -> None:
        events, waiters, _ = self._take(hold=False)  # what a failing disk had left in the queue
        self._journal.append(events)
        self._journal.close()
        if waiters is not None:
            waiters.set_result(None)

    def _sleep(self, deadline: float | None) -> None:
        timeout = -1 if deadline is None else max(0.0, deadline - _seconds())
        with self._lock:
            self._sleeps = _AWAKE if self._pending or self._closing else _ASLEEP
        if self._sleeps:
            self._wake.acquire(timeout=timeout)
        with self._lock:
            self._sleeps = _GATHERING if self._pending and not self._is_urgent() else _AWAKE
        if self._sleeps:
            self._wake.acquire(timeout=self._gather)
            self._sleeps = _AWAKE

    def _take(self, *, hold: bool) -> "tuple[list[Event], Future[None] | None, bool]":
        with self._lock:
            waiters, self._waiters = self._waiters, None
            if hold:
                return [], waiters, self._closing
            events, self._pending = self._pending, []
            gap, self._gap = self._gap, None
            closing = self._closing
        if gap is not None:
            events.append(gap.event())
        return events, waiters, closing

    def _forked(self) -> None:
        """In the child: the parent's queue is the parent's to write."""
        closing = self._closing
        self._journal.forget()
        self._reset()
        self._closing = closing


_AWAKE, _GATHERING, _ASLEEP = "", "gathering", "asleep"
"""What the thread does: its work, wait a moment for more, or wait for anything at all."""


class _Gap(Struct, frozen=True):
    """Events that were dropped, to be told in one event."""

    since_us: int
    until_us: int
    count: int

    def more(self, now_us: int) -> "_Gap":
        return _Gap(self.since_us, now_us, self.count + 1)

    def event(self) -> Event:
        return event_for(
            "logging-gap",
            at_us=self.since_us,
            event_outcome="failure",
            event_duration=(self.until_us - self.since_us) * 1000,
            jwtrail_records=self.count,
            process_pid=os.getpid(),
            message=f"{self.count} events were not recorded: the queue was full",
        )


def _shared_future() -> "Future[None]":
    future: Future[None] = Future()
    future.set_running_or_notify_cancel()  # shared: nobody may cancel it for the others
    return future


def _note(action: str, message: str, at_us: int | None = None) -> Event:
    return event_for(action, at_us=at_us, process_pid=os.getpid(), message=message)


def _time_of(event: Event) -> int | None:
    try:
        return clock.parse_iso(event.timestamp)
    except ValueError:
        return None  # the journal will refuse it


def _seconds() -> float:
    return clock.monotonic_ns() / 1e9


_writers: "weakref.WeakSet[TrailWriter]" = weakref.WeakSet()


def _after_fork() -> None:
    for writer in list(_writers):
        writer._forked()  # noqa: SLF001


def _at_exit() -> None:
    for writer in list(_writers):
        try:
            writer.close()
        except WriteError:
            continue  # nobody is left to be told; what is on the disk says how far it came


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
