"""What answers at an address, and what it can do: asked, never guessed from a version.

A build may lack what its version has (lifecycle policies, security, whole field types), and a role may forbid to look.
"""

import re
from collections.abc import Callable
from typing import Any, Literal

from msgspec import Struct

from jwtrail.elastic.address import Flavour
from jwtrail.elastic.answer import Answer
from jwtrail.elastic.template import analysis
from jwtrail.errors import EngineError

__all__ = ["Features", "Product", "probe", "recognise"]

Request = Callable[..., Answer]
"""`Engine.request`."""

OLDEST: dict[Flavour, tuple[int, int, int]] = {"elasticsearch": (7, 10, 0), "opensearch": (1, 0, 0)}
"""Composable templates and data streams exist from here on."""

Pit = Literal["/_pit", "/_search/point_in_time"]
Roles = Literal["/_security/role", "/_plugins/_security/api/roles"]
Flat = Literal["flattened", "flat_object"]

_NOBODY = "jwtrail-no-such-index"
_ASKED = (400, 401, 403, 404, 405, 406, 410, 500, 501)
"""Statuses that say something about what was asked for; any other is a failure."""


class Product(Struct, frozen=True):
    """Which engine it is; version 0.0.0 where it does not say (serverless collections)."""

    flavour: Flavour
    version: tuple[int, int, int]

    def __str__(self) -> str:
        name = "OpenSearch" if self.flavour == "opensearch" else "Elasticsearch"
        return f"{name} {'.'.join(map(str, self.version))}" if any(self.version) else name


class Features(Struct, frozen=True):
    """What the engine can do.

    Args:
        data_streams: data streams have their own API; without it they are still made by the first document.
        lifecycle: which kind of policy rolls over and deletes.
        pit: path of a point in time behind the index name; empty without.
        security: which API makes roles.
        wildcard: fields of type `wildcard`; `keyword` serves without.
        flat: the type of a field whose keys are not known; empty without.
        words: texts can be cut into words as the embedded store does.
        hidden: names of those above that this user may not ask about; they are taken for missing.
    """

    data_streams: bool
    lifecycle: Literal["ilm", "ism", ""]
    pit: Pit | Literal[""]
    security: Roles | Literal[""]
    wildcard: bool
    flat: Flat | Literal[""]
    words: bool
    hidden: tuple[str, ...] = ()


class _Names(Struct, frozen=True):
    """What one engine calls a thing."""

    lifecycle: Literal["ilm", "ism"]
    policies: str
    roles: Roles
    pit: Pit
    flat: Flat


_NAMES: dict[Flavour, _Names] = {
    "elasticsearch": _Names("ilm", "/_ilm/policy", "/_security/role", "/_pit", "flattened"),
    "opensearch": _Names(
        "ism",
        "/_plugins/_ism/policies",
        "/_plugins/_security/api/roles",
        "/_search/point_in_time",
        "flat_object",
    ),
}


def recognise(request: Request, said: Flavour | None) -> Product:
    """Flavour and version.

    Args:
        said: what the address says; it must agree, and is believed where the server says nothing.

    Raises:
        EngineError: it is neither, too old, or not what the address says.
    """
    first = request("GET", "/", allow=_ASKED)
    if first.status == 401:
        request("GET", "/")  # refused again, in the engine's words
    product = _introduced(first) or _by_nodes(request, first)
    if product is None:
        if said is None:
            raise EngineError(
                "neither Elasticsearch nor OpenSearch answers here",
                status=first.status,
                hint="write elasticsearch:// or opensearch:// if a proxy hides which it is",
            )
        return Product(said, (0, 0, 0))
    if said not in (None, product.flavour):
        raise EngineError(f"{product} answers, not {said}", hint=f"write {product.flavour}:// in its address")
    if any(product.version) and product.version < OLDEST[product.flavour]:
        oldest = Product(product.flavour, OLDEST[product.flavour])
        raise EngineError(f"{product} is too old", hint=f"{oldest} or later is needed")
    return product


def probe(request: Request, product: Product) -> Features:
    """Ask for each feature; nothing is made or changed."""
    names = _NAMES[product.flavour]
    hidden: list[str] = []

    def has(name: str, method: str, path: str, body: Any = None) -> bool:
        answer = request(method, path, body=body, allow=_ASKED, safe=True)
        if answer.status in (401, 403):
            hidden.append(name)
            return False
        return answer.status < 400 or (answer.status == 404 and not _unrouted(answer))

    def takes(name: str, template: dict[str, Any]) -> bool:
        # Composes a template without keeping it.
        body = {"index_patterns": [f"{_NOBODY}-*"], "priority": 499, "template": template}
        return has(name, "POST", "/_index_template/_simulate", body)

    def maps(kind: str) -> dict[str, Any]:
        return {"mappings": {"properties": {"probe": {"type": kind}}}}

    return Features(
        data_streams=has("data_streams", "GET", f"/_data_stream/{_NOBODY}"),
        lifecycle=names.lifecycle if has("lifecycle", "GET", names.policies) else "",
        pit=names.pit if has("pit", "POST", f"/{_NOBODY}{names.pit}?keep_alive=1s") else "",
        security=names.roles if has("security", "GET", names.roles) else "",
        wildcard=takes("wildcard", maps("wildcard")),
        flat=names.flat if takes("flat", maps(names.flat)) else "",
        words=takes("words", {"settings": {"analysis": analysis()}}),
        hidden=tuple(hidden),
    )


def _introduced(answer: Answer) -> Product | None:
    """What `GET /` says."""
    body = answer.json
    version = body.get("version") if isinstance(body, dict) else None
    if answer.status != 200 or not isinstance(version, dict):
        return None
    if version.get("distribution") == "opensearch":
        return Product("opensearch", _numbers(version.get("number")))
    if "x-elastic-product" in answer.headers or "for Search" in str(body.get("tagline", "")):
        return Product("elasticsearch", _numbers(version.get("number")))
    return None


def _by_nodes(request: Request, first: Answer) -> Product | None:
    """The version of a node, where `GET /` is not built in or not allowed; the headers tell which engine it is."""
    answer = request("GET", "/_nodes/_local?filter_path=nodes.*.version", allow=_ASKED)
    flavour: Flavour | None = next((found for one in (answer, first) if (found := _headed(one))), None)
    if flavour is None:
        return None
    nodes = answer.json.get("nodes") if isinstance(answer.json, dict) else None
    known = [node.get("version") for node in nodes.values()] if isinstance(nodes, dict) else []
    return Product(flavour, _numbers(known[0] if known else ""))


def _headed(answer: Answer) -> Flavour | None:
    if "x-elastic-product" in answer.headers:
        return "elasticsearch"
    return "opensearch" if "x-opensearch-version" in answer.headers else None


def _unrouted(answer: Answer) -> bool:
    """Whether a 404 is about the path and not about what stands behind it: a proxy's, or an older engine's."""
    body = answer.json
    return not isinstance(body, dict) or isinstance(body.get("error"), str)


def _numbers(text: Any) -> tuple[int, int, int]:
    found = re.match(r"(\d{1,3})\.(\d{1,3})\.(\d{1,3})", str(text))
    return (int(found[1]), int(found[2]), int(found[3])) if found else (0, 0, 0)
