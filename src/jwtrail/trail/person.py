"""Which records tell of a person: decided on texts and the fields they stand in, for events, log lines and rows of state."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from unicodedata import normalize
from urllib.parse import unquote_plus

from msgspec import Struct

from jwtrail.ecs.catalogue import CATALOGUE, resolve
from jwtrail.ecs.clean import clean

__all__ = ["ENCODED", "FREE", "IDENTITY", "PERSONAL", "Finder", "Person", "forms_of"]

PERSONAL = frozenset(name for name, field in CATALOGUE.items() if field.klass == "personal")

IDENTITY = frozenset({
    "jwt.unverified.sub", "jwtrail.subject.ids", "related.user", "user.effective.id", "user.id", "user.name",
    "user.target.id",
})  # fmt: skip
"""Fields that hold nothing but who somebody is: here an identifier of any length counts."""

_VERIFIED = frozenset({"user.effective.id", "user.id"})
"""Of them those that hold an id and never a name: who signs in as `kim` is not the user whose id is `kim`."""

_NAMES = frozenset({"related.user", "user.name"})
"""Of them those that hold names: in an event with another's id a name is that person's, however it is written."""

TOKENS = ("jwt.jti", "jwt.family", "jwt.fingerprint", "jwt.parent")
"""Fields of a person's own events whose values lead to that person in others."""

_TOKENS = frozenset({*TOKENS, "jwt.proof", "jwt.unverified.jti", "related.hash"})

_PAIRS = frozenset({"jwtrail.alert.group", "jwtrail.response.target"})
"""Fields that hold `field=value`, joined by commas."""

_PATHS = frozenset({"url.original", "url.path"})

ENCODED = frozenset({"http.request.referrer", "url.original", "url.query"})
"""Fields whose texts are percent-encoded, as they came."""

_SILENT = frozenset({
    "jwt.unverified.iss", "jwt.unverified.kid", "jwtrail.network", "source.as.organization.name", "source.geo.city_name",
    "source.geo.country_iso_code", "url.domain", "url.scheme", "user.roles", "user_agent.device.name", "user_agent.name",
    "user_agent.os.name", "user_agent.version",
})  # fmt: skip
"""Personal because of what they say together with others; none names anybody. The role `admin` is not the user `admin`."""

FREE = "message"
"""The field that stands for any text without one of its own."""

MIN_WORD = 4
"""Characters of an identifier that is looked for within texts. The user `7` is not meant in `/orders/7`."""

ORDINARY_WORD = 16
"""ASCII letters alone, fewer than these, may be a word of any language: `admin` and `name` are not looked for within texts,
only where a field or a route's parameter says that somebody is meant."""


class Person(Struct, frozen=True):
    """A person by what identifies them.

    Args:
        id: the value of `user.id`.
        names: typed at sign-in; however they are written.
        tokens: ids of tokens and sign-ins.
    """

    id: str
    names: frozenset[str] = frozenset()
    tokens: frozenset[str] = frozenset()

    @property
    def identifiers(self) -> frozenset[str]:
        """All of them, and the id as an event holds it."""
        return self.names | self.tokens | {self.id, clean(self.id, set())}

    def known_by(self, docs: Iterable[Mapping[str, Any]]) -> "Person":
        """The same person with the identifiers that their own events give."""
        names, tokens, own = set(self.names), set(self.tokens), {self.id, clean(self.id, set())}
        for doc in docs:
            if doc.get("user.id") in own:
                names.update(filter(None, [doc.get("user.name")]))
                tokens.update(doc[field] for field in TOKENS if doc.get(field))
        return Person(self.id, frozenset(names), frozenset(tokens))


class Finder:
    """Looks for a person. Made once for many records.

    Args:
        person: whom.
    """

    def __init__(self, person: Person) -> None:
        self._ids = frozenset({person.id, clean(person.id, set())})
        # An address is written in any case; other ids are compared as they are, because `U-1` may be another user than `u-1`.
        self._names = frozenset(map(_folded, [*person.names, *(who for who in self._ids if "@" in who)]))
        self._tokens = person.tokens
        self._words = _words(self._ids | self._tokens, "") + _words(self._names, "i")

    def in_event(self, doc: Mapping[str, Any]) -> bool:
        """Whether an event (flat, dotted names) tells of the person."""
        somebody = doc.get("user.id")
        others = somebody is not None and somebody not in self._ids
        route = str(doc.get("http.route") or "")
        return any(
            self.in_field(field, text, route=route, others=others)
            for field in PERSONAL & doc.keys()
            for text in _texts(doc[field])
        )

    def in_field(self, field: str, text: str, *, route: str = "", others: bool = False) -> bool:
        """Whether a text tells of the person, as the value of this field.

        Args:
            field: an ECS name, or another's, where a whole value counts too.
            route: template of the path that the text may be.
            others: it stands in an event of somebody else.
        """
        if field in IDENTITY:
            named = field not in _VERIFIED and not (others and field in _NAMES)
            return text in self._ids or (named and _folded(text) in self._names)
        known = resolve(field)
        if known is None and self._is_whole(text):
            return True
        if field in _SILENT or (known is not None and known[0].klass != "personal"):
            return False
        return self._in_form(field, text, route) or self._in_words(text)

    def _is_whole(self, text: str) -> bool:
        return text in self._ids or text in self._tokens or _folded(text) in self._names

    def _in_form(self, field: str, text: str, route: str) -> bool:
        """What only this field's form shows."""
        if field in _TOKENS:
            return text in self._tokens
        if field in _PAIRS:
            pairs = (pair.partition("=") for pair in text.split(","))
            return any(self.in_field(name, value) for name, equals, value in pairs if equals)
        if field in _PATHS and any(map(self._is_whole, _given(text, route))):
            return True
        return field in ENCODED and self._in_words(unquote_plus(text))

    def _in_words(self, text: str) -> bool:
        return any(words.search(text) for words in self._words) or (
            not text.isascii() and any(words.search(normalize("NFC", text)) for words in self._words)
        )


def forms_of(text: str) -> set[str]:
    """A text in the spellings of Unicode in which it may have been recorded."""
    return {text, normalize("NFC", text), normalize("NFD", text)}


def _folded(text: str) -> str:
    return normalize("NFC", text).casefold()


def _words(identifiers: Iterable[str], flags: str) -> list[re.Pattern[str]]:
    forms = {form for one in identifiers if _is_distinct(one) for form in forms_of(one)}
    if not forms:
        return []
    pattern = "|".join(map(re.escape, sorted(forms, key=len, reverse=True)))
    return [re.compile(rf"(?<![\w@-])(?:{pattern})(?![\w@-])", re.IGNORECASE if flags else 0)]


def _is_distinct(identifier: str) -> bool:
    ordinary = len(identifier) < ORDINARY_WORD and identifier.isascii() and identifier.isalpha()
    return len(identifier) >= MIN_WORD and not identifier.isdecimal() and not ordinary


def _given(path: str, route: str) -> Iterator[str]:
    """What a path has where its route has parameters that stand for whole parts; a number there may be that of anything."""
    parts, template = path.partition("?")[0].split("/"), route.split("/")
    if len(parts) == len(template):
        yield from (
            part
            for part, name in zip(parts, template, strict=True)
            if name.startswith("{") and name.endswith("}") and len(part) >= MIN_WORD and not part.isdecimal()
        )


def _texts(value: Any) -> Iterator[str]:
    """Texts of a field; of a flattened one the values, not the names of its members."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from (text for text in value.values() if isinstance(text, str))
    elif isinstance(value, list | tuple):
        yield from (item for item in value if isinstance(item, str))
