"""Where an engine is: `elasticsearch://host:9200`, `opensearch+http://127.0.0.1:9200`, `https://es.example/prefix`."""

import ipaddress
import re
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct

from jwtrail.errors import ConfigError

__all__ = ["MAX_NODES", "Address", "Flavour", "address_of", "is_engine_url"]

Flavour = Literal["opensearch", "elasticsearch"]

MAX_NODES = 32
"""Nodes that one address may name; a cluster has a load balancer long before."""

_SCHEMES: dict[str, tuple[Flavour | None, str, int]] = {
    "elasticsearch": ("elasticsearch", "https", 9200),
    "elasticsearch+https": ("elasticsearch", "https", 9200),
    "elasticsearch+http": ("elasticsearch", "http", 9200),
    "opensearch": ("opensearch", "https", 9200),
    "opensearch+https": ("opensearch", "https", 9200),
    "opensearch+http": ("opensearch", "http", 9200),
    "https": (None, "https", 443),
    "http": (None, "http", 80),
}
_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")
_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*/?")


class Address(Struct, frozen=True):
    """One cluster.

    Args:
        flavour: what the scheme says; None where it says nothing and the server is asked.
        scheme: `http` or `https`.
        nodes: host and port of each node.
        prefix: path in front of every request, without a slash at its end.
    """

    flavour: Flavour | None
    scheme: str
    nodes: tuple[tuple[str, int], ...]
    prefix: str

    @property
    def is_loopback(self) -> bool:
        """Whether nothing leaves this machine."""
        return all(_loopback(host) for host, _ in self.nodes)

    def __str__(self) -> str:
        scheme = f"{self.flavour}+{self.scheme}" if self.flavour else self.scheme
        return f"{scheme}://{','.join(f'{host}:{port}' for host, port in self.nodes)}{self.prefix}"


def is_engine_url(text: str) -> bool:
    """Whether a text names an engine by its scheme, and not a directory."""
    return text.partition("://")[0].lower() in _SCHEMES and "://" in text


def address_of(url: str) -> Address:
    """Read an address; several nodes of one cluster are written with commas.

    Raises:
        ConfigError: no known scheme, a host that is none, or credentials, query or fragment in the URL.
    """
    scheme, mark, rest = url.strip().partition("://")
    known = _SCHEMES.get(scheme.lower())
    if not mark or known is None:
        raise ConfigError(
            "not the address of an engine",
            where=_shown(url),
            hint="elasticsearch://host:9200, opensearch://host:9200, or +http behind either name for plain HTTP",
        )
    flavour, wire, port = known
    authority, slash, path = rest.partition("/")
    if "@" in authority:
        raise ConfigError(
            "credentials do not belong into an address: it ends in logs and lists of processes",
            where=f"{scheme}://…",
            hint="set engine.user and engine.password_file, or engine.api_key_file",
        )
    path = slash + path
    if not _PATH.fullmatch(path):
        raise ConfigError("an engine's address has no query and no fragment", where=f"{scheme}://{authority}")
    names = authority.split(",")
    if len(names) > MAX_NODES:
        raise ConfigError(f"more than {MAX_NODES} nodes", where=f"{scheme}://…", hint="name a few of them")
    return Address(flavour, wire, tuple(_node(name, port, scheme) for name in names), path.rstrip("/"))


def _node(text: str, default: int, scheme: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname or "", parts.port or default
    except ValueError:
        host, port = "", 0
    shown = f"[{host}]" if ":" in host else host
    if not _HOST.fullmatch(shown) or parts.netloc != text:
        raise ConfigError(
            f"{text!r} is no host and port", where=f"{scheme}://…", hint=f"{scheme}://host:9200"
        )
    return shown, port


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _shown(url: str) -> str:
    """What may be shown of a text that is no address: nothing that could be a password."""
    return url if re.fullmatch(r"[\w./:-]{1,128}", url) else "address"
