"""The names that SigmaHQ's rules for web servers and proxies use, as fields of the catalogue.

The taxonomy is Sigma's (`webserver` and `proxy`, W3C extended log names). `cs-uri-query` holds a path in half of those
rules, so it means the whole request target. A target is looked at twice: as it was received, and as its decoded path.
None of these names is a field of the catalogue, so they are understood in every rule.
"""

from jwtrail.ecs.catalogue import resolve

__all__ = ["EXTENSION", "NOT_RECORDED", "SIGMAHQ", "fields_for"]

_TARGET = ("url.original", "url.path")

EXTENSION = "c-uri-extension"
"""What stands behind the last dot of the path; it has no field of its own."""

SIGMAHQ: dict[str, tuple[str, ...]] = {
    "c-ip": ("source.ip",),
    "c-uri": _TARGET,
    EXTENSION: ("url.path",),
    "c-uri-path": ("url.path",),
    "c-uri-query": ("url.query",),
    "c-uri-stem": ("url.path",),
    "c-useragent": ("user_agent.original",),
    "cs-bytes": ("http.request.bytes",),
    "cs-content-type": ("http.request.mime_type",),
    "cs-host": ("url.domain",),
    "cs-method": ("http.request.method",),
    "cs-referer": ("http.request.referrer",),
    "cs-referrer": ("http.request.referrer",),
    "cs-uri": _TARGET,
    "cs-uri-query": _TARGET,
    "cs-uri-scheme": ("url.scheme",),
    "cs-uri-stem": ("url.path",),
    "cs-user-agent": ("user_agent.original",),
    "cs-username": ("user.name",),
    "cs-version": ("http.version",),
    "r-dns": ("url.domain",),
    "sc-bytes": ("http.response.bytes",),
    "sc-content-type": ("http.response.mime_type",),
    "sc-status": ("http.response.status_code",),
    "src_ip": ("source.ip",),
    "time-taken": ("event.duration",),
}

NOT_RECORDED = frozenset({"cs-cookie", "dst_ip"})
"""Names that a rule may use though the trail holds nothing of the kind: cookies are secrets, and a server has one address.
Such a field is always missing, so a condition on it never holds."""


def fields_for(name: str) -> tuple[str, ...]:
    """The catalogue's names for this one, the most telling first; the name itself when it is not SigmaHQ's."""
    if resolve(name) is not None:
        return (name,)
    return SIGMAHQ.get(name.lower(), (name,))
