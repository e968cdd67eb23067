"""The usual payload, read in one go: typed by msgspec in C instead of claim by claim.

Payloads of one issuer look alike: the same names in the same order. Such a **shape** is learned from an authentic payload
and becomes a type of its own. A short cut, never a second opinion: what is unusual in any way, right or wrong, is left to
the long way of `claims`.
"""

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, defstruct, field
from msgspec.structs import astuple

from jwtrail.tokens.strictjson import MAX_DEPTH

__all__ = [
    "MAX_COUNT",
    "MAX_DATE",
    "MAX_MEMBERS",
    "MAX_SHAPES",
    "MAX_WORDS",
    "NO_CNF",
    "Shape",
    "Shapes",
    "Values",
]

MAX_DATE = 253_402_300_799
"""9999-12-31T23:59:59Z, the last second that calendars hold; the first is that of 1970, for tokens at least."""

MAX_WORDS = 256
"""Audiences, scopes or roles of one token."""

MAX_COUNT = 2**53 - 1
"""What JSON numbers hold exactly (RFC 8259 section 6)."""

MAX_SHAPES = 64
"""Shapes that are learned. An issuer has a few; one whose claims are named after its users would never end."""

MAX_MEMBERS = 64
"""Claims of a payload that is learned; real tokens have 10 to 30."""

_Text = Annotated[str, Meta(min_length=1)]
_Texts = Annotated[tuple[_Text, ...], Meta(max_length=MAX_WORDS)]
_Date = Annotated[int, Meta(ge=0, le=MAX_DATE)] | Annotated[float, Meta(ge=0, le=MAX_DATE)]
_BRACKET, _BACKSLASH, _DELETE = b"[\\\x7f"


class _Cnf(Struct, frozen=True, gc=False, omit_defaults=True):
    jkt: _Text = ""
    x5t: _Text = field(name="x5t#S256", default="")


class _Act(Struct, frozen=True, gc=False, omit_defaults=True):
    sub: _Text = ""


NO_CNF = _Cnf()
"""That there is no `cnf`."""

_TYPED: dict[str, tuple[Any, Any]] = {
    "sub": (_Text, ""),
    "jti": (_Text, ""),
    "iss": (_Text, ""),
    "aud": (_Text | _Texts, ()),
    "exp": (_Date, None),
    "nbf": (_Date, None),
    "iat": (_Date, None),
    "scope": (str | _Texts, ()),
    "client_id": (_Text, ""),
    "roles": (str | _Texts, ()),
    "tenant": (_Text, ""),
    "fam": (_Text, ""),
    "gen": (Annotated[int, Meta(ge=0, le=MAX_COUNT)], 0),
    "cnf": (_Cnf, NO_CNF),
    "act": (_Act, _Act()),
}
"""Claim, its type, and what it is when it is not there; in the order of the attributes of `verdict.Claims`."""

Values = tuple[Any, ...]
"""Of the claims of `_TYPED`, in this order."""

_ABSENT: Values = tuple(absent for _, absent in _TYPED.values())
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class Shape(Struct, frozen=True):
    """Names in an order, and how a payload that has them is read.

    Args:
        decode: makes a Struct with one field a name; raises ValueError when a name or type is another.
        pick: takes its values, and those of what is absent, in the order of `Values`.
        extras: names of the other claims, and where they stand.
    """

    decode: Callable[[bytes], Any]
    pick: Callable[[Values], Values]
    extras: tuple[tuple[str, int], ...]

    def read(self, raw: bytes) -> tuple[Values, dict[str, Any]] | None:
        """The typed claims and the others; None when the payload is not of this shape, or the long way must look.

        What encodes back to the very same bytes holds each name once and no odd number.
        """
        if not _plain(raw):
            return None
        try:
            made = self.decode(raw)  # refuses control characters of ASCII, but for one
            if _encode(made) != raw:
                return None
        except (ValueError, OverflowError):  # msgspec's errors are ValueErrors
            return None
        values = astuple(made)
        extra = {name: values[place] for name, place in self.extras} if self.extras else {}
        return self.pick(values + _ABSENT), extra


class Shapes:
    """What was learned; a verifier has one. Threads may share it."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], Shape] = {}

    def find(self, raw: bytes) -> Shape | None:
        """The shape of a payload, when it was learned."""
        return self._known.get(_names(raw))

    def learn(self, raw: bytes) -> Shape | None:
        """The shape of a payload that passed, so nobody fills this but who signs; None when there are too many."""
        names = _names(raw)
        shape = self._known.get(names)
        if shape is None and 0 < len(names) <= MAX_MEMBERS and len(self._known) < MAX_SHAPES:
            shape = self._known[names] = _shape(names)
        return shape


def _names(raw: bytes) -> tuple[str, ...]:
    """In their order; none when it is no object that may be read in one go."""
    try:
        payload = _decode(raw) if _plain(raw) else None
    except (ValueError, OverflowError):
        return ()
    return tuple(payload) if type(payload) is dict else ()


def _shape(names: tuple[str, ...]) -> Shape:
    # Made for speed: the fields are called by number, so a claim may have any name.
    kind = defstruct(
        "Payload",
        [
            (f"c{place}", _TYPED[name][0] if name in _TYPED else Any, field(name=name))
            for place, name in enumerate(names)
        ],
        frozen=True,
        gc=False,
        forbid_unknown_fields=True,
    )
    where: Mapping[str, int] = {name: place for place, name in enumerate(names)}
    places = [where.get(name, len(names) + place) for place, name in enumerate(_TYPED)]
    extras = tuple((name, place) for name, place in where.items() if name not in _TYPED)
    return Shape(msgspec.json.Decoder(kind).decode, itemgetter(*places), extras)


def _plain(raw: bytes) -> bool:
    """Without escapes and with nothing that cannot be printed, so no claim holds a control character (JSON itself forbids
    most of ASCII's); not too deep.
    """
    if _BACKSLASH in raw:
        return False
    if not raw.isascii():
        return _printable(raw) and _shallow(raw)
    # Counting takes five times as long as finding out that there is only one object.
    return _DELETE not in raw and ((_BRACKET not in raw and not raw.rfind(b"{")) or _shallow(raw))


def _printable(raw: bytes) -> bool:
    try:
        return raw.decode().isprintable()
    except UnicodeDecodeError:
        return False


def _shallow(raw: bytes) -> bool:
    return raw.count(b"{") + raw.count(b"[") <= MAX_DEPTH
