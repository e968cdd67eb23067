"""The client certificate as a TLS-terminating proxy tells of it (RFC 8705 section 3, RFC 9440)."""

import base64
import binascii
import re
from hashlib import sha256
from urllib.parse import unquote

from jwtrail.tokens import base64url

__all__ = ["MAX_CERTIFICATE_BYTES", "certificate_thumbprint"]

MAX_CERTIFICATE_BYTES = 32_768
"""Characters of the header that are read; a certificate with an RSA key of 4096 bits has 3,000."""

_HEX = re.compile(r"(?:[0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}")
_ENVOY = re.compile(r"(?:^|;)Hash=([0-9A-Fa-f]{64})(?:;|$)", re.IGNORECASE)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+"')
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)


def certificate_thumbprint(value: str) -> str:
    """`x5t#S256` of the certificate in a header; empty when there is none that can be read.

    Args:
        value: of the header, from a proxy that is trusted to have checked the certificate and to overwrite what clients send.
            Read are: RFC 9440 (`:base64:`), nginx (`$ssl_client_escaped_cert`), Envoy (`Hash=` of
            `X-Forwarded-Client-Cert`, the last element), Traefik and HAProxy (base64 of the DER), and a SHA-256 in hex.
    """
    value = value.strip()
    if not value or len(value) > MAX_CERTIFICATE_BYTES:
        return ""
    if _HEX.fullmatch(value):
        return base64url.encode(bytes.fromhex(value.replace(":", "")))
    # Names in quotes are the client's choice and could hold a `Hash=`. Of elements, the last one is our own proxy's.
    bare = _QUOTED.sub("", value)
    found = _ENVOY.search(bare.rpartition(",")[2].strip())
    if found is not None and '"' not in bare:
        return base64url.encode(bytes.fromhex(found[1]))
    der = _der(value)
    return base64url.encode(sha256(der).digest()) if der else ""


def _der(value: str) -> bytes:
    text = unquote(value)
    if (pem := _PEM.search(text)) is not None:
        text = pem[1]
    text = "".join(text.split()).strip(":")
    try:
        der = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
    return der if der[:1] == b"\x30" else b""  # every certificate is a DER SEQUENCE
