"""Reading a trail, with or without a daemon running on it."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec
from msgspec import Struct

from jwtrail.ecs.event import Event
from jwtrail.errors import CorruptionError, IntegrityError, NoteError, ProofError, TrailError
from jwtrail.tlog.checkpoint import Checkpoint, open_checkpoint
from jwtrail.tlog.merkle import leaf_hash
from jwtrail.tlog.note import Verifier
from jwtrail.tlog.proof import consistency_proof, inclusion_proof
from jwtrail.tlog.tlogproof import TlogProof
from jwtrail.trail.layout import Layout
from jwtrail.trail.leaves import EntryCache, SegmentLeaves, removed
from jwtrail.trail.logkey import load_verifier
from jwtrail.trail.manifest import Manifest, Position, SegmentInfo, read_manifest
from jwtrail.trail.orderlog import read_order
from jwtrail.trail.row import event_of, make_row
from jwtrail.trail.tail import Tail, TailLine
from jwtrail.trail.tilestore import TileStore

__all__ = ["Inclusion", "Signed", "TrailReader"]

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


class Signed(Struct, frozen=True):
    """A signed checkpoint.

    Args:
        note: it, verbatim.
    """

    checkpoint: Checkpoint
    note: bytes


class _Unsealed(Struct, frozen=True):
    """What the logs hold beyond the segments.

    Args:
        ordered: lines with an index, and their `event.ingested`.
        rest: lines without one.
    """

    manifest: Manifest
    ordered: list[tuple[TailLine, str]]
    rest: list[TailLine]


class _Head(Struct, frozen=True):
    """Entries of unsealed events, from an index on."""

    first: int = 0
    entries: tuple[bytes, ...] = ()


class TrailReader:
    """Read-only view of a data directory; any number of threads may share it.

    Every call looks at the disk anew, but for entries: an index keeps its entry for ever, so they are kept a while.

    Args:
        layout: where; may be empty or missing.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._cache = EntryCache()
        self._head = _Head()

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
        return self._whole(lambda: _events(self._read_unsealed()))

    @property
    def begin(self) -> int:
        """The smallest index that is still here; events before it were removed (`jwtrail trail prune`)."""
        return read_manifest(self._layout.manifest).begin

    @property
    def size(self) -> int:
        """Number of events with an index."""
        return self._whole(self._read_size)

    def checkpoint(self) -> Checkpoint | None:
        """The last signed checkpoint, verified; None before the first.

        Raises:
            IntegrityError: it does not verify.
        """
        signed = self.signed()
        return signed.checkpoint if signed else None

    def signed(self) -> Signed | None:
        """The last signed checkpoint with its bytes; as `checkpoint`."""
        path = self._layout.checkpoint
        try:
            note = path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            return Signed(open_checkpoint(note, self.vkey()), note)
        except NoteError as error:
            raise IntegrityError(
                f"the checkpoint does not verify: {error.message}", where=str(path)
            ) from error

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
        if not 0 <= first <= last:
            raise ProofError(f"there are no indexes from {first} to {last}")
        return self._whole(lambda: self._entries(first, last - first + 1))

    def leaf_hashes(self, first: int, last: int) -> list[bytes]:
        """Leaf hashes of the indexes from `first` to `last`, both included; raises as `entries`."""
        if not 0 <= first <= last:
            raise ProofError(f"there are no indexes from {first} to {last}")
        return self._whole(lambda: self._leaves(first, last - first + 1))

    def nodes(self, level: int, first: int, count: int) -> Sequence[bytes]:
        """Hashes of one tile of the signed tree (a `tlog.proof.NodeReader`); raises as `entries`."""
        return self._whole(lambda: self._nodes(level, first, count))

    def inclusion(self, index: int) -> Inclusion:
        """The proof that the event with this index is in the log.

        Raises:
            ProofError: no checkpoint covers the index yet.
            CorruptionError: what is needed is damaged.
            IntegrityError: the checkpoint does not verify.
        """
        return self._whole(lambda: self._inclusion(index))

    def consistency(self, old: int, size: int) -> Sequence[bytes]:
        """The proof that the first `size` events continue the first `old` ones.

        Raises:
            ProofError: what is needed was removed, as `old` ends before the beginning of what is here.
            CorruptionError: what is needed is damaged.
        """
        try:
            return consistency_proof(old, size, self.nodes)
        except ProofError as error:
            begin = self.begin
            if old >= begin:
                raise
            raise ProofError(
                f"no proof can be made from the first {old} events on: what it needs was removed, the trail begins at {begin}",
                hint=f"from {begin} events on it can; a proof that was made before still holds",
            ) from error

    def salt(self, index: int) -> bytes | None:
        """The salt of an event's personal commitment, 16 bytes: with it, and only with it, the personal part can be checked.

        None once the person was erased, or when no event has this index. Raises as `entries`.
        """
        return self._whole(lambda: self._salt(index))

    def _salt(self, index: int) -> bytes | None:
        manifest = read_manifest(self._layout.manifest)
        if index < manifest.size:
            return SegmentLeaves(self._layout, manifest.segments, self._cache).salt(index)
        ordered = self._read_unsealed().ordered
        at = index - manifest.size
        return ordered[at][0].line.salt if at < len(ordered) else None

    def _inclusion(self, index: int) -> Inclusion:
        signed = self.signed()
        size = signed.checkpoint.size if signed else 0
        if signed is None or not 0 <= index < size:
            raise ProofError(f"index {index} is not signed yet; the last checkpoint covers {size} events")
        if index < (begin := read_manifest(self._layout.manifest).begin):
            raise removed(index, begin)
        path = inclusion_proof(index, size, self._nodes)
        return Inclusion(index, self._entries(index, 1)[0], path, signed.checkpoint, signed.note)

    def _nodes(self, level: int, first: int, count: int) -> Sequence[bytes]:
        return TileStore(self._layout.tiles).nodes(self._leaves)(level, first, count)

    def _leaves(self, first: int, count: int) -> list[bytes]:
        manifest = read_manifest(self._layout.manifest)
        sealed = max(0, min(count, manifest.size - first))
        found = SegmentLeaves(self._layout, manifest.segments, self._cache).read(first, sealed)
        rest = self._unsealed_entries(first + sealed, count - sealed)
        return [*found, *(leaf_hash(entry) for entry in rest)]

    def _entries(self, first: int, count: int) -> list[bytes]:
        manifest = read_manifest(self._layout.manifest)
        sealed = max(0, min(count, manifest.size - first))
        found = SegmentLeaves(self._layout, manifest.segments, self._cache).entries(first, sealed)
        return [*found, *self._unsealed_entries(first + sealed, count - sealed)]

    def _unsealed_entries(self, first: int, count: int) -> tuple[bytes, ...]:
        if not count:
            return ()
        head = self._head
        if not head.first <= first <= first + count <= head.first + len(head.entries):
            unsealed = self._read_unsealed()
            size = unsealed.manifest.size + len(unsealed.ordered)
            if first + count > size:
                raise ProofError(f"the indexes {first} to {first + count - 1} are not all below {size}")
            if first < unsealed.manifest.size:
                raise TrailError("it was sealed meanwhile")  # `_whole` sees that too, and tries again
            head = self._head = _Head(
                unsealed.manifest.size, tuple(tailed.entry for tailed, _ in unsealed.ordered)
            )
        return head.entries[first - head.first : first - head.first + count]

    def _read_size(self) -> int:
        size = read_manifest(self._layout.manifest).size
        return size + sum(record.count for record in read_order(self._layout.order, size))

    def _whole(self, read: Callable[[], _T]) -> _T:
        """Read again when a segment was sealed meanwhile: what was looked for has then moved."""
        for attempt in range(_TRIES):
            before = read_manifest(self._layout.manifest)
            try:
                made = read()
            except FileNotFoundError:
                continue  # a log goes a moment after the manifest that covers it, so the manifest tells nothing of it
            except TrailError:
                # Once more in any case: a tile may have given way to a wider one.
                if attempt and read_manifest(self._layout.manifest) == before:
                    raise
            else:
                if read_manifest(self._layout.manifest).size == before.size:
                    return made
        raise TrailError("segments are sealed faster than they can be read", where=str(self._layout.root))

    def _read_unsealed(self) -> _Unsealed:
        manifest = read_manifest(self._layout.manifest)
        # The order first: a line is written before it is ordered, so every line of this order is in logs read after it.
        order = list(read_order(self._layout.order, manifest.size))
        lines = {writer: self._lines(writer, manifest) for writer in self._layout.writers()}
        ordered: list[tuple[TailLine, str]] = []
        for record in order:
            for writer, first, count in record.runs:
                for number in range(first, first + count):
                    tailed = lines.get(writer, {}).pop(number, None)
                    if tailed is None:
                        raise CorruptionError(
                            f"the line of index {manifest.size + len(ordered)} is damaged or missing: number {number}",
                            where=str(self._layout.wal / writer),
                            hint="`jwtrail trail verify` shows the extent",
                        )
                    ordered.append((tailed, record.at))
        return _Unsealed(manifest, ordered, [tailed for rest in lines.values() for tailed in rest.values()])

    def _lines(self, writer: str, manifest: Manifest) -> dict[int, TailLine]:
        at = manifest.writers.get(writer, Position())
        tail = Tail(self._layout, writer, at.n, at.chain)
        try:
            return {tailed.line.number: tailed for tailed in tail.read(1 << 62)}
        finally:
            tail.close()


def _events(unsealed: _Unsealed) -> list[Event]:
    ordered = [
        make_row(tailed, index, at).event
        for index, (tailed, at) in enumerate(unsealed.ordered, unsealed.manifest.size)
    ]
    return ordered + _without_index(unsealed.rest)


def _without_index(tailed: Sequence[TailLine]) -> list[Event]:
    events = []
    for line in sorted(tailed, key=lambda one: (one.line.timestamp, one.line.writer, one.line.number)):
        try:
            events.append(event_of(line))
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue  # the keeper refuses it too, and reports it
    return events
