"""An alert in ArcSight's Common Event Format, version 0 (CEF implementation standard, revision 25), one line each."""

import re

from jwtrail import __version__
from jwtrail.detect import Alert, group_text
from jwtrail.detect.alert import titled
from jwtrail.sigma import Level

__all__ = ["cef_of"]

_SEVERITY: dict[Level, int] = {"informational": 1, "low": 3, "medium": 5, "high": 8, "critical": 10}
"""CEF's 0 to 10: 0-3 low, 4-6 medium, 7-8 high, 9-10 very high."""

_LINE_ENDS = re.compile(r"\r\n|[\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")

MAX_VALUE = 1000
"""Characters of one value; the standard gives most keys 1,023."""


def cef_of(alert: Alert, *, host: str = "") -> str:
    """The line, without an end.

    Args:
        host: `dvchost`, the machine that says it.
    """
    who = alert.targets
    extension = [
        ("rt", str(alert.at_us // 1000)),
        ("start", str(alert.first_us // 1000)),
        ("end", str(alert.at_us // 1000)),
        ("externalId", alert.id),
        ("cnt", str(alert.count)),
        ("cat", ",".join(alert.tactics)),
        ("dvchost", host),
        ("suid", who.user),
        ("src" if ":" not in who.source else "c6a2", who.source),
        ("c6a2Label", "Source IPv6 Address" if ":" in who.source else ""),
        ("request", who.route),
        ("cs1", group_text(alert.group)),
        ("cs1Label", "group" if alert.group else ""),
        ("cs2", ",".join(alert.techniques)),
        ("cs2Label", "techniques" if alert.techniques else ""),
        ("cs3", who.jti),
        ("cs3Label", "jti" if who.jti else ""),
        ("cs4", who.family),
        ("cs4Label", "family" if who.family else ""),
        ("msg", " ".join(alert.description.split())),
    ]
    header = [
        "jwtrail",
        "jwtrail",
        __version__,
        alert.code or alert.rule,
        titled(alert),
        str(_SEVERITY[alert.level]),
    ]
    told = " ".join(f"{key}={_value(value)}" for key, value in extension if value)
    return "|".join(["CEF:0", *map(_header, header), told])


def _header(text: str) -> str:
    """A header field: a backslash and a pipe are escaped, and it has no second line."""
    return _LINE_ENDS.sub(" ", text)[:MAX_VALUE].replace("\\", "\\\\").replace("|", "\\|")


def _value(text: str) -> str:
    """A value of the extension: a backslash and an equals sign are escaped, line ends become `\\n`."""
    escaped = text[:MAX_VALUE].replace("\\", "\\\\").replace("=", "\\=")
    return _LINE_ENDS.sub(r"\\n", escaped)
