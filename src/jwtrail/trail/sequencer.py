"""Many logs in, one order out: each event gets its index once, and keeps it across any crash."""

import heapq
from collections import deque
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from jwtrail import clock
from jwtrail.ecs.event import Event
from jwtrail.errors import CorruptionError
from jwtrail.trail.durable import storage_errors
from jwtrail.trail.layout import Layout
from jwtrail.trail.manifest import Position
from jwtrail.trail.orderlog import OrderLog, OrderRecord
from jwtrail.trail.row import Row, make_row
from jwtrail.trail.storable import unknown_fields, why_not_storable
from jwtrail.trail.tail import MAX_FINDINGS, Tail, TailLine
from jwtrail.trail.wal import WalLine

__all__ = ["BATCH", "Ordered", "Sequencer"]

BATCH = 1024
"""Lines taken from one writer at a time: bounds the memory of a long backlog and the length of a step. What belongs to
so many lines stays in a core's cache from the first look to the last."""

MAX_NAME = 100
"""Characters of a field's name in a finding."""

_NO_EVENT = (msgspec.DecodeError, UnicodeDecodeError)


class Ordered(Struct, frozen=True):
    """What got an index.

    Args:
        rows: in order.
        events: the same as records.
    """

    rows: list[Row]
    events: list[Event]


class Sequencer:
    """Merges the logs of all writers. Used by the one keeper.

    Args:
        layout: where.
        size: number of sealed indexes.
        positions: for each writer up to where its lines are sealed.

    Raises:
        CorruptionError: the order log is damaged.
        WriteError: it cannot be written.
    """

    def __init__(self, layout: Layout, size: int, positions: Mapping[str, Position]) -> None:
        self._layout = layout
        self._positions = dict(positions)
        self._tails: dict[str, Tail] = {}
        self._order = OrderLog(layout.order, size)
        self._staged: list[TailLine] = []
        self._refused: list[CorruptionError] = []
        self._held: set[str] = set()  # writers whose next line only another version understands
        self._kept: set[str] = set()  # writers with a line that got no index
        self.size = size

    def replay(self) -> list[Row]:
        """What was in order but not sealed when the keeper last stopped, with the same indexes.

        Raises:
            CorruptionError: a line that has an index is damaged or missing.
        """
        queues: dict[str, deque[TailLine]] = {}
        rows: list[Row] = []
        for record in self._order.records:
            for writer, first, count in record.runs:
                for number in range(first, first + count):
                    tailed = self._again(writer, number, queues, self.size + len(rows))
                    rows.append(self._checked(make_row(tailed, self.size + len(rows), record.at)))
        self._accept(rows)
        # What the logs hold beyond the order is new: it comes first with the next poll.
        self._staged = list(heapq.merge(*queues.values(), key=_by_time))
        return rows

    def _again(self, writer: str, number: int, queues: dict[str, deque[TailLine]], index: int) -> TailLine:
        queue = queues.setdefault(writer, deque())
        tail = self._tail(writer)
        while not queue or queue[0].line.number < number:
            if queue:
                queue.popleft()  # it was refused then and got no index
            elif not (more := tail.read(BATCH)):
                break
            else:
                queue.extend(more)
        if queue and queue[0].line.number == number:
            return queue.popleft()
        cause = tail.findings[0] if tail.findings else None
        raise CorruptionError(
            f"number {number} of writer {writer} has index {index} but its line is "
            + (f"damaged: {cause.message}" if cause else "missing"),
            where=cause.where if cause else str(self._layout.wal / writer),
            hint="`jwtrail trail verify` shows the extent; put the file back from a copy",
        ) from cause

    def _checked(self, row: Row) -> Row:
        try:
            _ = row.event
        except _NO_EVENT as error:
            raise CorruptionError(
                f"number {row.number} has index {row.index} but is not an event: {error}",
                where=str(self._layout.wal / row.writer),
                hint="another version of jwtrail gave it its index; let that one seal it",
            ) from error
        return row

    def poll(self, now_us: int) -> Ordered:
        """Give indexes to what the logs hold beyond the last call; durable when it returns.

        Raises:
            WriteError: the order could not be made durable; the same events come again with the next call.
        """
        if not self._staged:
            self._staged = self._gather()
        if not self._staged:
            return Ordered([], [])
        ordered = self._number(self._staged, clock.iso(now_us))
        with storage_errors("sync the logs", self._layout.wal):
            for tail in self._tails.values():
                tail.sync()
        if ordered.rows:
            self._order.append(OrderRecord.of(clock.iso(now_us), ordered.rows))
        self._staged = []
        self._accept(ordered.rows)
        return ordered

    def _number(self, staged: list[TailLine], ingested: str) -> Ordered:
        rows: list[Row] = []
        events: list[Event] = []
        for tailed in staged:
            line = tailed.line
            if self._held and line.writer in self._held:
                continue
            row = make_row(tailed, self.size + len(rows), ingested)
            try:
                event = row.event
                problem = why_not_storable(event, line.public, line.personal)
            except _NO_EVENT as error:  # the format let it pass, the record refuses it
                problem = str(error)
            if problem:
                self._refuse(line, problem)
            else:
                rows.append(row)
                events.append(event)
        return Ordered(rows, events)

    def _refuse(self, line: WalLine, problem: str) -> None:
        """A line with fields of another version holds its log until that version runs, so that nothing is lost; any other is left out.

        Its log stays, as evidence.
        """
        self._kept.add(line.writer)
        if unknown := unknown_fields(line):
            self._held.add(line.writer)
            self._tell(
                line, f"has a field that this version does not know: {unknown[0][:MAX_NAME]}",
                "its log waits: upgrade jwtrail serve, then it goes on by itself",
            )  # fmt: skip
        else:
            self._tell(line, f"is not an event: {problem}", "the file is kept")

    def _tell(self, line: WalLine, what: str, hint: str) -> None:
        if len(self._refused) < MAX_FINDINGS:
            where = str(self._layout.wal / line.writer)
            self._refused.append(CorruptionError(f"number {line.number} {what}", where=where, hint=hint))

    def _accept(self, rows: list[Row]) -> None:
        self.size += len(rows)
        for row in {row.writer: row for row in rows}.values():  # the last of each writer
            self._positions[row.writer] = Position.at(row.number, row.chain)

    def _gather(self) -> list[TailLine]:
        with storage_errors("read the logs", self._layout.wal):
            writers = [writer for writer in self._layout.writers() if writer not in self._held]
            batches = [self._tail(writer).read(BATCH) for writer in writers]
        filled = [batch for batch in batches if batch]
        if len(filled) == 1:
            return filled[0]
        return list(heapq.merge(*filled, key=_by_time))

    def _tail(self, writer: str) -> Tail:
        tail = self._tails.get(writer)
        if tail is None:
            at = self._positions.get(writer, Position())
            tail = self._tails[writer] = Tail(self._layout, writer, at.n, at.chain)
        return tail

    @property
    def findings(self) -> tuple[CorruptionError, ...]:
        """Damage found in the logs so far."""
        return (*(finding for tail in self._tails.values() for finding in tail.findings), *self._refused)

    @property
    def positions(self) -> dict[str, Position]:
        """For each writer that still has log files, its last line with an index."""
        present = set(self._layout.writers())
        return {writer: at for writer, at in self._positions.items() if writer in present}

    def drop_sealed(self, size: int, sealed: Mapping[str, Position]) -> None:
        """Remove order records and log files that segments cover.

        Args:
            size: number of sealed indexes.
            sealed: for each writer up to where its lines are sealed.

        Raises:
            WriteError: something could not be removed; what is left is old, not wrong.
        """
        self._order.drop(size)
        with storage_errors("remove sealed logs from", self._layout.wal):
            for writer, tail in list(self._tails.items()):
                if writer not in self._kept and tail.drop_sealed(sealed.get(writer, Position()).n):
                    del self._tails[writer]

    def close(self) -> None:
        """Let go of all files."""
        self._order.close()
        for tail in self._tails.values():
            tail.close()


def _by_time(tailed: TailLine) -> tuple[bytes, str, int]:
    return tailed.line.timestamp, tailed.line.writer, tailed.line.number
