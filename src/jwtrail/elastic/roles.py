"""Who may do what with our data streams: one role to ship, one to read, one to erase; and who has which."""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from jwtrail.elastic.streams import PATTERN
from jwtrail.errors import ConfigError

__all__ = ["ROLES", "Role", "grants_of", "mapping_with", "opensearch_role", "xpack_role"]

MAX_GRANTS = 100
"""Users in one call; more are the work of groups (`backend_roles`) of the engine."""

_OWN = ("backend_roles", "hosts", "and_backend_roles", "description")
"""What a role mapping of OpenSearch has beside its users."""


class Role(Struct, frozen=True):
    """One role in the words of both engines.

    Args:
        name: in the engine.
        doc: what somebody with it can do.
        cluster: privileges of Elasticsearch on the cluster, `indices`: on our data streams.
        permissions: OpenSearch's on the cluster, `actions`: on our data streams.
    """

    name: str
    doc: str
    cluster: tuple[str, ...]
    indices: tuple[str, ...]
    permissions: tuple[str, ...]
    actions: tuple[str, ...]


ROLES = (
    Role(
        "jwtrail_writer",
        "jwtrail ship: adds events and looks up which of them are there; deletes none",
        ("monitor",),
        ("create_doc", "auto_configure", "read", "view_index_metadata", "maintenance"),
        ("cluster_monitor", "indices:data/write/bulk"),
        (
            "read",
            "indices:data/write/bulk*",
            "indices:data/write/index",
            "create_index",
            "indices:admin/mapping/put",
            "indices:admin/mappings/get",
            "indices:admin/get",
            "indices:admin/refresh*",
        ),
    ),
    Role(
        "jwtrail_reader",
        "search, stats, serve and detect with --store, trail verify --remote, dashboards",
        ("monitor",),
        ("read", "view_index_metadata"),
        ("cluster_monitor", "cluster_composite_ops_ro"),
        ("read", "indices:admin/mappings/get", "indices:admin/get", "indices:admin/resolve/index"),
    ),
    Role(
        "jwtrail_keeper",
        "subject erase and retention: changes and deletes events",
        ("monitor",),
        ("read", "index", "delete", "view_index_metadata", "maintenance"),
        ("cluster_monitor", "cluster_composite_ops"),
        (
            "read",
            "write",
            "delete",
            "indices:admin/refresh*",
            "indices:admin/mappings/get",
            "indices:admin/get",
        ),
    ),
)


def xpack_role(role: Role) -> dict[str, Any]:
    """The body of `PUT _security/role/…`."""
    return {
        "cluster": list(role.cluster),
        "indices": [{"names": [PATTERN], "privileges": list(role.indices)}],
    }


def opensearch_role(role: Role) -> dict[str, Any]:
    """The body of `PUT _plugins/_security/api/roles/…`; `.ds-` because rights are checked on backing indices too."""
    return {
        "cluster_permissions": list(role.permissions),
        "index_permissions": [
            {"index_patterns": [PATTERN, f".ds-{PATTERN}"], "allowed_actions": list(role.actions)}
        ],
    }


def grants_of(texts: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """`writer=USER` and so on as the users of each role.

    Raises:
        ConfigError: no such role, no user, or too many.
    """
    found: dict[str, tuple[str, ...]] = {}
    known = {role.name.removeprefix("jwtrail_"): role.name for role in ROLES}
    for number, text in enumerate(texts, 1):
        short, _, user = text.partition("=")
        if short not in known or not user or number > MAX_GRANTS:
            raise ConfigError(
                f"{text!r} gives nobody a role", where="--grant", hint=f"{', '.join(known)}, then =USER"
            )
        found[known[short]] = (*found.get(known[short], ()), user)
    return found


def mapping_with(there: Mapping[str, Any], users: Iterable[str]) -> dict[str, Any] | None:
    """The body of `PUT _plugins/_security/api/rolesmapping/…` that adds users to those who are there; None when all are."""
    known = {str(user) for user in there.get("users") or ()}
    wanted = known.union(users)
    if wanted == known:
        return None
    return {name: there[name] for name in _OWN if there.get(name)} | {"users": sorted(wanted)}
