"""What a query value tries, said before the value is redacted: three flags, and nothing of the value itself.

The patterns ask for what attacks need (a quote and an operator, a tag, an address inside), not for words alone. Each is
linear on the bounded text: no repetition stands inside another.
"""

import re
from urllib.parse import unquote_plus

__all__ = ["MAX_LOOKED_AT", "probes_in"]

MAX_LOOKED_AT = 4096
"""Characters of one value that are looked at: as many as of a whole query string, so nothing hides behind padding."""

# Whatever has none of these can be none of the below; most values end here, after one look.
_SUSPECT = re.compile(
    r"""['"<>;|`${}()\\%\x00]|\.\.|//|:/|--|/etc/|\b(?:union|select|gopher|file|dict|ldap)\b""", re.IGNORECASE
)

_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "probe_sql",
        re.compile(
            r"\bunion\s{1,9}(?:all\s{1,9})?select\b"
            r"|\bunion/\*[^*]{0,40}\*/select\b"
            r"|['\"]\s{0,9}\)?\s{0,9}(?:or|and)\s{1,9}[^=<>]{1,30}[=<>]"
            r"|['\"]\s{0,9}(?:\|\||--|#)"
            r"|;\s{0,9}(?:drop|delete|insert|update|alter|truncate)\s{1,9}"
            r"|\b(?:sleep|benchmark|pg_sleep|extractvalue|updatexml)\s{0,3}\("
            r"|\bwaitfor\s{1,9}delay\b|\binformation_schema\b|\bxp_cmdshell\b",
            re.IGNORECASE,
        ),
    ),
    (
        "probe_code",
        re.compile(
            r"<\s{0,3}(?:script|img|svg|iframe|body|object)\b|\bjavascript:|\bon(?:error|load|click|mouseover)\s{0,3}="
            r"|\$\{(?:jndi|env|sys|lower|upper|script|T\()|\{\{[^{}]{0,60}\}\}|<%[=@]|\#\{[^{}]{0,60}\}"
            r"|(?:\.\.[/\\]){2}|/etc/(?:passwd|shadow)\b|\bphp://|\bc:\\windows\b"
            r"|(?:;|\||`|\$\(|&&)\s{0,9}(?:cat|id|ls|whoami|uname|curl|wget|nc|bash|sh|ping|powershell)(?:\s|$|;|`|\))"
            r"|\x00|\(\)\s{0,3}\{",
            re.IGNORECASE,
        ),
    ),
    (
        "probe_ssrf",
        re.compile(
            r"^(?:(?:https?|ftp):)?//(?:[^/@]{0,80}@)?(?:localhost|127\.|0\.0\.0\.0|169\.254\.|10\.|192\.168\."
            r"|172\.(?:1[6-9]|2[0-9]|3[01])\.|\[::1?\]|\[::ffff:|\[f[cd]|metadata\.|2130706433|0x7f)"
            r"|^(?:file|gopher|dict|ldaps?|jar|netdoc):",
            re.IGNORECASE,
        ),
    ),
)

_METADATA = re.compile(r"169\.254\.169\.254|metadata\.google", re.IGNORECASE)


def probes_in(name: str, value: str) -> list[str]:
    """Flags for what a parameter's value tries: `probe_sql`, `probe_code`, `probe_ssrf`; none for nearly every value.

    A redirect address of an OAuth client may point at its own machine; only the metadata services count there.

    Args:
        name: of the parameter.
        value: after one percent-decoding, as a query string is parsed.
    """
    text = value[:MAX_LOOKED_AT]
    if _SUSPECT.search(text) is None:
        return []
    if "%" in text:
        text = unquote_plus(text)
    found = [flag for flag, pattern in _PATTERNS if pattern.search(text)]
    if "probe_ssrf" in found and name.endswith("redirect_uri") and _METADATA.search(text) is None:
        found.remove("probe_ssrf")
    return found
