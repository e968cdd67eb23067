"""Reads the smallest parts of KQL: spaces, words such as `and`, punctuation, quoted and unquoted terms.

There are no tokens to cut a query into beforehand: `and` is a word only with white space on both sides, `not` only with
white space behind it, and an unquoted term runs on over spaces until one of them or a special character comes. So the
parser asks this cursor for what may stand here.
"""

import re

from jwtrail.errors import KqlError
from jwtrail.kql.ast import Term
from jwtrail.predicate.ir import Span

__all__ = ["Cursor"]

_SPACE = " \t\r\n\u00a0"
_TRIMMED = "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
"""What JavaScript's `trim` takes off, which Kibana does to unquoted terms; Python's `strip` differs."""

_SPACES = re.compile(f"[{_SPACE}]*")
_WORDS = {
    "and": re.compile(f"[{_SPACE}]+and[{_SPACE}]+", re.IGNORECASE),
    "or": re.compile(f"[{_SPACE}]+or[{_SPACE}]+", re.IGNORECASE),
    "not": re.compile(f"not[{_SPACE}]+", re.IGNORECASE),
}
_KEYWORD = re.compile(f"[{_SPACE}]+(?:and|or)[{_SPACE}]+|not[{_SPACE}]+", re.IGNORECASE)
_PLAIN = re.compile(rf'[^\\():<>"*{{}}nN{_SPACE}]+')
_ESCAPES = {"t": "\t", "r": "\r", "n": "\n"}
_ESCAPED_SPECIAL = re.compile(r'\\([\\():<>"*{}])')
_ESCAPED_PAIR = re.compile(r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_ESCAPED_UNIT = re.compile(r"\\u([0-9a-fA-F]{4})")
_ESCAPED_WORD = re.compile(r"\\(or|and|not)", re.IGNORECASE)
_SPECIAL = frozenset('\\():<>"*{}')


class Cursor:
    """A place in a query that moves forward."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def at_end(self) -> bool:
        return self.at >= len(self.text)

    def error(self, *expected: str, at: int | None = None, hint: str = "") -> KqlError:
        """What was expected here, and what was found."""
        place = self.at if at is None else at
        found = repr(self.text[place]) if place < len(self.text) else "the end of the query"
        return KqlError(
            f"expected {', '.join(expected)} but found {found}", text=self.text, start=place, hint=hint
        )

    def skip_spaces(self) -> None:
        match = _SPACES.match(self.text, self.at)
        assert match is not None
        self.at = match.end()

    def word(self, word: str) -> bool:
        """Step over `and`, `or` or `not` with the white space that makes it a word."""
        match = _WORDS[word].match(self.text, self.at)
        if match is None:
            return False
        self.at = match.end()
        return True

    def take(self, mark: str) -> bool:
        """Step over a punctuation mark."""
        if not self.text.startswith(mark, self.at):
            return False
        self.at += len(mark)
        return True

    def term(self) -> Term | None:
        """A quoted or unquoted term, or None when none begins here.

        Raises:
            KqlError: an escape that KQL does not have, or a quote without an end.
        """
        return self._quoted() if self.text.startswith('"', self.at) else self._unquoted()

    def _quoted(self) -> Term:
        start = self.at
        at = start + 1
        parts: list[str] = []
        while True:
            if at >= len(self.text):
                raise self.error("a value", at=start, hint="this quote is never closed")
            char = self.text[at]
            if char == '"':
                break
            if char == "\\":
                piece, at = self._quoted_escape(at)
            else:
                piece, at = char, at + 1
            parts.append(piece)
        self.at = at + 1
        text = "".join(parts)
        return Term((text,) if text else (), quoted=True, span=Span(start, self.at))

    def _quoted_escape(self, at: int) -> tuple[str, int]:
        """What a backslash inside quotes stands for, and where it ends; before most characters it is itself."""
        after = self.text[at + 1 : at + 2]
        if after in _ESCAPES:
            return _ESCAPES[after], at + 2
        if (unicode := self._unicode(at)) is not None:
            return unicode
        return (after, at + 2) if after in ("\\", '"') else ("\\", at + 1)

    def _unquoted(self) -> Term | None:
        start = self.at
        parts: list[str | None] = []
        while self.at < len(self.text):
            plain = _PLAIN.match(self.text, self.at)
            if plain:
                parts.append(plain.group())
                self.at = plain.end()
                continue
            char = self.text[self.at]
            if char == "*":
                parts.append(None)
                self.at += 1
            elif char == "\\":
                parts.append(self._escape())
            elif char in _SPECIAL or _KEYWORD.match(self.text, self.at):
                break
            else:
                parts.append(char)
                self.at += 1
        if self.at == start:
            return None
        return Term(_joined(parts), quoted=False, span=self._trimmed(start))

    def _escape(self) -> str:
        # The order is Kibana's: `\n` is looked for before `\not`, so `\not` is a line feed and `ot`.
        after = self.text[self.at + 1 : self.at + 2]
        if after in _ESCAPES:
            self.at += 2
            return _ESCAPES[after]
        if (unicode := self._unicode(self.at)) is not None:
            char, self.at = unicode
            return char
        for pattern in (_ESCAPED_SPECIAL, _ESCAPED_WORD):
            if match := pattern.match(self.text, self.at):
                self.at = match.end()
                return match.group(1)
        raise self.error(
            "a special character after the backslash",
            hint="write \\\\ for a backslash, or put the value in quotes",
        )

    def _unicode(self, at: int) -> tuple[str, int] | None:
        """The character of `\\uXXXX`, or of two of them that are a surrogate pair, and where it ends."""
        match = _ESCAPED_PAIR.match(self.text, at) or _ESCAPED_UNIT.match(self.text, at)
        if match is None:
            return None
        units = bytes.fromhex("".join(match.groups()))
        try:
            return units.decode("utf-16-be"), match.end()
        except UnicodeDecodeError:
            raise self.error(
                "a character", at=at, hint="half of a surrogate pair stands for no character"
            ) from None

    def _trimmed(self, start: int) -> Span:
        text = self.text[start : self.at]
        lead = len(text) - len(text.lstrip(_TRIMMED))
        return Span(start + lead, max(start + lead, start + len(text.rstrip(_TRIMMED))))


def _joined(parts: list[str | None]) -> tuple[str | None, ...]:
    """Neighbouring texts as one, white space trimmed off both ends."""
    made: list[str | None] = []
    for part in parts:
        if part is not None and made and made[-1] is not None:
            made[-1] += part
        else:
            made.append(part)
    if made and made[0] is not None:
        made[0] = made[0].lstrip(_TRIMMED)
    if made and made[-1] is not None:
        made[-1] = made[-1].rstrip(_TRIMMED)
    return tuple(part for part in made if part != "")
