"""The key that signs checkpoints: made once, kept below `keys/`, named by the log's origin."""

import secrets
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from jwtrail.errors import IntegrityError, NoteError
from jwtrail.tlog.note import Signer, Verifier
from jwtrail.trail.durable import replace_file
from jwtrail.trail.layout import Layout

__all__ = ["load_signer", "load_verifier"]


def load_signer(layout: Layout, origin: str | None = None) -> Signer:
    """The log's signer; the key is made when there is none and nothing was ever signed.

    Args:
        origin: name for a new key; random below `jwtrail.local/` when None.

    Raises:
        IntegrityError: the key is lost, not ours, or does not fit its public half.
        WriteError: a new key cannot be stored.
    """
    try:
        pem = layout.log_key.read_bytes()
    except FileNotFoundError:
        return _create(layout, origin)
    verifier = load_verifier(layout.log_vkey)
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise IntegrityError("the log's key cannot be read", where=str(layout.log_key)) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise IntegrityError("the log's key is not an Ed25519 key", where=str(layout.log_key))
    signer = Signer(verifier.name, key)
    if signer.verifier != verifier:
        raise IntegrityError("the log's key and its public half differ", where=str(layout.log_vkey))
    return signer


def load_verifier(path: Path) -> Verifier:
    """The public half.

    Raises:
        IntegrityError: it is missing or malformed.
    """
    try:
        return Verifier.parse(path.read_text())
    except FileNotFoundError as error:
        raise IntegrityError("the log has no verifier key", where=str(path)) from error
    except (NoteError, UnicodeDecodeError) as error:
        raise IntegrityError(f"the verifier key is damaged: {error}", where=str(path)) from error


def _create(layout: Layout, origin: str | None) -> Signer:
    if layout.checkpoint.exists():
        raise IntegrityError(
            "the log's key is gone, but the log was signed with it",
            where=str(layout.log_key),
            hint="put the key back from a copy; a new key would be a new log",
        )
    name = origin or f"jwtrail.local/{secrets.token_hex(8)}"
    key = Ed25519PrivateKey.generate()
    signer = Signer(name, key)
    # The public half first: a key without it is an error, the half without a key is only made again.
    replace_file(layout.log_vkey, f"{signer.verifier}\n".encode())
    replace_file(layout.log_key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return signer
