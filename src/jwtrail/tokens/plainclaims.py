"""The usual payload, read in one go: typed by msgspec in C instead of claim by claim. A short cut, never a second opinion:
what is unusual in any way, right or wrong, is left to the long way of `claims`.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, field

from jwtrail.tokens.strictjson import MAX_DEPTH

__all__ = ["KNOWN", "MAX_COUNT", "MAX_DATE", "MAX_WORDS", "PlainClaims", "read_plainly"]

MAX_DATE = 253_402_300_799
"""9999-12-31T23:59:59Z; a date before 1970 or later than this is nobody's."""

MAX_WORDS = 256
"""Audiences, scopes or roles of one token."""

MAX_COUNT = 2**53 - 1
"""What JSON numbers hold exactly (RFC 8259 section 6)."""

_Text = Annotated[str, Meta(min_length=1)]
_Texts = Annotated[tuple[_Text, ...], Meta(max_length=MAX_WORDS)]
_Date = Annotated[int, Meta(ge=0, le=MAX_DATE)] | Annotated[float, Meta(ge=0, le=MAX_DATE)]
_BRACE, _BRACKET, _BACKSLASH, _DELETE = b"{[\\\x7f"


class _Cnf(Struct, frozen=True, gc=False):
    jkt: _Text = ""
    x5t: _Text = field(name="x5t#S256", default="")


class _Act(Struct, frozen=True, gc=False):
    sub: _Text = ""


class PlainClaims(Struct, frozen=True, gc=False):
    """Claims as they stand in the payload; each attribute is named as in `verdict.Claims`.

    What is not there has a default that no payload can have: null and empty texts are refused.
    """

    iss: _Text = ""
    sub: _Text = ""
    aud: _Text | _Texts = ()
    exp: _Date = None  # type: ignore[assignment]
    nbf: _Date = None  # type: ignore[assignment]
    iat: _Date = None  # type: ignore[assignment]
    jti: _Text = ""
    scope: str | _Texts = ()
    client_id: _Text = ""
    roles: str | _Texts = ()
    tenant: _Text = ""
    family: _Text = field(name="fam", default="")
    generation: Annotated[int, Meta(ge=0, le=MAX_COUNT)] = field(name="gen", default=0)
    cnf: _Cnf = _Cnf()
    act: _Act = _Act()


KNOWN = frozenset(one.encode_name for one in msgspec.structs.fields(PlainClaims))
"""Claims that have an attribute of their own."""

_decode = msgspec.json.Decoder().decode
_decode_plain = msgspec.json.Decoder(PlainClaims).decode
_encode = msgspec.json.Encoder().encode


def read_plainly(raw: bytes) -> tuple[PlainClaims, Mapping[str, Any]] | None:
    """The claims and the whole object; None when the long way must look.

    What encodes back to the very same bytes holds each name once and no odd number. Without escapes, and with nothing
    that cannot be printed, no claim holds a control character.
    """
    if raw.count(_BRACE) + raw.count(_BRACKET) > MAX_DEPTH or _BACKSLASH in raw:
        return None
    try:
        made = _decode(raw)  # refuses control characters of ASCII, but for one
        if type(made) is not dict or _encode(made) != raw or not _printable(raw):
            return None
        return _decode_plain(raw), made
    except (ValueError, OverflowError):  # msgspec's errors are ValueErrors
        return None


def _printable(raw: bytes) -> bool:
    return _DELETE not in raw if raw.isascii() else raw.decode().isprintable()
