"""Facts of a request, read from bytes a client chose: never raises, always bounded."""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any

from msgspec import Struct

from jwtrail.ecs.clean import FLAG_CUT, redact_query
from jwtrail.ecs.cleantoken import has_token

__all__ = [
    "UNIX",
    "Credential",
    "Headers",
    "Networks",
    "Where",
    "credential_of",
    "object_of",
    "seldom_facts",
    "target_of",
    "template_of",
    "trace_of",
    "where_from",
]

UNIX = "unix"
"""Among trusted proxies: whoever comes over a Unix socket, which only this machine's file permissions let in."""

MAX_HOPS = 16
"""Addresses of `X-Forwarded-For` that are looked at; a chain of proxies is shorter, a flood is not worth reading."""

MAX_HEADERS = 16_384
"""Request headers that are looked at: as many as the 64 KiB hold that servers take, so that nobody can hide one behind junk."""

MAX_ADDRESS = 64
"""Characters of an address that is remembered; the longest in any form has 58 (IPv6 in brackets, zone, port)."""

MAX_TEMPLATE = 256
"""Characters of a route template that is remembered. Under a mount with a parameter, clients choose a part of it."""

_USERINFO = re.compile(r"//[^/@]*+@")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Networks:
    """A list of networks to look an address up in. The word `unix` stands for peers that have none: a Unix socket."""

    def __init__(self, networks: Iterable[str]) -> None:
        named = set(networks)
        self._unix = UNIX in named
        self._networks = tuple(ipaddress.ip_network(network, strict=False) for network in named - {UNIX})

    def __contains__(self, address: Address | None) -> bool:
        if address is None:
            return self._unix
        if not self._networks:  # usual, and asked at every request
            return False
        return any(address.version == network.version and address in network for network in self._networks)

    def __bool__(self) -> bool:
        return self._unix or bool(self._networks)


class Headers:
    """Request headers by lower-case name; a name that came twice keeps every value, in order. Decoded when asked for."""

    __slots__ = ("_more", "_values", "cut")

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        pairs = list(islice(raw, MAX_HEADERS + 1))
        self.cut = len(pairs) > MAX_HEADERS
        self._values = dict(pairs)
        self._more: dict[bytes, list[bytes]] = {}
        names = b"".join(self._values)
        if len(self._values) != len(pairs) or names != names.lower():
            self._tell_apart(pairs[:MAX_HEADERS])

    def _tell_apart(self, pairs: list[tuple[bytes, bytes]]) -> None:
        """Several values of one name, or names that a server did not write in lower case."""
        for name, value in pairs:
            self._more.setdefault(name.lower(), []).append(value)
        self._values = {name: values[0] for name, values in self._more.items()}

    def get(self, name: bytes) -> str | None:
        """The first value."""
        value = self._values.get(name)
        return None if value is None else value.decode("utf-8", "replace")

    def all(self, name: bytes) -> list[str]:
        """Every value, in order."""
        if self._more:
            return [value.decode("utf-8", "replace") for value in self._more.get(name, ())]
        value = self._values.get(name)
        return [] if value is None else [value.decode("utf-8", "replace")]

    def has_none_of(self, names: frozenset[bytes]) -> bool:
        """Whether none of these came."""
        return names.isdisjoint(self._values)


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


def where_from(client: tuple[str, int | None] | None, headers: Headers, trusted: Networks) -> Where:
    """The client's address: walks `X-Forwarded-For` from the right while the hop is a trusted proxy.

    A header from a peer that is not trusted is not believed, and `spoofed` says that there was one.
    """
    forwarded = headers.all(b"x-forwarded-for")
    peer = _address(client[0]) if client else None
    name = _text_of(peer) if peer else None
    if client and client[1] == 0 and forwarded:
        # The server has read the header already (uvicorn does, for loopback, and marks it by port 0): its setting decides.
        return Where(name)
    if peer not in trusted:
        return Where(name, client[1] if client else None, spoofed=bool(forwarded))
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
        _text_of(derived) if derived else None,
        None if derived != peer else client[1] if client else None,
        name if derived != peer else None,
        proxied=True,
    )


_text_of = lru_cache(maxsize=1024)(str)


def _address(text: str) -> Address | None:
    return _short_address(text) if len(text) <= MAX_ADDRESS else _read_address(text)


def _read_address(text: str) -> Address | None:
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


_short_address = lru_cache(maxsize=1024)(_read_address)  # clients come back, and proxies are few


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
    value = values[0]
    if value.startswith("Bearer ey") and len(values) == 1 and "," not in value:
        return Credential(value[7:].rstrip())
    scheme, _, token = value.strip().partition(" ")
    scheme = scheme.lower()
    if scheme not in ("bearer", "dpop"):
        return Credential(several=len(values) > 1)
    # No token has a comma (RFC 6750 section 2.1): WSGI servers and proxies join two headers of one name by it.
    return Credential(token.strip(), scheme, len(values) > 1 or "," in token)


_NO_CREDENTIAL = Credential()


def trace_of(headers: Headers) -> tuple[str | None, str | None]:
    """Trace id and parent span id of `traceparent` (W3C Trace Context section 3.2)."""
    found = _TRACEPARENT.fullmatch(headers.get(b"traceparent") or "")
    return (found[1], found[2]) if found else (None, None)


def template_of(scope: Mapping[str, Any], root_before: str) -> str | None:
    """The route template; what mounts added to `root_path` stands in front of the inner template."""
    path = getattr(scope.get("route"), "path", None)
    if not isinstance(path, str):
        return None
    mounted = str(scope.get("root_path", "")).removeprefix(root_before)
    return mounted + path


def object_of(template: str | None, params: Mapping[str, Any] | None) -> tuple[str | None, str | None]:
    """What was touched, by the usual shape `/orders/{id}`: the last path parameter, and the word in front of it."""
    if not template or not params:
        return None, None
    parameters = _parameters_of_route if len(template) <= MAX_TEMPLATE else _read_parameters
    for name, kind in parameters(template):
        if name in params:
            return str(params[name]), kind
    return None, None


def _read_parameters(template: str) -> tuple[tuple[str, str | None], ...]:
    """The parameters of a template from the last to the first, each with the word in front of it."""
    found: list[tuple[str, str | None]] = []
    word = None
    for part in filter(None, template.split("/")):
        if part.startswith("{"):
            if part.endswith("}"):
                found.append((part[1:-1].partition(":")[0], word))
        else:
            word = part
    return tuple(reversed(found))


_parameters_of_route = lru_cache(maxsize=1024)(_read_parameters)


def target_of(
    scope: Mapping[str, Any], query_allow: frozenset[str], flags: set[str]
) -> tuple[str, str, str | None]:
    """Path, request target and query of a request; the last two without what may be a secret."""
    path = scope.get("path", "")
    raw = scope.get("raw_path")
    original = raw.decode("utf-8", "replace") if raw else path
    if "%" in original and has_token(original):  # the path, decoded, still says where it was asked for
        original = path
    if not scope.get("query_string"):
        return path, original, None
    query = redact_query(scope["query_string"].decode("utf-8", "replace"), query_allow, flags)
    return path, f"{original}?{query}" if query else original, query or None


_SELDOM = frozenset(
    {
        b"content-length",
        b"content-type",
        b"referer",
        b"traceparent",
        b"transfer-encoding",
        b"x-http-method-override",
    }
)


def seldom_facts(headers: Headers, query_allow: frozenset[str], flags: set[str]) -> dict[str, Any]:
    """The fields of an event that come from headers which most requests lack."""
    if headers.cut:
        flags.add(FLAG_CUT)
    if headers.has_none_of(_SELDOM):
        return {}
    referrer = headers.get(b"referer")
    trace, span = trace_of(headers)
    length = headers.get(b"content-length")
    if len(headers.all(b"content-length")) > 1:
        flags.add("duplicate_length")
    if length and headers.get(b"transfer-encoding"):
        flags.add("te_cl")
    if headers.get(b"x-http-method-override"):
        flags.add("method_override")
    return {
        "http_request_mime_type": (headers.get(b"content-type") or "").partition(";")[0].strip() or None,
        "http_request_bytes": int(length)
        if length and length.isascii() and length.isdigit() and len(length) < 16
        else None,
        "http_request_referrer": _without_query(referrer, query_allow, flags) if referrer else None,
        "trace_id": trace,
        "span_id": span,
    }


def _without_query(url: str, query_allow: frozenset[str], flags: set[str]) -> str:
    base, _, query = url.partition("#")[0].partition("?")
    base = _USERINFO.sub("//", base)
    return f"{base}?{redact_query(query, query_allow, flags)}" if query else base
