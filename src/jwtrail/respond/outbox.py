"""The detector's snapshot and the events that were promised with it, as one value that is committed at once.

After `kill -9` between the commit and the writing of the events, the next start finds them here and writes those that the
trail lacks. Their ids follow from the alert (`stable_id`), so none is written twice.
"""

import msgspec

from jwtrail.ecs import Event, decode_document, document
from jwtrail.errors import StateError

__all__ = ["seal", "unseal"]


class _Sealed(msgspec.Struct):
    detector: bytes
    events: list[dict[str, object]]


def seal(snapshot: bytes, events: list[Event]) -> bytes:
    """Both as one value for the cursor."""
    return msgspec.msgpack.encode(_Sealed(snapshot, [document(event) for event in events]))


def unseal(value: bytes) -> tuple[bytes, list[Event]]:
    """The inverse of `seal`.

    Raises:
        StateError: not a value of `seal`.
    """
    try:
        sealed = msgspec.msgpack.decode(value, type=_Sealed)
        return sealed.detector, [decode_document(doc) for doc in sealed.events]
    except msgspec.DecodeError as error:
        raise StateError(
            f"the detector's cursor is damaged: {error}",
            hint="without it the detector starts over from the trail; alerts keep their ids, so none is doubled",
        ) from None
