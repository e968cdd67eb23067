"""Tokens in any text, however they got there: found and cut out, also behind the encodings that a text passes through.

A JWT is base64url of a JSON object, a dot, and more. The object may begin with white space, the dot and the letters may be
written as URLs, HTML or JSON write them, and the whole may be base64 once more.
"""

import html
import re
from base64 import b64decode
from urllib.parse import unquote

__all__ = ["has_token", "may_have_token", "without_token"]

CUT = "[jwt]"
"""What stands for a token that was taken out."""

MIN_HEAD = 13
"""Characters of the shortest header, `{"alg":""}`."""

MAX_LOOKED = 4096
"""Characters of a text that are asked about; no event keeps more."""

MAX_DECODED = 2
"""How many times over a text may be encoded: by who sent it, and by what it passed through."""

# Base64url of `{"`, or `{` and white space, or of white space before `{` in each place of a group of three bytes.
_JSON = "e[yw][JAok0]|IHs|C[Xn]s|DXs|[ICD][CASQig][Blp1]7"
# Base64 of the letters `eyJ`, in each place of a group.
_AGAIN = "ZXlK|V5S|leU[opqr]"
_MARK = re.compile(f"{_JSON}|{_AGAIN}")
_BEGINS = re.compile(f"(?={_JSON})")
_DOT = r"(?:\.|%(?:25)*+2[eE]|&#(?:0*+46|[xX]0*+2[eE]);?|&period;|\\+(?:u00|x)2[eE])"
# A run of base64url, taken whole and never given back, and what hangs on it by dots: linear in the text, whatever it is.
_RUN = re.compile(rf"([A-Za-z0-9_-]{{{MIN_HEAD},}}+)({_DOT}(?:[A-Za-z0-9_-]|{_DOT})*+)?")
_OBJECT = re.compile(rb'\s*\{\s*(?:"|\Z)')
_WINDOW = 24
"""Characters of a segment that say whether it begins like an object."""

_ESCAPED = re.compile(r"\\+(?:u00|x)([2-7][0-9A-Fa-f])")
# What a token has, a letter or a sign of base64url or a dot, written in another way; blanks and slashes are none.
_ENCODED = re.compile(r"(?:%(?:25)*|\\+(?:u00|x))(?:2[dDeE]|[3-7][0-9A-Fa-f])|&#|&period;")
# The same marks in one pattern for each first letter: each takes a twentieth of the time of all in one.
_SCANS = [
    re.compile(mark).search
    for mark in (
        rb"e[yw][JAok0]",
        rb"I(?:Hs|[CA][Blp1]7)",
        rb"C(?:[Xn]s|[CASQig][Blp1]7)",
        rb"D(?:Xs|[CASQig][Blp1]7)",
        rb"ZXlK",
        rb"V5S",
        rb"leU[opqr]",
        rb"%(?:25)*[3-7]",
        rb"&#",
    )
]
_SHORT = 48
"""A text of so few characters holds no token that is base64 once more, with a signature at least."""


def may_have_token(data: bytes) -> bool:
    """Whether `without_token` could change a text of this JSON; backslashes are for the caller to look at."""
    for scan in _SCANS:  # noqa: SIM110  # `any` with a generator takes longer than the scans
        if scan(data):
            return True
    return False


def without_token(text: str) -> str:
    """The text, and `[jwt]` wherever a token stood; if it can only be read after decoding, in place of the whole text."""
    encoded = "%" in text or "&" in text or "\\" in text
    if encoded or "." in text:
        marked = _MARK.search(text) is not None
    else:  # as most are
        marked = len(text) >= _SHORT and ("ZXlK" in text or "V5S" in text or "leU" in text)
    if marked:
        text = _RUN.sub(_cut, text)
    return CUT if encoded and _ENCODED.search(text) and _is_hidden(text) else text


def has_token(text: str) -> bool:
    """Whether a JWT stands in the beginning of the text, or in what that comes to after it is decoded."""
    text = text[:MAX_LOOKED]
    return without_token(text) != text


def _is_hidden(text: str) -> bool:
    for _ in range(MAX_DECODED):
        decoded = _ESCAPED.sub(_letter, html.unescape(unquote(text)))
        if decoded == text:
            return False
        if _MARK.search(decoded) and _RUN.sub(_cut, decoded) != decoded:
            return True
        text = decoded
    return False


def _letter(match: re.Match[str]) -> str:
    return chr(int(match[1], 16))


def _cut(match: re.Match[str]) -> str:
    """The run, up to where a token begins in it."""
    head, rest = match[1], match[2]
    if rest:
        for begin in _BEGINS.finditer(head):
            at = begin.start()
            if at <= len(head) - MIN_HEAD and (head.startswith("eyJ", at) or _is_object(head[at:])):
                return head[:at] + CUT
    return CUT if _is_token_again(head) else match[0]


def _is_object(segment: str) -> bool:
    """Whether a segment begins like a JSON object: `ewo…` and its like stand in ordinary words too."""
    return _OBJECT.match(_decoded(segment[:_WINDOW])) is not None


def _is_token_again(run: str) -> bool:
    """Whether the run is base64 of something with a token in it, from whatever place of a group on."""
    if not re.search(_AGAIN, run):
        return False
    for start in range(4):
        text = _decoded(run[start:]).decode("latin-1")
        if any(found[2] and "eyJ" in found[1] for found in _RUN.finditer(text)):
            return True
    return False


def _decoded(segment: str) -> bytes:
    whole = segment[: len(segment) // 4 * 4]
    return b64decode(whole, altchars=b"-_")
