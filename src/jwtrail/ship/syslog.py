"""Syslog (RFC 5424) by UDP, TCP or TLS, with the event as JSON or in ArcSight's Common Event Format.

Syslog has no receipt: what a receiver's buffers held when it died is lost. A receiver that must have everything reads a file
or an engine instead.
"""

import re
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from jwtrail import __version__
from jwtrail.clock import parse_iso
from jwtrail.errors import ConfigError
from jwtrail.ship.sink import Receipt, Refusal, SinkAway
from jwtrail.trail.documents import Document

__all__ = ["MAX_UDP", "SyslogSink", "cef_of", "cef_sink", "message_of", "syslog_sink"]

MAX_UDP = 65_000
"""Bytes of a datagram; larger ones cannot be sent (RFC 5426 section 3.2)."""

TIMEOUT_S = 10.0

FACILITY = 13
"""Log audit (RFC 5424 section 6.2.1)."""

_PORTS = {"": 514, "tcp": 601, "tls": 6514}
_LEVELS = {"critical": 2, "high": 3, "medium": 4, "low": 5, "informational": 6}
_CEF_LEVELS = {"critical": 10, "high": 8, "medium": 5, "low": 3, "informational": 1}
_PROOF = ("jwtrail.salt", "jwtrail.personal_commitment")

Format = Callable[[dict[str, Any]], str]


def syslog_sink(url: str, secret: str) -> "SyslogSink":  # noqa: ARG001  # every factory takes both
    """`syslog://HOST[:514]`, `syslog+tcp://HOST[:601]`, `syslog+tls://HOST[:6514]`: the event as JSON.

    Raises:
        ConfigError: the address is not of that form.
    """
    return _sink(url, _json)


def cef_sink(url: str, secret: str) -> "SyslogSink":  # noqa: ARG001
    """The same with `cef`: the event in CEF."""
    return _sink(url, cef_of)


def _sink(url: str, form: Format) -> "SyslogSink":
    parts = urlsplit(url)
    transport = parts.scheme.partition("+")[2]
    try:
        host, port = parts.hostname, parts.port or _PORTS[transport]
    except ValueError:
        host = None
    if not host or parts.path not in ("", "/") or parts.query or parts.username:
        raise ConfigError(
            "not the address of a receiver", where=parts.scheme, hint="syslog+tls://logs.example:6514"
        )
    return SyslogSink(transport, host, port, form, f"{parts.scheme}://{host}:{port}")


def _json(doc: dict[str, Any]) -> str:
    return msgspec.json.encode({name: value for name, value in doc.items() if name not in _PROOF}).decode()


def message_of(doc: dict[str, Any], form: Format = _json) -> bytes:
    """One syslog message (RFC 5424 section 6), without framing."""
    severity = _severity(doc)
    head = " ".join(
        (
            f"<{FACILITY * 8 + severity}>1",
            doc["@timestamp"],
            _name(doc.get("host.name"), 255),
            _name(doc.get("service.name"), 48),
            _name(doc.get("process.pid"), 128),
            _name(doc.get("event.action"), 32),
            "-",
        )
    )
    return f"{head} ".encode() + form(doc).encode()


def cef_of(doc: dict[str, Any]) -> str:
    """One event in the Common Event Format, version 0."""
    level = doc.get("jwtrail.alert.severity")
    severity = _CEF_LEVELS.get(level or "", 3 if doc.get("event.outcome") == "failure" else 1)
    source = str(doc.get("source.ip", ""))
    named = {
        "rt": str(parse_iso(doc["@timestamp"]) // 1000),
        "externalId": doc.get("event.id"),
        "outcome": doc.get("event.outcome"),
        "reason": doc.get("event.reason"),
        "dvchost": doc.get("host.name"),
        "app": doc.get("service.name"),
        "suid": doc.get("user.id"),
        "suser": doc.get("user.name"),
        "c6a2" if ":" in source else "src": source,
        "requestMethod": doc.get("http.request.method"),
        "request": doc.get("url.path"),
        "requestClientApplication": doc.get("user_agent.original"),
        "cn1": doc.get("http.response.status_code"),
        "cn2": doc.get("event.sequence"),
        "cs1": doc.get("jwt.jti"),
        "cs2": doc.get("jwtrail.alert.id"),
        "msg": doc.get("message"),
    }
    labels = {"cn1": "status", "cn2": "sequence", "cs1": "jti", "cs2": "alert"}
    given = {key: str(value) for key, value in named.items() if value not in (None, "")}
    given |= {f"{key}Label": label for key, label in labels.items() if key in given}
    action = str(doc.get("event.action", "event"))
    header = (
        "CEF:0",
        "jwtrail",
        "jwtrail",
        __version__,
        action,
        str(doc.get("rule.name", action)),
        str(severity),
    )
    extension = " ".join(f"{key}={_value(value)}" for key, value in given.items())
    return "|".join((*(_header(part) for part in header), extension))


def _severity(doc: dict[str, Any]) -> int:
    level = doc.get("jwtrail.alert.severity")
    if level in _LEVELS:
        return _LEVELS[level]
    return 5 if doc.get("event.outcome") == "failure" else 6


def _name(value: object, most: int) -> str:
    """PRINTUSASCII, or `-` for nothing (RFC 5424 section 6)."""
    text = re.sub(r"[^!-~]", "_", str(value))[:most] if value not in (None, "") else ""
    return text or "-"


def _header(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")


def _value(text: str) -> str:
    return text.replace("\\", "\\\\").replace("=", "\\=").replace("\n", "\\n").replace("\r", "\\r")


class SyslogSink:
    """Sends to one receiver; by TCP and TLS each message with its length in front (RFC 6587 section 3.4.1, RFC 5425).

    Args:
        transport: empty for UDP, `tcp` or `tls`.
        form: what stands behind the header.
        name: for people.
    """

    parallel = 1

    def __init__(self, transport: str, host: str, port: int, form: Format, name: str) -> None:
        self.name = name
        self._transport = transport
        self._place = (host, port)
        self._form = form
        self._socket: socket.socket | None = None

    def open(self) -> int:
        """See `Sink.open`.

        Raises:
            SinkAway: nobody takes the connection.
        """
        self._connected()
        return 0

    def send(self, documents: Sequence[Document], *, again: bool) -> Receipt:  # noqa: ARG002  # nobody can say what arrived
        """See `Sink.send`."""
        messages = [message_of(msgspec.json.decode(one.body), self._form) for one in documents]
        if self._transport:
            self._stream(b"".join(b"%d %b" % (len(one), one) for one in messages))
            return Receipt()
        refused = []
        for one, message in zip(documents, messages, strict=True):
            if len(message) > MAX_UDP:
                refused.append(
                    Refusal(one.sequence, one.id, f"{len(message)} bytes do not fit into a datagram")
                )
            else:
                self._stream(message)
        return Receipt(tuple(refused))

    def close(self) -> None:
        """See `Sink.close`."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _stream(self, data: bytes) -> None:
        try:
            self._connected().sendall(data)
        except OSError as error:
            self.close()
            raise SinkAway(f"cannot send: {error}", maybe_done=True, where=self.name) from error

    def _connected(self) -> socket.socket:
        if self._socket is None:
            try:
                self._socket = self._connect()
            except OSError as error:
                raise SinkAway(f"cannot connect: {error}", where=self.name) from error
        return self._socket

    def _connect(self) -> socket.socket:
        if not self._transport:
            family = socket.getaddrinfo(*self._place, type=socket.SOCK_DGRAM)[0][0]
            made = socket.socket(family, socket.SOCK_DGRAM)
            made.connect(self._place)
            return made
        plain = socket.create_connection(self._place, TIMEOUT_S)
        if self._transport == "tcp":
            return plain
        return ssl.create_default_context().wrap_socket(plain, server_hostname=self._place[0])
