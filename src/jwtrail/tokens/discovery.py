"""Where an issuer's keys are (RFC 8414, OpenID Connect Discovery 1.0), and which of them can be used (RFC 7517 section 5)."""

from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit

from msgspec import Struct

from jwtrail.errors import KeyRefusedError, TokenError
from jwtrail.tokens.keys import Key, KeySet, load_jwk
from jwtrail.tokens.refusal import Refusal
from jwtrail.tokens.strictjson import decode_object

__all__ = ["MAX_KEYS", "KeysRead", "jwks_uri_of", "metadata_urls", "read_keys"]

MAX_KEYS = 100
"""Keys of one set that are read; providers have two to ten."""

Get = Callable[[str], bytes]


class KeysRead(Struct, frozen=True):
    """The keys of a document.

    Args:
        skipped: how many could not be used: another purpose, an unknown type, too weak, a secret.
    """

    keys: KeySet
    skipped: int


def metadata_urls(issuer: str) -> tuple[str, str]:
    """OpenID Connect appends the well-known path (section 4), RFC 8414 puts it between host and path (section 3.1)."""
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")
    return (
        urlunsplit((parts.scheme, parts.netloc, f"{path}/.well-known/openid-configuration", "", "")),
        urlunsplit((parts.scheme, parts.netloc, f"/.well-known/oauth-authorization-server{path}", "", "")),
    )


def jwks_uri_of(issuer: str, get: Get) -> str:
    """Ask the issuer's metadata for the address of its keys.

    Raises:
        TokenError: `jwks_unavailable`: no metadata, or not this issuer's (RFC 8414 section 3.3, a mix-up otherwise).
    """
    openid, oauth = metadata_urls(issuer)
    try:
        raw = get(openid)
    except TokenError:
        raw = get(oauth)
    metadata = _object(raw, issuer)
    if metadata.get("issuer") != issuer:
        raise TokenError(
            "jwks_unavailable",
            "the metadata are another issuer's",
            where=issuer,
            hint="write the issuer exactly as its metadata do, to the last slash",
        )
    uri = metadata.get("jwks_uri")
    if not isinstance(uri, str):
        raise TokenError(
            "jwks_unavailable", "the metadata have no jwks_uri", where=issuer, hint="set jwks_uri"
        )
    return uri


def read_keys(raw: bytes, where: str) -> KeysRead:
    """The keys of a JWK Set. What cannot be used is passed over, as section 5 says: a set may hold keys for others.

    A published secret is no secret, so symmetric keys are never taken.

    Raises:
        TokenError: `jwks_unavailable`: no JWK Set, no usable key, or `key_set_ambiguous`.
    """
    entries = _object(raw, where).get("keys")
    if not isinstance(entries, list) or len(entries) > MAX_KEYS:
        raise TokenError(
            "jwks_unavailable", f"no set of at most {MAX_KEYS} keys", where=where, hint="check jwks_uri"
        )
    keys = [key for entry in entries if (key := _usable(entry)) is not None]
    if not keys:
        raise TokenError("jwks_unavailable", "the set has no usable key", where=where, hint="check jwks_uri")
    return KeysRead(KeySet(*keys), len(entries) - len(keys))


def _usable(entry: object) -> Key | None:
    if not isinstance(entry, dict) or entry.get("kty") == "oct":
        return None
    try:
        return load_jwk(entry)
    except KeyRefusedError:
        return None


def _object(raw: bytes, where: str) -> dict[str, object]:
    try:
        return decode_object(raw, "jwks_unavailable")[0]
    except Refusal as refusal:
        raise TokenError("jwks_unavailable", f"not a JSON object ({refusal.reason})", where=where) from None
