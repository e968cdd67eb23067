"""What a log and a witness say to each other (c2sp.org/tlog-witness, c2sp.org/tlog-cosignature), as bytes."""

import base64
import re
from collections.abc import Sequence
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Struct

from jwtrail.errors import NoteError
from jwtrail.tlog.note import b64decode

__all__ = ["MAX_ANSWER", "MAX_PROOF_LINES", "WitnessKey", "add_checkpoint", "known_size"]

MAX_PROOF_LINES = 63
"""The format's own bound."""

MAX_ANSWER = 16 * 1024
"""Bytes of an answer that are read: some signature lines."""

_COSIGNATURE = b"\x04"
_KEY_ID = 4
_TIME = 8
_VKEY = re.compile(r"([^\s+]{1,255})\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)")
_SIZE = re.compile(r"(0|[1-9][0-9]{0,18})\n?")


class WitnessKey(Struct, frozen=True):
    """The public key of a witness, with its name."""

    name: str
    public: bytes

    @classmethod
    def parse(cls, vkey: str) -> "WitnessKey":
        """From the text `name+id+key`.

        Raises:
            NoteError: malformed, of another type than 0x04, or the id is not the key's.
        """
        found = _VKEY.fullmatch(vkey.strip())
        if found is None:
            raise NoteError("not a verifier key", hint="it looks like name+01234567+base64")
        data = b64decode(found[3], "the key of the witness")
        if data[:1] != _COSIGNATURE or len(data) != 33:
            raise NoteError("the key of the witness is not for Ed25519 cosignatures (type 0x04)")
        key = cls(found[1], data[1:])
        if key.key_id.hex() != found[2]:
            raise NoteError("the id of the key does not fit the key", hint="was it copied whole?")
        return key

    @property
    def key_id(self) -> bytes:
        return sha256(self.name.encode() + b"\n" + _COSIGNATURE + self.public).digest()[:_KEY_ID]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(_COSIGNATURE + self.public).decode()}"

    def cosigned(self, text: str, lines: str) -> tuple[str, int]:
        """This witness's line among those it answered, and its time, seconds since the epoch.

        Args:
            text: of the checkpoint.
            lines: signature lines; those of other keys are passed over.

        Raises:
            NoteError: none is this witness's, or its signature is wrong.
        """
        for line in lines.splitlines(keepends=True):
            dash, _, rest = line.removesuffix("\n").partition(" ")
            name, _, encoded = rest.partition(" ")
            if dash != "\u2014" or name != self.name:
                continue
            blob = b64decode(encoded, "a cosignature")
            if blob[:_KEY_ID] == self.key_id:
                return f"\u2014 {name} {encoded}\n", self._time_of(text, blob[_KEY_ID:])
        raise NoteError(f"the witness {self.name} did not sign")

    def _time_of(self, text: str, signature: bytes) -> int:
        seconds = int.from_bytes(signature[:_TIME], "big")
        message = f"cosignature/v1\ntime {seconds}\n{text}".encode()
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature[_TIME:], message)
        except InvalidSignature:
            raise NoteError(f"the cosignature of {self.name} is wrong") from None
        return seconds


def add_checkpoint(old: int, proof: Sequence[bytes], note: bytes) -> bytes:
    """The request that asks for a cosignature.

    Args:
        old: size that the witness knows.
        proof: consistency proof from there; empty for 0 and for the same size.
        note: the signed checkpoint.

    Raises:
        NoteError: the proof is longer than the format allows.
    """
    if len(proof) > MAX_PROOF_LINES:
        raise NoteError(f"the proof has {len(proof)} hashes, more than {MAX_PROOF_LINES}")
    lines = [f"old {old}", *(base64.b64encode(node).decode() for node in proof)]
    return "".join(f"{line}\n" for line in lines).encode() + b"\n" + note


def known_size(answer: str) -> int:
    """The size that a witness says it knows when it refuses another (status 409).

    Raises:
        NoteError: not a size.
    """
    found = _SIZE.fullmatch(answer)
    if found is None:
        raise NoteError("the witness answered a conflict without its size")
    return int(found[1])
