"""A proof of one event that travels as one file: the event, its entry in the tree, and the C2SP proof."""

import base64
import binascii
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from jwtrail.ecs import CATALOGUE, ENTRY_SIZE, Event, decode_document, document, encode_parts
from jwtrail.ecs.entry import SALT_SIZE, entry_of
from jwtrail.errors import ProofError
from jwtrail.tlog.note import Verifier
from jwtrail.tlog.tlogproof import TlogProof, verify_proof
from jwtrail.web.prooftext import split_entry

if TYPE_CHECKING:
    from jwtrail.trail.reader import TrailReader

__all__ = ["MAX_FILE", "Bundle", "Checked", "bundle_of", "checked"]

MAGIC = "c2sp.org/tlog-proof@"

MAX_FILE = 1 << 20
"""Bytes of a proof file that are read: an event has at most some kilobytes, a proof five."""

PUBLIC_PART = 1 + 16 + 32
"""Bytes of an entry before the personal commitment."""

_DERIVED = tuple(field.attribute for field in CATALOGUE.values() if field.klass == "derived")


class Bundle(Struct, frozen=True, kw_only=True):
    """What the file holds.

    Args:
        event: the event as the trail shows it.
        entry: the 81 bytes that stand for it in the tree, base64.
        proof: C2SP tlog-proof.
        salt: of the personal commitment, base64. Without it nothing is known of the personal fields, so a file without it
            must hold none.
    """

    event: dict[str, Any]
    entry: str
    proof: str
    salt: str = ""


class Checked(Struct, frozen=True, kw_only=True):
    """What was proved.

    Args:
        covered: which part of the event the proof covers, in words.
    """

    event_id: str
    index: int
    size: int
    origin: str
    covered: str


def bundle_of(reader: "TrailReader", event: Event) -> str:
    """The file for one event.

    Raises:
        ProofError: no checkpoint covers it yet.
    """
    if event.event_sequence is None:
        raise ProofError("the event has no index yet", hint="jwtrail serve gives it one")
    made = reader.inclusion(event.event_sequence)
    bundle = Bundle(
        event=document(event),
        entry=base64.b64encode(made.entry).decode(),
        proof=made.proof,
        salt=base64.b64encode(reader.salt(event.event_sequence) or b"").decode(),
    )
    return msgspec.json.format(msgspec.json.encode(bundle), indent=2).decode() + "\n"


def checked(file: Path, vkey: str) -> Checked:
    """Everything that the file claims, checked with the key alone: a file of `trail prove`, or a bare `.tlog-proof`.

    Raises:
        ProofError: the file is no proof, or it does not hold.
        NoteError: the key is none, or the checkpoint is not signed by it.
    """
    verifier = Verifier.parse(vkey)
    text = _read(file)
    if text.startswith(MAGIC):
        proof, entry = split_entry(text)
        covered = "an event of this id has this place in the log; its fields are not in the file"
    else:
        proof, entry = _of_bundle(text, file)
        covered = "its place in the log and every field but those given after it was written (event.sequence, event.hash, …)"
    if len(entry) != ENTRY_SIZE:
        raise ProofError(f"the entry has {len(entry)} bytes, not {ENTRY_SIZE}", where=str(file))
    checkpoint = verify_proof(proof, entry, verifier)
    return Checked(
        event_id=str(uuid.UUID(bytes=entry[1:17])),
        index=TlogProof.parse(proof).index,
        size=checkpoint.size,
        origin=checkpoint.origin,
        covered=covered,
    )


def _of_bundle(text: str, file: Path) -> tuple[str, bytes]:
    """Proof and entry of a file of `trail prove`, whose event must be the entry's."""
    try:
        bundle = msgspec.json.decode(text, type=Bundle)
        entry = base64.b64decode(bundle.entry, validate=True)
        salt = base64.b64decode(bundle.salt, validate=True)
        event = decode_document(bundle.event)
    except msgspec.DecodeError as error:
        raise ProofError(f"not a proof of `jwtrail trail prove`: {error}", where=str(file)) from None
    except binascii.Error as error:
        raise ProofError(f"the entry is not base64: {error}", where=str(file)) from None
    _entry_is_of(entry, event, salt, file)
    return bundle.proof, entry


def _read(file: Path) -> str:
    with file.open("rb") as handle:
        raw = handle.read(MAX_FILE + 1)
    if len(raw) > MAX_FILE:
        raise ProofError(f"the file is larger than {MAX_FILE} bytes", where=str(file))
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise ProofError("not a proof: the file is not text", where=str(file)) from None


def _entry_is_of(entry: bytes, event: Event, salt: bytes, file: Path) -> None:
    """The entry binds id and public part, and with the salt the personal part."""
    public, personal = encode_parts(msgspec.structs.replace(event, **dict.fromkeys(_DERIVED)))
    if not salt and personal != b"{}":
        raise ProofError(
            "the file names a person but lacks the salt that would prove it",
            where=str(file),
            hint="take it from `jwtrail trail prove` again",
        )
    try:
        expected = entry_of(event.event_id, public, personal, salt or bytes(SALT_SIZE))
    except ValueError:
        expected = b""
    bound = len(expected) if salt else PUBLIC_PART
    if not expected or entry[:bound] != expected[:bound]:
        raise ProofError("the entry is not this event's", where=str(file), hint="the event was changed")
