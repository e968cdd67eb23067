"""URLs as DPoP compares them: normalised, without query and fragment (RFC 9449 section 4.3, RFC 3986 section 6.2)."""

import re
from urllib.parse import urlsplit

__all__ = ["normal_url"]

_PORTS = {"http": 80, "https": 443}
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\]")


def normal_url(url: str) -> str | None:
    """Scheme and host in lower case, no default port, one spelling of escapes, no dot segments; None when it is no
    absolute `http` or `https` URL of a host.
    """
    if _FORBIDDEN.search(url):
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    scheme = parts.scheme.lower()
    if scheme not in _PORTS or not host or "@" in parts.netloc:
        return None
    if ":" in host:  # an IPv6 address, which `hostname` has taken out of its brackets
        host = f"[{host}]"
    where = host if port in (None, _PORTS[scheme]) else f"{host}:{port}"
    return f"{scheme}://{where}{_without_dots(_ESCAPE.sub(_spelled, parts.path))}"


def _spelled(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    return character if _UNRESERVED.fullmatch(character) else escape[0].upper()


def _without_dots(path: str) -> str:
    """RFC 3986 section 5.2.4, for a path that begins with a slash or is empty."""
    kept: list[str] = []
    segments = path.split("/")[1:] or [""]
    for number, segment in enumerate(segments):
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
        if segment in (".", "..") and number == len(segments) - 1:
            kept.append("")
    return "/" + "/".join(kept)
