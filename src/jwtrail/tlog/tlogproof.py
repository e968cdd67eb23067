"""Proofs that travel alone (c2sp.org/tlog-proof): an index, an audit path and the signed checkpoint in one text."""

import base64
import re

from msgspec import Struct

from jwtrail.errors import ProofError
from jwtrail.tlog.checkpoint import Checkpoint, open_checkpoint
from jwtrail.tlog.merkle import HASH_SIZE, leaf_hash
from jwtrail.tlog.note import MAX_NOTE, Verifier, b64decode
from jwtrail.tlog.proof import MAX_PATH, verify_inclusion

__all__ = ["MAX_PROOF", "TlogProof", "verify_proof"]

MAGIC = "c2sp.org/tlog-proof@v1"
MAX_PROOF = MAX_NOTE + MAX_PATH * 45 + 128
"""Bytes of a proof: the largest note, the longest path, and the head."""

_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})")


class TlogProof(Struct, frozen=True):
    """A proof of inclusion.

    Args:
        index: of the leaf.
        path: audit path, leaf side first.
        checkpoint: the signed checkpoint, verbatim.
    """

    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes

    def format(self) -> str:
        head = [MAGIC, f"index {self.index}", *(base64.b64encode(node).decode() for node in self.path)]
        return "\n".join(head) + "\n\n" + self.checkpoint.decode()

    @classmethod
    def parse(cls, text: str) -> "TlogProof":
        """The inverse of `format`.

        Raises:
            ProofError: malformed or too large.
            NoteError: a hash is not base64.
        """
        if len(text) > MAX_PROOF:
            raise ProofError(f"the proof has {len(text)} characters, more than {MAX_PROOF}")
        head, gap, note = text.partition("\n\n")
        lines = head.split("\n")
        if not gap or len(lines) < 2 or lines[0] != MAGIC:
            raise ProofError(f"not a proof: its first line is not {MAGIC}")
        index = _INDEX.fullmatch(lines[1])
        if index is None:
            raise ProofError("the second line of a proof is its index")
        if len(lines) - 2 > MAX_PATH:
            raise ProofError(f"the path has {len(lines) - 2} hashes, more than {MAX_PATH}")
        path = tuple(b64decode(line, "a hash of the path") for line in lines[2:])
        if any(len(node) != HASH_SIZE for node in path):
            raise ProofError(f"a hash of the path is not {HASH_SIZE} bytes")
        return cls(int(index[1]), path, note.encode())


def verify_proof(text: str, entry: bytes, verifier: Verifier) -> Checkpoint:
    """Check offline that the entry is in the log whose key this is; the checkpoint it is in.

    Raises:
        ProofError: the proof is malformed or does not lead to the signed root.
        NoteError: the checkpoint is malformed or not signed by the key.
    """
    proof = TlogProof.parse(text)
    checkpoint = open_checkpoint(proof.checkpoint, verifier)
    verify_inclusion(proof.index, checkpoint.size, leaf_hash(entry), proof.path, checkpoint.root)
    return checkpoint
