"""The entry travels inside its proof, on the `extra` line that c2sp.org/tlog-proof leaves to applications.

Nothing signs that line, and nothing needs to: an entry that is not the one in the tree does not lead to the signed root.
"""

import base64
import binascii

from jwtrail.errors import ProofError

__all__ = ["split_entry", "with_entry"]

_EXTRA = "extra "


def with_entry(proof: str, entry: bytes) -> str:
    """A proof that can be checked with nothing but the log's key."""
    head, _, rest = proof.partition("\n")
    return f"{head}\n{_EXTRA}{base64.b64encode(entry).decode()}\n{rest}"


def split_entry(text: str) -> tuple[str, bytes]:
    """The inverse of `with_entry`.

    Raises:
        ProofError: the proof carries no entry.
    """
    head, _, rest = text.partition("\n")
    line, _, behind = rest.partition("\n")
    try:
        if not line.startswith(_EXTRA):
            raise ProofError(
                "the proof carries no entry", hint="`jwtrail trail prove` and the console put it in"
            )
        return f"{head}\n{behind}", base64.b64decode(line.removeprefix(_EXTRA), validate=True)
    except binascii.Error:
        raise ProofError("the entry in the proof is not base64") from None
