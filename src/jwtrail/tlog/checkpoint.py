"""Checkpoints (c2sp.org/tlog-checkpoint): origin, size and root, signed as a note."""

import base64
import re

from msgspec import Struct

from jwtrail.errors import NoteError
from jwtrail.tlog.merkle import HASH_SIZE
from jwtrail.tlog.note import Signer, Verifier, b64decode, open_note, sign_note

__all__ = ["Checkpoint", "open_checkpoint", "sign_checkpoint"]

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


class Checkpoint(Struct, frozen=True):
    """The head of a tree.

    Args:
        origin: name of the log, a URL without scheme.
        size: number of leaves.
        root: root hash, 32 bytes.
        extensions: further lines; other tools may write them, jwtrail does not.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        lines = (self.origin, str(self.size), base64.b64encode(self.root).decode(), *self.extensions)
        return "".join(line + "\n" for line in lines)

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """The inverse of `text`; one spelling only.

        Raises:
            NoteError: anything else.
        """
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop() or not all(lines):
            raise NoteError("a checkpoint is an origin, a size and a root, each on its line")
        origin, size, root, *extensions = lines
        if not _SIZE.fullmatch(size):
            raise NoteError(f"not the size of a tree: {size[:32]!r}")
        decoded = b64decode(root, "the root")
        if len(decoded) != HASH_SIZE:
            raise NoteError(f"the root has {len(decoded)} bytes, not {HASH_SIZE}")
        return cls(origin, int(size), decoded, tuple(extensions))


def sign_checkpoint(checkpoint: Checkpoint, signer: Signer) -> bytes:
    """The checkpoint as a signed note.

    Raises:
        NoteError: the signer's name is not the origin.
    """
    if signer.name != checkpoint.origin:
        raise NoteError(f"the key of {signer.name} cannot sign for {checkpoint.origin}")
    return sign_note(checkpoint.text, (signer,)).encode()


def open_checkpoint(note: bytes, verifier: Verifier) -> Checkpoint:
    """A checkpoint that this log's key has signed.

    Raises:
        NoteError: malformed, not signed by the key, or of another log.
    """
    checkpoint = Checkpoint.parse(open_note(note, (verifier,)))
    if checkpoint.origin != verifier.name:
        raise NoteError(f"the checkpoint is of {checkpoint.origin}, not of {verifier.name}")
    return checkpoint
