"""The 81 bytes that stand for one event in the tree (docs/formats/entry.md).

`0x01 · event id (16) · public commitment (32) · personal commitment (32)`. The tree can be shown to anybody: it holds
no person, and after an erasure the 32 bytes of the personal part stay, salted, so nothing can be guessed back.
"""

from binascii import unhexlify
from hashlib import sha256

__all__ = ["ENTRY_SIZE", "ENTRY_VERSION", "SALT_SIZE", "commit", "entry_of"]

ENTRY_VERSION = b"\x01"
ENTRY_SIZE = 81
SALT_SIZE = 16
ID_SIZE = 16
ID_LENGTH = 36


def commit(public: bytes, personal: bytes, salt: bytes) -> tuple[bytes, bytes]:
    """Both commitments of an event, 32 bytes each.

    Args:
        public: RFC 8785 canonical JSON of the fields that tell nothing of a person.
        personal: the same of the personal fields; `{}` when there are none.
        salt: 16 random bytes, kept beside the row until the person is erased.
    """
    return sha256(public).digest(), sha256(salt + personal).digest()


def entry_of(event_id: str, public: bytes, personal: bytes, salt: bytes) -> bytes:
    """The entry of an event; its leaf hash is `SHA-256(0x00 || entry)` (RFC 9162 section 2.1.1).

    Raises:
        ValueError: `event_id` is not a UUID or the salt is not 16 bytes.
    """
    if len(salt) != SALT_SIZE:
        msg = f"the salt is {len(salt)} bytes, not {SALT_SIZE}"
        raise ValueError(msg)
    try:
        raw = unhexlify(event_id.replace("-", ""))
    except ValueError:
        raw = b""
    if len(raw) != ID_SIZE or len(event_id) != ID_LENGTH:
        msg = f"event.id is not a UUID: {event_id!r}"
        raise ValueError(msg)
    # Not by way of `commit`: every event passes here twice, once when written and once when read.
    return b"%b%b%b%b" % (ENTRY_VERSION, raw, sha256(public).digest(), sha256(salt + personal).digest())
