"""Signing: a checkpoint is published only for a tree that continues the last one, here and in the mirror."""

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path

from jwtrail.errors import CorruptionError, IntegrityError, NoteError
from jwtrail.tlog.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from jwtrail.tlog.merkle import EMPTY_ROOT, Tree, leaf_hash
from jwtrail.tlog.note import Signer, Verifier
from jwtrail.tlog.proof import root_at
from jwtrail.trail.durable import FILE_MODE, make_directory, replace_file, storage_errors
from jwtrail.trail.layout import Layout
from jwtrail.trail.tilestore import LeafReader, TileStore

__all__ = ["Checkpointer", "read_checkpoint"]

_MICROS = 1_000_000
_GONE_BACK = "was this data directory restored from a copy, or is another one signing for the same log?"


def read_checkpoint(path: Path, verifier: Verifier) -> Checkpoint | None:
    """The checkpoint in a file, its signature checked; None when there is no file.

    Raises:
        IntegrityError: it is malformed or not signed by this key.
    """
    try:
        return open_checkpoint(path.read_bytes(), verifier)
    except FileNotFoundError:
        return None
    except NoteError as error:
        raise IntegrityError(f"the checkpoint does not verify: {error.message}", where=str(path)) from error


class Checkpointer:
    """Holds the tree and signs it. Used by the one keeper.

    Args:
        layout: where.
        signer: the log's key.
        mirror: a second place for the last checkpoint, outside the data directory.
    """

    def __init__(self, layout: Layout, signer: Signer, mirror: Path | None = None) -> None:
        self._layout = layout
        self._signer = signer
        self._mirror = mirror
        self._tiles = TileStore(layout.tiles)
        self._tree = Tree(self._tiles.keep)
        self._signed_us: int | None = None
        self._mirrored: Checkpoint | None = None
        self._attempted: Checkpoint | None = None  # a write that failed may still have taken place
        self.checkpoint: Checkpoint | None = None

    @property
    def size(self) -> int:
        return self._tree.size

    def restore(self, sealed: int, leaves: LeafReader, head: Sequence[bytes], begin: int = 0) -> None:
        """Bring the tree to where it was, and check that it continues what was signed here and in the mirror.

        Args:
            sealed: number of sealed events.
            leaves: their leaf hashes.
            head: entries of the events behind them.
            begin: the smallest index that is still here.

        Raises:
            IntegrityError: the trail is shorter than what was signed (rolled back) or differs from it (forked).
        """
        self._tree = self._sealed_tree(sealed, leaves, begin)
        promises = self._promises()
        read = self._tiles.nodes(leaves)
        for size, promised in promises.items():
            if begin > size:
                continue  # of a tree that ends before what is here only a witness or a copy of the log can tell
            if size <= sealed:
                self._hold(promised, root_at(0, size, read) if size else EMPTY_ROOT)
        for entry in head:
            self._tree.append(leaf_hash(entry))
            if self._tree.size in promises:
                self._hold(promises[self._tree.size], self._tree.root())
        last = max(promises.values(), key=lambda promised: promised.size, default=None)
        if last is not None and last.size > self._tree.size:
            raise IntegrityError(
                f"{last.size} events were signed, but only {self._tree.size} are here",
                where=str(self._layout.root),
                hint=_GONE_BACK,
            )

    def _sealed_tree(self, sealed: int, leaves: LeafReader, begin: int) -> Tree:
        try:
            return self._tiles.restore(sealed, leaves)
        except (
            CorruptionError
        ):  # tiles are only an index: the segments give them again, and what was signed is checked
            return self._tiles.rebuild(sealed, leaves, begin)

    def _promises(self) -> dict[int, Checkpoint]:
        """What was signed, by size, and remembered as what `sign` must find."""
        self.checkpoint = read_checkpoint(self._layout.checkpoint, self._signer.verifier)
        self._mirrored = read_checkpoint(self._mirror, self._signer.verifier) if self._mirror else None
        here, there = self.checkpoint, self._mirrored
        if here and there and here.size == there.size and here.root != there.root:
            raise IntegrityError(
                f"two roots are signed for size {here.size}", where=str(self._mirror), hint=_GONE_BACK
            )
        return {signed.size: signed for signed in (here, there) if signed is not None}

    def _hold(self, promised: Checkpoint, root: bytes) -> None:
        if promised.root != root:
            raise IntegrityError(
                f"the first {promised.size} events are not those that were signed",
                where=str(self._layout.root),
                hint="`jwtrail trail verify` names what was altered",
            )

    def append(self, entries: Sequence[bytes]) -> None:
        """Add the entries of the next events."""
        self._tree.extend(entries)

    def due(self, now_us: int, interval: int, heartbeat: int) -> bool:
        """Whether it is time to sign: after `interval` seconds with new events, after `heartbeat` without."""
        if self.checkpoint is None or self._signed_us is None:
            return True
        wait = interval if self._tree.size > self.checkpoint.size else heartbeat
        return now_us - self._signed_us >= wait * _MICROS

    def sign(self, now_us: int) -> Checkpoint:
        """Publish a checkpoint of the tree: tiles, then the mirror, then the checkpoint itself, each durable.

        Everything the tree covers must be durable already.

        Raises:
            IntegrityError: the checkpoint here or in the mirror is not the one that was written last.
            WriteError: something cannot be written; the old checkpoint stands.
        """
        self._compare(self._layout.checkpoint, self.checkpoint)
        self._tiles.flush(self._tree)
        made = self._attempted = Checkpoint(self._signer.name, self._tree.size, self._tree.root())
        note = sign_checkpoint(made, self._signer)
        if self._mirror is not None:
            self._swap_mirror(self._mirror, note)
            self._mirrored = made
        replace_file(self._layout.checkpoint, note)
        self.checkpoint, self._signed_us = made, now_us
        return made

    def keep_leaves(self, begin: int, hashes: Sequence[bytes]) -> None:
        """See `TileStore.keep_leaves`."""
        self._tiles.keep_leaves(begin, hashes)

    def forget_leaves(self, begin: int) -> None:
        """See `TileStore.forget_leaves`."""
        self._tiles.forget_leaves(begin)

    def _compare(self, path: Path, last: Checkpoint | None) -> None:
        with storage_errors("read", path):
            found = read_checkpoint(path, self._signer.verifier)
        if found not in (last, self._attempted):
            size = "missing" if found is None else f"of size {found.size}"
            raise IntegrityError(
                f"the checkpoint is {size}; the one written last had size {last.size if last else 0}",
                where=str(path),
                hint=_GONE_BACK,
            )

    def _swap_mirror(self, path: Path, note: bytes) -> None:
        """Compare and swap under a lock, so that of two logs with one key only one goes on."""
        make_directory(path.parent)
        with storage_errors("lock the mirror", path):
            fd = os.open(
                path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE
            )
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            self._compare(path, self._mirrored)
            replace_file(path, note)
        finally:
            os.close(fd)
