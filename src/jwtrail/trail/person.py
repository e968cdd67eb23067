"""Which records tell of a person: decided on texts, the same for events, log lines and rows of `state.db`."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from jwtrail.ecs.catalogue import CATALOGUE

__all__ = ["Finder", "Person"]

PERSONAL = frozenset(name for name, field in CATALOGUE.items() if field.klass == "personal")

IDENTITY = frozenset({
    "jwt.unverified.sub", "jwtrail.subject.ids", "related.user", "user.effective.id", "user.id", "user.name",
    "user.target.id",
})  # fmt: skip
"""Fields that hold nothing but who somebody is: here an identifier of any length counts."""

OWN = ("user.name", "jwt.jti", "jwt.family", "jwt.fingerprint", "jwt.parent")
"""Fields of a person's own events whose values lead to that person in others."""

MIN_WORD = 4
"""Characters of an identifier that is looked for in every text. The user `7` is not meant in `/orders/7`."""


class Person(Struct, frozen=True):
    """A person by what identifies them.

    Args:
        id: the value of `user.id`.
        others: names typed at sign-in, ids of tokens and sign-ins.
    """

    id: str
    others: frozenset[str] = frozenset()

    @property
    def identifiers(self) -> frozenset[str]:
        return self.others | {self.id}

    def known_by(self, docs: Iterable[Mapping[str, Any]]) -> "Person":
        """The same person with the identifiers that their own events give."""
        found = {doc[name] for doc in docs if doc.get("user.id") == self.id for name in OWN if doc.get(name)}
        return Person(self.id, self.others | found)


class Finder:
    """Looks for a person. Made once for many records.

    Args:
        person: whom.
    """

    def __init__(self, person: Person) -> None:
        self._all = person.identifiers
        words = sorted(filter(_is_distinct, self._all), key=len, reverse=True)
        pattern = "|".join(map(re.escape, words))
        self._words = re.compile(rf"(?<![\w@-])(?:{pattern})(?![\w@-])") if words else None

    def in_text(self, text: str) -> bool:
        """Whether a text is an identifier, has one as a word, or is a group such as `user.id=u-1,source.ip=192.0.2.1`."""
        if text in self._all or (self._words is not None and self._words.search(text)):
            return True
        return "=" in text and any(part.partition("=")[2] in self._all for part in text.split(","))

    def in_event(self, doc: Mapping[str, Any]) -> bool:
        """Whether an event (flat, dotted names) tells of the person."""
        return any(self._in_field(name, doc[name]) for name in PERSONAL & doc.keys())

    def _in_field(self, name: str, value: Any) -> bool:
        for text in _texts(value):
            if text in self._all and (name in IDENTITY or _is_distinct(text)):
                return True
            if text not in self._all and self.in_text(text):
                return True
        return False


def _is_distinct(identifier: str) -> bool:
    return len(identifier) >= MIN_WORD and not identifier.isdecimal()


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from value
        yield from value.values()
    elif isinstance(value, list | tuple):
        yield from (item for item in value if isinstance(item, str))
