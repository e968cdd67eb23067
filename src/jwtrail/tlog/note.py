"""Signed notes (c2sp.org/signed-note) with Ed25519 keys."""

import base64
import binascii
import re
from collections.abc import Sequence
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Struct

from jwtrail.errors import NoteError

__all__ = ["MAX_NOTE", "MAX_SIGNATURES", "Signer", "Verifier", "b64decode", "open_note", "sign_note"]

MAX_NOTE = 64 * 1024
"""Bytes of a whole note: a checkpoint with 16 signatures is below 3 KiB, the rest is room for other uses."""

MAX_SIGNATURES = 64
"""Signature lines of a note; the format asks readers to accept at least 16."""

_ED25519 = b"\x01"
_DASH = "\u2014"
_KEY_ID = 4
_NAME = re.compile(r"[^\s+\x00-\x1f\x7f]{1,255}")
_VKEY = re.compile(r"([^+]*)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)")


def b64decode(text: str, what: str) -> bytes:
    """Standard base64 with padding; refuses every other spelling of the same bytes.

    Raises:
        NoteError: not that.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteError(f"{what} is not base64") from error
    if base64.b64encode(data).decode() != text:
        raise NoteError(f"{what} is not canonical base64")
    return data


def _check_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise NoteError(f"not a key name: {name[:64]!r}", hint="no white space, no plus, 1 to 255 characters")
    return name


def _key_id(name: str, public: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:_KEY_ID]


class Verifier(Struct, frozen=True):
    """A public key with its name."""

    name: str
    public: bytes

    @classmethod
    def parse(cls, vkey: str) -> "Verifier":
        """From the text `name+id+key`.

        Raises:
            NoteError: malformed, not Ed25519, or the id is not the key's.
        """
        found = _VKEY.fullmatch(vkey.strip())
        if found is None:
            raise NoteError("not a verifier key", hint="it looks like name+01234567+base64")
        name = _check_name(found[1])
        data = b64decode(found[3], "the verifier key")
        if data[:1] != _ED25519 or len(data) != 33:
            raise NoteError("the verifier key is not an Ed25519 key")
        if _key_id(name, data[1:]).hex() != found[2]:
            raise NoteError("the id of the verifier key does not fit the key", hint="was it copied whole?")
        return cls(name, data[1:])

    @property
    def key_id(self) -> bytes:
        return _key_id(self.name, self.public)

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(_ED25519 + self.public).decode()}"

    def verifies(self, message: bytes, signature: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            return False
        return True


class Signer:
    """A private key with its name.

    Raises:
        NoteError: the name cannot stand in a note.
    """

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        self.name = _check_name(name)
        self._key = key
        self.verifier = Verifier(name, key.public_key().public_bytes_raw())

    def line(self, message: bytes) -> str:
        """A signature line, with its LF."""
        blob = self.verifier.key_id + self._key.sign(message)
        return f"{_DASH} {self.name} {base64.b64encode(blob).decode()}\n"


def sign_note(text: str, signers: Sequence[Signer]) -> str:
    """The text, an empty line, and one signature line for each signer.

    Raises:
        NoteError: the text is empty, does not end in LF or holds a control character.
    """
    _check_text(text)
    return text + "\n" + "".join(signer.line(text.encode()) for signer in signers)


def open_note(note: bytes, verifiers: Sequence[Verifier]) -> str:
    """The text of a note that at least one of these keys has signed. Signatures of other keys are ignored.

    Raises:
        NoteError: malformed, too large, a known key's signature is wrong, or no known key signed it.
    """
    if len(note) > MAX_NOTE:
        raise NoteError(f"the note has {len(note)} bytes, more than {MAX_NOTE}")
    try:
        whole = note.decode()
    except UnicodeDecodeError as error:
        raise NoteError("the note is not UTF-8") from error
    body, gap, tail = whole.rpartition("\n\n")
    if not gap:
        raise NoteError("the note has no signatures")
    text = body + "\n"
    _check_text(text)
    lines = tail.split("\n")
    if lines.pop() or not lines:
        raise NoteError("the note does not end in LF")
    if len(lines) > MAX_SIGNATURES:
        raise NoteError(f"the note has {len(lines)} signatures, more than {MAX_SIGNATURES}")
    known = {(verifier.name, verifier.key_id): verifier for verifier in verifiers}
    good = False
    for line in lines:
        name, blob = _signature(line)
        verifier = known.get((name, blob[:_KEY_ID]))
        if verifier is None:
            continue
        if not verifier.verifies(text.encode(), blob[_KEY_ID:]):
            raise NoteError(f"the signature of {name} is wrong")
        good = True
    if not good:
        raise NoteError("no known key signed the note")
    return text


def _signature(line: str) -> tuple[str, bytes]:
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != _DASH:
        raise NoteError("a signature line is malformed")
    blob = b64decode(parts[2], "a signature")
    if len(blob) <= _KEY_ID:
        raise NoteError("a signature is too short")
    return _check_name(parts[1]), blob


def _check_text(text: str) -> None:
    if not text.strip("\n") or not text.endswith("\n"):
        raise NoteError("the text of a note is not empty and ends in LF")
    if any(char < " " and char != "\n" for char in text):
        raise NoteError("the text of a note holds no control character but LF")
