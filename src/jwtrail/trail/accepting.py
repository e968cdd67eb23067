"""Going on after a loss: signing what is left, because somebody says so, and never in silence."""

import os
from functools import partial

from msgspec import Struct

from jwtrail.errors import IntegrityError, NoteError
from jwtrail.tlog.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from jwtrail.trail.durable import replace_file
from jwtrail.trail.keeper import take_lock
from jwtrail.trail.layout import Layout
from jwtrail.trail.logkey import load_signer, load_verifier
from jwtrail.trail.reader import TrailReader
from jwtrail.trail.settings import TrailSettings
from jwtrail.trail.signedlist import ListKeeper, SignedList
from jwtrail.trail.tilestore import TileStore

__all__ = ["Accepted", "accept_loss", "lost"]


class Accepted(Struct, frozen=True):
    """What was signed anew.

    Args:
        lost: what was gone: `checkpoint`, `segments`, or both; nothing when both are there and verify.
        size: events that the new checkpoint covers; 0 when the checkpoint was there.
    """

    lost: tuple[str, ...]
    size: int


def lost(layout: Layout, settings: TrailSettings) -> tuple[str, ...]:
    """What is gone of `tlog/`, so that the daemon refuses to go on. A checkpoint that the mirror has is not."""
    mirrored = settings.mirror is not None and settings.mirror.exists()
    gone = []
    if not layout.checkpoint.exists() and not mirrored:
        gone.append("checkpoint")
    if not layout.signed_list.exists():
        gone.append("segments")
    return tuple(gone)


def accept_loss(layout: Layout, settings: TrailSettings) -> Accepted:
    """Sign what is left in the place of a lost checkpoint or list of segments. Whoever calls records it first.

    From here on the trail says nothing about what was before: only a copy of the lost checkpoint can.

    Raises:
        LockedError: the daemon runs.
        IntegrityError: what is there does not verify, or the log's key is lost.
        CorruptionError: what is left is damaged.
        WriteError: it cannot be written; give the command again.
    """
    gone = lost(layout, settings)
    if not gone:
        _refuse_damaged(layout)
        return Accepted((), 0)
    lock = take_lock(layout)
    try:
        signer = load_signer(layout) if layout.log_key.exists() else None
        if signer is None:
            raise IntegrityError(
                "the log's key is gone", where=str(layout.log_key), hint="put it back from a copy"
            )
        reader = TrailReader(layout)
        if "segments" in gone:
            ListKeeper(layout.signed_list, signer).cover(reader.segments())
        if "checkpoint" not in gone:
            return Accepted(gone, 0)
        store, size = TileStore(layout.tiles), reader.size
        tree = store.rebuild(size, partial(reader.nodes, 0), reader.begin)
        store.flush(tree)
        replace_file(layout.checkpoint, sign_checkpoint(Checkpoint(signer.name, size, tree.root()), signer))
        return Accepted(gone, size)
    finally:
        os.close(lock)


def _refuse_damaged(layout: Layout) -> None:
    verifier = load_verifier(layout.log_vkey)
    try:
        if layout.checkpoint.exists():  # else the mirror has it
            open_checkpoint(layout.checkpoint.read_bytes(), verifier)
        SignedList.open(layout.signed_list.read_bytes(), verifier)
    except NoteError as error:
        raise IntegrityError(
            f"neither checkpoint nor list of segments is lost, but one does not verify: {error.message}",
            where=str(layout.tlog),
            hint="`jwtrail trail verify` says what is wrong; what contradicts a signature is never signed over",
        ) from error
