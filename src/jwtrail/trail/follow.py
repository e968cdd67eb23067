"""Following the trail from any index on, in order, by a process of its own: segments first, then the logs behind them.

Whoever follows this way asks nothing of the keeper and cannot slow it down. What it gives has an index already; what the
logs hold beyond the order is not given.
"""

from collections import deque
from hashlib import sha256

from jwtrail.errors import CorruptionError, TrailError
from jwtrail.trail.documents import Document, SegmentDocuments
from jwtrail.trail.layout import Layout
from jwtrail.trail.manifest import Manifest, Position, SegmentInfo, read_manifest
from jwtrail.trail.orderlog import OrderRecord, read_order
from jwtrail.trail.recompute import Engine
from jwtrail.trail.row import document_of
from jwtrail.trail.tail import Tail, TailLine
from jwtrail.trail.wal import b64

__all__ = ["TrailFollower"]

BLOCK = 4096
"""Rows taken from a segment at once; half a row group."""

LINES = 4096
"""Lines taken from a log at once."""

_TRIES = 5
_DATASET = b',"event.dataset":"'


class TrailFollower:
    """Documents from an index on. Used by one thread.

    Args:
        layout: where; the trail may be growing, sealing and losing people meanwhile.
        position: the first index wanted.
    """

    def __init__(self, layout: Layout, position: int = 0) -> None:
        self.position = position
        self._layout = layout
        self._engine = Engine()
        self._segments = SegmentDocuments(layout, self._engine)
        self._block: deque[Document] = deque()
        self._head: _Head | None = None

    def read(self, limit: int) -> list[Document]:
        """The next documents, `limit` at most; empty when there are none now.

        Raises:
            CorruptionError: a segment, the order or a line that has an index is damaged.
        """
        if not self._block:
            self._block.extend(self._fill(limit))
        found = [self._block.popleft() for _ in range(min(limit, len(self._block)))]
        self.position += len(found)
        return found

    def size(self) -> int:
        """How many events have an index now."""
        sealed = read_manifest(self._layout.manifest).size
        try:
            return sealed + sum(record.count for record in read_order(self._layout.order, sealed))
        except CorruptionError:  # sealed meanwhile, or damaged: `read` tells
            return sealed

    def close(self) -> None:
        """Let go of all files; reading goes on where it was."""
        self._drop_head()
        self._engine.close()

    def _fill(self, limit: int) -> list[Document]:
        """What follows, from wherever it lies. What is moved by a seal while it is read is looked for again."""
        failed: Exception | None = None
        for _ in range(_TRIES):
            manifest = read_manifest(self._layout.manifest)
            try:
                if self.position < manifest.size:
                    self._drop_head()
                    return self._sealed(manifest)
                return self._unsealed(manifest, limit)
            except (CorruptionError, FileNotFoundError) as error:
                self._drop_head()
                failed = error
                if read_manifest(self._layout.manifest) == manifest and isinstance(error, TrailError):
                    raise
        raise CorruptionError(
            f"index {self.position} cannot be read: {failed}", where=str(self._layout.root)
        ) from failed

    def _sealed(self, manifest: Manifest) -> list[Document]:
        segment = _holding(manifest, self.position)
        return self._segments.rows(segment, self.position, min(segment.last, self.position + BLOCK - 1))

    def _unsealed(self, manifest: Manifest, limit: int) -> list[Document]:
        if self._head is None:
            self._head = _Head(self._layout, manifest)
        return self._head.read(self.position, limit)

    def _drop_head(self) -> None:
        if self._head is not None:
            self._head.close()
            self._head = None


class _Head:
    """What lies behind the segments of one manifest; a later seal does not disturb it as long as nobody falls behind."""

    def __init__(self, layout: Layout, manifest: Manifest) -> None:
        self._layout = layout
        self._writers = manifest.writers
        self._tails: dict[str, Tail] = {}
        self._lines: dict[str, deque[TailLine]] = {}
        self._records: deque[OrderRecord] = deque()
        self._ordered = manifest.size
        self._seen: tuple[int, ...] = ()

    def read(self, position: int, limit: int) -> list[Document]:
        self._look()
        found: list[Document] = []
        while self._records and len(found) < limit:
            record = self._records[0]
            documents = self._documents(record)
            found += documents[max(0, position - record.first) :]
            self._records.popleft()
        return found

    def close(self) -> None:
        for tail in self._tails.values():
            tail.close()

    def _look(self) -> None:
        """Take further records of the order, when its file has changed."""
        try:
            stat = self._layout.order.stat()
        except FileNotFoundError:
            return
        seen = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        if seen == self._seen:
            return
        for record in read_order(self._layout.order, self._ordered):
            self._records.append(record)
            self._ordered = record.first + record.count
        self._seen = seen

    def _documents(self, record: OrderRecord) -> list[Document]:
        made: list[Document] = []
        for writer, first, count in record.runs:
            for number in range(first, first + count):
                made.append(_document(self._line(writer, number), record.first + len(made), record.at))
        return made

    def _line(self, writer: str, number: int) -> TailLine:
        lines = self._lines.setdefault(writer, deque())
        while not lines or lines[0].line.number < number:
            if lines:
                lines.popleft()  # it was refused and got no index
            elif more := self._tail(writer).read(LINES):
                lines.extend(more)
            else:
                break
        if not lines or lines[0].line.number != number:
            raise CorruptionError(
                f"number {number} has an index but its line is damaged or missing",
                where=str(self._layout.wal / writer),
                hint="`jwtrail trail verify` shows the extent",
            )
        return lines.popleft()

    def _tail(self, writer: str) -> Tail:
        tail = self._tails.get(writer)
        if tail is None:
            at = self._writers.get(writer, Position())
            tail = self._tails[writer] = Tail(self._layout, writer, at.n, at.chain)
        return tail


def _holding(manifest: Manifest, index: int) -> SegmentInfo:
    return next(segment for segment in manifest.segments if segment.first <= index <= segment.last)


def _document(tailed: TailLine, index: int, ingested: str) -> Document:
    public = tailed.line.public
    # A public field; inside a text its quotes would be escaped.
    at = public.find(_DATASET) + len(_DATASET)
    dataset = public[at : public.index(b'"', at)].decode() if at >= len(_DATASET) else ""
    identity = b64(sha256(tailed.entry).digest()).decode()
    return Document(index, identity, dataset, document_of(tailed, index, ingested))
