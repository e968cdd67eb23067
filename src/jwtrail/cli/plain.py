"""Text from the trail on a terminal: what was written by an attacker may be read, but never obeyed."""

import re

__all__ = ["visible"]

# Beyond what `ecs.clean` takes out of an event: zero-width and other invisible characters, tags and variation selectors
# (which hide or disguise text), and every control a terminal could obey, for files that were not written by us.
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)


def visible(text: str) -> str:
    """`text` with every control, bidi and invisible character written out as `\\xNN`, `\\uNNNN` or `\\UNNNNNNNN`."""
    return text if text.isascii() and text.isprintable() else _HIDDEN.sub(_shown, text)


def _shown(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
