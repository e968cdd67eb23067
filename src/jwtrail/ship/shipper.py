"""The pump: reads on from a durable position, keeps some batches in the air, and moves the position in the order of the trail.

The position moves past an index only when the target has its document, or its refusal is on disk. What was in the air when
a process died is sent again, and the sink is told so: an engine finds what it has already (`bulk.BulkSink`).
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from msgspec import Struct

from jwtrail import clock
from jwtrail.errors import ConfigError, IntegrityError, JwtrailError
from jwtrail.ship.delivery import Delivered, Delivery
from jwtrail.ship.home import Cursor, Home
from jwtrail.ship.pace import Size
from jwtrail.ship.settings import ShipSettings
from jwtrail.ship.sink import Rewriting, Sink
from jwtrail.trail.documents import MAX_INDEXES, Document, read_documents
from jwtrail.trail.follow import TrailFollower
from jwtrail.trail.layout import Layout
from jwtrail.trail.logkey import load_verifier

__all__ = ["IDLE_S", "Progress", "Shipper"]

AHEAD = 2
"""Batches that are ready when a request is answered, so that no connection waits for the disk."""

MAX_AIR = 90_000
"""Events that a run may have in the air when it dies: the bounds of `parallel`, and `AHEAD`, times those of `max_batch`."""

IDLE_S = 0.5
"""Between two looks at the trail when there was nothing: an engine shows documents after a second anyway."""

FORGET_S = 5.0
"""Between two looks at who is to be forgotten while events are shipped without pause."""

FORGET_AGAIN_S = 60.0
"""After an engine would not rewrite: the user who ships may not have the right to, and somebody has to give it."""

SLOW_S = 1.0
"""A batch that waits longer is looked at again, so that the end of a run is never far."""


class Progress(Struct, frozen=True, kw_only=True):
    """How it goes, since the start of this process.

    Args:
        next: the first index that the target does not have.
        size: events with an index.
        sent: documents that the target took.
        there: documents that it had already.
        refused: documents that it would not take.
        retries: tries after the first, of any batch.
        batch: events of a batch now.
        failure: what is wrong now; empty when nothing is.
    """

    next: int = 0
    size: int = 0
    sent: int = 0
    there: int = 0
    refused: int = 0
    retries: int = 0
    batch: int = 0
    failure: str = ""

    @property
    def lag(self) -> int:
        """Events that the target does not have yet."""
        return max(0, self.size - self.next)


class _Flight(Struct, frozen=True):
    first: int
    last: int
    result: Future[Delivered]


class Shipper:
    """Ships one trail to one sink. Threads of its own only send; the rest is done by who calls `run`.

    Args:
        layout: of the trail.
        sink: where to.
        home: what is remembered of it; locked by the caller.
        settings: sizes.
        fresh: the index from which on the sink has nothing for sure (`Sink.open`).

    Raises:
        ConfigError: under this name another target or another trail was shipped.
        IntegrityError: the trail is shorter than what was shipped.
    """

    def __init__(self, layout: Layout, sink: Sink, home: Home, settings: ShipSettings, fresh: int) -> None:
        self._layout = layout
        self._sink = sink
        self._home = home
        self._settings = settings
        self._stop = threading.Event()
        self._size = Size(settings.max_batch)
        self._delivery = Delivery(sink, self._size, self._stop, settings.max_bytes)
        self._origin = load_verifier(layout.log_vkey).name if layout.log_vkey.exists() else ""
        self._next = self._begin()
        # What another run had in the air may still arrive after the sink was asked.
        self._fresh = max(fresh, self._next + MAX_AIR if self._next or fresh else 0)
        self._follower = TrailFollower(layout, self._next)
        self._flights: deque[_Flight] = deque()
        self._sent = self._there = self._refused = 0
        self._seen_size = self._forget_ns = self._not_before_ns = 0

    def run(self, *, until_empty: bool = False, tell: Callable[[Progress], None] | None = None) -> None:
        """Ship until `stop` is called, or until nothing is left.

        Args:
            tell: called after each batch, and while nothing happens.

        Raises:
            CorruptionError: the trail or what is remembered is damaged, or too much was refused.
            WriteError: what must be remembered cannot be written; nothing is lost.
        """
        pool = ThreadPoolExecutor(self._sink.parallel, thread_name_prefix="jwtrail-ship")
        try:
            while not self._stop.is_set():
                self._take_off(pool)
                rewritten = self._forget() if self._may_forget() else False
                if self._flights:
                    self._land()
                elif until_empty and not rewritten:
                    break
                elif not rewritten:
                    self._stop.wait(IDLE_S)
                if tell is not None:
                    tell(self.progress())
        finally:
            self._stop.set()
            pool.shutdown(cancel_futures=True)
            self._land_rest()

    def stop(self) -> None:
        """End `run` soon; from any thread or a signal handler. What is in the air is waited for."""
        self._stop.set()

    def close(self) -> None:
        self._follower.close()

    def progress(self) -> Progress:
        """How it goes; from any thread."""
        return Progress(
            next=self._next,
            size=max(self._seen_size, self._next),
            sent=self._sent,
            there=self._there,
            refused=self._refused,
            retries=self._delivery.retries,
            batch=self._size.now,
            failure=self._delivery.failure,
        )

    def retry(self) -> tuple[int, int]:
        """Send once more what was refused; how many were taken, and how many again were not.

        Raises:
            SinkAway: the target cannot be reached now.
        """
        dead = self._home.dead()
        taken = 0
        for start in range(0, len(dead), self._settings.max_batch):
            part = [one.sequence for one in dead[start : start + self._settings.max_batch]]
            found = self._documents(part)
            if not found:
                continue
            for some in self._delivery.parts(found):
                receipt = self._delivery.once(some, again=True)
                left = {one.sequence for one in receipt.refused} | {
                    some[place].sequence for place in receipt.busy
                }
                good = {one.sequence for one in some} - left
                self._home.bury(receipt.refused)
                self._home.raise_dead(good)
                taken += len(good)
        return taken, len(self._home.dead())

    def _begin(self) -> int:
        cursor = self._home.cursor()
        if cursor is None:
            self._home.move(self._cursor(0))
            return 0
        if cursor.target != self._sink.name:
            raise ConfigError(
                f"this name was used for {cursor.target}",
                where=str(self._home.path),
                hint="give the new target a name of its own: --name",
            )
        if cursor.origin and self._origin and cursor.origin != self._origin:
            raise ConfigError(
                f"another trail was shipped there: {cursor.origin}",
                where=str(self._home.path),
                hint="give it another namespace, and a name of its own",
            )
        size = TrailFollower(self._layout).size()
        if cursor.next > size:
            raise IntegrityError(
                f"the trail has {size:,} events, and {cursor.next:,} were shipped",
                where=str(self._layout.root),
                hint="the trail was cut off or put back from an older copy: `jwtrail trail verify --remote` compares",
            )
        return cursor.next

    def _take_off(self, pool: ThreadPoolExecutor) -> None:
        """Put batches into the air while there is room and something to send."""
        while len(self._flights) < self._sink.parallel + AHEAD and not self._stop.is_set():
            documents = self._follower.read(self._size.now)
            if not documents:
                self._seen_size = self._follower.position
                return
            if documents[-1].sequence >= self._seen_size:
                self._seen_size = self._follower.size()
            again = documents[0].sequence < self._fresh
            result = pool.submit(self._delivery.deliver, documents, again=again)
            self._flights.append(_Flight(documents[0].sequence, documents[-1].sequence, result))

    def _land(self) -> None:
        """Wait for the oldest batch a moment; when it is done, remember that."""
        flight = self._flights[0]
        try:
            done = flight.result.result(SLOW_S)
        except TimeoutError:
            return
        self._flights.popleft()
        if done.complete:
            self._remember(flight.last + 1, done)
        else:  # it was stopped; those behind it are not remembered either
            self._flights.clear()

    def _land_rest(self) -> None:
        """Remember what still came through after the end was asked for."""
        while self._flights and self._flights[0].result.done() and not self._flights[0].result.cancelled():
            try:
                self._land()
            except JwtrailError:
                return

    def _remember(self, upto: int, done: Delivered) -> None:
        if done.refused:
            self._home.bury(done.refused)
        self._home.move(self._cursor(upto))
        self._next = upto
        self._sent += done.sent
        self._there += done.there
        self._refused += len(done.refused)

    def _cursor(self, upto: int) -> Cursor:
        return Cursor(target=self._sink.name, next=upto, at=clock.iso(clock.now_us()), origin=self._origin)

    def _may_forget(self) -> bool:
        """When nothing is in the air, and now and then while there is always something; not at once after it failed."""
        now = clock.monotonic_ns()
        if now < self._not_before_ns or (self._flights and now < self._forget_ns):
            return False
        self._forget_ns = now + int(FORGET_S * 1e9)
        return True

    def _forget(self) -> bool:
        """Rewrite some documents of erased people; whether there were any to rewrite."""
        if not isinstance(self._sink, Rewriting):
            return False
        # What is not there yet is shipped without the person; what the trail itself has not erased yet waits for it.
        wanted = [one for one in self._home.forgetting() if one < self._next][: self._settings.max_batch]
        found = [one for one in self._documents(wanted) if one.erased]
        if not found:
            return False
        refused = self._delivery.rewrite(self._sink, found)
        if refused is None:
            self._not_before_ns = clock.monotonic_ns() + int(FORGET_AGAIN_S * 1e9)
            return False
        self._home.bury(refused)
        self._home.forgotten(one.sequence for one in found)
        return True

    def _documents(self, sequences: Sequence[int]) -> list[Document]:
        """These documents as the trail has them now."""
        assert len(sequences) <= MAX_INDEXES
        return read_documents(self._layout, sequences) if sequences else []
