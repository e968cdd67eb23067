"""JSON as a signed document must be read: one meaning, bounded depth, finite numbers (RFC 7519 section 4, RFC 8259)."""

import json
import math
import re
from typing import Any

import msgspec

from jwtrail.tokens.refusal import Refusal

__all__ = ["MAX_DEPTH", "MAX_DIGITS", "decode_object"]

MAX_DEPTH = 32
"""Levels of objects and lists. Real tokens have three; parsers fall over at a thousand (CVE-2025-52999)."""

MAX_DIGITS = 4300
"""Digits of an integer, Python's own limit. Converting endless ones is quadratic (CVE-2020-10735); they are not finite."""

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode

# A text runs to its closing quote or to the end, so the scan is linear on any input.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[{]|[\]}]', re.DOTALL)


def decode_object(raw: bytes, malformed: str) -> tuple[dict[str, Any], bool]:
    """An object, and whether all its numbers are finite; what is not is read as infinite or NaN.

    Args:
        malformed: the reason for what is no JSON object: `malformed_header_json` or `malformed_payload_json`.

    Raises:
        Refusal: `malformed`, `json_too_deep` or `duplicate_json_key`.
    """
    if raw.count(b"{") + raw.count(b"[") <= MAX_DEPTH:
        # What encodes back to the very same bytes held each name once, no odd number and no second spelling.
        try:
            made = _decode(raw)
            if type(made) is dict and _encode(made) == raw:
                return made, True
        except (
            ValueError,
            OverflowError,
        ):  # msgspec's errors are ValueErrors; the slow way names what is wrong
            pass
    return _decode_slowly(raw, malformed)


def _decode_slowly(raw: bytes, malformed: str) -> tuple[dict[str, Any], bool]:
    if _depth(raw) > MAX_DEPTH:
        raise Refusal("json_too_deep")
    odd: list[str] = []

    def infinite(text: str) -> float:
        odd.append(text)
        return math.inf

    def integer(text: str) -> float:
        return int(text) if len(text.lstrip("-")) <= MAX_DIGITS else infinite(text)

    def real(text: str) -> float:
        number = float(text)
        return number if math.isfinite(number) else infinite(text)

    try:
        made = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=infinite,
            parse_int=integer,
            parse_float=real,
        )
        json.dumps(made, ensure_ascii=False).encode(
            "utf-8"
        )  # a lone surrogate, written as an escape, is no text
    except ValueError:
        raise Refusal(malformed) from None
    if not isinstance(made, dict):
        raise Refusal(malformed)
    return made, not odd


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise Refusal("duplicate_json_key")
    return made


def _depth(raw: bytes) -> int:
    depth = deepest = 0
    for match in _TOKEN.finditer(raw):
        sign = match.group()
        if sign in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif sign in b"]}":
            depth -= 1
    return deepest
