"""Real engines that ask who you are: users, roles and TLS.

OpenSearch has its security plugin from Maven Central; for releases 3 it wants others that are not there, 2.19 is the last that
runs. The minimal Elasticsearch has security built in but lacks what its index of users needs: its users and roles are files.
"""

import base64
import datetime as dt
import ipaddress
import json
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from elasticsearch_server import ELASTICSEARCH
from engine_server import Client, Distribution, Server, server_of, unpack

from jwtrail import clock
from jwtrail.elastic.roles import ROLES, xpack_role

__all__ = ["CA", "PASSWORD", "USERS", "Secured", "serving"]

PASSWORD = "Of-one-test-0nly!"
USERS = {"shipper": "writer", "ada": "reader", "eve": "keeper"}
"""Who has which role."""

CA = "config/node.pem"
"""The certificate of a server, which has signed itself, in its directory."""

_PLUGIN = "opensearch-security"


@dataclass(frozen=True)
class Secured(Distribution):
    """One that wants TLS and a password.

    Args:
        admin: may do everything; each server listens on loopback, for one test.
    """

    admin: tuple[str, str] = ("admin", PASSWORD)

    def client(self, port: int, who: tuple[str, str] | None = None) -> Client:
        trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # tests of jwtrail's own trust are elsewhere
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        token = base64.b64encode(":".join(who or self.admin).encode()).decode()
        return Client(port, {"authorization": f"Basic {token}"}, trusting)

    def url(self, port: int) -> str:
        return f"{self.name}://127.0.0.1:{port}"

    def prepare(self, config: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        (config / "node.pem").write_bytes(_certificate(key).public_bytes(serialization.Encoding.PEM))
        (config / "node.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )


@dataclass(frozen=True)
class _OpenSearch(Secured):
    def home(self) -> Path:
        home = super().home()
        plugin = home / "plugins" / _PLUGIN
        if not plugin.exists():
            fresh = home / f"{_PLUGIN}-fresh"
            shutil.rmtree(fresh, ignore_errors=True)
            unpack(f"org.opensearch.plugin:{_PLUGIN}:{self.version}.0:zip", fresh)
            fresh.rename(plugin)
        return home

    def prepare(self, config: Path) -> None:
        super().prepare(config)
        shutil.copytree(self.home() / "plugins" / _PLUGIN / "config", config / _PLUGIN)


@dataclass(frozen=True)
class _Elasticsearch(Secured):
    def prepare(self, config: Path) -> None:
        super().prepare(config)
        roles = "".join(f"{role.name}: {json.dumps(xpack_role(role))}\n" for role in ROLES)
        (config / "roles.yml").write_text(roles)  # JSON is YAML
        subprocess.run(
            [self.home() / "bin/elasticsearch-users", "useradd", "admin", "-p", PASSWORD, "-r", "superuser"],
            env={"ES_PATH_CONF": str(config), "ES_JAVA_HOME": str(self.java()), "PATH": "/usr/bin:/bin"},
            check=True,
            capture_output=True,
        )
        # One start of a JVM is enough: all have the same password, and so the same hash.
        _, _, hashed = (config / "users").read_text().strip().partition(":")
        names = ("admin", *USERS)
        (config / "users").write_text("".join(f"{name}:{hashed}\n" for name in names))
        lines = [f"jwtrail_{role}:{user}\n" for user, role in USERS.items()]
        (config / "users_roles").write_text("".join(("superuser:admin\n", *lines)))


def _certificate(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "node")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    now = dt.datetime.fromtimestamp(clock.now_us() / 1e6, dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )


def _tls(layer: str) -> tuple[str, ...]:
    files = {
        "pemcert_filepath": "node.pem",
        "pemkey_filepath": "node.key",
        "pemtrustedcas_filepath": "node.pem",
    }
    return tuple(f"plugins.security.ssl.{layer}.{name}: {file}" for name, file in files.items())


_SERVERS: dict[str, Secured] = {
    "opensearch": _OpenSearch(
        name="opensearch",
        version="2.19.4",
        group="org.opensearch.distribution.integ-test-zip",
        prefix="OPENSEARCH",
        min_java=17,
        max_java=23,
        admin=("admin", "admin"),  # the plugin's own example
        settings=(
            "plugins.security.allow_default_init_securityindex: true",
            'plugins.security.restapi.roles_enabled: ["all_access"]',
            "plugins.security.ssl.transport.enforce_hostname_verification: false",
            "plugins.security.ssl.http.enabled: true",
            *_tls("transport"),
            *_tls("http"),
        ),
    ),
    "elasticsearch": _Elasticsearch(
        name="elasticsearch",
        version=ELASTICSEARCH.version,
        group=ELASTICSEARCH.group,
        prefix=ELASTICSEARCH.prefix,
        min_java=ELASTICSEARCH.min_java,
        settings=(
            "xpack.security.enabled: true",
            "xpack.security.autoconfiguration.enabled: false",
            "xpack.security.transport.ssl.enabled: false",
            "xpack.security.http.ssl.enabled: true",
            "xpack.security.http.ssl.key: node.key",
            "xpack.security.http.ssl.certificate: node.pem",
        ),
    ),
}


@contextmanager
def serving(name: str) -> Iterator[Server]:
    """The server; see `engine_server.server_of`."""
    with server_of(_SERVERS[name]) as server:
        yield server
