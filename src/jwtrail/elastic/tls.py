"""Whom an engine's certificate must come from: the system's authorities, a file of them, or one fingerprint."""

import hashlib
import socket
import ssl
from pathlib import Path
from typing import Any

from jwtrail.elastic.settings import EngineSettings
from jwtrail.errors import ConfigError, EngineAway

__all__ = ["tls_context"]


def tls_context(settings: EngineSettings, host: str, port: int, timeout_s: float) -> ssl.SSLContext:
    """What connections to a node are made with.

    A pinned certificate is fetched once and becomes the only authority, so that OpenSSL itself checks every connection
    against it; as with Elasticsearch's own clients the name is not checked then.

    Raises:
        ConfigError: `engine.ca_file` cannot be read.
        EngineAway: nobody in the server's chain has the fingerprint, or nobody answers.
    """
    if settings.pin:
        return _pinned(_certificate(settings.pin, host, port, timeout_s))
    if not settings.ca_file:
        return ssl.create_default_context()
    try:
        return ssl.create_default_context(cafile=str(Path(settings.ca_file).expanduser()))
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"no certificates can be read: {error}",
            where=f"engine.ca_file {settings.ca_file}",
            hint="PEM is wanted",
        ) from error


def _pinned(certificate: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= (
        ssl.VERIFY_X509_PARTIAL_CHAIN
    )  # the pin may be the server's own, signed by somebody
    context.load_verify_locations(cadata=certificate)
    return context


def _certificate(pin: str, host: str, port: int, timeout_s: float) -> bytes:
    """The certificate of the chain that has the fingerprint, in DER."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    where = f"https://{host}:{port}"
    try:
        with (
            socket.create_connection((host.strip("[]"), port), timeout_s) as plain,
            context.wrap_socket(plain, server_hostname=host.strip("[]")) as secure,
        ):
            chain = _chain(secure)
    except OSError as error:
        raise EngineAway(f"no TLS: {error}"[:200], maybe_done=False, where=where) from error
    for certificate in chain:
        if hashlib.sha256(certificate).hexdigest() == pin:
            return certificate
    raise EngineAway(
        "no certificate of its chain has the fingerprint",
        maybe_done=False,
        where=where,
        hint="the server was set up anew, or somebody stands in between: compare with engine.fingerprint",
    )


def _chain(secure: Any) -> list[bytes]:
    if hasattr(secure, "get_unverified_chain"):  # since Python 3.13
        return list(secure.get_unverified_chain())
    found = secure._sslobj.get_unverified_chain() or ()  # noqa: SLF001  # public only since 3.13
    return [ssl.PEM_cert_to_DER_cert(certificate.public_bytes()) for certificate in found]
