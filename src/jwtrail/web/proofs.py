"""The proof of one event, checked before it is handed out."""

import base64
from collections.abc import Callable

from jwtrail.errors import EventNotFound, IntegrityError
from jwtrail.query.store import Store
from jwtrail.tlog.merkle import leaf_hash
from jwtrail.tlog.tlogproof import verify_proof
from jwtrail.trail.reader import TrailReader
from jwtrail.web.answers import NotSigned
from jwtrail.web.prooftext import with_entry
from jwtrail.web.shapes import Proof

__all__ = ["prover"]


def prover(reader: TrailReader, store: Store) -> Callable[[str], Proof]:
    """A function from an event's id to its proof.

    The function raises:
        EventNotFound: no such event.
        NotSigned: no checkpoint covers it yet; that takes about a second.
        IntegrityError, CorruptionError: the trail is damaged.
    """

    def prove(event_id: str) -> Proof:
        event = store.get(event_id)
        if event is None:
            raise EventNotFound(f"no event {event_id!r}")
        index, signed = event.event_sequence, reader.checkpoint()
        if index is None or signed is None or index >= signed.size:
            raise NotSigned("no signed checkpoint covers this event yet", hint="try again in a second")
        made = reader.inclusion(index)
        verifier = reader.vkey()
        try:
            verify_proof(made.proof, made.entry, verifier)
            verified = True
        except IntegrityError:
            verified = False
        return Proof(
            event_id=event_id,
            index=index,
            size=made.checkpoint.size,
            entry=_text(made.entry),
            leaf_hash=_text(leaf_hash(made.entry)),
            path=tuple(map(_text, made.path)),
            root=_text(made.checkpoint.root),
            checkpoint=made.note.decode(),
            vkey=str(verifier),
            proof=with_entry(made.proof, made.entry),
            salt=_text(reader.salt(index) or b""),
            verified=verified,
        )

    return prove


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
