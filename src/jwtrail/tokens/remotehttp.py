"""Fetching a small public document from an address that somebody else chose: bounded in every direction.

The address is looked up once, judged, and connected to, so that a name cannot mean one host to the check and another to
the connection. Only imported when there are remote issuers.
"""

import http.client
import ipaddress
import socket
import ssl
from urllib.parse import urljoin, urlsplit

from msgspec import Struct

from jwtrail import clock
from jwtrail.errors import TokenError

__all__ = ["MAX_BYTES", "MAX_REDIRECTS", "TIMEOUT_S", "Document", "fetch"]

MAX_BYTES = 262_144
"""Of a document; a set of a hundred RSA keys has 60 KB."""

MAX_REDIRECTS = 3
TIMEOUT_S = 5.0
"""For everything together: look-up, connections, redirects and the last byte."""

_JSON = ("application/json", "application/jwk-set+json")
_REDIRECTS = (301, 302, 303, 307, 308)
_CHUNK = 16_384


class Document(Struct, frozen=True):
    """What came back.

    Args:
        max_age_s: of `Cache-Control` (RFC 9111 section 5.2.2.1); None when it does not say.
    """

    body: bytes
    max_age_s: int | None


def fetch(url: str, *, allow_private: bool = False, tls: ssl.SSLContext | None = None) -> Document:
    """GET a JSON document.

    Args:
        allow_private: also from private and loopback addresses, and over `http`.
        tls: instead of the system's trust.

    Raises:
        TokenError: `jwks_unavailable`, with what was wrong; never anything else.
    """
    end_ns = clock.monotonic_ns() + int(TIMEOUT_S * 1e9)
    try:
        for _ in range(MAX_REDIRECTS + 1):
            answer = _get(url, allow_private, tls, end_ns)
            if isinstance(answer, Document):
                return answer
            url = urljoin(url, answer)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _refused(url, f"{type(error).__name__}: {error}"[:200]) from error
    raise _refused(url, f"more than {MAX_REDIRECTS} redirects")


def _get(url: str, allow_private: bool, tls: ssl.SSLContext | None, end_ns: int) -> Document | str:
    """The document, or where it was redirected to."""
    parts = urlsplit(url)
    host = parts.hostname
    if not host or parts.username or parts.scheme not in ("https", "http"):
        raise _refused(url, "no https address")
    if parts.scheme == "http" and not allow_private:
        raise _refused(url, "keys over http could be anybody's")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    secure = (tls or ssl.create_default_context()) if parts.scheme == "https" else None
    connection = _Connection(host, port, _address(url, host, port, allow_private), secure, _left(end_ns))
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", target, headers={"Accept": ", ".join(_JSON), "Accept-Encoding": "identity"})
        answer = connection.getresponse()
        if answer.status in _REDIRECTS and (location := answer.headers.get("Location")):
            return location
        _check(url, answer)
        return Document(
            _body(url, connection, answer, end_ns), _max_age(answer.headers.get("Cache-Control", ""))
        )
    finally:
        connection.close()


class _Connection(http.client.HTTPConnection):
    """Connects to an address that was judged already; the name is used for TLS and `Host`."""

    def __init__(
        self, host: str, port: int, address: str, tls: ssl.SSLContext | None, timeout_s: float
    ) -> None:
        super().__init__(host, port, timeout=timeout_s)
        self.default_port = 443 if tls is not None else 80
        self._address = address
        self._tls = tls

    def connect(self) -> None:
        plain = socket.create_connection((self._address, self.port), self.timeout)
        try:
            self.sock = (
                plain if self._tls is None else self._tls.wrap_socket(plain, server_hostname=self.host)
            )
        except BaseException:
            plain.close()
            raise


def _address(url: str, host: str, port: int, allow_private: bool) -> str:
    """The first address of a name; all of them must be public, or none is used."""
    found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    for address in found:
        if not allow_private and not _is_public(address):
            raise _refused(url, "its name leads to a private address")
    return found[0]


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        # An address of IPv4 inside one of IPv6 is judged as what is reached in the end.
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if inner is not None:
            return inner.is_global and not inner.is_multicast
    return address.is_global and not address.is_multicast


def _check(url: str, answer: http.client.HTTPResponse) -> None:
    if answer.status != 200:
        raise _refused(url, f"status {answer.status}")
    kind = answer.headers.get_content_type()
    if kind not in _JSON and not kind.endswith("+json"):
        raise _refused(url, f"not JSON but {kind[:64]}")
    if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise _refused(url, "compressed, though it was asked not to be")


def _body(
    url: str, connection: http.client.HTTPConnection, answer: http.client.HTTPResponse, end_ns: int
) -> bytes:
    body = bytearray()
    while True:
        if connection.sock is not None:  # a slow answer must not get a new time-out with every byte
            connection.sock.settimeout(_left(end_ns))
        chunk = answer.read1(_CHUNK)
        if not chunk:
            if answer.length:
                raise _refused(url, "the answer ended early")
            return bytes(body)
        body += chunk
        if len(body) > MAX_BYTES:
            raise _refused(url, f"more than {MAX_BYTES} bytes")
        _left(end_ns)


def _left(end_ns: int) -> float:
    left = (end_ns - clock.monotonic_ns()) / 1e9
    if left <= 0:
        raise TimeoutError(f"no complete answer in {TIMEOUT_S} s")
    return left


def _max_age(value: str) -> int | None:
    for part in value.split(","):
        name, _, number = part.strip().lower().partition("=")
        if name in ("no-cache", "no-store"):
            return 0
        if (
            name == "max-age"
            and number.strip('"').isascii()
            and number.strip('"').isdigit()
            and len(number) < 12
        ):
            return int(number.strip('"'))
    return None


def _refused(url: str, why: str) -> TokenError:
    parts = urlsplit(url)
    # Without query: somebody may have put a secret there.
    where = f"{parts.scheme}://{parts.hostname or ''}{parts.path}"[:256]
    return TokenError("jwks_unavailable", why, where=where, hint="the keys that are known stay in use")
