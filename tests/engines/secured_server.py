"""A real OpenSearch with the security plugin: users, roles and TLS.

Of releases 3 the plugin wants others that Maven Central does not have; 2.19 is the last that runs.
"""

import base64
import datetime as dt
import ipaddress
import shutil
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from engine_server import Client, Distribution, Server, server_of, unpack

from jwtrail import clock

__all__ = ["ADMIN", "serving"]

ADMIN = ("admin", "admin")
"""The user that the plugin's own example has; this server listens on loopback, for one test."""

_PLUGIN = "opensearch-security"


@dataclass(frozen=True)
class _Secured(Distribution):
    def home(self) -> Path:
        home = super().home()
        plugin = home / "plugins" / _PLUGIN
        if not plugin.exists():
            fresh = home / f"{_PLUGIN}-fresh"
            shutil.rmtree(fresh, ignore_errors=True)
            unpack(f"org.opensearch.plugin:{_PLUGIN}:{self.version}.0:zip", fresh)
            fresh.rename(plugin)
        return home

    def client(self, port: int, who: tuple[str, str] = ADMIN) -> Client:
        trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # tests of jwtrail's own trust are elsewhere
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        token = base64.b64encode(":".join(who).encode()).decode()
        return Client(port, {"authorization": f"Basic {token}"}, trusting)

    def url(self, port: int) -> str:
        return f"{self.name}://127.0.0.1:{port}"

    def prepare(self, config: Path) -> None:
        shutil.copytree(self.home() / "plugins" / _PLUGIN / "config", config / _PLUGIN)
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "node")])
        now = dt.datetime.fromtimestamp(clock.now_us() / 1e6, dt.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
                critical=False,
            )
            .sign(key, hashes.SHA256())
        )
        (config / "node.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (config / "node.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )


def _tls(layer: str) -> tuple[str, ...]:
    files = {
        "pemcert_filepath": "node.pem",
        "pemkey_filepath": "node.key",
        "pemtrustedcas_filepath": "node.pem",
    }
    return tuple(f"plugins.security.ssl.{layer}.{name}: {file}" for name, file in files.items())


SECURED = _Secured(
    name="opensearch",
    version="2.19.4",
    group="org.opensearch.distribution.integ-test-zip",
    prefix="OPENSEARCH",
    min_java=17,
    max_java=23,
    settings=(
        "plugins.security.allow_default_init_securityindex: true",
        'plugins.security.restapi.roles_enabled: ["all_access"]',
        "plugins.security.ssl.transport.enforce_hostname_verification: false",
        "plugins.security.ssl.http.enabled: true",
        *_tls("transport"),
        *_tls("http"),
    ),
)


@contextmanager
def serving() -> Iterator[Server]:
    """The server; see `engine_server.server_of`."""
    with server_of(SECURED) as server:
        yield server


if __name__ == "__main__":  # a server to try things on, until its standard input ends
    with serving() as made:
        print(made.port, flush=True)
        sys.stdin.read()
