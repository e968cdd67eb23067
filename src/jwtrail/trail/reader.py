"""Reading a trail, with or without a daemon running on it."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec
from msgspec import Struct

from jwtrail.ecs.event import Event
from jwtrail.errors import CorruptionError, ProofError, TrailError
from jwtrail.tlog.checkpoint import Checkpoint
from jwtrail.tlog.merkle import leaf_hash
from jwtrail.tlog.note import Verifier
from jwtrail.tlog.proof import inclusion_proof
from jwtrail.tlog.tlogproof import TlogProof
from jwtrail.trail.checkpointer import read_checkpoint
from jwtrail.trail.layout import Layout
from jwtrail.trail.leaves import SegmentLeaves
from jwtrail.trail.logkey import load_verifier
from jwtrail.trail.manifest import Manifest, Position, SegmentInfo, read_manifest
from jwtrail.trail.orderlog import read_order
from jwtrail.trail.row import event_of, make_row
from jwtrail.trail.tail import Tail, TailLine
from jwtrail.trail.tilestore import TileStore

__all__ = ["Inclusion", "TrailReader"]

_TRIES = 5
_T = TypeVar("_T")


class Inclusion(Struct, frozen=True):
    """What proves that an event is in the log.

    Args:
        index: its index.
        entry: its 81 bytes.
        path: audit path, leaf side first.
        checkpoint: what the path leads to.
        note: the signed checkpoint, verbatim.
    """

    index: int
    entry: bytes
    path: tuple[bytes, ...]
    checkpoint: Checkpoint
    note: bytes

    @property
    def proof(self) -> str:
        """The proof as a text that travels alone (c2sp.org/tlog-proof)."""
        return TlogProof(self.index, self.path, self.note).format()


class _Unsealed(Struct, frozen=True):
    """What the logs hold beyond the segments."""

    manifest: Manifest
    entries: list[bytes]
    events: list[Event]


class TrailReader:
    """Read-only view of a data directory; every call looks at the disk anew.

    Args:
        layout: where; may be empty or missing.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def segments(self) -> tuple[SegmentInfo, ...]:
        """The sealed part, in order.

        Raises:
            CorruptionError: the manifest is damaged.
        """
        return read_manifest(self._layout.manifest).segments

    def unsealed(self) -> list[Event]:
        """Events behind the segments: first those with an index, in order, then those still without one.

        Raises:
            CorruptionError: a line that has an index is damaged or missing.
        """
        return self._whole(self._read_unsealed).events

    @property
    def size(self) -> int:
        """Number of events with an index."""
        return self._whole(self._read_size)

    def checkpoint(self) -> Checkpoint | None:
        """The last signed checkpoint, verified; None before the first.

        Raises:
            IntegrityError: it does not verify.
        """
        if not self._layout.checkpoint.exists():
            return None
        return read_checkpoint(self._layout.checkpoint, self.vkey())

    def vkey(self) -> Verifier:
        """The log's verifier key.

        Raises:
            IntegrityError: there is none yet, or it is damaged.
        """
        return load_verifier(self._layout.log_vkey)

    def entries(self, first: int, last: int) -> list[bytes]:
        """The entries of the indexes from `first` to `last`, both included, recomputed from what is stored.

        Raises:
            ProofError: an index has no event.
            CorruptionError: what is needed is damaged.
        """
        return self._whole(lambda: self._entries(first, last - first + 1))

    def leaf_hashes(self, first: int, last: int) -> list[bytes]:
        """Leaf hashes of the indexes from `first` to `last`, both included; raises as `entries`."""
        return [leaf_hash(entry) for entry in self.entries(first, last)]

    def inclusion(self, index: int) -> Inclusion:
        """The proof that the event with this index is in the log.

        Raises:
            ProofError: no checkpoint covers the index yet.
            CorruptionError: what is needed is damaged.
            IntegrityError: the checkpoint does not verify.
        """
        return self._whole(lambda: self._inclusion(index))

    def _inclusion(self, index: int) -> Inclusion:
        checkpoint = self.checkpoint()
        if checkpoint is None or not 0 <= index < checkpoint.size:
            size = checkpoint.size if checkpoint else 0
            raise ProofError(f"index {index} is not signed yet; the last checkpoint covers {size} events")
        unsealed = self._read_unsealed()
        sealed = SegmentLeaves(self._layout, unsealed.manifest.segments)

        def leaves(first: int, count: int) -> list[bytes]:
            return [leaf_hash(entry) for entry in _entries(sealed, unsealed, first, count)]

        nodes = TileStore(self._layout.tiles).nodes(leaves)
        path = inclusion_proof(index, checkpoint.size, nodes)
        entry = _entries(sealed, unsealed, index, 1)[0]
        return Inclusion(index, entry, path, checkpoint, self._layout.checkpoint.read_bytes())

    def _entries(self, first: int, count: int) -> list[bytes]:
        unsealed = self._read_unsealed()
        size = unsealed.manifest.size + len(unsealed.entries)
        if first < 0 or count < 1 or first + count > size:
            raise ProofError(f"the indexes {first} to {first + count - 1} are not all below {size}")
        return _entries(SegmentLeaves(self._layout, unsealed.manifest.segments), unsealed, first, count)

    def _read_size(self) -> int:
        size = read_manifest(self._layout.manifest).size
        return size + sum(record.count for record in read_order(self._layout.order, size))

    def _whole(self, read: Callable[[], _T]) -> _T:
        """Read again when a segment was sealed meanwhile: what was looked for has then moved."""
        for attempt in range(_TRIES):
            before = read_manifest(self._layout.manifest).size
            try:
                made = read()
            except (TrailError, FileNotFoundError):
                # Once more in any case: a tile may have given way to a wider one.
                if attempt and read_manifest(self._layout.manifest).size == before:
                    raise
            else:
                if read_manifest(self._layout.manifest).size == before:
                    return made
        raise TrailError("segments are sealed faster than they can be read", where=str(self._layout.root))

    def _read_unsealed(self) -> _Unsealed:
        manifest = read_manifest(self._layout.manifest)
        # The order first: a line is written before it is ordered, so every line of this order is in logs read after it.
        order = list(read_order(self._layout.order, manifest.size))
        lines = {writer: self._lines(writer, manifest) for writer in self._layout.writers()}
        entries: list[bytes] = []
        events: list[Event] = []
        for record in order:
            for writer, first, count in record.runs:
                for number in range(first, first + count):
                    index = manifest.size + len(entries)
                    tailed = lines.get(writer, {}).pop(number, None)
                    if tailed is None:
                        raise CorruptionError(
                            f"the line of index {index} is damaged or missing: number {number}",
                            where=str(self._layout.wal / writer),
                            hint="`jwtrail trail verify` shows the extent",
                        )
                    entries.append(tailed.entry)
                    events.append(make_row(tailed, index, record.at).event)
        events += _without_index([tailed for rest in lines.values() for tailed in rest.values()])
        return _Unsealed(manifest, entries, events)

    def _lines(self, writer: str, manifest: Manifest) -> dict[int, TailLine]:
        at = manifest.writers.get(writer, Position())
        tail = Tail(self._layout, writer, at.n, at.chain)
        try:
            return {tailed.line.number: tailed for tailed in tail.read(1 << 62)}
        finally:
            tail.close()


def _entries(sealed: SegmentLeaves, unsealed: _Unsealed, first: int, count: int) -> list[bytes]:
    boundary = unsealed.manifest.size
    below = max(0, min(count, boundary - first))
    found = sealed.entries(first, below) if below else []
    start = max(0, first - boundary)
    return found + unsealed.entries[start : start + count - below]


def _without_index(tailed: Sequence[TailLine]) -> list[Event]:
    events = []
    for line in sorted(tailed, key=lambda one: (one.line.timestamp, one.line.writer, one.line.number)):
        try:
            events.append(event_of(line))
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue  # the keeper refuses it too, and reports it
    return events
