"""A proof of one event that travels as one file: the event, its entry in the tree, and the C2SP proof."""

import base64
import binascii
import uuid
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from jwtrail.ecs import CATALOGUE, ENTRY_SIZE, Event, decode_document, document, encode_parts
from jwtrail.errors import ProofError
from jwtrail.tlog.note import Verifier
from jwtrail.tlog.tlogproof import TlogProof, verify_proof

if TYPE_CHECKING:
    from jwtrail.trail.reader import TrailReader

__all__ = ["MAX_FILE", "Bundle", "Checked", "bundle_of", "checked"]

MAX_FILE = 1 << 20
"""Bytes of a proof file that are read: an event has at most some kilobytes, a proof five."""

_DERIVED = tuple(field.attribute for field in CATALOGUE.values() if field.klass == "derived")


class Bundle(Struct, frozen=True, kw_only=True):
    """What the file holds.

    Args:
        event: the event as the trail shows it.
        entry: the 81 bytes that stand for it in the tree, base64.
        proof: C2SP tlog-proof.
    """

    event: dict[str, Any]
    entry: str
    proof: str


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
    bundle = Bundle(event=document(event), entry=base64.b64encode(made.entry).decode(), proof=made.proof)
    return msgspec.json.format(msgspec.json.encode(bundle), indent=2).decode() + "\n"


def checked(file: Path, vkey: str) -> Checked:
    """Everything that the file claims, checked with the key alone.

    Raises:
        ProofError: the file is no proof, or it does not hold.
        NoteError: the key is none, or the checkpoint is not signed by it.
    """
    verifier = Verifier.parse(vkey)
    bundle = _read(file)
    try:
        entry = base64.b64decode(bundle.entry, validate=True)
        event = decode_document(bundle.event)
    except (binascii.Error, msgspec.ValidationError) as error:
        raise ProofError(f"the file is damaged: {error}", where=str(file)) from None
    _entry_is_of(entry, event, file)
    checkpoint = verify_proof(bundle.proof, entry, verifier)
    return Checked(
        event_id=event.event_id,
        index=TlogProof.parse(bundle.proof).index,
        size=checkpoint.size,
        origin=checkpoint.origin,
        covered="its place in the log and every field that tells nothing of a person",
    )


def _read(file: Path) -> Bundle:
    with file.open("rb") as handle:
        raw = handle.read(MAX_FILE + 1)
    if len(raw) > MAX_FILE:
        raise ProofError(f"the file is larger than {MAX_FILE} bytes", where=str(file))
    try:
        return msgspec.json.decode(raw, type=Bundle)
    except msgspec.DecodeError as error:
        raise ProofError(f"not a file of `jwtrail trail prove`: {error}", where=str(file)) from None


def _entry_is_of(entry: bytes, event: Event, file: Path) -> None:
    """The entry binds id and public part; the personal part is bound with a salt that stays in the trail."""
    bare = msgspec.structs.replace(event, **dict.fromkeys(_DERIVED))
    public, _personal = encode_parts(bare)
    try:
        expected = b"\x01" + uuid.UUID(event.event_id).bytes + sha256(public).digest()
    except ValueError:
        expected = b""
    if len(entry) != ENTRY_SIZE or entry[: len(expected)] != expected or not expected:
        raise ProofError("the entry is not this event's", where=str(file), hint="the event was changed")
