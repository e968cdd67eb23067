"""What an engine must be told before it takes our events: made from the catalogue, without asking anybody.

A step that the engine cannot take is left out with the reason, so that a build with less still works.
"""

import hashlib
from typing import Any, Literal

import msgspec
from msgspec import Struct

from jwtrail.ecs.catalogue import CATALOGUE, CATALOGUE_VERSION
from jwtrail.elastic.features import Features, Product
from jwtrail.elastic.lifecycle import Keeping, ilm_policy, ism_policy
from jwtrail.elastic.roles import ROLES, opensearch_role, xpack_role
from jwtrail.elastic.streams import DATASETS, stream_of
from jwtrail.elastic.template import index_body, index_template

__all__ = [
    "CUSTOM",
    "EVENTS",
    "NAME",
    "VERSION",
    "Kind",
    "LeftOut",
    "Made",
    "Plan",
    "Step",
    "plan_for",
    "remark",
]

VERSION = 1
"""Raised when anything but the fields changes. What an engine has from an older version is brought up to date; what it has from
a newer one is left alone."""

NAME = "jwtrail"
EVENTS = "jwtrail-events"
"""The component template with settings and mappings."""

CUSTOM = "jwtrail-custom"
"""A component template that is made empty and never touched again: the place for the operator's own settings (shards,
replicas, tiers), which win over ours."""

Kind = Literal["policy", "component template", "index template", "data stream", "role"]

_ILM_META = (7, 16, 0)
"""From here on a policy may carry remarks, and count the size of a shard (which came with 7.13)."""


class Made(Struct, frozen=True, rename={"digest": "sha256"}):
    """What is written into every object, to know it again.

    Args:
        managed_by: always `jwtrail`.
        version: `VERSION` of the program that made it.
        catalogue: version of the catalogue of fields.
        fields: how many it has; a later one of the same version has more.
        digest: first 16 hexadecimal digits of SHA-256 of its content.
    """

    managed_by: str
    version: int
    catalogue: int
    fields: int
    digest: str

    @property
    def age(self) -> tuple[int, int, int]:
        """What is larger was made by a later program."""
        return (self.version, self.catalogue, self.fields)


class Step(Struct, frozen=True):
    """One object that the engine must have.

    Args:
        path: where it is read and written.
        body: what is put there; None for a data stream, which has none.
        made: what it is known by; None where the engine keeps no remarks.
        once: it belongs to the operator as soon as it exists.
    """

    kind: Kind
    name: str
    path: str
    body: dict[str, Any] | None
    made: Made | None
    once: bool = False


class LeftOut(Struct, frozen=True):
    """What this engine cannot take, and what follows."""

    what: str
    why: str


class Plan(Struct, frozen=True):
    """Steps in the order in which they depend on each other."""

    steps: tuple[Step, ...]
    left_out: tuple[LeftOut, ...]


def plan_for(product: Product, features: Features, keeping: Keeping, namespace: str) -> Plan:
    """The steps for one engine.

    Args:
        namespace: last part of the data streams' names.
    """
    steps: list[Step] = []
    left_out: list[LeftOut] = []
    settings: dict[str, Any] = {}
    if features.lifecycle == "ilm":
        steps.append(_ilm(keeping, product))
        settings["index.lifecycle.name"] = NAME
    elif features.lifecycle == "ism":
        steps.append(_ism(keeping))
    else:
        left_out.append(
            _without(features, "lifecycle", "policy", "indices are never rolled over nor deleted")
        )
    steps += _templates(product, features, settings)
    if not features.wildcard:
        left_out.append(
            _without(
                features,
                "wildcard",
                "wildcard fields",
                "url.path and url.original are keywords, which answer alike",
            )
        )
    if not features.flat:
        left_out.append(
            _without(
                features, "flat", "flattened fields", "labels and jwt.claims are kept, but cannot be searched"
            )
        )
    if not features.words:
        left_out.append(
            _without(features, "words", "our analyzer", "words of `message` are cut the standard way")
        )
    if features.data_streams:
        names = (stream_of(dataset, namespace) for dataset in DATASETS)
        steps += [Step("data stream", name, f"/_data_stream/{name}", None, None) for name in names]
    else:
        left_out.append(_without(features, "data_streams", "data streams", "each is made by its first event"))
    if features.security:
        steps += _roles(product, features)
    else:
        left_out.append(_without(features, "security", "roles", "this engine asks nobody who they are"))
    return Plan(tuple(steps), tuple(left_out))


def _templates(product: Product, features: Features, more: dict[str, Any]) -> list[Step]:
    body = index_body(
        product.flavour, wildcard=features.wildcard, flat=bool(features.flat), words=features.words
    )
    # One component for both, because OpenSearch wants a mapping and its analyzer in one.
    events = {"settings": {**body["settings"], **more}, "mappings": body["mappings"]}
    return [
        _marked(
            "component template", EVENTS, f"/_component_template/{EVENTS}", {"template": events}, "_meta"
        ),
        Step(
            "component template", CUSTOM, f"/_component_template/{CUSTOM}", {"template": {}}, None, once=True
        ),
        _marked(
            "index template", NAME, f"/_index_template/{NAME}", index_template({}, (EVENTS, CUSTOM)), "_meta"
        ),
    ]


def _ilm(keeping: Keeping, product: Product) -> Step:
    path, policy = f"/_ilm/policy/{NAME}", ilm_policy(keeping)
    if any(product.version) and product.version < _ILM_META:
        rollover = policy["phases"]["hot"]["actions"]["rollover"]
        rollover["max_size"] = rollover.pop("max_primary_shard_size")
        return Step("policy", NAME, path, {"policy": policy}, None)
    made = _made(policy)
    return Step("policy", NAME, path, {"policy": {**policy, "_meta": msgspec.to_builtins(made)}}, made)


def _ism(keeping: Keeping) -> Step:
    policy = ism_policy(keeping)
    made = _made(policy)
    return Step(
        "policy",
        NAME,
        f"/_plugins/_ism/policies/{NAME}",
        {"policy": {"description": remark(made), **policy}},
        made,
    )


def _roles(product: Product, features: Features) -> list[Step]:
    steps = []
    for role in ROLES:
        path = f"{features.security}/{role.name}"
        if product.flavour == "elasticsearch":
            steps.append(_marked("role", role.name, path, xpack_role(role), "metadata"))
        else:
            body = opensearch_role(role)
            made = _made(body)
            steps.append(Step("role", role.name, path, {"description": remark(made), **body}, made))
    return steps


def _marked(kind: Kind, name: str, path: str, body: dict[str, Any], where: str) -> Step:
    made = _made(body)
    return Step(kind, name, path, {**body, where: msgspec.to_builtins(made)}, made)


def _made(body: dict[str, Any]) -> Made:
    digest = hashlib.sha256(msgspec.json.encode(body, order="sorted")).hexdigest()[:16]
    return Made("jwtrail", VERSION, CATALOGUE_VERSION, len(CATALOGUE), digest)


def remark(made: Made) -> str:
    """`Made` as one line, for objects that have a description and nothing else."""
    return (
        f"managed_by={made.managed_by} version={made.version} catalogue={made.catalogue} fields={made.fields} "
        f"sha256={made.digest}"
    )


def _without(features: Features, feature: str, what: str, then: str) -> LeftOut:
    why = "this user may not ask for them" if feature in features.hidden else "this engine does not have them"
    return LeftOut(what, f"{why}: {then}")
