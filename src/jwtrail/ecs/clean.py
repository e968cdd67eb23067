"""What may not enter an event: control characters, lone surrogates, endless texts, secrets in a query string.

Everything a client sends is hostile. Nothing is dropped: what is unprintable is made visible, what is too long is cut,
and a flag says so.
"""

import re
from collections.abc import Iterable
from urllib.parse import parse_qsl, quote, unquote_plus

from jwtrail.ecs.cleantoken import has_token, may_have_token, without_token
from jwtrail.ecs.probes import probes_in

__all__ = [
    "FLAG_CTRL",
    "FLAG_CUT",
    "FLAG_TOKEN_IN_URL",
    "MAX_ITEMS",
    "MAX_TEXT",
    "clean",
    "clean_many",
    "is_clean",
    "redact_query",
]

MAX_TEXT = 1024
"""Characters of one text in an event; longer ones are cut. Elasticsearch keeps 32,766 bytes a term, people read 200."""

MAX_ITEMS = 64
"""Items of one list and leaves of one flattened field."""

MAX_NAME = 64
"""Characters of a query parameter's name."""

FLAG_CTRL = "ctrl_chars"
FLAG_CUT = "truncated"
FLAG_REDACTED = "token_redacted"
FLAG_TOKEN_IN_URL = "token_in_url"  # noqa: S105

# C0, DEL and C1 controls (terminals obey C1 too), lone surrogates, which no UTF-8 can hold, and the separators and
# bidi controls that make a line read as what it is not.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

SCAN_FACTOR = 4
"""A text is cut to this many times its limit before it is looked at: nobody pays for what nobody will read."""


def is_clean(data: bytes) -> bool:
    """Whether `clean` would leave every text of this JSON as it is, but for its length. May say no where it would.

    A JSON writer escapes every control character below 0x20, so one look for a backslash finds them all: the few scans
    of a whole event cost a tenth of a look at each of its texts.
    """
    if b"\\" in data or b"\x7f" in data or may_have_token(data):
        return False
    return data.isascii() or not _UNSAFE.search(data.decode())


def _visible(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def clean(text: str, flags: set[str], limit: int = MAX_TEXT) -> str:
    """`text` without a character that could break a line, a terminal or a reader, at most `limit` characters.

    Args:
        flags: gets `ctrl_chars`, `truncated` or `token_redacted` added when something was changed.
    """
    if len(text) > limit * SCAN_FACTOR:
        flags.add(FLAG_CUT)
        text = text[: limit * SCAN_FACTOR]
    shown = without_token(text)  # however a token got here, it goes no further
    if shown != text:
        flags.add(FLAG_REDACTED)
        text = shown
    if not text.isprintable() or "\\" in text:
        shown = _UNSAFE.sub(_visible, text)
        if shown != text:
            flags.add(FLAG_CTRL)
            text = shown
    if len(text) > limit:
        flags.add(FLAG_CUT)
        text = text[: limit - 1] + "…"
    return text


def clean_many(texts: Iterable[str], flags: set[str]) -> tuple[str, ...]:
    """`clean` for each of at most `MAX_ITEMS` texts."""
    made = []
    for number, text in enumerate(texts):
        if number == MAX_ITEMS:
            flags.add(FLAG_CUT)
            break
        made.append(clean(text, flags))
    return tuple(made)


def redact_query(query: str, allowed: frozenset[str], flags: set[str]) -> str:
    """A query string whose values are `…` unless their name is allow-listed; a JWT in it raises `token_in_url`, what looks
    like an attack its flag (`ecs.probes`).

    Never raises, whatever the client sent.
    """
    if not query:
        return ""
    if has_token(query):
        flags.add(FLAG_TOKEN_IN_URL)
    kept = []
    if len(query) > MAX_TEXT * SCAN_FACTOR:
        flags.add(FLAG_CUT)
        query = query[: MAX_TEXT * SCAN_FACTOR]
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_ITEMS, errors="replace")
    except ValueError:  # more fields than anybody reads
        flags.add(FLAG_CUT)
        for field in query.split("&"):  # but an attack must not hide behind them
            name, _, value = field.partition("=")
            flags.update(probes_in(name, unquote_plus(value, errors="replace")))
        return "…"
    for name, value in pairs:
        flags.update(probes_in(name, value))
        shown = quote(value, safe="*@:/ ,") if name in allowed and not has_token(value) else "…"
        # A name alone may be the secret itself (`/reset?d41d8c…`).
        known = name in allowed or (value and not has_token(name))
        shown_name = quote(name[:MAX_NAME], safe="[]._-") if known else "…"
        kept.append(f"{shown_name}={shown}" if value else shown_name)
    return clean("&".join(kept), flags)
