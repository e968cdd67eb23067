"""One POST to an address that the operator set: bounded, without redirects, without proxies from the environment."""

import http.client
import io
import ipaddress
import socket
import ssl
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from jwtrail import clock
from jwtrail.errors import ConfigError, NotifyError

__all__ = ["MAX_ANSWER", "MAX_RETRY_AFTER_S", "checked_url", "post"]

MAX_ANSWER = 4096
"""Bytes of an answer that are read: enough to say what was wrong."""

MAX_RETRY_AFTER_S = 3600
"""Longest wait that a receiver can ask for."""

MAX_URL = 2048

_PART = 65_536
"""Bytes that are handed over between two looks at the time."""

_FINAL = frozenset({400, 401, 403, 404, 405, 406, 410, 411, 413, 414, 415, 422, 431, 501})
"""Statuses that the same request will get again. 408, 409, 425, 429 and 5xx pass."""


def checked_url(url: str, where: str) -> str:
    """The address, when something may be posted there.

    Raises:
        ConfigError: no https, a user in it, or http to another machine. The message never holds the address: it may be a
            secret.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise ConfigError(f"not an address: {error}", where=where) from None
    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url or not host:
        raise ConfigError("not an address", where=where, hint="https://host/path")
    if parts.username is not None or parts.fragment:
        raise ConfigError("no user name and no fragment in an address", where=where)
    if parts.scheme == "https" or (parts.scheme == "http" and _is_here(host)):
        return url
    raise ConfigError("only https, or http to this machine", where=where, hint="https://host/path")


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    timeout_s: float,
    tls: ssl.SSLContext | None = None,
) -> None:
    """Send it; returns when the answer is 2xx. A redirect is an error: nobody but the operator says where to.

    Args:
        timeout_s: for the whole of it: a receiver that takes or answers drop by drop gets no more.
        tls: instead of the system's trust.

    Raises:
        NotifyError: anything else, without the address, which may be a secret.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = tls or ssl.create_default_context()
        connection = http.client.HTTPSConnection(host, parts.port, timeout=timeout_s, context=context)
    else:
        connection = http.client.HTTPConnection(host, parts.port, timeout=timeout_s)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    end = _Deadline(timeout_s)
    connection.response_class = end.response  # type: ignore[assignment]  # whatever makes one will do
    try:
        sent = {"User-Agent": "jwtrail", "Content-Length": str(len(body)), **headers}
        connection.request("POST", target, end.parts(connection, body), sent)
        answer = connection.getresponse()
        said = answer.read(MAX_ANSWER)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NotifyError(f"{type(error).__name__}: {error}"[:200], where=host) from None
    finally:
        connection.close()
    if 200 <= answer.status < 300:
        return
    text = "".join(c if c.isprintable() else " " for c in said[:120].decode("latin-1")).strip()
    final = answer.status in _FINAL or 300 <= answer.status < 400
    raise NotifyError(
        f"status {answer.status}{': ' + text if text else ''}",
        where=host,
        final=final,
        retry_after_s=_retry_after(answer.headers.get("Retry-After", "")),
    )


class _Deadline:
    """The time that everything together may take: a socket's own timeout begins anew with each byte."""

    def __init__(self, seconds: float) -> None:
        self._end_ns = clock.monotonic_ns() + int(seconds * 1e9)

    def bound(self, sock: socket.socket) -> None:
        """Let the next call take no more than is left.

        Raises:
            TimeoutError: nothing is.
        """
        left = (self._end_ns - clock.monotonic_ns()) / 1e9
        if left <= 0:
            raise TimeoutError("it took too long")
        sock.settimeout(left)

    def parts(self, connection: http.client.HTTPConnection, body: bytes) -> Iterator[bytes]:
        """The body, piece by piece."""
        for start in range(0, len(body), _PART):
            self.bound(connection.sock)
            yield body[start : start + _PART]

    def response(self, sock: socket.socket, *args: Any, **more: Any) -> http.client.HTTPResponse:
        """The answer, read within the time; in the place of `HTTPConnection.response_class`."""
        answer = http.client.HTTPResponse(sock, *args, **more)
        answer.fp = io.BufferedReader(_Bounded(sock, answer.fp, self))
        return answer


class _Bounded(io.RawIOBase):
    """What comes from a socket until a deadline.

    Args:
        inner: what reads it, and keeps it open until the answer is closed.
    """

    def __init__(self, sock: socket.socket, inner: Any, deadline: _Deadline) -> None:
        self._sock = sock
        self._inner = inner
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._deadline.bound(self._sock)
        return int(self._inner.readinto1(buffer))

    def close(self) -> None:
        self._inner.close()
        super().close()


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _retry_after(value: str) -> int:
    """Seconds of `Retry-After` (RFC 9110 section 10.2.3); 0 for a date, which our own pause does as well."""
    text = value.strip()
    return min(int(text), MAX_RETRY_AFTER_S) if text.isascii() and text.isdigit() and len(text) < 10 else 0
