"""Facts of a request, read from bytes a client chose: never raises, always bounded."""

import ipaddress
import re
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from jwtrail.ecs.clean import FLAG_CUT, has_token, redact_query

__all__ = [
    "Credential",
    "Headers",
    "Networks",
    "Where",
    "credential_of",
    "object_of",
    "request_facts",
    "template_of",
    "trace_of",
    "where_from",
]

MAX_HOPS = 16
"""Addresses of `X-Forwarded-For` that are looked at; a chain of proxies is shorter, a flood is not worth reading."""

MAX_HEADERS = 2048
"""Request headers that are looked at. Far more than a server lets through, so that nobody can hide one behind junk."""

_USERINFO = re.compile(r"//[^/@]*+@")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Networks:
    """A list of networks to look an address up in."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = tuple(ipaddress.ip_network(network, strict=False) for network in networks)

    def __contains__(self, address: Address) -> bool:
        return any(address.version == network.version and address in network for network in self._networks)

    def __bool__(self) -> bool:
        return bool(self._networks)


class Headers:
    """Request headers by lower-case name; a name that came twice keeps every value, in order."""

    __slots__ = ("_values", "cut")

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self._values: dict[bytes, list[str]] = {}
        self.cut = False
        for number, (name, value) in enumerate(raw):
            if number == MAX_HEADERS:
                self.cut = True
                break
            self._values.setdefault(name.lower(), []).append(value.decode("utf-8", "replace"))

    def get(self, name: bytes) -> str | None:
        """The first value."""
        values = self._values.get(name)
        return values[0] if values else None

    def all(self, name: bytes) -> list[str]:
        """Every value, in order."""
        return self._values.get(name, [])


class Where(Struct, frozen=True):
    """Where a request came from: the address that counts, and the peer that forwarded it if another did.

    Args:
        spoofed: a peer that is not trusted sent `X-Forwarded-For`.
        proxied: the peer is a trusted proxy, whose headers are believed.
    """

    ip: str | None = None
    port: int | None = None
    forwarded_by: str | None = None
    spoofed: bool = False
    proxied: bool = False


def where_from(client: tuple[str, int] | None, headers: Headers, trusted: Networks) -> Where:
    """The client's address: walks `X-Forwarded-For` from the right while the hop is a trusted proxy.

    A header from a peer that is not trusted is not believed, and `spoofed` says that there was one.
    """
    forwarded = headers.all(b"x-forwarded-for")
    peer = _address(client[0]) if client else None
    if client and client[1] == 0 and forwarded:
        # The server has read the header already (uvicorn does, for loopback, and marks it by port 0): its setting decides.
        return Where(str(peer) if peer else None)
    if peer is None or peer not in trusted:
        return Where(str(peer) if peer else None, client[1] if client else None, spoofed=bool(forwarded))
    hops = ",".join(forwarded).rsplit(",", MAX_HOPS)[-MAX_HOPS:] if forwarded else []
    derived = peer
    for hop in reversed(hops):
        address = _address(hop.strip())
        if address is None:
            break
        derived = address
        if address not in trusted:
            break
    return Where(
        str(derived),
        None if derived != peer else client[1] if client else None,
        str(peer) if derived != peer else None,
        proxied=True,
    )


def _address(text: str) -> Address | None:
    if text.startswith("["):  # [2001:db8::1]:443
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:  # 192.0.2.1:443
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


class Credential(Struct, frozen=True):
    """What `Authorization` holds.

    Args:
        token: None when there is none of a scheme that is known here.
        scheme: `bearer` (RFC 6750 section 2.1), `dpop` (RFC 9449 section 7.1), or `cookie`.
        several: more than one credential came.
        in_query: the only token came in the URL (RFC 6750 section 2.3), where it does not count.
    """

    token: str | None = None
    scheme: str = "bearer"
    several: bool = False
    in_query: bool = False


def credential_of(headers: Headers) -> Credential:
    """The first credential; others are only told of."""
    values = headers.all(b"authorization")
    if not values:
        return _NO_CREDENTIAL
    scheme, _, token = values[0].strip().partition(" ")
    scheme = scheme.lower()
    if scheme not in ("bearer", "dpop"):
        return Credential(several=len(values) > 1)
    return Credential(token.strip(), scheme, len(values) > 1)


_NO_CREDENTIAL = Credential()


def trace_of(headers: Headers) -> tuple[str | None, str | None]:
    """Trace id and parent span id of `traceparent` (W3C Trace Context section 3.2)."""
    found = _TRACEPARENT.fullmatch(headers.get(b"traceparent") or "")
    return (found[1], found[2]) if found else (None, None)


def template_of(scope: dict[str, Any], root_before: str) -> str | None:
    """The route template; what mounts added to `root_path` stands in front of the inner template."""
    path = getattr(scope.get("route"), "path", None)
    if not isinstance(path, str):
        return None
    mounted = str(scope.get("root_path", "")).removeprefix(root_before)
    return mounted + path


def object_of(template: str | None, params: dict[str, Any] | None) -> tuple[str | None, str | None]:
    """What was touched, by the usual shape `/orders/{id}`: the last path parameter, and the word in front of it."""
    if not template or not params:
        return None, None
    parts = template.split("/")
    for position in range(len(parts) - 1, -1, -1):
        part = parts[position]
        if part.startswith("{") and part.endswith("}"):
            name = part[1:-1].partition(":")[0]
            if name in params:
                before = [word for word in parts[:position] if word and not word.startswith("{")]
                return str(params[name]), before[-1] if before else None
    return None, None


def request_facts(
    scope: dict[str, Any], headers: Headers, query_allow: frozenset[str], flags: set[str]
) -> dict[str, Any]:
    """The fields of an event that are known when a request begins."""
    path = scope.get("path", "")
    query = redact_query(scope.get("query_string", b"").decode("utf-8", "replace"), query_allow, flags)
    raw = scope.get("raw_path")
    original = raw.decode("utf-8", "replace") if raw else path
    if "%" in original and has_token(original):  # encoded, it would not be seen as one
        original = path
    referrer = headers.get(b"referer")
    trace, span = trace_of(headers)
    length = headers.get(b"content-length")
    if len(headers.all(b"content-length")) > 1:
        flags.add("duplicate_length")
    if length and headers.get(b"transfer-encoding"):
        flags.add("te_cl")
    if headers.cut:
        flags.add(FLAG_CUT)
    if headers.get(b"x-http-method-override"):
        flags.add("method_override")
    return {
        "http_request_method": scope.get("method", "GET"),
        "http_version": scope.get("http_version"),
        "http_request_mime_type": (headers.get(b"content-type") or "").partition(";")[0].strip() or None,
        "http_request_bytes": int(length)
        if length and length.isascii() and length.isdigit() and len(length) < 16
        else None,
        "http_request_referrer": _without_query(referrer, query_allow, flags) if referrer else None,
        "url_path": path,
        "url_original": f"{original}{'?' + query if query else ''}",
        "url_query": query or None,
        "url_scheme": scope.get("scheme"),
        "url_domain": (headers.get(b"host") or "").rpartition("@")[2] or None,
        "user_agent_original": headers.get(b"user-agent"),
        "trace_id": trace,
        "span_id": span,
    }


def _without_query(url: str, query_allow: frozenset[str], flags: set[str]) -> str:
    base, _, query = url.partition("#")[0].partition("?")
    base = _USERINFO.sub("//", base)
    if "%" in base and has_token(base):
        base = "[jwt]"
    return f"{base}?{redact_query(query, query_allow, flags)}" if query else base
